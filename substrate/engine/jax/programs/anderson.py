"""Anderson's method in JAX: combine the last sweeps of every sample into a better one, each sample on its own.

D. G. Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12, 1965.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from ...sweeping import DEPTH, RIDGE

Array = Any


class History(NamedTuple):
    """What the last sweeps did; n is the size of the layers that are updated last."""

    old_g: Array
    """State after the last sweep (planes, batch, n)."""

    old_f: Array
    """What the last sweep changed (planes, batch, n)."""

    dg: Array
    """Differences of `g` between sweeps (DEPTH, planes, batch, n)."""

    df: Array
    """Differences of `f` between sweeps, of the same shape."""

    gram: Array
    """Products of `df` (batch, DEPTH, DEPTH)."""

    count: Array
    """Sweeps that are remembered (batch,)."""

    place: Array
    """Where the next difference goes (batch,)."""


def make_history(x: Array) -> History:
    """Return an empty history of states like `x` (planes, batch, n)."""
    batch, none = x.shape[1], jnp.zeros((DEPTH, *x.shape), dtype=x.dtype)
    counts = jnp.zeros(batch, dtype=jnp.int32)
    return History(jnp.zeros_like(x), jnp.zeros_like(x), none, none, jnp.zeros((batch, DEPTH, DEPTH)), counts, counts)


def extrapolate_anderson(history: History, x: Array, g: Array, ready: Array) -> tuple[Array, History]:
    """Return the next state (planes, batch, n): the sweep's, or where `ready` (batch,) Anderson's combination.

    Parameters
    ----------
    history : History
        Of the sweeps before.
    x, g : array (planes, batch, n)
        State before and after the sweep.
    ready : array of bool (batch,)
        Which samples are to be combined.
    """
    f, slots = g - x, jnp.arange(DEPTH)[:, None]
    known = history.count > 0
    here = (slots == history.place) & known
    dg = jnp.where(here[:, None, :, None], g - history.old_g, history.dg)
    change = f - history.old_f
    df = jnp.where(here[:, None, :, None], change, history.df)
    products, right = _multiply(df, change), _multiply(df, f)
    row = here.T
    gram = jnp.where(row[:, :, None], products.T[:, None, :], history.gram)
    gram = jnp.where(row[:, None, :], products.T[:, :, None], gram)
    filled = slots < jnp.minimum(history.count, DEPTH)
    shares, solved = _solve_normal_equations(gram, right, filled)
    taken = ready & known & solved
    step = jnp.sum(shares.astype(g.dtype)[:, None, :, None] * dg, axis=0)
    after = History(
        g,
        f,
        dg,
        df,
        gram,
        jnp.minimum(history.count + 1, DEPTH),
        jnp.where(known, (history.place + 1) % DEPTH, history.place),
    )
    return jnp.where(taken[:, None], g - step, g), after


def _multiply(columns: Array, vector: Array) -> Array:
    """Return the products of every column with a vector of each sample, in double precision (DEPTH, batch)."""
    return jnp.sum(columns.astype(jnp.float64) * vector.astype(jnp.float64), axis=(1, 3))


def _solve_normal_equations(gram: Array, right: Array, filled: Array) -> tuple[Array, Array]:
    """Solve the normal equations of every sample by Cholesky; tell where they are not singular.

    A column that is not `filled` (DEPTH, batch) has the equation ``x = 0``. Four equations are written out: a call of a
    library for every sweep would cost more than they do.
    """
    both = filled[:, None] & filled[None]
    a = jnp.where(both, jnp.moveaxis(gram, 0, 2), 0.0)
    trace = sum(a[i, i] for i in range(DEPTH))
    lower: dict[tuple[int, int], Array] = {}
    good = jnp.ones(right.shape[1], dtype=jnp.bool_)
    for i in range(DEPTH):
        for j in range(i + 1):
            total = a[i, j] + (RIDGE * trace if i == j else 0.0)
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                total = jnp.where(filled[i], total, 1.0)
                good &= total > 0.0
                lower[i, i] = jnp.sqrt(jnp.where(total > 0.0, total, 1.0))
            else:
                lower[i, j] = total / lower[j, j]
    x = [jnp.where(filled[i], right[i], 0.0) for i in range(DEPTH)]
    for i in range(DEPTH):
        for k in range(i):
            x[i] -= lower[i, k] * x[k]
        x[i] /= lower[i, i]
    for i in reversed(range(DEPTH)):
        for k in range(i + 1, DEPTH):
            x[i] -= lower[k, i] * x[k]
        x[i] /= lower[i, i]
    return jnp.stack(x), good
