"""Pooling of windows that tile a layer, channel by channel, and its slopes.

A drive before pooling is an array (..., rows, columns, channels). `softmax` weighs the values of a window by their own
exponentials, ``sum(z exp z)/sum(exp z)``: between the mean and the largest value, and smooth (Laborieux & Zenke 2024).
Adding one number to a whole window adds it to what `softmax` and `average` make of it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""float64, or complex128 under a complex nudge."""

Pooling = Literal["softmax", "average", "none"]

_WINDOW = (2, 2)


def get_window(how: Pooling) -> tuple[int, int]:
    """Return rows and columns that become one unit."""
    return (1, 1) if how == "none" else _WINDOW


def pool(z: Values, how: Pooling) -> Values:
    """Return what pooling makes of drives (..., rows, columns, channels), each window one unit.

    Complex drives are pooled by the analytic continuation.
    """
    if how == "none":
        return z
    windows = _split_windows(z, get_window(how))
    weights = _compute_shares(windows) if how == "softmax" else np.asarray(1.0 / _count_values(windows))
    return np.asarray((weights * windows).sum(axis=(-4, -2)))


def pool_slopes(z: Values, how: Pooling) -> Values:
    """Return the derivative of every pooled unit by each of its own drives, of the shape of `z`.

    With ``s = exp z/sum(exp z)`` it is ``s (1 + z - sum(s z))`` for `softmax`.
    """
    if how == "none":
        return np.ones_like(z)
    windows = _split_windows(z, get_window(how))
    if how == "average":
        return np.full_like(z, 1.0 / _count_values(windows))
    shares = _compute_shares(windows)
    mean = (shares * windows).sum(axis=(-4, -2), keepdims=True)
    return np.asarray(shares * (1.0 + windows - mean)).reshape(z.shape)


def spread(d: Values, how: Pooling) -> Values:
    """Return values (..., rows, columns, channels) of pooled units, given to every place of their windows."""
    rows, columns = get_window(how)
    return d.repeat(rows, axis=-3).repeat(columns, axis=-2)


def _split_windows(z: Values, window: tuple[int, int]) -> Values:
    """Return a view (..., row, row in window, column, column in window, channel)."""
    *batch, rows, columns, channels = z.shape
    return z.reshape(*batch, rows // window[0], window[0], columns // window[1], window[1], channels)


def _count_values(windows: Values) -> int:
    return int(windows.shape[-4] * windows.shape[-2])


def _compute_shares(windows: Values) -> Values:
    """Return ``exp z/sum(exp z)`` of every window."""
    # A shift changes nothing but the range; that of the real part is enough, since |exp z| knows no other.
    raised = np.exp(windows - windows.real.max(axis=(-4, -2), keepdims=True))
    return np.asarray(raised / raised.sum(axis=(-4, -2), keepdims=True))
