"""The stepping loop, compiled: one tile of samples follows its dynamics, step by step.

One loop serves every explicit method: stages are rows of a table. A sample ends when it rests,
returns to where it was, gets no closer to rest, runs away, or when its time is over.
"""

from __future__ import annotations

from . import field
from .compile import elementwise, kernel
from .ends import Course, Options, Plan, judge
from .kernels import (
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
    pull,
    respond,
)
from .rows import swap, swap_places, swap_rows
from .shaking import Noise, Window, gather, shake
from .stages import accept, full_drift, move

CHUNK = 4
"""Samples that take their step together."""


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
def _glide(y: Reals, h: Reals, gain: Reals, dt: Array, status: Integers, samples: int, planes: int) -> None:
    """Take a step of one stage of the additive law in place, without keeping the drift."""
    for r in range(samples):
        if status[r] == RUNNING:
            share = y.dtype.type(dt[r])
            for p in range(planes * r, planes * (r + 1)):
                for i in range(y.shape[1]):
                    y[p, i] += share * gain[i] * field.additive_drift(y[p, i], h[p, i])


@elementwise
def _kick(y: Reals, kick: Reals, status: Integers, samples: int, planes: int) -> None:
    for r in range(samples):
        if status[r] == RUNNING:
            for p in range(planes * r, planes * (r + 1)):
                for i in range(kick.shape[1]):
                    y[p, i] += kick[p, i]


@elementwise
def _compact(tile: Tile, course: Course, planes: int) -> bool:
    """Move ended samples behind the running ones once less than three quarters run; tell whether any moved."""
    active, running = tile.active[0], 0
    for r in range(active):
        running += tile.status[r] == RUNNING
    if 4 * running > 3 * active:
        return False
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
    return True


@elementwise
def _gather(tile: Tile, window: Window, planes: int, first: int, stop: int) -> None:
    for r in range(first, stop):
        if tile.steps[r] >= window.first and tile.status[r] == RUNNING:
            gather(window, tile, r, planes)


@elementwise
def _one_stage(
    tile: Tile,
    course: Course,
    plan: Plan,
    options: Options,
    noise: Noise,
    window: Window,
    cell: Law,
    first: int,
    stop: int,
    last: bool,
) -> None:
    """Take a step of one stage with the running samples among ``first:stop``; then write their activity."""
    planes, units = cell.planes, tile.a.shape[1]
    top, end, count = planes * first, planes * stop, stop - first
    y, dt, status = tile.y[top:end], course.dt[first:stop], tile.status[first:stop]
    watched = last or tile.steps[first] >= options.watch
    plain = cell.law == field.ADDITIVE and y.shape[1] == units and noise.memory.shape[0] == 0
    if noise.on:
        shake(noise, first, stop, tile.steps)
    if not last:
        _gather(tile, window, planes, first, stop)
    if watched or not plain:
        full_drift(tile, tile.y, cell, noise, course.drift[0], first, stop)
    if watched:
        judge(tile, course, plan, options, noise.on, planes, first, stop, last)
    if plain:
        _glide(y, tile.h[top:end], plan.gain, dt, status, count, planes)
    else:
        _euler(y, course.drift[0, top:end], plan.gain, dt, status, count, planes)
    if noise.on:
        _kick(y, noise.kick[top:end], status, count, planes)
    for r in range(first, stop):
        tile.steps[r] += tile.status[r] == RUNNING
    activate_range(y, tile.a[top:end], tile.slope[top:end], cell, count, 0, units)


@elementwise
def _many_stages(
    tile: Tile,
    course: Course,
    wiring: Wiring,
    circuit: Circuit,
    cell: Law,
    plan: Plan,
    options: Options,
    noise: Noise,
    window: Window,
    last: bool,
) -> None:
    """Take a step of several stages with every running sample."""
    active = tile.active[0]
    if noise.on:
        shake(noise, 0, active, tile.steps)
    respond(tile, tile.y, wiring, circuit, cell, active)
    full_drift(tile, tile.y, cell, noise, course.drift[0], 0, active)
    if not last:
        _gather(tile, window, cell.planes, 0, active)
    if judge(tile, course, plan, options, noise.on, cell.planes, 0, active, last) == 0:
        return
    for s in range(1, plan.b.shape[0]):
        for r in range(active):
            move(tile, course, plan, noise, plan.a[s, :s], noise.on and plan.c[s] > 0.0, r, cell.planes)
        respond(tile, course.stage, wiring, circuit, cell, active)
        full_drift(tile, course.stage, cell, noise, course.drift[s], 0, active)
    for r in range(active):
        if tile.status[r] == RUNNING:
            accept(tile, course, plan, options, noise, r, cell.planes)


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
    one_stage, units = plan.b.shape[0] == 1, tile.a.shape[1]
    activate_range(tile.y, tile.a, tile.slope, cell, tile.active[0], 0, units)
    for k in range(steps + 1):
        end, active = k == steps, tile.active[0]
        if (end and not last) or active == 0:
            return
        if one_stage:
            connect(tile, wiring, cell, active)
            pull(tile, circuit, cell, active)
            # A few samples go through everything that follows a product while they are in the first-level cache.
            for first in range(0, active, CHUNK):
                stop = min(first + CHUNK, active)
                _one_stage(tile, course, plan, options, noise, window, cell, first, stop, end)
        else:
            _many_stages(tile, course, wiring, circuit, cell, plan, options, noise, window, end)
        if options.stop_early and _compact(tile, course, cell.planes):
            activate_range(tile.y, tile.a, tile.slope, cell, tile.active[0], 0, units)
