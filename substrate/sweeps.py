"""Sweeps over the layers, compiled: the rest point of one tile of samples, without following time.

Layers of two colours take turns (red and black); a graph that cannot be coloured moves all at once,
damped. Anderson's method then combines the last sweeps of every sample (D. G. Anderson, J. ACM 12,
1965): delayed, safeguarded, each sample on its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compile import elementwise, kernel
from .kernels import (
    RUNAWAY,
    RUNNING,
    Array,
    Circuit,
    Integers,
    Law,
    Reals,
    Tile,
    Wiring,
    activate_range,
    connect,
    drifts,
    largest,
    pull,
    swap_places,
    swap_rows,
)

_SETTLED, _STEP_LIMIT, _DIVERGED, _STALLED = 0, 1, 3, 4

DEPTH = 5
"""Sweeps that Anderson's method combines."""

RIDGE = 1e-10
"""Ridge of its normal equations, relative to their trace."""

SWITCH, CONTRACTION = 1e-3, 0.9
"""It starts at this residual, or when every sweep shrinks the residual by this factor or more."""

WORSE = 1.5
"""A residual this much above the best one rejects it; the sample goes on from the best state."""

REST = 5
"""Plain sweeps after a rejection."""

STALL = 200
"""A sample that came no tenth closer to rest in so many sweeps is stalled."""

PATIENCE = 25
"""After so many plain sweeps without gain a sample is damped more."""

_DAMPING, _LAST, _BEST, _MARK, _MARK_STEP, _COUNT, _NEXT, _COOL, _RATE, _SKIP, _FAST = range(11)
MEMORY = 11


class Options(NamedTuple):
    """Scalars of one search."""

    tolerance: float
    damping: float
    output_damping: float
    colours: int
    accelerate: bool
    max_sweeps: int


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
def _half(
    tile: Tile, search: Search, wiring: Wiring, circuit: Circuit, cell: Law, layers: Integers, last: bool
) -> None:
    """Write the drive of the layers of one colour; keep that of the outputs before the nudge."""
    active = tile.active[0]
    for k in range(layers.shape[0]):
        if layers[k, 2] == cell.colour:
            for r in range(cell.planes * active):
                tile.h[r, layers[k, 0] : layers[k, 1]] = tile.constant[r, layers[k, 0] : layers[k, 1]]
    connect(tile, wiring, cell, active)
    if last:
        for r in range(cell.planes * active):
            search.bare[r] = tile.h[r, circuit.first_output :]


@elementwise
def _nudge(tile: Tile, search: Search, circuit: Circuit, cell: Law) -> None:
    """Put the nudge at the present outputs into their drive."""
    for r in range(cell.planes * tile.active[0]):
        tile.h[r, circuit.first_output :] = search.bare[r]
    pull(tile, circuit, cell, tile.active[0])


@elementwise
def _update(
    tile: Tile, search: Search, circuit: Circuit, cell: Law, options: Options, layers: Integers, colour: int
) -> None:
    """Move the layers of one colour along their drift."""
    for r in range(tile.active[0]):
        if tile.status[r] != RUNNING or search.memory[r, _SKIP] > 0.0:
            continue
        for p in range(cell.planes * r, cell.planes * (r + 1)):
            y, f = tile.y[p], search.drift[p]
            for k in range(layers.shape[0]):
                if layers[k, 2] != colour:
                    continue
                share = search.memory[r, _DAMPING]
                if layers[k, 0] == circuit.first_output:
                    share *= options.output_damping
                step = y.dtype.type(share)
                for i in range(layers[k, 0], layers[k, 1]):
                    y[i] += step * f[i]


@elementwise
def _pack(tile: Tile, layers: Integers, colour: int, planes: int, r: int, out: Reals) -> None:
    """Write the layers of one colour of a sample side by side."""
    at = 0
    for p in range(planes * r, planes * (r + 1)):
        for k in range(layers.shape[0]):
            if layers[k, 2] == colour:
                n = layers[k, 1] - layers[k, 0]
                out[at : at + n] = tile.y[p, layers[k, 0] : layers[k, 1]]
                at += n


@elementwise
def _unpack(tile: Tile, layers: Integers, colour: int, planes: int, r: int, values: Reals) -> None:
    """Do the reverse."""
    at = 0
    for p in range(planes * r, planes * (r + 1)):
        for k in range(layers.shape[0]):
            if layers[k, 2] == colour:
                n = layers[k, 1] - layers[k, 0]
                tile.y[p, layers[k, 0] : layers[k, 1]] = values[at : at + n]
                at += n


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
def _combine(search: Search, r: int, ready: bool, scratch: Array, right: Array) -> None:
    """Leave the next state of sample `r` in ``search.x``: the sweep's, or Anderson's combination."""
    memory, n = search.memory[r], search.x.shape[1]
    x, g, f = search.x[r], search.g[r], search.f[r]
    count, place = int(memory[_COUNT]), int(memory[_NEXT])
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
        memory[_NEXT] = (place + 1) % DEPTH
    search.old_g[r] = g
    search.old_f[r] = f
    x[:] = g
    memory[_COUNT] = min(count + 1, DEPTH)
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


@elementwise
def _judge(tile: Tile, search: Search, options: Options, r: int, planes: int) -> int:
    """Return the status of sample `r` at its present drift; keep its best state; RUNNING if none applies."""
    memory, residual, sane = search.memory[r], 0.0, True
    for p in range(planes * r, planes * (r + 1)):
        total = 0.0
        for i in range(search.drift.shape[1]):
            total += search.drift[p, i]
        # A comparison: the flags of elementwise code turn isfinite into a constant.
        sane = sane and abs(total) < 1e300
        residual = max(residual, largest(search.drift[p]))
    tile.residual[r] = residual if sane else np.inf
    if not tile.residual[r] <= RUNAWAY:
        return _DIVERGED
    if residual < options.tolerance:
        return _SETTLED
    if residual < 0.9 * memory[_MARK]:
        memory[_MARK], memory[_MARK_STEP] = residual, tile.steps[r]
    if tile.steps[r] - memory[_MARK_STEP] >= STALL:
        return _STALLED
    memory[_RATE] = max(residual / memory[_LAST], 0.5 * memory[_RATE]) if memory[_LAST] > 0.0 else 1.0
    memory[_LAST] = residual
    idle = tile.steps[r] - int(memory[_MARK_STEP])
    if memory[_FAST] > 0.0 and residual > WORSE * memory[_BEST]:
        _fall_back(tile, search, r, planes)
    elif memory[_FAST] == 0.0 or residual < memory[_BEST]:
        # A plain sweep may grow: that is how a sample leaves a point where it cannot stay.
        memory[_BEST] = residual
        for p in range(planes * r, planes * (r + 1)):
            search.best[p] = tile.y[p]
        if memory[_FAST] == 0.0 and idle % PATIENCE == PATIENCE - 1:
            memory[_DAMPING] = max(0.5 * memory[_DAMPING], 0.05)
    return RUNNING


@elementwise
def _fall_back(tile: Tile, search: Search, r: int, planes: int) -> None:
    """Go back to the best state and forget the history."""
    memory = search.memory[r]
    memory[_COUNT], memory[_NEXT], memory[_COOL], memory[_SKIP], memory[_LAST] = 0.0, 0.0, REST, 1.0, 0.0
    memory[_FAST] = 0.0
    for p in range(planes * r, planes * (r + 1)):
        tile.y[p] = search.best[p]


@elementwise
def _compact(tile: Tile, search: Search, planes: int) -> int:
    """Move ended samples behind the running ones once less than three quarters run; return how many run."""
    active, running = tile.active[0], 0
    for r in range(active):
        running += tile.status[r] == RUNNING
    if 4 * running > 3 * active:
        return running
    r, last = 0, active - 1
    while r <= last:
        if tile.status[r] == RUNNING:
            r += 1
            continue
        swap_places(tile, r, last, planes)
        for rows in (tile.a, tile.h, search.drift, search.best, search.bare):
            swap_rows(rows, r, last, planes)
        if tile.slope.shape[0] > 0:
            swap_rows(tile.slope, r, last, planes)
        for rows in (search.old_g, search.old_f, search.dg, search.df):
            swap_rows(rows, r, last, 1)
        swap_rows(search.gram, r, last, 1)
        swap_rows(search.memory, r, last, 1)
        last -= 1
    tile.active[0] = running
    return running


@elementwise
def _activate(tile: Tile, cell: Law, layers: Integers, colour: int) -> None:
    for k in range(layers.shape[0]):
        if layers[k, 2] == colour or colour < 0:
            activate_range(tile.y, tile.a, tile.slope, cell, tile.active[0], layers[k, 0], layers[k, 1])


@kernel
def search_rest(
    tile: Tile,
    search: Search,
    wiring: Wiring,
    circuit: Circuit,
    first: Law,
    second: Law,
    layers: Integers,
    options: Options,
) -> None:
    """Sweep until every sample has a status; `first` and `second` are the law with the colour of a half sweep."""
    planes, last, units = first.planes, options.colours - 1, tile.a.shape[1]
    scratch, right = np.zeros((DEPTH, DEPTH)), np.zeros(DEPTH)
    _activate(tile, first, layers, -1)
    if options.colours == 2:
        _half(tile, search, wiring, circuit, second, layers, True)
    for sweep in range(options.max_sweeps + 1):
        _half(tile, search, wiring, circuit, first, layers, options.colours == 1)
        _nudge(tile, search, circuit, first)
        drifts(tile.y, tile.h, tile.slope, first, planes * tile.active[0], 0, units, search.drift)
        for r in range(tile.active[0]):
            if tile.status[r] == RUNNING:
                search.memory[r, _SKIP] = 0.0
                status = _judge(tile, search, options, r, planes)
                over = sweep == options.max_sweeps and status == RUNNING
                tile.status[r] = _STEP_LIMIT if over else status
        if _compact(tile, search, planes) == 0:
            return
        if options.colours == 2:
            _update(tile, search, circuit, first, options, layers, 0)
            _activate(tile, first, layers, -1)
            _half(tile, search, wiring, circuit, second, layers, True)
            _nudge(tile, search, circuit, second)
            drifts(tile.y, tile.h, tile.slope, second, planes * tile.active[0], 0, units, search.drift)
        for r in range(tile.active[0]):
            _pack(tile, layers, last, planes, r, search.x[r])
        _update(tile, search, circuit, second, options, layers, last)
        for r in range(tile.active[0]):
            memory = search.memory[r]
            tile.steps[r] += tile.status[r] == RUNNING
            if tile.status[r] != RUNNING or memory[_SKIP] > 0.0:
                continue
            _pack(tile, layers, last, planes, r, search.g[r])
            if options.accelerate:
                close = memory[_LAST] < SWITCH or (memory[_RATE] < CONTRACTION and tile.steps[r] > 2)
                memory[_FAST] = 1.0 if close and memory[_COOL] == 0.0 else 0.0
                _combine(search, r, memory[_FAST] > 0.0, scratch, right)
                _unpack(tile, layers, last, planes, r, search.x[r])
            memory[_COOL] = max(0.0, memory[_COOL] - 1.0)
        _activate(tile, first, layers, -1 if options.colours == 1 else last)
