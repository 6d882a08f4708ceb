"""What every settling needs, compiled: activities, drives, the nudge and the drift of one tile of samples.

A tile is a C-ordered array (rows, units); layers are column ranges. The imaginary plane of a sample
is the row after its real one. Samples that have ended lie behind the active ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import activation, nudge

from . import field
from .compile import add_product, elementwise, kernel, law
from .vector import activity_rows, slope_rows

Array = NDArray[np.float64]
Reals = NDArray[Any]
"""Array in the precision of the simulation."""

Integers = NDArray[np.int64]

for function in (
    activation.interpolate,
    activation.interpolated_slope,
    activation.logistic_planes,
    activation.activity_planes,
    activation.slope_planes,
    nudge.mse_force,
    nudge.cross_entropy_force,
    field.additive_drift,
    field.hopfield_drift,
):
    law(function)

RUNNING = -1
"""Status of a sample that still moves; the others are `substrate.protocol.Status`."""

RUNAWAY = 1e8
"""A drift beyond this counts as diverged; units of the state."""

ROW_BLOCK = 16
"""In double, products take blocks of rows: then a row's bits do not depend on the rows beside it."""


class Wiring(NamedTuple):
    """Recurrent connections: one row (first pre column, first post, pre, post, offset, colour of post) each."""

    edges: Integers
    weights: Reals
    """Effective weights, flat; a block (pre, post) starts at its offset."""

    one: Reals
    """The number 1, shape (1,)."""


class Circuit(NamedTuple):
    """The nudge circuit and the readout it knows."""

    cost: int
    first_output: int
    weight: Array
    bias: Array


class Law(NamedTuple):
    """What a unit does with its drive."""

    law: int
    activation: int
    table: Array
    """Points of a measured transfer curve (2, points); else (2, 0)."""

    planes: int
    beta_real: float
    beta_imaginary: float
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
    constant: Reals
    """Drive of the clamped input, bias and held nudge (rows, units)."""

    target: Array
    """Target (samples, classes or outputs)."""

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
def activate_range(u: Reals, a: Reals, slope: Reals, cell: Law, active: int, first: int, stop: int) -> None:
    """Write activity, and slope where the law needs it, of the columns ``first:stop`` of the active samples."""
    sloped = slope.shape[0] > 0
    if cell.planes == 1:
        activity_rows(cell.activation, cell.table, u, a, active, first, stop)
        if sloped:
            slope_rows(cell.activation, cell.table, u, a, slope, active, first, stop)
        return
    for r in range(0, 2 * active, 2):
        for i in range(first, stop):
            x, y = float(u[r, i]), float(u[r + 1, i])
            a[r, i], a[r + 1, i] = activation.activity_planes(cell.activation, x, y)
            if sloped:
                slope[r, i], slope[r + 1, i] = activation.slope_planes(cell.activation, x, y)


@kernel
def activate(u: Array, a: Array, cell: Law) -> None:
    """Write the activity of every row of the state `u` to `a`."""
    activate_range(u, a, u[:0], cell, u.shape[0] // cell.planes, 0, u.shape[1])


@elementwise
def connect(tile: Tile, wiring: Wiring, cell: Law, active: int) -> None:
    """Add ``W a`` of the active rows to the drive of all layers, or of those of one colour."""
    rows = active * cell.planes
    if tile.y.itemsize == 8:
        rows = -(-rows // ROW_BLOCK) * ROW_BLOCK
    for k in range(wiring.edges.shape[0]):
        first_pre, first_post, pre, post, offset, colour = wiring.edges[k]
        if cell.colour in (-1, colour):
            block = wiring.weights[offset : offset + pre * post].reshape((pre, post))
            add_product(tile.h, first_post, tile.a, first_pre, block, rows, wiring.one)


@elementwise
def force_of(a: Reals, r: int, target: Array, circuit: Circuit, planes: int, probability: Array, force: Array) -> None:
    """Write the force ``e = dC/da`` of sample `r`, both planes, to `force` (2, outputs)."""
    real, imaginary = a[planes * r, circuit.first_output :], a[planes * r + planes - 1, circuit.first_output :]
    if circuit.cost == nudge.MSE:
        nudge.mse_force(real, imaginary, target[r], force)
    else:
        nudge.cross_entropy_force(
            real, imaginary, target[r], circuit.weight, circuit.bias, probability, force, planes == 2
        )


@kernel
def forces(a: Array, target: Array, circuit: Circuit, out: Array) -> None:
    """Write the real force of every sample, (batch, outputs), at the activities `a` (batch, units)."""
    force = np.empty((2, out.shape[1]))
    probability = np.empty((2, circuit.bias.shape[0]))
    for r in range(out.shape[0]):
        force_of(a, r, target, circuit, 1, probability, force)
        out[r] = force[0]


@elementwise
def pull(tile: Tile, circuit: Circuit, cell: Law, active: int) -> None:
    """Add the nudge ``-beta e`` to the drive of the output units."""
    if cell.beta_real == 0.0 and cell.beta_imaginary == 0.0:
        return
    outputs = tile.a.shape[1] - circuit.first_output
    force = np.empty((2, outputs))
    probability = np.empty((2, circuit.bias.shape[0]))
    for r in range(active):
        force_of(tile.a, r, tile.target, circuit, cell.planes, probability, force)
        row = cell.planes * r
        for i in range(outputs):
            column = circuit.first_output + i
            if cell.planes == 1:
                tile.h[row, column] -= cell.beta_real * force[0, i]
            else:
                tile.h[row, column] -= cell.beta_real * force[0, i] - cell.beta_imaginary * force[1, i]
                tile.h[row + 1, column] -= cell.beta_real * force[1, i] + cell.beta_imaginary * force[0, i]


@elementwise
def respond(tile: Tile, state: Reals, wiring: Wiring, circuit: Circuit, cell: Law, active: int) -> None:
    """Write activity and drive of the active samples in `state`, the nudge included."""
    units = tile.a.shape[1]
    activate_range(state, tile.a, tile.slope, cell, active, 0, units)
    copy_rows(tile.constant, cell.planes * active, tile.h)
    connect(tile, wiring, cell, active)
    pull(tile, circuit, cell, active)


@elementwise
def _additive(u: Reals, h: Reals, rows: int, first: int, stop: int, drift: Reals) -> None:
    for r in range(rows):
        for i in range(first, stop):
            drift[r, i] = field.additive_drift(u[r, i], h[r, i])


@elementwise
def _hopfield(u: Reals, h: Reals, slope: Reals, rows: int, first: int, stop: int, drift: Reals) -> None:
    for r in range(rows):
        for i in range(first, stop):
            drift[r, i] = field.hopfield_drift(u[r, i], h[r, i], slope[r, i])


@elementwise
def _hopfield_planes(u: Reals, h: Reals, slope: Reals, rows: int, first: int, stop: int, drift: Reals) -> None:
    for r in range(0, rows, 2):
        for i in range(first, stop):
            x, y, p, q = h[r, i], h[r + 1, i], slope[r, i], slope[r + 1, i]
            drift[r, i] = field.additive_drift(u[r, i], p * x - q * y)
            drift[r + 1, i] = field.additive_drift(u[r + 1, i], p * y + q * x)


@elementwise
def drifts(u: Reals, h: Reals, slope: Reals, cell: Law, rows: int, first: int, stop: int, drift: Reals) -> None:
    """Write the drift ``F`` of the columns ``first:stop`` of the first rows."""
    if cell.law == field.ADDITIVE:
        _additive(u, h, rows, first, stop, drift)
    elif cell.planes == 1:
        _hopfield(u, h, slope, rows, first, stop, drift)
    else:
        _hopfield_planes(u, h, slope, rows, first, stop, drift)


@elementwise
def square_sums(x: Reals, samples: int, planes: int, total: Array) -> None:
    """Write the sum of squares of every sample: unlike a maximum it is vectorised, and it does not skip NaN."""
    for r in range(samples):
        part = x.dtype.type(0.0)
        for p in range(planes * r, planes * (r + 1)):
            for i in range(x.shape[1]):
                part += x[p, i] * x[p, i]
        total[r] = part


@elementwise
def copy_rows(x: Reals, rows: int, out: Reals) -> None:
    """Copy the first rows of an array."""
    for r in range(rows):
        for i in range(x.shape[1]):
            out[r, i] = x[r, i]


@elementwise
def square_sum(x: Reals) -> float:
    """Return the sum of squares of a row: unlike a maximum it is vectorised, and it does not skip NaN."""
    total = x.dtype.type(0.0)
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    return float(total)


@elementwise
def largest(x: Reals) -> float:
    """Return the largest magnitude in a row."""
    most = 0.0
    for i in range(x.shape[0]):
        most = max(most, float(abs(x[i])))
    return most


@elementwise
def swap_rows(x: Reals, i: int, j: int, count: int) -> None:
    """Exchange the rows ``i * count ...`` and ``j * count ...`` of an array, `count` each."""
    for p in range(count):
        for k in range(x.shape[1]):
            x[i * count + p, k], x[j * count + p, k] = x[j * count + p, k], x[i * count + p, k]


@elementwise
def swap(x: NDArray[Any], i: int, j: int) -> None:
    """Exchange two numbers of an array."""
    x[i], x[j] = x[j], x[i]


@elementwise
def swap_places(tile: Tile, i: int, j: int, planes: int) -> None:
    """Exchange two samples of a tile; scratch that is written before it is read stays."""
    swap_rows(tile.y, i, j, planes)
    swap_rows(tile.constant, i, j, planes)
    swap_rows(tile.target, i, j, 1)
    for x in (tile.sample, tile.status, tile.steps):
        swap(x, i, j)
    swap(tile.residual, i, j)
