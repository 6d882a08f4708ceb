"""Transfer curves of all kinds by name and by code: ours, measured ones, and those that a user registered.

A user's activation is two functions of one number, value and slope. A scenario can name it only if the Python that
runs the scenario has registered it: nothing is loaded from a scenario.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import activation
from .activation import CODES, HOLOMORPHIC, NO_TABLE, OWN, TABLE, Array, Curve, Real

Function = Callable[[Any], Any]

_GRID = np.linspace(-6.0, 6.0, 481) + 1e-3 * np.sqrt(2.0)
"""States at which a new activation is examined; kinks of usual curves lie between them."""

_STEP = 1e-4
"""Step of differences of the fourth order: their error is about ``f''''' h^4 / 30 + 1e-16 / h``."""

_TOLERANCE = 1e-6
"""Largest difference of slope and differences, relative to 1 plus the slope."""


class OwnActivation(NamedTuple):
    """One registered activation."""

    name: str
    value: Function
    """Activity of a state."""

    slope: Function
    """Its derivative."""

    holomorphic: bool
    """Both functions take complex states, and the slope is the derivative there, too."""

    digest: str
    """Names what the functions compute: a digest of their values, so that results tell two activations apart."""

    module: str
    """The module that registers it: another process imports it."""


_registered: list[OwnActivation] = []
"""In the order of their registration: the place of one never changes, so that its number can stand for it."""


def examine_activation(name: str, value: Function, slope: Function, module: str = "__main__") -> OwnActivation:
    """Return an activation that can be registered.

    Parameters
    ----------
    name : str
        What scenarios call it: lower-case letters, digits and hyphens, a letter first.
    value, slope : callable
        Activity ``rho(u)`` and ``rho'(u)`` of one state, written with numbers, `math` or NumPy.
    module : str
        Where it is registered.

    Raises
    ------
    ValueError
        If the name is not free or no such name, if a function gives no finite real numbers at ordinary states, or if
        `slope` is not the derivative of `value`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,49}", name):
        raise ValueError(f"name {name!r}: lower-case letters, digits and hyphens, a letter first, such as 'my-curve'")
    if name in CODES:
        raise ValueError(f"name {name!r}: an activation of nudgelab has it, take another")
    values, slopes = _evaluate_on_grid(f"{name}: value", value), _evaluate_on_grid(f"{name}: slope", slope)
    differences = _differentiate(value, _GRID)
    error = np.abs(slopes - differences) / (1.0 + np.abs(slopes))
    if error.max() > _TOLERANCE:
        k = int(error.argmax())
        raise ValueError(
            f"{name}: at u = {_GRID[k]:.4f} slope gives {slopes[k]:.6g}, and differences of value give"
            f" {differences[k]:.6g}: give the derivative of value"
        )
    digest = hashlib.sha256(np.concatenate([values, slopes]).astype(np.float32).tobytes()).hexdigest()[:16]
    return OwnActivation(name, value, slope, _is_holomorphic(value, slope), digest, module)


def add_activation(law: OwnActivation) -> None:
    """Let the name of an activation mean it from now on."""
    _registered.append(law)


def list_activations() -> list[str]:
    """Return what an activation can be called now: our own laws, then those that were registered."""
    return [*CODES, *dict.fromkeys(law.name for law in _registered)]


def find_own_activation(law: str | Curve) -> OwnActivation | None:
    """Return the activation that a user registered under a name; absent: the law is one of ours, or measured."""
    return _registered[_place_of(law)] if isinstance(law, str) and law not in CODES else None


def get_own_activation(code: int) -> OwnActivation:
    """Return the activation of a user with an integer code."""
    return _registered[code - OWN]


def _place_of(name: str) -> int:
    return max(k for k, law in enumerate(_registered) if law.name == name)


# What all activations offer, whoever they come from


def find_activation_code(law: str | Curve) -> int:
    """Return the integer code of an activation."""
    if not isinstance(law, str):
        return TABLE
    return CODES[law] if law in CODES else OWN + _place_of(law)


def is_holomorphic(law: str | Curve) -> bool:
    """Tell whether the activation accepts a complex state."""
    mine = find_own_activation(law)
    return mine.holomorphic if mine else law in HOLOMORPHIC


NOT_RISING = "falls somewhere, so that an activity belongs to several states"
"""Why a curve cannot be inverted."""


def is_rising(law: object) -> bool:
    """Tell whether an activation, by its name, falls nowhere between -8 and 8; a measured one never does."""
    if not isinstance(law, str):
        return True
    values = np.asarray(compute_activity(find_activation_code(law), np.linspace(-8.0, 8.0, 1601)))
    return bool((np.diff(values) >= 0.0).all())


def compute_activity(code: int, u: Real, table: Array = NO_TABLE) -> Real:
    """Return the activity ``rho(u)``, see `activation.activity`."""
    return activation.activity(code, u, table) if code < OWN else _evaluate(get_own_activation(code).value, u)


def compute_slope(code: int, u: Real, table: Array = NO_TABLE) -> Real:
    """Return ``rho'(u)``."""
    return activation.slope(code, u, table) if code < OWN else _evaluate(get_own_activation(code).slope, u)


def compute_curvature(code: int, u: Real) -> Real:
    """Return ``rho''(u)``: of a user's activation by differences of the fourth order."""
    return (
        activation.curvature(code, u)
        if code < OWN
        else _differentiate(get_own_activation(code).slope, np.asarray(u, dtype=np.float64))
    )


def _evaluate(function: Function, u: Array | float) -> Array:
    """Return a function of one number at every entry; at all at once where it takes arrays.

    A mistake in the function is raised by the calls one by one.
    """
    states = np.asarray(u, dtype=np.float64)
    with np.errstate(all="ignore"):
        try:
            found = np.asarray(function(states), dtype=np.float64)
            if found.shape == states.shape:
                return found
        except (TypeError, ValueError):  # written for one number: math.exp, or `if u > 0`
            pass
        return np.array([function(float(x)) for x in states.ravel()], dtype=np.float64).reshape(states.shape)


def _evaluate_on_grid(words: str, function: Function) -> Array:
    """Return the values of a function on the grid, one by one as kernels call it; refuse what is no finite number."""
    found = np.empty(len(_GRID))
    for k, u in enumerate(_GRID.tolist()):
        given = function(u)
        number = np.asarray(given)
        if number.ndim or number.dtype.kind not in "iuf" or not np.isfinite(number):
            raise ValueError(
                f"{words} gives {given!r} at u = {u:.4f}: it must give one finite real number for each state"
            )
        found[k] = float(number)
    return found


def _differentiate(function: Function, u: Array) -> Array:
    ahead, behind = (_evaluate(function, u + d) for d in (_STEP, -_STEP))
    far_ahead, far_behind = (_evaluate(function, u + d) for d in (2.0 * _STEP, -2.0 * _STEP))
    found: Array = (far_behind - far_ahead + 8.0 * (ahead - behind)) / (12.0 * _STEP)
    return found


def _is_holomorphic(value: Function, slope: Function) -> bool:
    """Tell whether both functions take complex states and differences along both axes give the slope."""
    try:
        for z in (0.3 + 0.2j, -1.1 + 0.4j, 1.7 - 0.3j):
            told = complex(slope(z))
            for step in (1e-4, 1e-4j):
                found = (complex(value(z + step)) - complex(value(z - step))) / (2.0 * step)
                if not abs(found - told) <= 1e-5 * (1.0 + abs(told)):
                    return False
    except Exception:  # noqa: BLE001  whatever it does with a complex number, it does not take one
        return False
    return True
