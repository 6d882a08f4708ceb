"""When a trajectory ends: the statuses as numbers, and the rules by which every engine judges a sample."""

from __future__ import annotations

from typing import NamedTuple

from ..status import Status

RUNNING = -1
"""Status of a sample that still moves."""

SETTLED, STEP_LIMIT, STALLED, PERIOD_2, ON_CYCLE, DIVERGED = (int(status) for status in Status)

RUNAWAY = 1e8
"""A drift beyond this counts as diverged; units of the state."""

CYCLE = 1e-4
"""A sample is on a cycle when it returns to a former state, to this fraction of the way it went between."""

ORBIT = 2e-3
"""The same for a smooth orbit, which passes its former state between two steps."""

SHORT = 0.2
"""An orbit is smooth when a step is at most this fraction of its size."""

STALL_STEPS, STALL_TIME, PROGRESS = 1000, 500.0, 0.99
"""A sample is stalled when its drift fell to no less than this share of itself over so many steps, and over so many
time constants of its slowest element."""

FLOOR_STEPS, FLOOR_TIME, FLOOR = 50, 25.0, 64.0
"""So it is after fewer of them when its drift is so many rounding errors of its state."""

LATE = 16
"""A settling of fixed length looks for cycles in so many last steps."""


class StoppingOptions(NamedTuple):
    """How the samples of one settling are judged."""

    tolerance: float
    """Largest drift at rest, with that which the noise explains."""

    stop_early: bool
    """End a sample as soon as its end is known; otherwise it takes all steps."""

    watch: int
    """Look for cycles and stalls from this step on."""

    adaptive: bool
    """Every sample chooses its own step."""

    accuracy: float
    """Error per adaptive step, relative to ``1 + |u|``."""

    end: float
    """Time at which an adaptive sample ends, in tau."""

    patience: float
    """How long a sample may come no closer to rest before it is stalled: steps, or adaptive time in tau."""

    floor_patience: float
    """The same for a sample whose drift is rounding."""
