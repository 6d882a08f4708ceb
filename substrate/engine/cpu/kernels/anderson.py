"""Anderson's method, compiled: combine the last sweeps of one sample into a better one.

D. G. Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12, 1965.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...sweeping import DEPTH, RIDGE
from ..compile import elementwise
from .drift import Array, Reals

SLOT_DAMPING, LAST, BEST, MARK, MARK_STEP, COUNT, NEXT, COOL, RATE, SKIP, FAST = range(11)
MEMORY = 11


class Search(NamedTuple):
    """What sweeps keep per sample beside its tile; n is the size of the colour updated last, both planes."""

    drift: Reals
    """Scratch: drift of the samples that are worked on together (rows, units)."""

    bare: Reals
    """Drive of the outputs without the nudge (rows, outputs)."""

    x: Reals
    """Scratch: state of one sample before the sweep (n,)."""

    g: Reals
    """Scratch: its state after the sweep (n,)."""

    f: Reals
    """Scratch: difference of both (n,)."""

    old_g: Reals
    """State after the last sweep (samples, n)."""

    old_f: Reals
    """What the last sweep changed (samples, n)."""

    dg: Reals
    """Differences of `g` between sweeps (samples, DEPTH * n)."""

    df: Reals
    """Differences of `f` between sweeps (samples, DEPTH * n)."""

    gram: Array
    """Products of `df` (samples, DEPTH * DEPTH)."""

    memory: Array
    """Damping, residuals, counters (samples, MEMORY)."""


class AndersonScratch(NamedTuple):
    """Scratch of the normal equations."""

    gram: Array
    """(DEPTH, DEPTH)."""

    right: Array
    """(DEPTH,)."""


@elementwise
def _compute_dot_products(x: Reals, first: np.uint64, second: np.uint64, y: Reals) -> tuple[float, float]:
    """Return the products of ``x[first : first + n]`` with ``x[second : second + n]`` and with `y` (n,)."""
    own, other = 0.0, 0.0
    for i in range(np.uint64(y.shape[0])):
        own += np.float64(x[first + i]) * np.float64(x[second + i])
        other += np.float64(x[first + i]) * np.float64(y[i])
    return own, other


@elementwise
def _solve_normal_equations(gram: Array, right: Array, count: int) -> bool:
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
def extrapolate_anderson(search: Search, r: int, ready: bool, work: AndersonScratch) -> None:
    """Leave the next state of sample `r` in ``search.x``: the sweep's, or Anderson's combination."""
    memory, x, g, f, n = search.memory[r], search.x, search.g, search.f, np.uint64(search.x.shape[0])
    old_g, old_f, dg, df, gram = search.old_g[r], search.old_f[r], search.dg[r], search.df[r], search.gram[r]
    count, place = int(memory[COUNT]), int(memory[NEXT])
    filled, at = min(count, DEPTH), np.uint64(place) * n
    for i in range(n):
        f[i] = g[i] - x[i]
    if count > 0:
        for i in range(n):
            dg[at + i] = g[i] - old_g[i]
            df[at + i] = f[i] - old_f[i]
        for j in range(filled):
            product, work.right[j] = _compute_dot_products(df, np.uint64(j) * n, at, f)
            gram[place * DEPTH + j] = product
            gram[j * DEPTH + place] = product
        memory[NEXT] = (place + 1) % DEPTH
    for i in range(n):
        old_g[i], old_f[i], x[i] = g[i], f[i], g[i]
    memory[COUNT] = min(count + 1, DEPTH)
    if not ready or count == 0:
        return
    for j in range(filled):
        for i in range(filled):
            work.gram[j, i] = gram[j * DEPTH + i]
    if _solve_normal_equations(work.gram, work.right, filled):
        for j in range(filled):
            share, begin = x.dtype.type(work.right[j]), np.uint64(j) * n
            for i in range(n):
                x[i] -= share * dg[begin + i]
