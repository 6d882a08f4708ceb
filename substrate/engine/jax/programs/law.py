"""What a unit does, in JAX: activities, slopes and the force of the cost, for states in the complex plane too.

A state has its planes first, (planes, batch, units): the real one, and the imaginary one if the settling is complex.
`devices.neuron.activation` and `devices.interface.cost_force` are the specification; tests hold both side by side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from devices.interface import cost_force
from devices.neuron import activation

Array = Any


class CurveArrays(NamedTuple):
    """The transfer curve ``a = g rho(s u)`` of every unit."""

    table: Array
    """Points of a measured curve (2, points), or (2, 0)."""

    gain: Array
    """Gain `g` (units,), or (1,): the same for all."""

    steep: Array
    """Factor `s` of the state, of the same shape."""


def cut_curve(curve: CurveArrays, first: int, stop: int) -> CurveArrays:
    """Return the curve of some units."""
    if len(curve.gain) == 1:
        return curve
    return curve._replace(gain=curve.gain[first:stop], steep=curve.steep[first:stop])


def compute_unit_activity(code: int, curve: CurveArrays, u: Array) -> Array:
    """Return the activity of a state (planes, batch, units)."""
    x = curve.steep * u
    found = _compute_planes(code, x) if len(u) == 2 else _compute_real(code, curve.table, x[0])[None]
    return curve.gain * found


def compute_unit_slope(code: int, curve: CurveArrays, u: Array) -> Array:
    """Return ``da/du`` of a state (planes, batch, units)."""
    x = curve.steep * u
    found = _compute_slope_planes(code, x) if len(u) == 2 else _compute_real_slope(code, curve.table, x[0])[None]
    return curve.gain * curve.steep * found


def _compute_real(code: int, table: Array, u: Array) -> Array:  # noqa: PLR0911  one line each
    if code == activation.SIGMOID:
        return jax.nn.sigmoid(4.0 * u - 2.0)
    if code == activation.DSILU:
        return 0.5 * u * jax.nn.sigmoid(u) + (1.0 - 0.5 * u) * jax.nn.sigmoid(u - 2.0)
    if code == activation.TANH:
        return jnp.tanh(u)
    if code == activation.HARD_SIGMOID:
        return jnp.clip(u, 0.0, 1.0)
    if code == activation.SOFTPLUS:
        return jnp.maximum(u, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(u)))
    if code == activation.IDENTITY:
        return u
    return jnp.interp(u.astype(table.dtype), table[0], table[1]).astype(u.dtype)


def _compute_real_slope(code: int, table: Array, u: Array) -> Array:
    if code == activation.DSILU:
        s, t = jax.nn.sigmoid(u), jax.nn.sigmoid(u - 2.0)
        return 0.5 * (s - t) + 0.5 * u * s * (1.0 - s) + (1.0 - 0.5 * u) * t * (1.0 - t)
    if code == activation.HARD_SIGMOID:
        return jnp.where((u > 0.0) & (u < 1.0), 1.0, 0.0).astype(u.dtype)
    if code == activation.SOFTPLUS:
        return jax.nn.sigmoid(u)
    if code == activation.IDENTITY:
        return jnp.ones_like(u)
    if code == activation.TABLE:
        none = jnp.zeros(1, dtype=table.dtype)
        pieces = jnp.concatenate([none, jnp.diff(table[1]) / jnp.diff(table[0]), none])
        return pieces[jnp.searchsorted(table[0], u.astype(table.dtype))].astype(u.dtype)
    s = jax.nn.sigmoid(4.0 * u - 2.0) if code == activation.SIGMOID else jax.nn.sigmoid(2.0 * u)
    return 4.0 * s * (1.0 - s)


def _compute_logistic_planes(x: Array, y: Array) -> tuple[Array, Array]:
    """Return both planes of ``1 / (1 + exp(-(x + i y)))``; none overflows."""
    right = x >= 0.0
    sign = jnp.where(right, 1.0, -1.0).astype(x.dtype)
    decay = jnp.exp(-sign * x)
    real, imaginary = decay * jnp.cos(y), decay * jnp.sin(sign * y)
    scale = 1.0 / (1.0 + 2.0 * real + decay * decay)
    near, turn = (1.0 + real) * scale, imaginary * scale
    return jnp.where(right, near, 1.0 - near), jnp.where(right, turn, -turn)


def _compute_planes(code: int, u: Array) -> Array:
    x, y = u[0], u[1]
    if code == activation.SIGMOID:
        return jnp.stack(_compute_logistic_planes(4.0 * x - 2.0, 4.0 * y))
    if code == activation.TANH:
        p, q = _compute_logistic_planes(2.0 * x, 2.0 * y)
        return jnp.stack([2.0 * p - 1.0, 2.0 * q])
    if code == activation.SOFTPLUS:
        # The larger of u and 0 goes before the logarithm of 1 + w, |w| <= 1; branch of the real axis.
        side = jnp.where(x > 0.0, 1.0, 0.0).astype(x.dtype)
        size, turn = jnp.exp(-jnp.abs(x)), (1.0 - 2.0 * side) * y
        real, imaginary = 1.0 + size * jnp.cos(turn), size * jnp.sin(turn)
        log = 0.5 * jnp.log(real * real + imaginary * imaginary)
        return jnp.stack([side * x + log, side * y + jnp.arctan2(imaginary, real)])
    if code == activation.IDENTITY:
        return u
    p, q = _compute_logistic_planes(x, y)
    r, s = _compute_logistic_planes(x - 2.0, y)
    return jnp.stack([0.5 * (x * p - y * q - x * r + y * s) + r, 0.5 * (x * q + y * p - x * s - y * r) + s])


def _compute_slope_planes(code: int, u: Array) -> Array:
    x, y = u[0], u[1]
    if code == activation.IDENTITY:
        return jnp.stack([jnp.ones_like(x), jnp.zeros_like(x)])
    if code == activation.SOFTPLUS:
        return jnp.stack(_compute_logistic_planes(x, y))
    if code in {activation.SIGMOID, activation.TANH}:
        sigmoid = code == activation.SIGMOID
        p, q = _compute_logistic_planes(4.0 * x - 2.0, 4.0 * y) if sigmoid else _compute_logistic_planes(2 * x, 2 * y)
        return jnp.stack([4.0 * (p - p * p + q * q), 4.0 * (q - 2.0 * p * q)])
    p, q = _compute_logistic_planes(x, y)
    r, s = _compute_logistic_planes(x - 2.0, y)
    dp, dq = p - p * p + q * q, q - 2.0 * p * q
    dr, ds = r - r * r + s * s, s - 2.0 * r * s
    real = 0.5 * (p - r) + 0.5 * (x * dp - y * dq - x * dr + y * ds) + dr
    return jnp.stack([real, 0.5 * (q - s) + 0.5 * (x * dq + y * dp - x * ds - y * dr) + ds])


class ReadoutArrays(NamedTuple):
    """What the nudge circuit knows of the cost."""

    weight: Array
    """ReadoutArrays `V` (outputs, classes); no classes for the cost mse."""

    bias: Array
    """(classes,)."""


def compute_force(cost: int, readout: ReadoutArrays, a: Array, target: Array) -> Array:
    """Return ``e = dC/da`` of the output activities `a` (planes, batch, outputs); `target` (batch, ...) is real.

    The products are short and set the nudge, so that they are taken at full precision whatever the settling's.
    """
    if cost == cost_force.MSE:
        return a.at[0].add(-target)
    logits = jnp.einsum("pbi,ic->pbc", a, readout.weight, precision=lax.Precision.HIGHEST)
    logits = logits.at[0].add(readout.bias)
    size = jnp.exp(logits[0] - logits[0].max(axis=-1, keepdims=True))
    if len(a) == 1:
        pull = (size / size.sum(axis=-1, keepdims=True) - target)[None]
    else:
        x, y = size * jnp.cos(logits[1]), size * jnp.sin(logits[1])
        sum_x, sum_y = x.sum(axis=-1, keepdims=True), y.sum(axis=-1, keepdims=True)
        scale = 1.0 / (sum_x * sum_x + sum_y * sum_y)
        pull = jnp.stack([(x * sum_x + y * sum_y) * scale - target, (y * sum_x - x * sum_y) * scale])
    return jnp.einsum("pbc,ic->pbi", pull, readout.weight, precision=lax.Precision.HIGHEST)


def rotate(number: Array, planes: Array) -> Array:
    """Return the product of numbers (2, ...), real and imaginary part, and an array with its planes first."""
    x, y = number[0], number[1]
    if len(planes) == 1:
        return x * planes
    return jnp.stack([x * planes[0] - y * planes[1], x * planes[1] + y * planes[0]])
