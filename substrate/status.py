"""How a settling can end, and what to try then."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a settling ended, the worst last; the values are stored in result files."""

    SETTLED = 0
    STEP_LIMIT = 1
    STALLED = 2
    PERIOD_2 = 3
    CYCLE = 4
    DIVERGED = 5

    @property
    def words(self) -> str:
        """Return the status as words."""
        return self.name.lower().replace("_", " ").replace("period 2", "period-2 cycle")

    @property
    def advice(self) -> str:
        """Return the knob to turn."""
        return _ADVICE[self]


_ADVICE = {
    Status.SETTLED: "",
    Status.STEP_LIMIT: "allow more time (max_steps, steps or duration of the phase) or raise the tolerance",
    Status.PERIOD_2: "the state flips between two values at every step: lower dynamics.dt",
    Status.STALLED: "the residual falls no further: raise dynamics.free.tolerance or use double precision",
    Status.CYCLE: "the state returns to where it was: lower dynamics.dt; if it still does, the network oscillates",
    Status.DIVERGED: "lower dynamics.dt, or the nudge (learning.scheme.beta) if only nudged settlings diverge",
}
