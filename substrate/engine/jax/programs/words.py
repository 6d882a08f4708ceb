"""Random numbers in JAX: the words of `devices.random` bit for bit, and the normal numbers of the compiled kernels.

All counters of a step are drawn at once. The words agree with those of the other engine exactly, the normal numbers to
two units in the last place: other compilers fuse other products with sums.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

Array = Any
"""An array of JAX, traced or not."""

_ROUNDS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def draw_words(counters: tuple[Array, Array, Array, Array], key: Array) -> tuple[Array, Array, Array, Array]:
    """Return Philox4x32-10 of the counters, arrays of uint32 that broadcast, under `key` (2,).

    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    c0, c1, c2, c3 = counters
    k0, k1 = key[0], key[1]
    for _ in range(10):
        high_0, low_0 = _multiply(c0, _ROUNDS[0])
        high_1, low_1 = _multiply(c2, _ROUNDS[1])
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + jnp.uint32(_WEYL[0]), k1 + jnp.uint32(_WEYL[1])
    return c0, c1, c2, c3


def _multiply(word: Array, factor: int) -> tuple[Array, Array]:
    """Return the high and the low half of a product of 32-bit words."""
    product = word.astype(jnp.uint64) * jnp.uint64(factor)
    return (product >> jnp.uint64(32)).astype(jnp.uint32), product.astype(jnp.uint32)


def draw_normals(key: Array, step: Array, ids: Array, units: int, real: Any) -> Array:
    """Return standard normal numbers (batch, units) of one step; a row depends on its name in `ids` alone.

    Counter j serves the units j, j + c, j + 2c, j + 3c, where c is a quarter of the units, rounded up.

    Parameters
    ----------
    key : array (2,) of uint32
        Of the source.
    step, ids : array (batch,)
        Step and name of every sample.
    units : int
        How many numbers a sample gets.
    real : type
        Their type.
    """
    count = (units + 3) // 4
    place = jnp.arange(count, dtype=jnp.uint32)[None, :]
    low, sample = step.astype(jnp.uint32)[:, None], ids.astype(jnp.uint32)[:, None]
    high = (step.astype(jnp.int64) >> 32).astype(jnp.uint32)[:, None]
    first, second, third, fourth = draw_words((low, high, sample, place), key)
    numbers = [*_make_normal_pairs(first, second, real), *_make_normal_pairs(third, fourth, real)]
    return jnp.concatenate(numbers, axis=1)[:, :units]


def _make_normal_pairs(sizes: Array, angles: Array, real: Any) -> tuple[Array, Array]:
    """Return two standard normal numbers per pair of words (Box and Muller); 31 bits of size, 32 of angle."""

    def number(value: float) -> Array:
        return jnp.asarray(value, dtype=real)

    uniform = ((sizes >> jnp.uint32(1)).astype(jnp.int32).astype(real) + number(0.5)) * number(2.0**-31)
    radius = jnp.sqrt(number(-2.0) * _compute_log(uniform, real))
    signed = lax.bitcast_convert_type(angles ^ jnp.uint32(0x80000000), jnp.int32)
    t = signed.astype(real) * number(2.0**-31)
    # Angle pi t; beyond a quarter turn both functions follow by reflection.
    far = jnp.abs(t) > number(0.5)
    s = jnp.where(far, jnp.where(t > number(0.0), number(1.0), number(-1.0)) - t, t)
    q = s * s
    p = _evaluate(q, (-0.599264434062856, 0.08214479560514781, -0.007364008675462431, 0.00044749624), number)
    sine = s * _evaluate(q, (3.141592653589636, -5.167712779988138, 2.5501640359146416, p), number)
    p = _evaluate(q, (0.2353254367875966, -0.025776317139388986, 0.0018399903949882304), number)
    p = _evaluate(q, (4.058712107539018, -1.3352623152877476, p), number)
    cosine = _evaluate(q, (0.9999999999992482, -4.9348022002498855, p), number)
    return radius * jnp.where(far, -cosine, cosine), radius * sine


def _evaluate(x: Array, coefficients: tuple[Any, ...], number: Any) -> Array:
    """Return a polynomial by Horner's rule; coefficients are floats, the last one may be an array."""
    *lower, total = coefficients
    total = number(total) if isinstance(total, float) else total
    for coefficient in reversed(lower):
        total = number(coefficient) + x * total
    return total


_LAYOUT = {4: (jnp.int32, 23, 0x3F3504F3), 8: (jnp.int64, 52, 0x3FE6A09E667F3BCD)}
"""By size of a number: integer of that size, bits of the fraction, and the bits of sqrt(1/2)."""


def _compute_log(x: Array, real: Any) -> Array:
    """Return the natural logarithm of positive numbers, from ``log m = 2 artanh((m - 1)/(m + 1))``."""
    integer, fraction, root = _LAYOUT[jnp.dtype(real).itemsize]
    bits = lax.bitcast_convert_type(x, integer)
    exponent = (bits - integer(root)) >> integer(fraction)
    m = lax.bitcast_convert_type(bits - (exponent << integer(fraction)), real)

    def number(value: float) -> Array:
        return jnp.asarray(value, dtype=real)

    z = (m - number(1.0)) / (m + number(1.0))
    q = z * z
    p = _evaluate(q, (1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0), number)
    p = _evaluate(q, (1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, p), number)
    return exponent.astype(real) * number(0.6931471805599453) + (z + z) * (number(1.0) + q * p)
