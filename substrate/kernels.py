"""The only module that compiles: device laws and the stepping loop over one tile of samples.

A tile is a C-ordered array (rows, units) of all unclamped units; layers are column ranges. Under a
complex nudge the imaginary plane follows the real one as further rows, so every product stays real.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import activation, nudge

from . import field
from .compile import add_product, kernel, law

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

for function in (
    activation.logistic,
    activation.logistic_planes,
    activation.activity,
    activation.activity_planes,
    nudge.mse_force,
    nudge.cross_entropy_force,
    field.additive_drift,
):
    law(function)

RUNNING = -1
"""Status of a sample that still moves; the others are `substrate.protocol.Status`."""

_SETTLED, _STEP_LIMIT, _PERIOD_2, _DIVERGED = 0, 1, 2, 3

CYCLE = 1e-4
"""A sample flips when it returns to its state two steps ago, to this fraction of the jump between."""

RUNAWAY = 1e8
"""A drift beyond this counts as diverged; units of the state."""


class Wiring(NamedTuple):
    """Recurrent connections: one row (first pre column, first post column, pre, post, offset) each."""

    edges: Integers
    weights: Array
    """Effective weights, flat; a block (pre, post) starts at its offset."""


class Circuit(NamedTuple):
    """The nudge circuit and the readout it knows."""

    cost: int
    first_output: int
    weight: Array
    bias: Array


class Options(NamedTuple):
    """Scalars of one settling."""

    dt: float
    tolerance: float
    activation: int
    planes: int
    beta_real: float
    beta_imaginary: float
    stop_early: bool
    """End a sample as soon as it has settled or flips; otherwise every sample takes all steps."""


class Tile(NamedTuple):
    """State and scratch of the samples that are stepped together; rows = planes * samples where not said."""

    u: Array
    """State (rows, units); changed in place."""

    drift: Array
    """Drift of the step before (rows, units)."""

    a: Array
    """Scratch: activity (rows, units)."""

    h: Array
    """Scratch: drive (rows, units)."""

    constant: Array
    """Drive of the clamped input plus bias (samples, units)."""

    target: Array
    """Target (samples, classes or outputs)."""

    status: Integers
    """Status per sample; changed in place."""

    steps: Integers
    """Steps taken per sample; changed in place."""

    residual: Array
    """Largest drift per sample; changed in place."""


@kernel
def activate(u: Array, a: Array, code: int, planes: int) -> None:
    """Write the activity of every row of the state `u` to `a`."""
    rows, units = u.shape
    samples = rows // planes
    for r in range(samples):
        for i in range(units):
            if planes == 1:
                a[r, i] = activation.activity(code, u[r, i])
            else:
                a[r, i], a[r + samples, i] = activation.activity_planes(code, u[r, i], u[r + samples, i])


@kernel
def drive(tile: Tile, wiring: Wiring, options: Options) -> None:
    """Write the drive ``h = W a + I`` of the whole tile, without the nudge."""
    samples = tile.constant.shape[0]
    tile.h[:samples] = tile.constant
    tile.h[samples:] = 0.0
    activate(tile.u, tile.a, options.activation, options.planes)
    for k in range(wiring.edges.shape[0]):
        first_pre, first_post, pre, post, offset = wiring.edges[k]
        block = wiring.weights[offset : offset + pre * post].reshape((pre, post))
        add_product(tile.h, first_post, tile.a, first_pre, block)


@kernel
def pull(tile: Tile, circuit: Circuit, options: Options) -> None:
    """Add the nudge ``-beta e`` to the drive of the output units."""
    if options.beta_real == 0.0 and options.beta_imaginary == 0.0:
        return
    samples, units = tile.constant.shape
    outputs = units - circuit.first_output
    force = np.empty((2, outputs))
    probability = np.empty((2, circuit.bias.shape[0]))
    still = np.zeros(outputs)
    for r in range(samples):
        real = tile.a[r, circuit.first_output :]
        imaginary = still
        if options.planes == 2:
            imaginary = tile.a[r + samples, circuit.first_output :]
        if circuit.cost == nudge.MSE:
            nudge.mse_force(real, imaginary, tile.target[r], force)
        else:
            nudge.cross_entropy_force(real, imaginary, tile.target[r], circuit.weight, circuit.bias, probability, force)
        for i in range(outputs):
            column = circuit.first_output + i
            tile.h[r, column] -= options.beta_real * force[0, i] - options.beta_imaginary * force[1, i]
            if options.planes == 2:
                tile.h[r + samples, column] -= options.beta_real * force[1, i] + options.beta_imaginary * force[0, i]


@kernel
def judge(tile: Tile, r: int, options: Options) -> int:
    """Return the status of sample `r` at its present drive; store its residual; RUNNING if none applies."""
    samples, units = tile.constant.shape
    residual, flip, total = 0.0, 0.0, 0.0
    for plane in range(options.planes):
        row = r + plane * samples
        for i in range(units):
            f = field.additive_drift(tile.u[row, i], tile.h[row, i])
            residual = max(residual, abs(f))
            flip = max(flip, abs(f + tile.drift[row, i]))
            total += abs(f)
    # The maximum skips over a NaN, the sum does not.
    tile.residual[r] = residual if np.isfinite(total) else np.inf
    if not tile.residual[r] <= RUNAWAY:
        return _DIVERGED
    if residual < options.tolerance:
        return _SETTLED
    if tile.steps[r] > 0 and flip <= CYCLE * residual:
        return _PERIOD_2
    return RUNNING


@kernel
def step(tile: Tile, r: int, options: Options) -> None:
    """Advance sample `r` by one Euler step."""
    samples, units = tile.constant.shape
    for plane in range(options.planes):
        row = r + plane * samples
        for i in range(units):
            f = field.additive_drift(tile.u[row, i], tile.h[row, i])
            tile.drift[row, i] = f
            tile.u[row, i] += options.dt * f
    tile.steps[r] += 1


@kernel
def advance(tile: Tile, wiring: Wiring, circuit: Circuit, options: Options, steps: int, last: bool) -> None:
    """Advance every running sample by at most `steps` steps; after the `last` ones give each its status."""
    samples = tile.status.shape[0]
    for k in range(steps + 1):
        if k == steps and not last:
            return
        drive(tile, wiring, options)
        pull(tile, circuit, options)
        running = 0
        for r in range(samples):
            if tile.status[r] != RUNNING:
                continue
            status = judge(tile, r, options)
            if status == _DIVERGED or (status != RUNNING and options.stop_early) or k == steps:
                tile.status[r] = _STEP_LIMIT if status == RUNNING else status
            else:
                step(tile, r, options)
                running += 1
        if running == 0:
            return
