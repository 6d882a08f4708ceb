"""What was measured on the machine, and what was fitted to it, as both are bundled with the package."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .machine import Machine

Array = NDArray[np.float64]

FOLDER = Path(__file__).parents[2] / "scenarios" / "data" / "transistor-learner"


class Cycle(NamedTuple):
    """One closed cycle of the gates at even times."""

    period: float
    """In seconds."""

    first: str
    """The task from the second point on, for half a period."""

    gates: Array
    """(points, 2): minus and plus, in volts."""


class Measured(NamedTuple):
    """One experiment. Gates are (minus, plus): of the transistors to the low and to the high source."""

    periods: Array
    """Full periods in seconds."""

    span: Array
    """Squared distance of both turning points of the gates, in square volts."""

    error: Array
    """Mean square error of the output over tasks and turning points, in square volts."""

    cycles: list[Cycle]
    drifts: dict[str, Array]
    """Under one task: (times, 3) of seconds and gates."""

    def select(self, wanted: NDArray[np.bool_]) -> Measured:
        """Return the experiment with some of its periods."""
        return self._replace(**{name: getattr(self, name)[wanted] for name in ("periods", "span", "error")})


def load_measured(experiment: int) -> Measured:
    """Return experiment 1, 2 or 3."""
    cycles, drifts = _read("cycles", experiment), _read("drifts", experiment)
    return Measured(
        *_read("measured", experiment).astype(float).T,
        [
            Cycle(float(period), str(first), cycles[cycles[:, 0] == period, 2:].astype(float))
            for period, first in np.unique(cycles[:, :2], axis=0)
        ],
        {str(task): drifts[drifts[:, 0] == task, 1:].astype(float) for task in np.unique(drifts[:, 0])},
    )


def load_fitted(experiment: int) -> Machine:
    """Return the machine that was fitted to experiment 1, 2 or 3."""
    return Machine(**{name: float(value) for name, value, *_ in _read("fitted", experiment)})


def save_fitted(found: dict[int, dict[str, tuple[float, float, float]]]) -> None:
    """Keep what was fitted, by experiment and name: value, and both ends of its interval."""
    rows = ["experiment,name,value,low,high"]
    for experiment, numbers in found.items():
        rows += [f"{experiment},{name},{','.join(f'{v:.8g}' for v in values)}" for name, values in numbers.items()]
    (FOLDER / "fitted.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _read(name: str, experiment: int) -> NDArray[np.str_]:
    table = np.loadtxt(FOLDER / f"{name}.csv", delimiter=",", skiprows=1, dtype=str)
    return np.asarray(table[table[:, 0] == str(experiment), 1:])
