"""The stepping loop of the methods of several stages, compiled; one loop serves all, stages are rows of a table."""

from __future__ import annotations

import numpy as np

from devices.interface.cost_force import Circuit

from ...stopping import RUNNING, StoppingOptions
from ..compile import elementwise, kernel
from .drift import Array, Tile, UnitLaw, Wiring, update_activity_drive
from .noise import TileNoise, Window, draw_noise_increment
from .step import compact, compute_full_drift, gather_range
from .stopping import Course, Integrator, check_convergence, find_worst_drift, limit_slew


@elementwise
def _write_stage_state(
    tile: Tile, course: Course, plan: Integrator, noise: TileNoise, weights: Array, kicks: bool, r: int, planes: int
) -> None:
    """Write ``y + gain dt (weights . drifts)``, with the kick of the step, to the stage row of sample `r`."""
    T = tile.y.dtype.type
    for p in range(planes * r, planes * r + planes):
        out, y = course.stage[p], tile.y[p]
        for i in range(out.shape[0]):
            out[i] = T(0.0)
        for j in range(weights.shape[0]):
            share = T(weights[j] * course.dt[r])
            if share != T(0.0):
                f = course.drift[j, p]
                for i in range(out.shape[0]):
                    out[i] += share * f[i]
        for i in range(out.shape[0]):
            out[i] = y[i] + plan.gain[i] * out[i]
        if kicks:
            for i in range(noise.kick.shape[1]):
                out[i] += noise.kick[p, i]


@elementwise
def _estimate_step_error(
    tile: Tile, course: Course, plan: Integrator, options: StoppingOptions, r: int, planes: int
) -> float:
    """Return the root mean square error of an adaptive step, in units of what is allowed.

    Near rest a tenth of the drift is allowed at most: else steps grow until errors alone keep the sample moving.
    """
    total, most = 0.0, 0.1 * find_worst_drift(course, r, planes)
    for p in range(planes * r, planes * r + planes):
        for i in range(tile.y.shape[1]):
            e = 0.0
            for j in range(plan.error.shape[0]):
                e += plan.error[j] * course.drift[j, p, i]
            e *= course.dt[r] * plan.gain[i] / min(options.accuracy * (1.0 + abs(tile.y[p, i])), most)
            total += e * e
    return float(np.sqrt(total / (planes * tile.y.shape[1])))


@elementwise
def _accept_step(
    tile: Tile, course: Course, plan: Integrator, options: StoppingOptions, noise: TileNoise, r: int, planes: int
) -> None:
    """Take the step of sample `r`, unless it is adaptive and not accurate enough."""
    grow = 1.0
    tile.steps[r] += 1
    if options.adaptive:
        error = _estimate_step_error(tile, course, plan, options, r, planes)
        grow = min(5.0, max(0.2, 0.9 * max(error, 1e-10) ** -0.2)) if error < np.inf else 0.2
        if not error <= 1.0:
            course.dt[r] *= min(grow, 0.9)
            return
    course.time[r] += course.dt[r]
    _write_stage_state(tile, course, plan, noise, plan.b, noise.on, r, planes)
    for p in range(planes * r, planes * r + planes):
        for i in range(tile.y.shape[1]):
            tile.y[p, i] = course.stage[p, i]
    if options.adaptive:
        course.dt[r] = min(course.dt[r] * grow, max(options.end - course.time[r], 1e-12))


@elementwise
def _step_many_stages(
    tile: Tile,
    course: Course,
    wiring: Wiring,
    circuit: Circuit,
    cell: UnitLaw,
    plan: Integrator,
    options: StoppingOptions,
    noise: TileNoise,
    window: Window,
    last: bool,
) -> None:
    """Take a step of several stages with every running sample."""
    active = tile.active[0]
    if noise.on:
        draw_noise_increment(noise, 0, active, tile, last)
    update_activity_drive(tile, tile.y, wiring, circuit, cell, active)
    compute_full_drift(tile, tile.y, cell, noise, course.drift[0], 0, active)
    if not last:
        gather_range(tile, window, cell.planes, 0, active)
    if check_convergence(tile, course, plan, options, noise.on, cell.planes, 0, active, last) == 0:
        return
    limit_slew(plan.bound, course.drift[0], 0, cell.planes * active)
    for s in range(1, plan.b.shape[0]):
        for r in range(active):
            _write_stage_state(tile, course, plan, noise, plan.a[s, :s], noise.on and plan.c[s] > 0.0, r, cell.planes)
        update_activity_drive(tile, course.stage, wiring, circuit, cell, active)
        compute_full_drift(tile, course.stage, cell, noise, course.drift[s], 0, active)
        limit_slew(plan.bound, course.drift[s], 0, cell.planes * active)
    for r in range(active):
        if tile.status[r] == RUNNING:
            _accept_step(tile, course, plan, options, noise, r, cell.planes)


@kernel
def advance_stages(
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
    """Do what `trajectory.advance` does, with a method of several stages."""
    for k in range(steps + 1):
        end = k == steps
        if (end and not last) or tile.active[0] == 0:
            return
        _step_many_stages(tile, course, wiring, circuit, cell, plan, options, noise, window, end)
        if options.stop_early:
            compact(tile, course, cell.planes)
