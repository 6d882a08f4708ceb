"""The curve of the units of a chip, turned round: from an activity at rest to the net drive that makes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.neuron import activation, curves
from devices.neuron.activation import Curve

from ..dynamics.transfer import Transfer
from ..laws.law import LAWS
from .digital_model import find_state

Array = NDArray[np.float64]

_SHARE = 0.04
"""Of its range that an activity must keep from either end."""

_LEAST = 4.0 * _SHARE * (1.0 - _SHARE)
"""The same as a slope relative to the largest one, for a logistic curve; so it holds for curves without an end."""


class InverseCurve:
    """Net drives of units at rest from their activities: ``rho^-1(a)``, or ``u/rho'(u)`` of the hopfield law.

    Parameters
    ----------
    law : str
        Name of the drift law.
    curve : str or Curve
        Activation that all units share.

    Raises
    ------
    ValueError
        If the activation falls somewhere, so that an activity belongs to several states.
    """

    def __init__(self, law: str, curve: str | Curve) -> None:
        if not curves.is_rising(curve):
            raise ValueError(f"network.activation = {curve!r} {curves.NOT_RISING}: take sigmoid or tanh")
        none = np.zeros(0)
        code, table = curves.find_activation_code(curve), activation.get_curve_table(curve)
        self._transfer, self._sloped = Transfer(code, table, none, none), LAWS[law].SLOPED
        self.powers = (2, 1) if self._sloped else (1, 0)
        """Powers of `s` and `g` that divide the drive of a unit with the curve ``g rho(s u)``, beside ``a/g`` in it."""

    def drive(self, activity: Array) -> Array:
        """Return the net drive at rest; units of the state."""
        state = find_state(self._transfer, activity)
        return np.asarray(state / self._transfer.slope(state) if self._sloped else state)

    def sensitivity(self, activity: Array) -> Array:
        """Return the derivative of the drive with respect to the activity."""
        state = find_state(self._transfer, activity)
        slope = self._transfer.slope(state)
        if not self._sloped:
            return np.asarray(1.0 / slope)
        return np.asarray((1.0 - state * self._transfer.curvature(state) / slope) / slope**2)

    def informative(self, activity: Array) -> NDArray[np.bool_]:
        """Tell where the slope is 15 % of the largest one or more: for logistic curves, .04 to .96 of their range."""
        slope = self._transfer.slope(find_state(self._transfer, activity))
        return np.asarray(slope >= _LEAST * self._transfer.steepest())
