"""The stages of a step, compiled: drift of a state, state of the next stage, and the step at their end."""

from __future__ import annotations

import numpy as np

from .compile import elementwise
from .ends import Course, Options, Plan, worst_drift
from .kernels import Array, Law, Reals, Tile, drifts
from .shaking import Noise


@elementwise
def _poles(state: Reals, h: Reals, rows: int, units: int, drift: Reals) -> None:
    """Write the drift of the synaptic poles and put them in the place of the drive."""
    for r in range(rows):
        for i in range(units):
            drift[r, units + i] = h[r, i] - state[r, units + i]
            h[r, i] = state[r, units + i]


@elementwise
def _add_push(push: Reals, drift: Reals) -> None:
    for r in range(push.shape[0]):
        for i in range(push.shape[1]):
            drift[r, i] += push[r, i]


@elementwise
def full_drift(tile: Tile, state: Reals, cell: Law, noise: Noise, out: Reals, first: int, stop: int) -> None:
    """Write the drift of the samples ``first:stop`` over the whole width: membranes, then synaptic poles."""
    planes, units = cell.planes, tile.a.shape[1]
    top, end = planes * first, planes * stop
    y, h, f = state[top:end], tile.h[top:end], out[top:end]
    if y.shape[1] > units:
        _poles(y, h, end - top, units, f)
    drifts(y, h, tile.slope[top:end], cell, end - top, 0, units, f)
    if noise.on and noise.memory.shape[0] > 0:
        _add_push(noise.push[top:end], f)


@elementwise
def move(
    tile: Tile, course: Course, plan: Plan, noise: Noise, weights: Array, kicks: bool, r: int, planes: int
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
def accept(tile: Tile, course: Course, plan: Plan, options: Options, noise: Noise, r: int, planes: int) -> None:
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
    move(tile, course, plan, noise, plan.b, noise.on, r, planes)
    for p in range(planes * r, planes * r + planes):
        for i in range(tile.y.shape[1]):
            tile.y[p, i] = course.stage[p, i]
    if options.adaptive:
        course.dt[r] = min(course.dt[r] * grow, max(options.end - course.time[r], 1e-12))
