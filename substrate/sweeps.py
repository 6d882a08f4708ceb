"""Sweeps over the layers, compiled: the rest point of one tile of samples, without following time.

Layers of two colours take turns (red and black); a graph that cannot be coloured moves all at once,
damped. Anderson's method then combines the last sweeps of every sample (D. G. Anderson, J. ACM 12,
1965): delayed, safeguarded, each sample on its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .anderson import (
    BEST,
    COOL,
    COUNT,
    DEPTH,
    FAST,
    LAST,
    MARK,
    MARK_STEP,
    NEXT,
    RATE,
    SKIP,
    SLOT_DAMPING,
    Search,
    combine,
)
from .compile import elementwise, kernel
from .kernels import (
    RUNAWAY,
    RUNNING,
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
    square_sum,
    swap_places,
    swap_rows,
)

_SETTLED, _STEP_LIMIT, _STALLED, _DIVERGED = 0, 1, 2, 5

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


class Options(NamedTuple):
    """Scalars of one search."""

    tolerance: float
    damping: float
    output_damping: float
    colours: int
    accelerate: bool
    max_sweeps: int


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
        if tile.status[r] != RUNNING or search.memory[r, SKIP] > 0.0:
            continue
        for p in range(cell.planes * r, cell.planes * (r + 1)):
            y, f = tile.y[p], search.drift[p]
            for k in range(layers.shape[0]):
                if layers[k, 2] != colour:
                    continue
                share = search.memory[r, SLOT_DAMPING]
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
def _judge(tile: Tile, search: Search, options: Options, r: int, planes: int, last: bool) -> int:
    """Return the status of sample `r` at its present drift; keep its best state; RUNNING if none applies."""
    memory, total = search.memory[r], 0.0
    for p in range(planes * r, planes * (r + 1)):
        total += square_sum(search.drift[p])
    # The largest drift is not vectorised: it is looked for only when it can matter.
    close = total < options.tolerance**2 * planes * search.drift.shape[1]
    stalled = tile.steps[r] - memory[MARK_STEP] >= STALL
    if close or stalled or last or not total <= RUNAWAY**2:
        tile.residual[r] = 0.0
        for p in range(planes * r, planes * (r + 1)):
            tile.residual[r] = max(tile.residual[r], largest(search.drift[p]))
        if not total <= RUNAWAY**2:
            tile.residual[r] = tile.residual[r] if tile.residual[r] > RUNAWAY else np.inf
            return _DIVERGED
        if tile.residual[r] < options.tolerance:
            return _SETTLED
        if last or stalled:
            return _STEP_LIMIT if last else _STALLED
    residual = np.sqrt(total)
    if residual < 0.9 * memory[MARK]:
        memory[MARK], memory[MARK_STEP] = residual, tile.steps[r]
    memory[RATE] = max(residual / memory[LAST], 0.5 * memory[RATE]) if memory[LAST] > 0.0 else 1.0
    memory[LAST] = residual
    idle = tile.steps[r] - int(memory[MARK_STEP])
    if memory[FAST] > 0.0 and residual > WORSE * memory[BEST]:
        _fall_back(tile, search, r, planes)
    elif memory[FAST] == 0.0 or residual < memory[BEST]:
        # A plain sweep may grow: that is how a sample leaves a point where it cannot stay.
        memory[BEST] = residual
        for p in range(planes * r, planes * (r + 1)):
            search.best[p] = tile.y[p]
        if memory[FAST] == 0.0 and idle % PATIENCE == PATIENCE - 1:
            memory[SLOT_DAMPING] = max(0.5 * memory[SLOT_DAMPING], 0.05)
    return RUNNING


@elementwise
def _fall_back(tile: Tile, search: Search, r: int, planes: int) -> None:
    """Go back to the best state and forget the history."""
    memory = search.memory[r]
    memory[COUNT], memory[NEXT], memory[COOL], memory[SKIP], memory[LAST] = 0.0, 0.0, REST, 1.0, 0.0
    memory[FAST] = 0.0
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
                search.memory[r, SKIP] = 0.0
                tile.status[r] = _judge(tile, search, options, r, planes, sweep == options.max_sweeps)
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
            if tile.status[r] != RUNNING or memory[SKIP] > 0.0:
                continue
            _pack(tile, layers, last, planes, r, search.g[r])
            if options.accelerate:
                close = memory[LAST] < SWITCH or (memory[RATE] < CONTRACTION and tile.steps[r] > 2)
                memory[FAST] = 1.0 if close and memory[COOL] == 0.0 else 0.0
                combine(search, r, memory[FAST] > 0.0, scratch, right)
                _unpack(tile, layers, last, planes, r, search.x[r])
            memory[COOL] = max(0.0, memory[COOL] - 1.0)
        _activate(tile, first, layers, -1 if options.colours == 1 else last)
