"""The products of every kind of connection in JAX, planes first."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from ...network.connection import ConnectionKind
from ...network.dense import Dense

Array = Any


def apply_connection(kind: ConnectionKind, weight: Array, a: Array, here: Array, precision: lax.Precision) -> Array:
    """Return the drive of a connection (planes, batch, post).

    Parameters
    ----------
    kind : ConnectionKind
        What holds the weights.
    weight : array
        The block as `pack_weight` left it.
    a, here : array (planes, batch, pre), (planes, batch, post)
        Activities of both ends.
    precision : Precision
        Of the products.
    """
    if isinstance(kind, Dense):
        return jnp.matmul(a, weight, precision=precision)
    raise NotImplementedError(kind)


def pack_weight(kind: ConnectionKind, block: Array) -> Array:  # noqa: ARG001
    """Return a block as the products take it."""
    return block
