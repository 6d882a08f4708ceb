"""What every settling needs, compiled: activities, drives, the nudge and the drift of one tile of samples.

A tile is a C-ordered array (rows, units); layers are column ranges. The imaginary plane of a sample
is the row after its real one. Samples that have ended lie behind the active ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.interface import cost_force
from devices.interface.cost_force import Circuit
from devices.neuron import activation

from ....laws import additive, hopfield
from ....laws.law import LAWS
from ..compile import elementwise, kernel, law
from .callbacks import SLOPE, VALUE, call_planes, call_rows
from .elementwise import compute_activity_rows, compute_slope_rows
from .product import ROWS, add_product

Array = NDArray[np.float64]
Reals = NDArray[Any]
"""Array in the precision of the simulation."""

Integers = NDArray[np.int64]

for function in (
    activation.interpolate,
    activation.interpolate_slope,
    activation.logistic_planes,
    activation.activity_planes,
    activation.slope_planes,
    cost_force.compute_mse_force,
    cost_force.compute_cross_entropy_force,
):
    law(function)
for known in LAWS.values():
    law(known.drift)


class Wiring(NamedTuple):
    """Recurrent connections."""

    edges: Integers
    """One row each: first pre column, first post, pre, post, offset, colour of post, whether the first into its layer.

    A layer without connections has a row with no pre units.
    """

    panels: Reals
    """Effective weights, packed; those of a connection start at its offset."""


class UnitLaw(NamedTuple):
    """What a unit does with its drive."""

    law: int
    activation: int
    table: Array
    """Points of a measured transfer curve (2, points); else (2, 0)."""

    own: Integers
    """Addresses of an activation of the user's own, see `callbacks`; else (0,)."""

    gain: Array
    """Gain `g` of every unit in ``a = g rho(s u)`` (units,); (0,): all 1."""

    steep: Array
    """Factor `s` of the state, of the same shape."""

    planes: int
    beta: Array
    """Nudge, real and imaginary part, of every step of a cycle; a constant nudge has one (steps, 2)."""

    colour: int
    """Products go to layers of this colour only; -1: to all."""


class Tile(NamedTuple):
    """State and scratch of samples that settle together; rows = planes * samples, padded, where not said."""

    y: Reals
    """State (rows, width), the synaptic pole behind the membranes; changed in place."""

    a: Reals
    """Scratch: activity (rows, units)."""

    h: Reals
    """Scratch: drive (rows, units)."""

    slope: Reals
    """Scratch: slope (rows, units) for the hopfield law, else (0, units)."""
    rest: Reals
    """Scratch of the products (rows, columns of a panel)."""

    constant: Reals
    """Drive of the clamped input, bias and held nudge (rows, units)."""

    target: Array
    """Target (samples, classes or outputs)."""

    sign: Array
    """Factor of the nudge, (samples,)."""

    sample: Integers
    """Which sample of the tile a place holds, (samples,)."""

    active: Integers
    """How many places are active, (1,)."""

    status: Integers
    """Status per place; changed in place."""
    steps: Integers
    """Steps or sweeps per place; changed in place."""
    residual: Array
    """Largest drift per place; changed in place."""


@elementwise
def _scale_columns(x: Reals, factor: Array, rows: int, first: int, stop: int, out: Reals) -> None:
    """Write the columns ``first:stop`` of `x`, each times its factor, to `out`, which may be `x`."""
    T = out.dtype.type
    for r in range(rows):
        for i in range(np.uint64(first), np.uint64(stop)):
            out[r, i] = T(factor[i]) * x[r, i]


@elementwise
def _activity_planes(cell: UnitLaw, x: float, y: float) -> tuple[float, float]:
    if cell.activation >= activation.OWN:
        return call_planes(cell.own, VALUE, x, y)
    return activation.activity_planes(cell.activation, x, y)


@elementwise
def _slope_planes(cell: UnitLaw, x: float, y: float) -> tuple[float, float]:
    if cell.activation >= activation.OWN:
        return call_planes(cell.own, SLOPE, x, y)
    return activation.slope_planes(cell.activation, x, y)


@elementwise
def activate_range(u: Reals, a: Reals, slope: Reals, cell: UnitLaw, active: int, first: int, stop: int) -> None:
    """Write activity, and slope where the law needs it, of the columns ``first:stop`` of the active samples."""
    sloped, spread, rows = slope.shape[0] > 0, cell.gain.shape[0] > 0, cell.planes * active
    if cell.planes == 1:
        if spread:
            _scale_columns(u, cell.steep, rows, first, stop, a)
        if cell.activation >= activation.OWN:
            call_rows(cell.own, VALUE, a if spread else u, a, active, first, stop)
        else:
            compute_activity_rows(cell.activation, cell.table, a if spread else u, a, active, first, stop)
        if sloped:
            if spread:
                _scale_columns(u, cell.steep, rows, first, stop, slope)
            if cell.activation >= activation.OWN:
                call_rows(cell.own, SLOPE, slope if spread else u, slope, active, first, stop)
            else:
                compute_slope_rows(cell.activation, cell.table, slope if spread else u, a, slope, active, first, stop)
    else:
        for r in range(0, rows, 2):
            for i in range(first, stop):
                s = cell.steep[i] if spread else 1.0
                x, y = s * float(u[r, i]), s * float(u[r + 1, i])
                a[r, i], a[r + 1, i] = _activity_planes(cell, x, y)
                if sloped:
                    slope[r, i], slope[r + 1, i] = _slope_planes(cell, x, y)
    if spread:
        _scale_columns(a, cell.gain, rows, first, stop, a)
        if sloped:
            _scale_columns(slope, cell.gain * cell.steep, rows, first, stop, slope)


@kernel
def activate(u: Array, a: Array, cell: UnitLaw) -> None:
    """Write the activity of every row of the state `u` to `a`."""
    activate_range(u, a, u[:0], cell, u.shape[0] // cell.planes, 0, u.shape[1])


@elementwise
def compute_drive(tile: Tile, wiring: Wiring, cell: UnitLaw, active: int) -> None:
    """Write the drive ``W a + constant`` of the active rows to all layers, or to those of one colour."""
    rows = -(-active * cell.planes // ROWS) * ROWS
    for k in range(wiring.edges.shape[0]):
        first_pre, first_post, pre, post, offset, colour, first = wiring.edges[k]
        if cell.colour not in (-1, colour):
            continue
        if pre == 0:
            _copy_columns(tile.constant, rows, np.uint64(first_post), np.uint64(first_post + post), tile.h)
            continue
        before = tile.constant if first == 1 else tile.h
        add_product(tile.h, before, first_post, tile.a, first_pre, wiring.panels[offset:], pre, post, rows, tile.rest)


@elementwise
def _copy_columns(x: Reals, rows: int, first: np.uint64, stop: np.uint64, out: Reals) -> None:
    for r in range(rows):
        for i in range(first, stop):
            out[r, i] = x[r, i]


@elementwise
def compute_sample_force(
    a: Reals, r: int, target: Array, circuit: Circuit, planes: int, probability: Array, force: Array
) -> None:
    """Write the force ``e = dC/da`` of sample `r`, both planes, to `force` (2, outputs)."""
    real, imaginary = a[planes * r, circuit.first_output :], a[planes * r + planes - 1, circuit.first_output :]
    if circuit.cost == cost_force.MSE:
        cost_force.compute_mse_force(real, imaginary, target[r], force)
    else:
        cost_force.compute_cross_entropy_force(
            real, imaginary, target[r], circuit.weight, circuit.bias, probability, force, planes == 2
        )


@kernel
def compute_batch_forces(a: Array, target: Array, circuit: Circuit, out: Array) -> None:
    """Write the real force of every sample, (batch, outputs), at the activities `a` (batch, units)."""
    force = np.empty((2, out.shape[1]))
    probability = np.empty((2, circuit.bias.shape[0]))
    for r in range(out.shape[0]):
        compute_sample_force(a, r, target, circuit, 1, probability, force)
        out[r] = force[0]


@elementwise
def add_nudge_force(tile: Tile, circuit: Circuit, cell: UnitLaw, active: int) -> None:
    """Add the nudge ``-beta e`` to the drive of the output units."""
    if cell.beta.shape[0] == 0:
        return
    step = tile.steps[0] % cell.beta.shape[0]
    outputs = tile.a.shape[1] - circuit.first_output
    force = np.empty((2, outputs))
    probability = np.empty((2, circuit.bias.shape[0]))
    for r in range(active):
        compute_sample_force(tile.a, r, tile.target, circuit, cell.planes, probability, force)
        row, x, y = cell.planes * r, tile.sign[r] * cell.beta[step, 0], tile.sign[r] * cell.beta[step, 1]
        for i in range(outputs):
            column = circuit.first_output + i
            tile.h[row, column] -= x * force[0, i] - y * force[1, i]
            if cell.planes == 2:
                tile.h[row + 1, column] -= x * force[1, i] + y * force[0, i]


@elementwise
def update_activity_drive(
    tile: Tile, state: Reals, wiring: Wiring, circuit: Circuit, cell: UnitLaw, active: int
) -> None:
    """Write activity and drive of the active samples in `state`, the nudge included."""
    units = tile.a.shape[1]
    activate_range(state, tile.a, tile.slope, cell, active, 0, units)
    compute_drive(tile, wiring, cell, active)
    add_nudge_force(tile, circuit, cell, active)


@elementwise
def _compute_additive_drift(u: Reals, h: Reals, rows: int, first: np.uint64, stop: np.uint64, drift: Reals) -> None:
    for r in range(rows):
        for i in range(first, stop):
            drift[r, i] = additive.drift(u[r, i], h[r, i], 1.0)


@elementwise
def _compute_hopfield_drift(
    u: Reals, h: Reals, slope: Reals, rows: int, first: np.uint64, stop: np.uint64, drift: Reals
) -> None:
    for r in range(rows):
        for i in range(first, stop):
            drift[r, i] = hopfield.drift(u[r, i], h[r, i], slope[r, i])


@elementwise
def _compute_hopfield_planes(
    u: Reals, h: Reals, slope: Reals, rows: int, first: np.uint64, stop: np.uint64, drift: Reals
) -> None:
    for r in range(0, rows, 2):
        for i in range(first, stop):
            x, y, p, q = h[r, i], h[r + 1, i], slope[r, i], slope[r + 1, i]
            drift[r, i] = additive.drift(u[r, i], p * x - q * y, 1.0)
            drift[r + 1, i] = additive.drift(u[r + 1, i], p * y + q * x, 1.0)


@elementwise
def compute_drift_columns(
    u: Reals, h: Reals, slope: Reals, cell: UnitLaw, rows: int, first: int, stop: int, drift: Reals
) -> None:
    """Write the drift ``F`` of the columns ``first:stop`` of the first rows."""
    # Without sign: an index that might be negative prevents vectors.
    begin, end = np.uint64(first), np.uint64(stop)
    if cell.law == additive.CODE:
        _compute_additive_drift(u, h, rows, begin, end, drift)
    elif cell.planes == 1:
        _compute_hopfield_drift(u, h, slope, rows, begin, end, drift)
    else:
        _compute_hopfield_planes(u, h, slope, rows, begin, end, drift)
