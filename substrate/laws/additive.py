"""The additive law, ``F = -u + h``: a leaky membrane that adds up its drive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NAME = "additive"
CODE = 0
"""The law as kernels know it."""

SLOPED = False
"""Whether the drift holds the slope ``rho'(u)`` of the transfer curve."""

LOADED = True
"""Whether conductances to other units can load its membrane: they add to the leak."""

SWEEP_DAMPING = 1.0
"""Share of its drift that a layer moves in a sweep over layers of two colours: to the rest point it sees."""


def drift(u: Any, h: Any, slope: Any) -> Any:  # noqa: ARG001  every law is asked alike
    """Return the drift ``F = -u + h``; `slope` is not used."""
    return h - u


def respond(change: Array, slopes: Array) -> Array:  # noqa: ARG001
    """Return what a change of the drives does to the drifts: the change itself."""
    return change


def stiffness(v: Array, drive: Array, slopes: Array, bend: Any) -> Array:  # noqa: ARG001
    """Return ``-J_u v = v - W R v``, with ``drive = W R v``."""
    return v - drive


def stiffness_matrix(coupling: Array, slopes: Array, bend: Any) -> Array:  # noqa: ARG001
    """Return ``-J_u = 1 - W R`` of one sample, (units, units)."""
    return np.asarray(np.eye(len(slopes)) - coupling * slopes)


def energy(u: Array, a: Array, area: Array, drive: Array, constant: Array) -> Array:
    """Return ``u a - area - a W a / 2 - I a`` per sample, which falls for symmetric `W`: ``dE/du = -rho'(u) F``.

    M. A. Cohen, S. Grossberg, IEEE Trans. SMC 13, 815 (1983); J. J. Hopfield, PNAS 81, 3088 (1984).

    Parameters
    ----------
    u, a : array (batch, units)
        State and activity ``rho(u)``.
    area : array (batch, units)
        Integral of `rho` from 0 to `u`.
    drive, constant : array (batch, units)
        ``W a``, and the drive `I` that does not change.
    """
    return np.asarray(np.sum(u * a - area - 0.5 * a * drive - constant * a, axis=-1))
