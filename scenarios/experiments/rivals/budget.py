"""What every rival of a comparison may spend."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from devices.parameters import Joules, Parameters, Time

Amount = Annotated[int, Field(ge=1, le=10**15)]


class RivalBudget(Parameters):
    """What every rival may spend on training one chip; at least one of them. Tests are not counted."""

    settlings: Amount | None = None
    """Settlings of one sample, free and probed ones included; absent: any."""

    reads: Amount | None = None
    """Reads of a whole sample, those of outputs alone included; absent: any."""

    time: Annotated[float, Field(gt=0.0, le=1e15), Time] | None = None
    """Time of settlings, and of reads and writes as ``[phases]`` has it, one after the other; units of tau, or seconds.
    Absent: any."""

    pulses: Amount | None = None
    """Cells that are stepped; absent: any."""

    joules: Annotated[Joules, Field(gt=0.0)] | None = None
    """Energy, as ``[energy]`` counts it; absent: any."""
