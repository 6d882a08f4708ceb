"""The stepping loop, compiled: one tile of samples follows its dynamics, step by step.

One loop serves every explicit method: stages are rows of a table. A sample ends when it rests,
returns to where it was, gets no closer to rest, runs away, or when its time is over.
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
    copy_rows,
    drifts,
    largest,
    pull,
    respond,
    square_sum,
    square_sums,
    swap,
    swap_places,
    swap_rows,
)
from .shaking import Noise, Window, gather, shake

_SETTLED, _STEP_LIMIT, _PERIOD_2, _DIVERGED, _STALLED, _CYCLE = 0, 1, 2, 3, 4, 5

CYCLE = 1e-4
"""A sample is on a cycle when it returns to a former state, to this fraction of the way it went between."""

ORBIT = 2e-3
"""The same for a smooth orbit, which passes its former state between two steps."""

SHORT = 0.2
"""An orbit is smooth when a step is at most this fraction of its size."""

STALL = 1000
"""A sample that came no tenth closer to rest in so many steps is stalled."""

FLOOR_STEPS, FLOOR = 50, 64.0
"""So it is after fewer steps when its residual is so many rounding errors of its state."""

LATE = 16
"""A settling of fixed length looks for cycles in so many last steps."""

CHUNK = 8
"""Samples that take their step together."""

_REFERENCE, _REACH, _BEST, _BEST_STEP, _FOUND = 0, 1, 2, 3, 4


class Options(NamedTuple):
    """Scalars of one settling."""

    tolerance: float
    stop_early: bool
    """End a sample as soon as its end is known; otherwise it takes all steps."""

    watch: int
    """Look for cycles and stalls from this step on."""

    adaptive: bool
    """Every sample chooses its own step."""

    accuracy: float
    """Error per adaptive step, relative to ``1 + |u|``."""

    end: float
    """Time at which an adaptive sample ends, in tau."""


class Plan(NamedTuple):
    """An explicit method with the time constants of the units in it."""

    a: Array
    """Stage weights (stages, stages)."""

    b: Array
    """Weights of the step (stages,)."""

    c: Array
    """Stage times (stages,)."""

    error: Array
    """Weights of the error of an adaptive step (stages,)."""

    gain: Reals
    """Change of the state per unit of drift and step, (width,)."""


class Course(NamedTuple):
    """What stepping keeps per sample beside its tile."""

    drift: Reals
    """Drift of every stage (stages, rows, width)."""

    stage: Reals
    """State of a stage (rows, width)."""

    reference: Reals
    """A former state, to find cycles (rows, width)."""

    total: Array
    """Sum of the squares of the drift (samples,)."""

    track: Array
    """Step of the former state, reach since, best residual, its step, cycle found (samples, 5)."""

    dt: Array
    """Step per sample (samples,)."""

    time: Array
    """Time per sample (samples,)."""


@elementwise
def _return(tile: Tile, course: Course, plan: Plan, r: int, planes: int) -> int:
    """Return the status of a sample that is back where it was, else RUNNING; keep a state at doubling steps (Brent)."""
    track, step = course.track[r], tile.steps[r]
    away, along, move = 0.0, 0.0, 0.0
    h = tile.y.dtype.type(course.dt[r])
    for p in range(planes * r, planes * r + planes):
        y, past, f = tile.y[p], course.reference[p], course.drift[0, p]
        x, s, m = h - h, h - h, h - h
        for i in range(y.shape[0]):
            d, v = past[i] - y[i], h * plan.gain[i] * f[i]
            x, s, m = x + d * d, s + d * v, m + v * v
        away, along, move = away + x, along + s, move + m
    lag = step - int(track[_REFERENCE])
    track[_REACH] = max(track[_REACH], away)
    reach = track[_REACH]
    found = RUNNING
    if lag >= 2 and away <= CYCLE**2 * reach:
        found = _PERIOD_2 if lag == 2 else _CYCLE
    elif (
        lag >= 8
        and move <= SHORT**2 * reach
        and 0.0 <= along <= move
        and (away - along * along / move <= ORBIT**2 * reach)
    ):
        found = _CYCLE
    if step >= 2 * track[_REFERENCE]:
        track[_REFERENCE], track[_REACH] = max(step, 1), 0.0
        for p in range(planes * r, planes * r + planes):
            course.reference[p] = tile.y[p]
    return found


@elementwise
def _at_floor(tile: Tile, r: int, planes: int, total: float) -> bool:
    """Tell whether the drift of a sample is rounding of its state."""
    size = 0.0
    for p in range(planes * r, planes * r + planes):
        size += square_sum(tile.y[p]) + tile.y.shape[1]
    rounding = 2.0**-52 if tile.y.itemsize == 8 else 2.0**-23
    return total <= (FLOOR * rounding) ** 2 * size


@elementwise
def _stall(tile: Tile, course: Course, r: int, planes: int, total: float) -> int:
    """Return STALLED for a sample that gets no closer to rest, else RUNNING."""
    track, step = course.track[r], tile.steps[r]
    if total < 0.81 * track[_BEST]:
        track[_BEST], track[_BEST_STEP] = total, step
    idle = step - int(track[_BEST_STEP])
    if idle >= STALL or (idle >= FLOOR_STEPS and _at_floor(tile, r, planes, total)):
        return _STALLED
    return RUNNING


@elementwise
def _judge(tile: Tile, course: Course, plan: Plan, options: Options, r: int, planes: int, noisy: bool) -> int:
    """Return the status of sample `r` at its present drift; RUNNING if none applies."""
    total = course.total[r]
    if not total <= RUNAWAY**2:
        return _DIVERGED
    if noisy or tile.steps[r] < options.watch:
        return RUNNING
    if total < options.tolerance**2 * planes * tile.y.shape[1] and _residual(course, r, planes) < options.tolerance:
        return _SETTLED
    stalled = _stall(tile, course, r, planes, total)
    if stalled != RUNNING or options.adaptive:
        return stalled
    found = _return(tile, course, plan, r, planes)
    # A state that moves by rounding alone returns too, but that is no cycle of the machine.
    if found != RUNNING and course.track[r, _FOUND] == 0.0 and not _at_floor(tile, r, planes, total):
        course.track[r, _FOUND] = found
    return int(course.track[r, _FOUND]) if course.track[r, _FOUND] > 0.0 else RUNNING


@elementwise
def _residual(course: Course, r: int, planes: int) -> float:
    most = 0.0
    for p in range(planes * r, planes * r + planes):
        most = max(most, largest(course.drift[0, p]))
    return most


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
    total, most = 0.0, 0.1 * _residual(course, r, planes)
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
        status = _judge(tile, course, plan, options, r, cell.planes, noise.on)
        over = last or (options.adaptive and course.time[r] >= options.end * (1.0 - 1e-12))
        if status == _DIVERGED or (status != RUNNING and options.stop_early) or over:
            residual = _residual(course, r, cell.planes)
            tile.residual[r] = residual if status != _DIVERGED or residual > RUNAWAY else np.inf
            if status == RUNNING:
                status = _SETTLED if noise.on or residual < options.tolerance else _STEP_LIMIT
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
