"""What connections do to small changes, in JAX: products with the couplings at given activities, without a matrix."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .connections import Weight, apply_connection, correlate_ends, pack_weight
from .drift import compute_drives, join_layer_parts, split_layers
from .spec import Spec

Array = Any


@partial(jax.jit, static_argnums=0)
def compute_product(spec: Spec, weights: tuple[Weight, ...], activity: Array, v: Array) -> Array:
    """Return ``W v``, the change of the drives with activities around `activity`, (batch, units)."""
    return jax.jvp(lambda a: compute_plain_drive(spec, weights, a), (activity,), (v,))[1]


@partial(jax.jit, static_argnums=0)
def compute_transposed(spec: Spec, weights: tuple[Weight, ...], activity: Array, v: Array) -> Array:
    """Return ``W^T v`` around `activity`, (batch, units)."""
    return jax.vjp(lambda a: compute_plain_drive(spec, weights, a), activity)[1](v)[0]


def pack_blocks(spec: Spec, blocks: tuple[Array, ...]) -> tuple[Weight, ...]:
    """Return the blocks of all links as the products take them."""
    return tuple(pack_weight(link.kind, block) for link, block in zip(spec.links, blocks, strict=True))


def compute_plain_drive(spec: Spec, weights: tuple[Weight, ...], activity: Array) -> Array:
    """Return the drive that the units get from each other's activities (batch, units)."""
    a = activity[None]
    return join_layer_parts(spec, compute_drives(spec, weights, split_layers(spec, a), 0.0 * a))[0]


@partial(jax.jit, static_argnums=0)
def differentiate_drive(spec: Spec, blocks: tuple[Array, ...], activity: Array, delta: Array) -> tuple[Array, ...]:
    """Return the derivative of ``sum delta h`` by every block, the activities (batch, units) being fixed."""

    def weigh(given: tuple[Array, ...]) -> Array:
        return jnp.sum(delta * compute_plain_drive(spec, pack_blocks(spec, given), activity))

    found: tuple[Array, ...] = jax.grad(weigh)(blocks)
    return found


@partial(jax.jit, static_argnums=0)
def differentiate_product(
    spec: Spec, blocks: tuple[Array, ...], activity: Array, delta: Array, change: Array
) -> tuple[Array, ...]:
    """Return the derivative of ``sum delta W change`` by every block, with `W` around the activities (batch, units)."""

    def weigh(given: tuple[Array, ...]) -> Array:
        weights = pack_blocks(spec, given)
        return jnp.sum(delta * jax.jvp(lambda a: compute_plain_drive(spec, weights, a), (activity,), (change,))[1])

    found: tuple[Array, ...] = jax.grad(weigh)(blocks)
    return found


compute_drive = partial(jax.jit, static_argnums=0)(compute_plain_drive)
"""The same, compiled."""

apply = partial(jax.jit, static_argnums=(0, 4))(apply_connection)
correlate = partial(jax.jit, static_argnums=(0, 5))(correlate_ends)
