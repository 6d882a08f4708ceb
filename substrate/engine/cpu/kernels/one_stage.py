"""The stepping loop of the methods of one stage, compiled: one tile of samples follows its dynamics.

A sample ends when it rests, returns to where it was, gets no closer to rest, runs away, or when its
time is over.
"""

from __future__ import annotations

from devices.interface.cost_force import Circuit

from ....laws import additive
from ...stopping import RUNNING, StoppingOptions
from ..compile import elementwise, kernel
from .drift import Array, Integers, Reals, Tile, UnitLaw, Wiring, activate_range, add_nudge_force, compute_drive
from .noise import TileNoise, Window, draw_noise_increment
from .step import compact, compute_full_drift, gather_range
from .stopping import Course, Integrator, check_convergence, limit_slew

CHUNK = 4
"""Samples that take their step together."""


@elementwise
def _take_euler_step(y: Reals, f: Reals, gain: Reals, dt: Array, status: Integers, samples: int, planes: int) -> None:
    """Take a step of one stage in place."""
    for r in range(samples):
        if status[r] == RUNNING:
            h = y.dtype.type(dt[r])
            for p in range(planes * r, planes * (r + 1)):
                for i in range(y.shape[1]):
                    y[p, i] += h * gain[i] * f[p, i]


@elementwise
def _take_additive_step(
    y: Reals, h: Reals, gain: Reals, dt: Array, status: Integers, samples: int, planes: int
) -> None:
    """Take a step of one stage of the additive law in place, without keeping the drift."""
    for r in range(samples):
        if status[r] == RUNNING:
            share = y.dtype.type(dt[r])
            for p in range(planes * r, planes * (r + 1)):
                for i in range(y.shape[1]):
                    y[p, i] += share * gain[i] * additive.drift(y[p, i], h[p, i], 1.0)


@elementwise
def _add_noise_increment(y: Reals, kick: Reals, status: Integers, samples: int, planes: int) -> None:
    for r in range(samples):
        if status[r] == RUNNING:
            for p in range(planes * r, planes * (r + 1)):
                for i in range(kick.shape[1]):
                    y[p, i] += kick[p, i]


@elementwise
def _step_one_stage(
    tile: Tile,
    course: Course,
    plan: Integrator,
    options: StoppingOptions,
    noise: TileNoise,
    window: Window,
    cell: UnitLaw,
    first: int,
    stop: int,
    last: bool,
) -> None:
    """Take a step of one stage with the running samples among ``first:stop``; then write their activity."""
    planes, units = cell.planes, tile.a.shape[1]
    top, end, count = planes * first, planes * stop, stop - first
    y, dt, status = tile.y[top:end], course.dt[first:stop], tile.status[first:stop]
    watched = last or tile.steps[first] >= options.watch
    plain = cell.law == additive.CODE and y.shape[1] == units and noise.memory.shape[0] == 0
    plain = plain and plan.bound.shape[0] == 0
    if noise.on:
        draw_noise_increment(noise, first, stop, tile, last)
    if not last:
        gather_range(tile, window, planes, first, stop)
    if watched or not plain:
        compute_full_drift(tile, tile.y, cell, noise, course.drift[0], first, stop)
    if watched:
        check_convergence(tile, course, plan, options, noise.on, planes, first, stop, last)
    if plain:
        _take_additive_step(y, tile.h[top:end], plan.gain, dt, status, count, planes)
    else:
        limit_slew(plan.bound, course.drift[0], top, end)
        _take_euler_step(y, course.drift[0, top:end], plan.gain, dt, status, count, planes)
    if noise.on:
        _add_noise_increment(y, noise.kick[top:end], status, count, planes)
    for r in range(first, stop):
        tile.steps[r] += tile.status[r] == RUNNING
    activate_range(y, tile.a[top:end], tile.slope[top:end], cell, count, 0, units)


@kernel
def advance_one_stage(
    tile: Tile,
    course: Course,
    wiring: Wiring,
    circuit: Circuit,
    cell: UnitLaw,
    plan: Integrator,
    options: StoppingOptions,
    noise: TileNoise,
    window: Window,
    steps: int,
    last: bool,
) -> None:
    """Advance every running sample by at most `steps` steps; after the `last` ones give each its status."""
    units = tile.a.shape[1]
    activate_range(tile.y, tile.a, tile.slope, cell, tile.active[0], 0, units)
    for k in range(steps + 1):
        end, active = k == steps, tile.active[0]
        if (end and not last) or active == 0:
            return
        compute_drive(tile, wiring, cell, active)
        add_nudge_force(tile, circuit, cell, active)
        # A few samples go through everything that follows a product while they are in the first-level cache.
        for first in range(0, active, CHUNK):
            stop = min(first + CHUNK, active)
            _step_one_stage(tile, course, plan, options, noise, window, cell, first, stop, end)
        if options.stop_early and compact(tile, course, cell.planes):
            activate_range(tile.y, tile.a, tile.slope, cell, tile.active[0], 0, units)
