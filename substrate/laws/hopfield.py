"""The Hopfield law, ``F = -u + rho'(u) h``: for symmetric couplings the state runs down an energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NAME = "hopfield"
CODE = 1
"""The law as kernels know it."""

SLOPED = True
"""Whether the drift holds the slope ``rho'(u)`` of the transfer curve."""

LOADED = False
"""Whether conductances to other units can load its membrane: its drive passes the slope first."""

SWEEP_DAMPING = 0.5
"""Share of its drift that a layer moves in a sweep over layers of two colours: the slope moves with the state."""


def drift(u: Any, h: Any, slope: Any) -> Any:
    """Return the drift ``F = -u + rho'(u) h``."""
    return slope * h - u


def respond(change: Array, slopes: Array) -> Array:
    """Return what a change of the drives does to the drifts: ``R`` times it."""
    return slopes * change


def stiffness(v: Array, drive: Array, slopes: Array, bend: Any) -> Array:
    """Return ``-J_u v = v - D v - R W R v``, with ``drive = W R v`` and ``bend = rho''(u) h``."""
    return np.asarray(v - bend * v - slopes * drive)


def stiffness_matrix(coupling: Array, slopes: Array, bend: Any) -> Array:
    """Return ``-J_u = 1 - D - R W R`` of one sample, (units, units)."""
    return np.asarray(np.diag(1.0 - bend) - slopes[:, None] * coupling * slopes)


def energy(u: Array, a: Array, area: Array, drive: Array, constant: Array) -> Array:  # noqa: ARG001  as every law
    """Return ``u^2 / 2 - a W a / 2 - I a`` per sample, which falls for symmetric `W`: ``dE/du = -F``.

    Parameters
    ----------
    u, a : array (batch, units)
        State and activity ``rho(u)``.
    area : array (batch, units)
        Not used.
    drive, constant : array (batch, units)
        ``W a``, and the drive `I` that does not change.
    """
    return np.asarray(np.sum(0.5 * u**2 - 0.5 * a * drive - constant * a, axis=-1))
