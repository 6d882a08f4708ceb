"""Sweeps over the layers, compiled: the rest point of one tile of samples, without following time.

Layers of two colours take turns (red and black); a graph that cannot be coloured moves all at once,
damped. Anderson's method then combines the last sweeps of every sample (D. G. Anderson, J. ACM 12,
1965): delayed, safeguarded, each sample on its own.
"""

from __future__ import annotations

import numpy as np

from devices.interface.cost_force import Circuit

from ...stopping import DIVERGED, RUNAWAY, RUNNING, SETTLED, STALLED, STEP_LIMIT
from ...sweeping import CONTRACTION, DEPTH, LEAST_DAMPING, NEARER, PATIENCE, REST, STALL, SWITCH, WORSE, SearchOptions
from ..compile import elementwise, kernel
from .anderson import (
    BEST,
    COOL,
    COUNT,
    FAST,
    LAST,
    MARK,
    MARK_STEP,
    NEXT,
    RATE,
    SKIP,
    SLOT_DAMPING,
    AndersonScratch,
    Search,
    extrapolate_anderson,
)
from .drift import (
    Integers,
    Reals,
    Tile,
    UnitLaw,
    Wiring,
    activate_range,
    add_nudge_force,
    compute_drift_columns,
    compute_drive,
)
from .rows import compute_square_sum, find_largest, swap_rows, swap_samples

CHUNK = 4
"""Samples that are worked on together between two products."""


@elementwise
def _compute_colour_drive(
    tile: Tile, search: Search, wiring: Wiring, circuit: Circuit, cell: UnitLaw, outputs: int
) -> None:
    """Write the drive of the layers of one colour, and the nudge at the present outputs to theirs."""
    active, nudged = tile.active[0], cell.beta.shape[0] > 0
    compute_drive(tile, wiring, cell, active)
    if not nudged:
        return
    # The outputs move between the halves, and their nudge with them: their drive without it is kept.
    begin, end, first = np.uint64(0), np.uint64(search.bare.shape[1]), np.uint64(circuit.first_output)
    for r in range(cell.planes * active):
        for i in range(begin, end):
            if cell.colour == outputs:
                search.bare[r, i] = tile.h[r, first + i]
            else:
                tile.h[r, first + i] = search.bare[r, i]
    add_nudge_force(tile, circuit, cell, active)


@elementwise
def _update_colour(
    tile: Tile,
    search: Search,
    circuit: Circuit,
    options: SearchOptions,
    layers: Integers,
    colour: int,
    planes: int,
    r: int,
) -> None:
    """Move the layers of one colour of sample `r` along their drift."""
    base = planes * (r - r % CHUNK)
    for k in range(layers.shape[0]):
        if layers[k, 2] != colour:
            continue
        share = search.memory[r, SLOT_DAMPING]
        if layers[k, 0] == circuit.first_output:
            share *= options.output_damping
        step = tile.y.dtype.type(share)
        for p in range(planes * r, planes * (r + 1)):
            for i in range(np.uint64(layers[k, 0]), np.uint64(layers[k, 1])):
                tile.y[p, i] += step * search.drift[p - base, i]


@elementwise
def _pack_colour(tile: Tile, layers: Integers, colour: int, planes: int, r: int, out: Reals) -> None:
    """Write the layers of one colour of a sample side by side."""
    at = 0
    for p in range(planes * r, planes * (r + 1)):
        for k in range(layers.shape[0]):
            if layers[k, 2] == colour:
                y = tile.y[p, layers[k, 0] : layers[k, 1]]
                part = out[at : at + y.shape[0]]
                for i in range(y.shape[0]):
                    part[i] = y[i]
                at += y.shape[0]


@elementwise
def _unpack_colour(tile: Tile, layers: Integers, colour: int, planes: int, r: int, values: Reals) -> None:
    """Do the reverse."""
    at = 0
    for p in range(planes * r, planes * (r + 1)):
        for k in range(layers.shape[0]):
            if layers[k, 2] == colour:
                y = tile.y[p, layers[k, 0] : layers[k, 1]]
                part = values[at : at + y.shape[0]]
                for i in range(y.shape[0]):
                    y[i] = part[i]
                at += y.shape[0]


@elementwise
def _check_sample_convergence(
    tile: Tile, search: Search, options: SearchOptions, layers: Integers, r: int, planes: int, last: bool
) -> int:
    """Return the status of sample `r` at its present drift; keep its best residual; RUNNING if none applies."""
    memory, total, place = search.memory[r], 0.0, planes * (r % CHUNK)
    for p in range(place, place + planes):
        total += compute_square_sum(search.drift[p])
    # The largest drift is not vectorised: it is looked for only when it can matter.
    close = total < options.tolerance**2 * planes * search.drift.shape[1]
    stalled = tile.steps[r] - memory[MARK_STEP] >= STALL
    if close or stalled or last or not total <= RUNAWAY**2:
        tile.residual[r] = 0.0
        for p in range(place, place + planes):
            tile.residual[r] = max(tile.residual[r], find_largest(search.drift[p]))
        if not total <= RUNAWAY**2:
            tile.residual[r] = tile.residual[r] if tile.residual[r] > RUNAWAY else np.inf
            return DIVERGED
        if tile.residual[r] < options.tolerance:
            return SETTLED
        if last or stalled:
            return STEP_LIMIT if last else STALLED
    residual = np.sqrt(total)
    if residual < NEARER * memory[MARK]:
        memory[MARK], memory[MARK_STEP] = residual, tile.steps[r]
    memory[RATE] = max(residual / memory[LAST], 0.5 * memory[RATE]) if memory[LAST] > 0.0 else 1.0
    memory[LAST] = residual
    idle = tile.steps[r] - int(memory[MARK_STEP])
    if memory[FAST] > 0.0 and residual > WORSE * memory[BEST]:
        _restore_last_sweep(tile, search, options, layers, r, planes)
    elif memory[FAST] == 0.0 or residual < memory[BEST]:
        # A plain sweep may grow: that is how a sample leaves a point where it cannot stay.
        memory[BEST] = residual
        if memory[FAST] == 0.0 and idle % PATIENCE == PATIENCE - 1:
            memory[SLOT_DAMPING] = max(0.5 * memory[SLOT_DAMPING], LEAST_DAMPING)
    return RUNNING


@elementwise
def _restore_last_sweep(
    tile: Tile, search: Search, options: SearchOptions, layers: Integers, r: int, planes: int
) -> None:
    """Go back to what the last sweep left and forget the history; the other colour follows from the last one."""
    memory = search.memory[r]
    memory[COUNT], memory[NEXT], memory[COOL], memory[SKIP], memory[LAST] = 0.0, 0.0, REST, 1.0, 0.0
    memory[FAST] = 0.0
    _unpack_colour(tile, layers, options.colours - 1, planes, r, search.old_g[r])


@elementwise
def _compact_search(tile: Tile, search: Search, planes: int) -> int:
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
        swap_samples(tile, r, last, planes)
        for rows in (tile.a, tile.h, search.bare):
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
def _activate_colour(tile: Tile, cell: UnitLaw, layers: Integers, colour: int, first: int, stop: int) -> None:
    """Write activity and slope of the layers of one colour, of the samples ``first:stop``."""
    top, end = cell.planes * first, cell.planes * stop
    y, a, slope = tile.y[top:end], tile.a[top:end], tile.slope[top:end]
    for k in range(layers.shape[0]):
        if layers[k, 2] == colour:
            activate_range(y, a, slope, cell, stop - first, layers[k, 0], layers[k, 1])


@elementwise
def _compute_chunk_drift(tile: Tile, search: Search, cell: UnitLaw, first: int, stop: int) -> None:
    """Write the drift of the samples ``first:stop``, at most `CHUNK`, where the next ones overwrite it."""
    top, end = cell.planes * first, cell.planes * stop
    y, h, slope = tile.y[top:end], tile.h[top:end], tile.slope[top:end]
    compute_drift_columns(y, h, slope, cell, end - top, 0, tile.a.shape[1], search.drift)


@elementwise
def _apply_anderson(
    tile: Tile, search: Search, options: SearchOptions, layers: Integers, planes: int, r: int, work: AndersonScratch
) -> None:
    """Put the combination of the last sweeps of sample `r` in the place of the sweep."""
    memory, last = search.memory[r], options.colours - 1
    _pack_colour(tile, layers, last, planes, r, search.g)
    close = memory[LAST] < SWITCH or (memory[RATE] < CONTRACTION and tile.steps[r] > 2)
    memory[FAST] = 1.0 if close and memory[COOL] == 0.0 else 0.0
    extrapolate_anderson(search, r, memory[FAST] > 0.0, work)
    _unpack_colour(tile, layers, last, planes, r, search.x)
    memory[COOL] = max(0.0, memory[COOL] - 1.0)


@kernel
def search_rest(
    tile: Tile,
    search: Search,
    wiring: Wiring,
    circuit: Circuit,
    first: UnitLaw,
    second: UnitLaw,
    layers: Integers,
    options: SearchOptions,
) -> None:
    """Sweep until every sample has a status; `first` and `second` are the law with the colour of a half sweep."""
    planes, last, outputs = first.planes, options.colours - 1, layers[layers.shape[0] - 1, 2]
    work = AndersonScratch(np.zeros((DEPTH, DEPTH)), np.zeros(DEPTH))
    for colour in range(options.colours):
        _activate_colour(tile, first, layers, colour, 0, tile.active[0])
    if options.colours == 2:
        _compute_colour_drive(tile, search, wiring, circuit, second, outputs)
    for sweep in range(options.max_sweeps + 1):
        _compute_colour_drive(tile, search, wiring, circuit, first, outputs)
        # A few samples at a time, so that they stay in the first-level cache.
        for begin in range(0, tile.active[0], CHUNK):
            end = min(begin + CHUNK, tile.active[0])
            _compute_chunk_drift(tile, search, first, begin, end)
            for r in range(begin, end):
                if tile.status[r] == RUNNING:
                    search.memory[r, SKIP] = 0.0
                    tile.status[r] = _check_sample_convergence(
                        tile, search, options, layers, r, planes, sweep == options.max_sweeps
                    )
                if options.colours == 2 and tile.status[r] == RUNNING and search.memory[r, SKIP] == 0.0:
                    _update_colour(tile, search, circuit, options, layers, 0, planes, r)
            if options.colours == 2:
                _activate_colour(tile, first, layers, 0, begin, end)
        if options.colours == 2:
            _compute_colour_drive(tile, search, wiring, circuit, second, outputs)
        for begin in range(0, tile.active[0], CHUNK):
            end = min(begin + CHUNK, tile.active[0])
            _compute_chunk_drift(tile, search, second, begin, end)
            for r in range(begin, end):
                tile.steps[r] += tile.status[r] == RUNNING
                if tile.status[r] == RUNNING and search.memory[r, SKIP] == 0.0:
                    _pack_colour(tile, layers, last, planes, r, search.x)
                    _update_colour(tile, search, circuit, options, layers, last, planes, r)
                    if options.accelerate:
                        _apply_anderson(tile, search, options, layers, planes, r, work)
            _activate_colour(tile, first, layers, last, begin, end)
        if _compact_search(tile, search, planes) == 0:
            return
