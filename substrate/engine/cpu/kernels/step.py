"""What every step needs, compiled: the drift of a state, the window, and room for the samples that run."""

from __future__ import annotations

from ...stopping import RUNNING
from ..compile import elementwise
from .drift import Reals, Tile, UnitLaw, compute_drift_columns
from .noise import TileNoise, Window, gather
from .rows import swap, swap_rows, swap_samples
from .stopping import Course


@elementwise
def _compute_pole_drift(state: Reals, h: Reals, rows: int, units: int, drift: Reals) -> None:
    """Write the drift of the synaptic poles and put them in the place of the drive."""
    for r in range(rows):
        for i in range(units):
            drift[r, units + i] = h[r, i] - state[r, units + i]
            h[r, i] = state[r, units + i]


@elementwise
def _add_slow_drive(push: Reals, drift: Reals) -> None:
    for r in range(push.shape[0]):
        for i in range(push.shape[1]):
            drift[r, i] += push[r, i]


@elementwise
def compute_full_drift(
    tile: Tile, state: Reals, cell: UnitLaw, noise: TileNoise, out: Reals, first: int, stop: int
) -> None:
    """Write the drift of the samples ``first:stop`` over the whole width: membranes, then synaptic poles."""
    planes, units = cell.planes, tile.a.shape[1]
    top, end = planes * first, planes * stop
    y, h, f = state[top:end], tile.h[top:end], out[top:end]
    if y.shape[1] > units:
        _compute_pole_drift(y, h, end - top, units, f)
    compute_drift_columns(y, h, tile.slope[top:end], cell, end - top, 0, units, f)
    if noise.on and noise.memory.shape[0] > 0:
        _add_slow_drive(noise.push[top:end], f)


@elementwise
def compact(tile: Tile, course: Course, planes: int) -> bool:
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
        swap_samples(tile, r, last, planes)
        swap_rows(course.reference, r, last, planes)
        swap_rows(course.track, r, last, 1)
        swap(course.dt, r, last)
        swap(course.time, r, last)
        last -= 1
    tile.active[0] = running
    return True


@elementwise
def gather_range(tile: Tile, window: Window, planes: int, first: int, stop: int) -> None:
    """Add the present activity of the running samples among ``first:stop`` to the window, if it is open."""
    for r in range(first, stop):
        if tile.steps[r] >= window.first and tile.status[r] == RUNNING:
            gather(window, tile, r, planes)
