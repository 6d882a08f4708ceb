"""Step laws once more in NumPy, from the published equations (Rasch et al. 2021; `devices.programming.pulse`)."""

from __future__ import annotations

import numpy as np

from devices.programming.laws import ExponentialStep, LinearStep, PiecewiseStep, PowerStep, SoftBounds
from devices.programming.sampled import CellConstants


def multipliers(law, cells: CellConstants, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the steps of an up and a down pulse are multiplied with."""
    room = cells.high - cells.low
    if isinstance(law, SoftBounds):
        # A device of a one-sided pair has its lower bound at 0, and no down pulse.
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1.0 - w / cells.high, 1.0 - w / cells.low
    if isinstance(law, LinearStep):
        return 1.0 - w * cells.bend_up, 1.0 - w * cells.bend_down
    if isinstance(law, ExponentialStep):
        z = 2.0 * law.a * w / room + law.b
        up = 1.0 - law.amplitude_up * np.exp(law.gamma_up * z)
        down = 1.0 - law.amplitude_down * np.exp(-law.gamma_down * z)
        return np.maximum(up, 0.0), np.maximum(down, 0.0)
    if isinstance(law, PowerStep):
        return ((cells.high - w) / room) ** cells.bend_up, ((w - cells.low) / room) ** -cells.bend_down
    if isinstance(law, PiecewiseStep):
        nodes = np.linspace(0.0, 1.0, len(law.up))
        x = (w - cells.low) / room
        return np.interp(x, nodes, law.up), np.interp(x, nodes, law.down)
    return np.ones_like(w), np.ones_like(w)


def pulsed(law, cells: CellConstants, w: np.ndarray, up: bool) -> np.ndarray:
    """Return the weights after one pulse without noise."""
    rise, fall = multipliers(law, cells, w)
    moved = w + cells.step_up * rise if up else w - cells.step_down * fall
    return np.clip(moved, cells.low, cells.high)
