"""What an estimate may cost, so that schemes can be compared at equal budget."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from devices.parameters import Parameters, Time
from substrate.protocol import Budget


class Allowance(Parameters):
    """What every scheme may spend on one sample; free settlings and free reads count."""

    settlings: Annotated[int, Field(ge=1, le=10**9)] = 120
    """Settlings, 1 or more."""

    reads: Annotated[int, Field(ge=1, le=10**9)] = 120
    """Real reads of all units, 1 or more; a complex state costs two."""

    time: Annotated[float, Field(gt=0.0, le=1e12), Time] | None = None
    """Settled time in units of tau, or in seconds; absent: any."""

    def pays(self, one: Budget) -> int:
        """Return how many estimates it pays, of which one costs `one` per sample."""
        limits = [self.settlings // one.settlings, self.reads // one.reads]
        if self.time is not None and one.settled_time > 0.0:
            limits.append(int(self.time / one.settled_time))
        return min(limits)
