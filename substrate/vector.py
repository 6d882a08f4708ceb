"""Device laws once more, written for the compiler: one row of units, without branches, so that it vectorises.

`devices.activation` and `devices.random` are the specification; tests hold both side by side. All
numbers take the type of the row: one literal in double would halve the width of every vector.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices import activation

from .compile import elementwise, exponent, power_of_two

Row = NDArray[Any]


@elementwise
def exp2(t: float) -> float:
    """Return ``2^t``, `t` cut to [-126, 126]; the polynomial interpolates ``2^f`` at Chebyshev points of [-1/2, 1/2]."""
    T = type(t)
    t = min(max(t, T(-126.0)), T(126.0))
    k = np.floor(t + T(0.5))
    f = t - k
    p = T(1.0204288021971782e-07) + f * T(6.538660575946172e-09)
    p = T(1.525268074450045e-05) + f * (T(1.3218489887852538e-06) + f * p)
    p = T(0.001333355818928794) + f * (T(0.00015403524525936518) + f * p)
    p = T(0.05550410866470005) + f * (T(0.009618129112096103) + f * p)
    p = T(0.6931471805599462) + f * (T(0.2402265069589883) + f * p)
    return (T(1.0) + f * p) * power_of_two(k)


@elementwise
def log(x: float) -> float:
    """Return the natural logarithm of a positive number, from ``log m = 2 artanh((m - 1)/(m + 1))``."""
    T = type(x)
    e = exponent(x)
    m = x * power_of_two(-e)
    z = (m - T(1.0)) / (m + T(1.0))
    q = z * z
    p = T(1.0 / 11.0) + q * (T(1.0 / 13.0) + q * (T(1.0 / 15.0) + q * (T(1.0 / 17.0) + q * T(1.0 / 19.0))))
    p = T(1.0 / 3.0) + q * (T(1.0 / 5.0) + q * (T(1.0 / 7.0) + q * (T(1.0 / 9.0) + q * p)))
    return e * T(0.6931471805599453) + (z + z) * (T(1.0) + q * p)


@elementwise
def logistic(x: float) -> float:
    """Return ``1 / (1 + exp(-x))``."""
    T = type(x)
    return T(1.0) / (T(1.0) + exp2(T(-1.4426950408889634) * x))


@elementwise
def activity_row(code: int, table: Row, u: Row, a: Row) -> None:
    """Write the activity of the states `u` to `a`; `table` (2, points) is the measured curve, empty if there is none."""
    T = u.dtype.type
    n = u.shape[0]
    if code == activation.SIGMOID:
        for i in range(n):
            a[i] = logistic(T(4.0) * u[i] - T(2.0))
    elif code == activation.DSILU:
        for i in range(n):
            half = T(0.5) * u[i]
            a[i] = half * logistic(u[i]) + (T(1.0) - half) * logistic(u[i] - T(2.0))
    elif code == activation.TANH:
        for i in range(n):
            a[i] = T(2.0) * logistic(u[i] + u[i]) - T(1.0)
    elif code == activation.HARD_SIGMOID:
        for i in range(n):
            a[i] = min(max(u[i], T(0.0)), T(1.0))
    elif code == activation.SOFTPLUS:
        for i in range(n):
            a[i] = max(u[i], T(0.0)) + log(T(1.0) + exp2(T(-1.4426950408889634) * abs(u[i])))
    elif code == activation.IDENTITY:
        a[:] = u
    else:
        for i in range(n):
            a[i] = T(activation.interpolate(table[0], table[1], u[i]))


@elementwise
def slope_row(code: int, table: Row, u: Row, a: Row, slope: Row) -> None:
    """Write ``rho'(u)`` of states `u` with activities `a`."""
    T = u.dtype.type
    n = u.shape[0]
    if code == activation.SIGMOID:
        for i in range(n):
            slope[i] = T(4.0) * a[i] * (T(1.0) - a[i])
    elif code == activation.DSILU:
        for i in range(n):
            s, t = logistic(u[i]), logistic(u[i] - T(2.0))
            half = T(0.5) * u[i]
            slope[i] = T(0.5) * (s - t) + half * s * (T(1.0) - s) + (T(1.0) - half) * t * (T(1.0) - t)
    elif code == activation.TANH:
        for i in range(n):
            slope[i] = T(1.0) - a[i] * a[i]
    elif code == activation.HARD_SIGMOID:
        for i in range(n):
            slope[i] = T(1.0) if T(0.0) < u[i] < T(1.0) else T(0.0)
    elif code == activation.SOFTPLUS:
        for i in range(n):
            slope[i] = logistic(u[i])
    elif code == activation.IDENTITY:
        slope[:] = T(1.0)
    else:
        for i in range(n):
            slope[i] = T(activation.interpolated_slope(table[0], table[1], u[i]))


_ROUND_0, _ROUND_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@elementwise
def _round(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    p0, p1 = _ROUND_0 * c0, _ROUND_1 * c2
    return (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW


@elementwise
def words_row(key: NDArray[np.uint64], step: int, sample: int, words: NDArray[np.uint64]) -> None:
    """Write Philox4x32-10 of the counters (step low, step high, sample, j) to `words` (4, j)."""
    step64, sample64 = np.uint64(step), np.uint64(sample) & _LOW
    low, high = step64 & _LOW, step64 >> _32
    first, second = key[0] & _LOW, key[1] & _LOW
    for j in range(words.shape[1]):
        c0, c1, c2, c3 = low, high, sample64, np.uint64(j) & _LOW
        k0, k1 = first, second
        # Ten calls, not a loop: only the innermost loop is vectorised.
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        words[0, j], words[1, j], words[2, j], words[3, j] = c0, c1, c2, c3


@elementwise
def _pair_row(size: NDArray[np.uint64], turn: NDArray[np.uint64], first: Row, second: Row) -> None:
    """Write two normal numbers per pair of words (Box and Muller); 31 bits of size, 32 of angle."""
    T = first.dtype.type
    for j in range(size.shape[0]):
        uniform = (T(np.int32(size[j] >> np.uint64(1))) + T(0.5)) * T(2.0**-31)
        radius = np.sqrt(T(-2.0) * log(uniform))
        t = T(np.int32(np.int64(turn[j]) - np.int64(2**31))) * T(2.0**-31)
        # Angle pi t; beyond a quarter turn both functions follow by reflection.
        far = abs(t) > T(0.5)
        s = (T(1.0) if t > T(0.0) else T(-1.0)) - t if far else t
        q = s * s
        p = T(-0.599264434062856) + q * (T(0.08214479560514781) + q * (T(-0.007364008675462431) + q * T(0.00044749624)))
        sine = s * (T(3.141592653589636) + q * (T(-5.167712779988138) + q * (T(2.5501640359146416) + q * p)))
        p = T(0.2353254367875966) + q * (T(-0.025776317139388986) + q * T(0.0018399903949882304))
        p = T(4.058712107539018) + q * (T(-1.3352623152877476) + q * p)
        cosine = T(0.9999999999992482) + q * (T(-4.9348022002498855) + q * p)
        first[j] = radius * (-cosine if far else cosine)
        second[j] = radius * sine


@elementwise
def normal_row(
    key: NDArray[np.uint64], step: int, sample: int, words: NDArray[np.uint64], numbers: Row, units: int
) -> None:
    """Write standard normal numbers of one step and sample to ``numbers[:units]``.

    Counter j serves the units j, j + c, j + 2c, j + 3c, where c is a quarter of the units, rounded
    up. `words` (4, c) is scratch; `numbers` has 4c places.
    """
    count = (units + 3) // 4
    words_row(key, step, sample, words[:, :count])
    _pair_row(words[0, :count], words[1, :count], numbers[:count], numbers[count : 2 * count])
    _pair_row(words[2, :count], words[3, :count], numbers[2 * count : 3 * count], numbers[3 * count : 4 * count])
