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
    """Best state so far of the colour updated last (samples, n)."""

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


class Work(NamedTuple):
    """Scratch of the normal equations."""

    gram: Array
    """(DEPTH, DEPTH)."""

    right: Array
    """(DEPTH,)."""


@elementwise
def _dot(x: Reals, first: np.uint64, y: Reals, second: np.uint64, n: np.uint64) -> float:
    """Return the product of ``x[first : first + n]`` and ``y[second : second + n]``."""
    total = 0.0
    for i in range(n):
        total += np.float64(x[first + i]) * np.float64(y[second + i])
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
def combine(search: Search, r: int, ready: bool, work: Work) -> None:
    """Leave the next state of sample `r` in ``search.x``: the sweep's, or Anderson's combination."""
    memory, n, nothing = search.memory[r], np.uint64(search.x.shape[1]), np.uint64(0)
    x, g, f, old_g, old_f = search.x[r], search.g[r], search.f[r], search.old_g[r], search.old_f[r]
    dg, df, gram = search.dg[r], search.df[r], search.gram[r]
    count, place = int(memory[COUNT]), int(memory[NEXT])
    filled, at = min(count, DEPTH), np.uint64(place) * n
    for i in range(n):
        f[i] = g[i] - x[i]
    if count > 0:
        for i in range(n):
            dg[at + i] = g[i] - old_g[i]
            df[at + i] = f[i] - old_f[i]
        for j in range(filled):
            product = _dot(df, at, df, np.uint64(j) * n, n)
            gram[place * DEPTH + j] = product
            gram[j * DEPTH + place] = product
        memory[NEXT] = (place + 1) % DEPTH
    for i in range(n):
        old_g[i], old_f[i], x[i] = g[i], f[i], g[i]
    memory[COUNT] = min(count + 1, DEPTH)
    if not ready or count == 0:
        return
    for j in range(filled):
        work.right[j] = _dot(df, np.uint64(j) * n, f, nothing, n)
        for i in range(filled):
            work.gram[j, i] = gram[j * DEPTH + i]
    if _solve(work.gram, work.right, filled):
        for j in range(filled):
            share, begin = x.dtype.type(work.right[j]), np.uint64(j) * n
            for i in range(n):
                x[i] -= share * dg[begin + i]
