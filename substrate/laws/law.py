"""What a drift law is, and the list of all: a law is a module, and everything asks the module.

The symbols are those of `substrate.laws.conventions`. An engine has code of its own for every law, by its `CODE`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import additive, hopfield

Array = NDArray[np.float64]


class DriftLaw(Protocol):
    """A drift law ``tau du/dt = F(u, h)``."""

    NAME: str
    CODE: int
    SLOPED: bool
    LOADED: bool
    SWEEP_DAMPING: float

    def drift(self, u: Any, h: Any, slope: Any) -> Any:
        """Return the drift `F` of numbers or arrays: state, net drive, slope ``rho'(u)``."""
        ...

    def respond(self, change: Array, slopes: Array) -> Array:
        """Return what a change of the drives does to the drifts, (batch, units); the map is its own transpose."""
        ...

    def stiffness(self, v: Array, drive: Array, slopes: Array, bend: Any) -> Array:
        """Return ``-J_u v``, (batch, units).

        Parameters
        ----------
        v, drive : array (batch, units)
            Changes of the states, and ``W R v``.
        slopes : array (batch, units)
            ``rho'(u)``.
        bend : array (batch, units) or None
            ``rho''(u) h``; None where the law is not `SLOPED`.
        """
        ...

    def stiffness_matrix(self, coupling: Array, slopes: Array, bend: Any) -> Array:
        """Return ``-J_u`` of one sample as a matrix, (units, units); `coupling` is ``W[post, pre]``."""
        ...

    def energy(self, u: Array, a: Array, area: Array, drive: Array, constant: Array) -> Array:
        """Return what falls along every path if `W` is symmetric, per sample; `area` is the integral of `rho`."""
        ...


LAWS: dict[str, DriftLaw] = {law.NAME: law for law in (additive, hopfield)}
"""Every law by name."""
