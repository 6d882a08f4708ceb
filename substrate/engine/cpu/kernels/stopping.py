"""How a trajectory ends, compiled: at rest, on a cycle, stalled or run away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...stopping import (
    CYCLE,
    DIVERGED,
    FLOOR,
    ON_CYCLE,
    ORBIT,
    PERIOD_2,
    PROGRESS,
    RUNAWAY,
    RUNNING,
    SETTLED,
    SHORT,
    STALLED,
    STEP_LIMIT,
    StoppingOptions,
)
from ..compile import elementwise
from .drift import Array, Reals, Tile
from .rows import compute_square_sum, compute_square_sums, find_largest

_REFERENCE, _REACH, _BEST, _BEST_AT, _FOUND = 0, 1, 2, 3, 4


class Integrator(NamedTuple):
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

    bound: Reals
    """Largest drift of every membrane (units,); (0,): no limit."""


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
    """Step of the former state, reach since, best residual, when (steps, or adaptive time), cycle found (samples, 5).
    """

    dt: Array
    """Step per sample (samples,)."""

    time: Array
    """Time per sample (samples,)."""


@elementwise
def limit_slew(bound: Reals, drift: Reals, first: int, stop: int) -> None:
    """Cut the drift of the membranes of the rows ``first:stop`` to its bound; the speed of a membrane is limited."""
    for r in range(first, stop):
        for i in range(bound.shape[0]):
            drift[r, i] = min(max(drift[r, i], -bound[i]), bound[i])


@elementwise
def _detect_cycle(tile: Tile, course: Course, plan: Integrator, r: int, planes: int) -> int:
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
        found = PERIOD_2 if lag == 2 else ON_CYCLE
    elif (
        lag >= 8
        and move <= SHORT**2 * reach
        and 0.0 <= along <= move
        and (away - along * along / move <= ORBIT**2 * reach)
    ):
        found = ON_CYCLE
    if step >= 2 * track[_REFERENCE]:
        track[_REFERENCE], track[_REACH] = max(step, 1), 0.0
        for p in range(planes * r, planes * r + planes):
            for i in range(tile.y.shape[1]):
                course.reference[p, i] = tile.y[p, i]
    return found


@elementwise
def _is_unmoved(tile: Tile, course: Course, plan: Integrator, r: int, planes: int) -> bool:
    """Tell whether a step changes nothing: it is below the rounding of every number of the state."""
    h = tile.y.dtype.type(course.dt[r])
    for p in range(planes * r, planes * r + planes):
        y, f = tile.y[p], course.drift[0, p]
        for i in range(y.shape[0]):
            move = h * plan.gain[i] * f[i]
            if i < plan.bound.shape[0]:
                most = h * plan.gain[i] * plan.bound[i]
                move = min(max(move, -most), most)
            if y[i] + move != y[i]:
                return False
    return True


@elementwise
def _is_slew_limited(course: Course, plan: Integrator, r: int, planes: int) -> bool:
    """Tell whether a membrane moves at the limit of its speed; so long the drift says nothing about progress."""
    for p in range(planes * r, planes * r + planes):
        for i in range(plan.bound.shape[0]):
            if abs(course.drift[0, p, i]) > plan.bound[i]:
                return True
    return False


@elementwise
def _is_at_floor(tile: Tile, r: int, planes: int, total: float) -> bool:
    """Tell whether the drift of a sample is rounding of its state."""
    size = 0.0
    for p in range(planes * r, planes * r + planes):
        size += compute_square_sum(tile.y[p]) + tile.y.shape[1]
    rounding = 2.0**-52 if tile.y.itemsize == 8 else 2.0**-23
    return total <= (FLOOR * rounding) ** 2 * size


@elementwise
def _detect_stall(
    tile: Tile, course: Course, plan: Integrator, options: StoppingOptions, r: int, planes: int, total: float
) -> int:
    """Return STALLED for a sample that gets no closer to rest, else RUNNING."""
    track, now = course.track[r], course.time[r] if options.adaptive else float(tile.steps[r])
    if total < PROGRESS**2 * track[_BEST]:
        track[_BEST], track[_BEST_AT] = total, now
    elif _is_slew_limited(course, plan, r, planes):
        track[_BEST_AT] = now
    idle = now - track[_BEST_AT]
    if idle >= options.patience or (idle >= options.floor_patience and _is_at_floor(tile, r, planes, total)):
        return STALLED
    # A fixed step that changes nothing will never change anything; an adaptive one grows.
    return STALLED if not options.adaptive and _is_unmoved(tile, course, plan, r, planes) else RUNNING


@elementwise
def _is_at_rest(course: Course, options: StoppingOptions, r: int, planes: int, width: int) -> bool:
    """Tell whether the largest drift is below the tolerance; it lies between the root mean square and the root sum."""
    total, limit = course.total[r], options.tolerance**2
    if total < limit or total >= limit * planes * width:
        return bool(total < limit)
    return find_worst_drift(course, r, planes) < options.tolerance


@elementwise
def _find_status(
    tile: Tile, course: Course, plan: Integrator, options: StoppingOptions, r: int, planes: int, noisy: bool
) -> int:
    """Return the status of sample `r` at its present drift; RUNNING if none applies."""
    total = course.total[r]
    if not total <= RUNAWAY**2:
        return DIVERGED
    if noisy or tile.steps[r] < options.watch:
        return RUNNING
    if _is_at_rest(course, options, r, planes, tile.y.shape[1]):
        return SETTLED
    stalled = _detect_stall(tile, course, plan, options, r, planes, total)
    if stalled != RUNNING or options.adaptive:
        return stalled
    found = _detect_cycle(tile, course, plan, r, planes)
    # A state that moves by rounding alone returns too, but that is no cycle of the machine.
    if found != RUNNING and course.track[r, _FOUND] == 0.0 and not _is_at_floor(tile, r, planes, total):
        course.track[r, _FOUND] = found
    return int(course.track[r, _FOUND]) if course.track[r, _FOUND] > 0.0 else RUNNING


@elementwise
def find_worst_drift(course: Course, r: int, planes: int) -> float:
    """Return the largest drift of sample `r`."""
    most = 0.0
    for p in range(planes * r, planes * r + planes):
        most = max(most, find_largest(course.drift[0, p]))
    return most


@elementwise
def check_convergence(
    tile: Tile,
    course: Course,
    plan: Integrator,
    options: StoppingOptions,
    noisy: bool,
    planes: int,
    first: int,
    stop: int,
    last: bool,
) -> int:
    """Judge the running samples among ``first:stop`` at their present drift; return how many run on."""
    running = 0
    compute_square_sums(course.drift[0], first, stop, planes, course.total)
    for r in range(first, stop):
        if tile.status[r] != RUNNING:
            continue
        status = _find_status(tile, course, plan, options, r, planes, noisy)
        over = last or (options.adaptive and course.time[r] >= options.end * (1.0 - 1e-12))
        if status == DIVERGED or (status != RUNNING and options.stop_early) or over:
            residual = find_worst_drift(course, r, planes)
            tile.residual[r] = residual if status != DIVERGED or residual > RUNAWAY else np.inf
            if status == RUNNING:
                status = SETTLED if residual < options.tolerance else STEP_LIMIT
            tile.status[r] = status
        else:
            running += 1
    return running
