"""What the phases of a measurement have to do with each other: nudge, hold and noise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from devices.parameters import Parameters, Time


class Phases(Parameters):
    """The phases of a measurement."""

    nudge: Literal["continuous", "held"] = "continuous"
    """`continuous`: the force follows the state; `held`: computed once from the free outputs, then constant."""

    hold_time: Annotated[float, Field(ge=0.0, le=1e12), Time] = 0.0
    """How long a read that is compared with a later one waits in ``devices.hold``; units of tau, or seconds."""

    read_time: Annotated[float, Field(ge=0.0, le=1e12), Time] = 0.0
    """How long a read of a sample takes, of all units or of outputs alone, and that of a single cell; units of tau, or
    seconds. It enters the account only: no state moves meanwhile."""

    write_time: Annotated[float, Field(ge=0.0, le=1e12), Time] = 0.0
    """How long one programming event takes; units of tau, or seconds. It enters the account only."""

    noise: Literal["independent", "common"] = "independent"
    """White noise of the membranes. `independent`: every settling draws anew, as hardware does; `common`: all phases of
    a batch share one draw. Slow noise, coloured or 1/f, runs on through the phases under both."""

    @property
    def times_account(self) -> bool:
        """Whether reads or writes take time."""
        return self.read_time > 0.0 or self.write_time > 0.0
