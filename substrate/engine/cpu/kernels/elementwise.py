"""Device laws once more, written for the compiler: one row of units, without branches, so that it vectorises.

`devices.neuron.activation` and `devices.random` are the specification; tests hold both side by side. All
numbers take the type of the row: one literal in double would halve the width of every vector.
Columns that do not begin at 0 are counted without sign: an index that might be negative prevents vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.neuron import activation

from ..compile import elementwise, exponent, inlined, power_of_two

Row = NDArray[Any]
Rows = NDArray[Any]


@elementwise
def exp2(t: Any) -> Any:
    """Return ``2^t``, `t` cut to [-126, 126]; the polynomial meets ``2^f`` at Chebyshev points of [-1/2, 1/2]."""
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
def log(x: Any) -> Any:
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
def logistic(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    T = type(x)
    return T(1.0) / (T(1.0) + exp2(T(-1.4426950408889634) * x))


@elementwise
def compute_activity_rows(code: int, table: Rows, u: Rows, a: Rows, rows: int, first: int, stop: int) -> None:
    """Write the activity of the columns ``first:stop`` of `u` to `a`; `table` (2, points) is a measured curve."""
    T, columns = u.dtype.type, range(np.uint64(first), np.uint64(stop))
    if code == activation.SIGMOID:
        for r in range(rows):
            for i in columns:
                a[r, i] = logistic(T(4.0) * u[r, i] - T(2.0))
    elif code == activation.DSILU:
        for r in range(rows):
            for i in columns:
                half = T(0.5) * u[r, i]
                a[r, i] = half * logistic(u[r, i]) + (T(1.0) - half) * logistic(u[r, i] - T(2.0))
    elif code == activation.TANH:
        for r in range(rows):
            for i in columns:
                a[r, i] = T(2.0) * logistic(u[r, i] + u[r, i]) - T(1.0)
    elif code == activation.HARD_SIGMOID:
        for r in range(rows):
            for i in columns:
                a[r, i] = min(max(u[r, i], T(0.0)), T(1.0))
    elif code == activation.SOFTPLUS:
        for r in range(rows):
            for i in columns:
                a[r, i] = max(u[r, i], T(0.0)) + log(T(1.0) + exp2(T(-1.4426950408889634) * abs(u[r, i])))
    elif code == activation.IDENTITY:
        for r in range(rows):
            for i in columns:
                a[r, i] = u[r, i]
    else:
        for r in range(rows):
            for i in columns:
                a[r, i] = T(activation.interpolate(table[0], table[1], u[r, i]))


@elementwise
def compute_slope_rows(code: int, table: Rows, u: Rows, a: Rows, slope: Rows, rows: int, first: int, stop: int) -> None:
    """Write ``rho'(u)`` of states `u` with activities `a`."""
    T, columns = u.dtype.type, range(np.uint64(first), np.uint64(stop))
    if code == activation.SIGMOID:
        for r in range(rows):
            for i in columns:
                slope[r, i] = T(4.0) * a[r, i] * (T(1.0) - a[r, i])
    elif code == activation.DSILU:
        for r in range(rows):
            for i in columns:
                s, t = logistic(u[r, i]), logistic(u[r, i] - T(2.0))
                half = T(0.5) * u[r, i]
                slope[r, i] = T(0.5) * (s - t) + half * s * (T(1.0) - s) + (T(1.0) - half) * t * (T(1.0) - t)
    elif code == activation.TANH:
        for r in range(rows):
            for i in columns:
                slope[r, i] = T(1.0) - a[r, i] * a[r, i]
    elif code == activation.HARD_SIGMOID:
        for r in range(rows):
            for i in columns:
                slope[r, i] = T(1.0) if T(0.0) < u[r, i] < T(1.0) else T(0.0)
    elif code == activation.SOFTPLUS:
        for r in range(rows):
            for i in columns:
                slope[r, i] = logistic(u[r, i])
    elif code == activation.IDENTITY:
        for r in range(rows):
            for i in columns:
                slope[r, i] = T(1.0)
    else:
        for r in range(rows):
            for i in columns:
                slope[r, i] = T(activation.interpolate_slope(table[0], table[1], u[r, i]))


_ROUND_0, _ROUND_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def _compute_philox_round(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    p0, p1 = _ROUND_0 * c0, _ROUND_1 * c2
    return (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW


@inlined
def _compute_philox_rounds(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    # Ten calls, not a loop: only the innermost loop is vectorised.
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    c0, c1, c2, c3 = _compute_philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return _compute_philox_round(c0, c1, c2, c3, k0, k1)


@elementwise
def write_philox(
    key_0: np.uint64, key_1: np.uint64, step: int, sample: int, words: NDArray[np.uint64], count: int
) -> None:
    """Write Philox4x32-10 of the counters (step low, step high, sample, j), j < count, to `words` (4, count)."""
    step64, sample64 = np.uint64(step), np.uint64(sample) & _LOW
    low, high = step64 & _LOW, step64 >> _32
    first, second = key_0 & _LOW, key_1 & _LOW
    for j in range(count):
        c0, c1, c2, c3 = _compute_philox_rounds(low, high, sample64, np.uint64(j) & _LOW, first, second)
        words[0, j], words[1, j], words[2, j], words[3, j] = c0, c1, c2, c3


@elementwise
def write_philox_at(
    key_0: np.uint64,
    key_1: np.uint64,
    step: int,
    sample: int,
    places: NDArray[np.int64],
    words: NDArray[np.uint64],
    count: int,
) -> None:
    """Write Philox4x32-10 of the counters (step low, step high, sample, places[j]), j < count, to `words`."""
    step64, sample64 = np.uint64(step), np.uint64(sample) & _LOW
    low, high = step64 & _LOW, step64 >> _32
    first, second = key_0 & _LOW, key_1 & _LOW
    for j in range(count):
        c0, c1, c2, c3 = _compute_philox_rounds(low, high, sample64, np.uint64(places[j]) & _LOW, first, second)
        words[0, j], words[1, j], words[2, j], words[3, j] = c0, c1, c2, c3


@elementwise
def write_normal_pairs(sizes: NDArray[np.uint64], angles: NDArray[np.uint64], numbers: Row, others: Row) -> None:
    """Write two standard normal numbers per pair of words (Box and Muller); 31 bits of size, 32 of angle."""
    T = numbers.dtype.type
    for j in range(numbers.shape[0]):
        uniform = (T(np.int32(sizes[j] >> np.uint64(1))) + T(0.5)) * T(2.0**-31)
        radius = np.sqrt(T(-2.0) * log(uniform))
        t = T(np.int32(np.int64(angles[j]) - np.int64(2**31))) * T(2.0**-31)
        # Angle pi t; beyond a quarter turn both functions follow by reflection.
        far = abs(t) > T(0.5)
        s = (T(1.0) if t > T(0.0) else T(-1.0)) - t if far else t
        q = s * s
        p = T(-0.599264434062856) + q * (T(0.08214479560514781) + q * (T(-0.007364008675462431) + q * T(0.00044749624)))
        sine = s * (T(3.141592653589636) + q * (T(-5.167712779988138) + q * (T(2.5501640359146416) + q * p)))
        p = T(0.2353254367875966) + q * (T(-0.025776317139388986) + q * T(0.0018399903949882304))
        p = T(4.058712107539018) + q * (T(-1.3352623152877476) + q * p)
        cosine = T(0.9999999999992482) + q * (T(-4.9348022002498855) + q * p)
        numbers[j] = radius * (-cosine if far else cosine)
        others[j] = radius * sine


@elementwise
def write_normals(
    key_0: np.uint64, key_1: np.uint64, step: int, sample: int, words: NDArray[np.uint64], numbers: Row, units: int
) -> None:
    """Write standard normal numbers of one step and sample to ``numbers[:units]``.

    Counter j serves the units j, j + c, j + 2c, j + 3c, where c is a quarter of the units, rounded
    up. `words` (4, c) is scratch; `numbers` has 4c places.
    """
    count = (units + 3) // 4
    write_philox(key_0, key_1, step, sample, words, count)
    write_normal_pairs(words[0, :count], words[1, :count], numbers[:count], numbers[count : 2 * count])
    write_normal_pairs(
        words[2, :count], words[3, :count], numbers[2 * count : 3 * count], numbers[3 * count : 4 * count]
    )
