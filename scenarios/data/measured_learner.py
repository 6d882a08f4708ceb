"""What was measured on a circuit that learns by itself, as it is bundled: see ``transistor-learner/README.md``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class MeasuredCycles(NamedTuple):
    """Cycles in which alternating tasks ended, one a period; arrays (periods,)."""

    periods: Array
    """Full periods in seconds."""

    span: Array
    """Squared distance of both turning points of the gates, in square volts."""

    error: Array
    """Mean square error of the output over tasks and turning points, in square volts."""


def load_measured_cycles(name: str) -> MeasuredCycles:
    """Return an experiment by its name, such as ``transistor-learner-1``."""
    folder, _, experiment = name.rpartition("-")
    rows = np.loadtxt(Path(__file__).parent / folder / "measured.csv", delimiter=",", skiprows=1)
    return MeasuredCycles(*rows[rows[:, 0] == float(experiment), 1:].T)
