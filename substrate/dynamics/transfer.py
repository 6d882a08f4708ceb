"""The transfer curve of every unit of a chip, from state to activity: ``a = g rho(s u)``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.neuron import curves

from ..protocol import State

Array = NDArray[np.float64]


class Transfer(NamedTuple):
    """Activation and the spread around it; states are (batch, units)."""

    code: int
    """Of the activation `rho`."""

    table: Array
    """Points of a measured transfer curve (2, points), or (2, 0)."""

    gain: Array
    """Gain `g` of every unit, (units,); (0,): all 1."""

    steep: Array
    """Factor `s` of the state of every unit, of the same shape as `gain`."""

    def activity(self, u: Array) -> Array:
        """Return the activity ``g rho(s u)``."""
        return self._of(curves.compute_activity(self.code, self._seen(u), self.table), 0)

    def slope(self, u: Array) -> Array:
        """Return ``da/du = g s rho'(s u)``."""
        return self._of(curves.compute_slope(self.code, self._seen(u), self.table), 1)

    def curvature(self, u: Array) -> Array:
        """Return ``g s^2 rho''(s u)``."""
        return self._of(curves.compute_curvature(self.code, self._seen(u)), 2)

    def saturated(self, u: Array) -> NDArray[np.bool_]:
        """Tell which units have less than 5 % of the largest slope of their curve."""
        return np.asarray(np.abs(curves.compute_slope(self.code, self._seen(u), self.table)) < 0.05 * self._steepest())

    def steepest(self) -> float:
        """Return the largest slope ``da/du`` of any unit."""
        spread = float(np.max(self.gain * self.steep)) if len(self.gain) else 1.0
        return spread * self._steepest()

    def _steepest(self) -> float:
        """Return the largest slope of the curve that all units share."""
        return float(np.max(curves.compute_slope(self.code, np.linspace(-8.0, 8.0, 1601), self.table)))

    def _seen(self, u: Array) -> Array:
        return u * self.steep if len(self.steep) else u

    def _of(self, value: float | Array, power: int) -> Array:
        return np.asarray(self.gain * self.steep**power * value if len(self.gain) else value)


def rescale_loaded_state(state: State, before: Transfer, after: Transfer) -> State:
    """Return a state of membranes that change their load, in the units of the new one.

    What a chip shows of membranes `u` is ``(1 + L) u``, and the steepness of its curve falls by the same factor.

    Parameters
    ----------
    state : array (batch, units) or (batch, width)
        Under the load of `before`; synaptic poles behind the membranes hold drives, which no load changes.
    before, after : Transfer
        Curves of the same units; the same object where the load is the same.
    """
    if before is after or len(before.steep) == 0:
        return state
    found = state.copy()
    found[:, : len(before.steep)] *= before.steep / after.steep
    return found
