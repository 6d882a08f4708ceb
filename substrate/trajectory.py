"""The stepping loop, compiled: one tile of samples follows its dynamics, step by step.

One loop serves every explicit method: stages are rows of a table. A sample ends when it rests,
returns to where it was, gets no closer to rest, runs away, or when its time is over.
"""

from __future__ import annotations

import numpy as np

from .compile import elementwise, kernel
from .ends import DIVERGED, SETTLED, STEP_LIMIT, Course, Options, Plan, judge, worst_drift
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
    copy_rows,
    drifts,
    pull,
    respond,
    square_sums,
    swap,
    swap_places,
    swap_rows,
)
from .shaking import Noise, Window, gather, shake

CHUNK = 8
"""Samples that take their step together."""


@elementwise
def _poles(state: Reals, h: Reals, rows: int, units: int, drift: Reals) -> None:
    """Write the drift of the synaptic poles and put them in the place of the drive."""
    for r in range(rows):
        for i in range(units):
            drift[r, units + i] = h[r, i] - state[r, units + i]
            h[r, i] = state[r, units + i]


@elementwise
def _add_push(push: Reals, samples: int, planes: int, drift: Reals) -> None:
    for r in range(samples):
        for i in range(push.shape[1]):
            drift[planes * r, i] += push[r, i]


@elementwise
def _drifts(tile: Tile, state: Reals, cell: Law, noise: Noise, drift: Reals) -> None:
    """Write the drift of the active samples over the whole width: membranes, then synaptic poles."""
    units, active = tile.a.shape[1], tile.active[0]
    if tile.y.shape[1] > units:
        _poles(state, tile.h, cell.planes * active, units, drift)
    drifts(state, tile.h, tile.slope, cell, cell.planes * active, 0, units, drift)
    if noise.on and noise.memory.shape[0] > 0:
        _add_push(noise.push, active, cell.planes, drift)


@elementwise
def _move(
    tile: Tile, course: Course, plan: Plan, noise: Noise, weights: Array, kicks: bool, r: int, planes: int
) -> None:
    """Write ``y + gain dt (weights . drifts)``, with the kick of the step, to the stage row of sample `r`."""
    T = tile.y.dtype.type
    for p in range(planes * r, planes * r + planes):
        out, y = course.stage[p], tile.y[p]
        out[:] = T(0.0)
        for j in range(weights.shape[0]):
            share = T(weights[j] * course.dt[r])
            if share != T(0.0):
                f = course.drift[j, p]
                for i in range(out.shape[0]):
                    out[i] += share * f[i]
        for i in range(out.shape[0]):
            out[i] = y[i] + plan.gain[i] * out[i]
        if kicks and p == planes * r:
            for i in range(noise.kick.shape[1]):
                out[i] += noise.kick[r, i]


@elementwise
def _error(tile: Tile, course: Course, plan: Plan, options: Options, r: int, planes: int) -> float:
    """Return the root mean square error of an adaptive step, in units of what is allowed.

    Near rest a tenth of the drift is allowed at most: else steps grow until errors alone keep the sample moving.
    """
    total, most = 0.0, 0.1 * worst_drift(course, r, planes)
    for p in range(planes * r, planes * r + planes):
        for i in range(tile.y.shape[1]):
            e = 0.0
            for j in range(plan.error.shape[0]):
                e += plan.error[j] * course.drift[j, p, i]
            e *= course.dt[r] * plan.gain[i] / min(options.accuracy * (1.0 + abs(tile.y[p, i])), most)
            total += e * e
    return float(np.sqrt(total / (planes * tile.y.shape[1])))


@elementwise
def _euler(y: Reals, f: Reals, gain: Reals, dt: Array, status: Integers, samples: int, planes: int) -> None:
    """Take a step of one stage in place."""
    for r in range(samples):
        if status[r] == RUNNING:
            h = y.dtype.type(dt[r])
            for p in range(planes * r, planes * (r + 1)):
                for i in range(y.shape[1]):
                    y[p, i] += h * gain[i] * f[p, i]


@elementwise
def _kick(y: Reals, kick: Reals, status: Integers, samples: int, planes: int) -> None:
    for r in range(samples):
        if status[r] == RUNNING:
            for i in range(kick.shape[1]):
                y[planes * r, i] += kick[r, i]


@elementwise
def _single(tile: Tile, course: Course, plan: Plan, noise: Noise, planes: int) -> None:
    """Take a step of one stage with every running sample."""
    active = tile.active[0]
    _euler(tile.y, course.drift[0], plan.gain, course.dt, tile.status, active, planes)
    if noise.on:
        _kick(tile.y, noise.kick, tile.status, active, planes)
    for r in range(active):
        tile.steps[r] += tile.status[r] == RUNNING


@elementwise
def _accept(tile: Tile, course: Course, plan: Plan, options: Options, noise: Noise, r: int, planes: int) -> None:
    """Take the step of sample `r`, unless it is adaptive and not accurate enough."""
    grow = 1.0
    tile.steps[r] += 1
    if options.adaptive:
        error = _error(tile, course, plan, options, r, planes)
        grow = min(5.0, max(0.2, 0.9 * max(error, 1e-10) ** -0.2)) if error < np.inf else 0.2
        if not error <= 1.0:
            course.dt[r] *= min(grow, 0.9)
            return
    course.time[r] += course.dt[r]
    _move(tile, course, plan, noise, plan.b, noise.on, r, planes)
    for p in range(planes * r, planes * r + planes):
        tile.y[p] = course.stage[p]
    if options.adaptive:
        course.dt[r] = min(course.dt[r] * grow, max(options.end - course.time[r], 1e-12))


@elementwise
def _compact(tile: Tile, course: Course, planes: int) -> None:
    """Move ended samples behind the running ones once less than three quarters run."""
    active, running = tile.active[0], 0
    for r in range(active):
        running += tile.status[r] == RUNNING
    if 4 * running > 3 * active:
        return
    r, last = 0, active - 1
    while r <= last:
        if tile.status[r] == RUNNING:
            r += 1
            continue
        swap_places(tile, r, last, planes)
        swap_rows(course.reference, r, last, planes)
        swap_rows(course.track, r, last, 1)
        swap(course.dt, r, last)
        swap(course.time, r, last)
        last -= 1
    tile.active[0] = running


@elementwise
def _begin(
    tile: Tile, course: Course, plan: Plan, options: Options, noise: Noise, window: Window, cell: Law, last: bool
) -> int:
    """Judge every sample at its present state; return how many run on."""
    running = 0
    _drifts(tile, tile.y, cell, noise, course.drift[0])
    square_sums(course.drift[0], tile.active[0], cell.planes, course.total)
    for r in range(tile.active[0]):
        if tile.status[r] != RUNNING:
            continue
        if tile.steps[r] >= window.first and not last:
            gather(window, tile, r, cell.planes)
        status = judge(tile, course, plan, options, r, cell.planes, noise.on)
        over = last or (options.adaptive and course.time[r] >= options.end * (1.0 - 1e-12))
        if status == DIVERGED or (status != RUNNING and options.stop_early) or over:
            residual = worst_drift(course, r, cell.planes)
            tile.residual[r] = residual if status != DIVERGED or residual > RUNAWAY else np.inf
            if status == RUNNING:
                status = SETTLED if noise.on or residual < options.tolerance else STEP_LIMIT
            tile.status[r] = status
        else:
            running += 1
    return running


@elementwise
def _coast_rows(
    tile: Tile, course: Course, plan: Plan, noise: Noise, window: Window, cell: Law, first: int, stop: int
) -> None:
    """Take a step of one stage with the samples ``first:stop`` and prepare their next products."""
    planes, units = cell.planes, tile.a.shape[1]
    top, end, rows = planes * first, planes * stop, planes * (stop - first)
    y, h, a, drift = tile.y[top:end], tile.h[top:end], tile.a[top:end], course.stage[:rows]
    slope = tile.slope[top:end]
    if noise.on:
        shake(noise, first, stop, tile.steps)
    if y.shape[1] > units:
        _poles(y, h, rows, units, drift)
    drifts(y, h, slope, cell, rows, 0, units, drift)
    if noise.on and noise.memory.shape[0] > 0:
        _add_push(noise.push[first:stop], stop - first, planes, drift)
    for r in range(first, stop):
        if tile.steps[r] >= window.first:
            gather(window, tile, r, planes)
        tile.steps[r] += 1
    _euler(y, drift, plan.gain, course.dt[first:stop], tile.status[first:stop], stop - first, planes)
    if noise.on:
        _kick(y, noise.kick[first:stop], tile.status[first:stop], stop - first, planes)
    activate_range(y, a, slope, cell, stop - first, 0, units)
    copy_rows(tile.constant[top:end], rows, h)


@elementwise
def _coast(
    tile: Tile,
    course: Course,
    wiring: Wiring,
    circuit: Circuit,
    cell: Law,
    plan: Plan,
    noise: Noise,
    window: Window,
    steps: int,
) -> None:
    """Take steps of one stage without looking for an end.

    A few samples at a time go through everything that follows a product, while they are in the first-level cache.
    """
    active = tile.active[0]
    activate_range(tile.y, tile.a, tile.slope, cell, active, 0, tile.a.shape[1])
    copy_rows(tile.constant, cell.planes * active, tile.h)
    for _ in range(steps):
        connect(tile, wiring, cell, active)
        pull(tile, circuit, cell, active)
        for first in range(0, active, CHUNK):
            _coast_rows(tile, course, plan, noise, window, cell, first, min(first + CHUNK, active))


@kernel
def advance(
    tile: Tile,
    course: Course,
    wiring: Wiring,
    circuit: Circuit,
    cell: Law,
    plan: Plan,
    options: Options,
    noise: Noise,
    window: Window,
    steps: int,
    last: bool,
) -> None:
    """Advance every running sample by at most `steps` steps; after the `last` ones give each its status."""
    blind = 0
    if plan.b.shape[0] == 1 and tile.active[0] > 0:
        blind = min(steps, max(0, options.watch - tile.steps[0]))
        _coast(tile, course, wiring, circuit, cell, plan, noise, window, blind)
    for k in range(blind, steps + 1):
        if (k == steps and not last) or tile.active[0] == 0:
            return
        if noise.on:
            shake(noise, 0, tile.active[0], tile.steps)
        respond(tile, tile.y, wiring, circuit, cell, tile.active[0])
        running = _begin(tile, course, plan, options, noise, window, cell, k == steps)
        for s in range(1, plan.b.shape[0] if running > 0 else 1):
            for r in range(tile.active[0]):
                _move(tile, course, plan, noise, plan.a[s, :s], noise.on and plan.c[s] > 0.0, r, cell.planes)
            respond(tile, course.stage, wiring, circuit, cell, tile.active[0])
            _drifts(tile, course.stage, cell, noise, course.drift[s])
        if plan.b.shape[0] == 1:
            _single(tile, course, plan, noise, cell.planes)
        else:
            for r in range(tile.active[0]):
                if tile.status[r] == RUNNING:
                    _accept(tile, course, plan, options, noise, r, cell.planes)
        if options.stop_early:
            _compact(tile, course, cell.planes)
