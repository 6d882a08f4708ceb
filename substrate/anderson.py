"""Anderson's method, compiled: combine the last sweeps of one sample into a better one.

D. G. Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12, 1965.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compile import elementwise
from .kernels import Array, Reals

DEPTH = 5
"""Sweeps that Anderson's method combines."""

RIDGE = 1e-10
"""Ridge of its normal equations, relative to their trace."""

SLOT_DAMPING, LAST, BEST, MARK, MARK_STEP, COUNT, NEXT, COOL, RATE, SKIP, FAST = range(11)
MEMORY = 11


class Search(NamedTuple):
    """What sweeps keep per sample beside its tile; n is the size of the colour updated last, both planes."""

    drift: Reals
    """Drift (rows, units)."""

    bare: Reals
    """Drive of the outputs without the nudge (rows, outputs)."""

    best: Reals
    """Best state so far (rows, units)."""

    x: Reals
    """State before the sweep (samples, n)."""

    g: Reals
    """State after it, the sweep before (samples, n)."""

    f: Reals
    """Difference of both, the sweep before (samples, n)."""

    old_g: Reals
    """Scratch (samples, n)."""

    old_f: Reals
    """Scratch (samples, n)."""

    dg: Reals
    """Differences of `g` between sweeps (samples, DEPTH * n)."""

    df: Reals
    """Differences of `f` between sweeps (samples, DEPTH * n)."""

    gram: Array
    """Products of `df` (samples, DEPTH * DEPTH)."""

    memory: Array
    """Damping, residuals, counters (samples, MEMORY)."""


@elementwise
def _dot(x: Reals, y: Reals) -> float:
    total = 0.0
    for i in range(x.shape[0]):
        total += np.float64(x[i]) * np.float64(y[i])
    return total


@elementwise
def _solve(gram: Array, right: Array, count: int) -> bool:
    """Solve the normal equations by Cholesky in place; False if they are singular."""
    trace = 0.0
    for i in range(count):
        trace += gram[i, i]
    for i in range(count):
        for j in range(i + 1):
            total = gram[i, j] + (RIDGE * trace if i == j else 0.0)
            for k in range(j):
                total -= gram[i, k] * gram[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                gram[i, i] = np.sqrt(total)
            else:
                gram[i, j] = total / gram[j, j]
    for i in range(count):
        for k in range(i):
            right[i] -= gram[i, k] * right[k]
        right[i] /= gram[i, i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            right[i] -= gram[k, i] * right[k]
        right[i] /= gram[i, i]
    return True


@elementwise
def combine(search: Search, r: int, ready: bool, scratch: Array, right: Array) -> None:
    """Leave the next state of sample `r` in ``search.x``: the sweep's, or Anderson's combination."""
    memory, n = search.memory[r], search.x.shape[1]
    x, g, f = search.x[r], search.g[r], search.f[r]
    count, place = int(memory[COUNT]), int(memory[NEXT])
    for i in range(n):
        f[i] = g[i] - x[i]
    if count > 0:
        dg, df = search.dg[r, place * n : (place + 1) * n], search.df[r, place * n : (place + 1) * n]
        for i in range(n):
            dg[i] = g[i] - search.old_g[r, i]
            df[i] = f[i] - search.old_f[r, i]
        filled = min(count, DEPTH)
        gram = search.gram[r].reshape((DEPTH, DEPTH))
        for j in range(filled):
            gram[place, j] = gram[j, place] = _dot(df, search.df[r, j * n : (j + 1) * n])
        memory[NEXT] = (place + 1) % DEPTH
    search.old_g[r] = g
    search.old_f[r] = f
    x[:] = g
    memory[COUNT] = min(count + 1, DEPTH)
    if not ready or count == 0:
        return
    filled = min(count, DEPTH)
    scratch[:] = search.gram[r].reshape((DEPTH, DEPTH))
    for j in range(filled):
        right[j] = _dot(search.df[r, j * n : (j + 1) * n], f)
    if _solve(scratch, right, filled):
        for j in range(filled):
            share, dg = x.dtype.type(right[j]), search.dg[r, j * n : (j + 1) * n]
            for i in range(n):
                x[i] -= share * dg[i]
