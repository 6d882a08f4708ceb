"""Block descent on layered circuits with ideal diodes, compiled.

With its neighbours held, a layer minimises the co-content exactly at ``V = clip((I + sum_j g_j V_j) / G, low, high)``:
`I` are the currents from inputs, biases and nudge, and `G` the sum of all conductances of the node. Layers of one
colour have no conductors between them and move together; every half sweep lowers the co-content of every sample.
B. Scellier, "A fast algorithm to simulate nonlinear resistive networks", ICML 2024.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...stopping import DIVERGED, RUNAWAY, RUNNING, SETTLED, STEP_LIMIT
from ..compile import elementwise, kernel

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Reals = NDArray[Any]

TOGETHER = 2
"""Samples and rows that a product takes at once; tiles are filled up with samples at 0 V."""


class LayerConductors(NamedTuple):
    """The conductors between layers behind the first, and what their nodes may do."""

    conductance: Reals
    """The blocks one behind the other, S."""

    blocks: Integers
    """Rows of blocks: ``[offset, rows, columns, first unit of rows, first unit of columns, colour of rows]``."""

    layers: Integers
    """Rows of layers: ``[first unit, behind the last, colour]``; colour 0 moves first."""

    low: Reals
    """Least voltage that a diode lets a node have, (units,); minus infinity without one."""

    high: Reals


class SweepTile(NamedTuple):
    """Some samples, arrays (samples, units) or (samples,)."""

    v: Reals
    """Voltages; changed in place."""

    drive: Reals
    """Constant currents into the nodes, A."""

    total: Reals
    """Sum of the conductances of a node, the nudge's included, S."""

    current: Reals
    """Room for the current into a node at 0 V."""

    scale: Reals
    """Sum of the magnitudes of the constant currents, A."""

    status: Integers
    steps: Integers
    residual: Array


class DescentOptions(NamedTuple):
    """When sweeps end."""

    tolerance: float
    """Largest residual of a sample that has settled; see `sweep_tile`."""

    sweeps: int
    """Most sweeps."""

    fixed: bool
    """Whether all of them are made."""


@elementwise
def _copy(source: Reals, target: Reals) -> None:
    for i in range(source.shape[0]):
        target[i] = source[i]


@elementwise
def _add_to_columns(tile: SweepTile, block: Reals, first_row: int, first: int) -> None:
    """Add the currents from the rows of a block into the nodes of its columns."""
    rows, columns = block.shape
    for n in range(0, rows, TOGETHER):
        more = min(n + 1, rows - 1)
        g0, g1 = block[n], block[more]
        for s in range(0, tile.v.shape[0], TOGETHER):
            a0, a1 = tile.v[s, first_row + n], tile.v[s + 1, first_row + n]
            b0, b1 = tile.v[s, first_row + more], tile.v[s + 1, first_row + more]
            if more == n:
                b0 = b1 = tile.v.dtype.type(0.0)
            i0, i1 = tile.current[s, first : first + columns], tile.current[s + 1, first : first + columns]
            for h in range(columns):
                i0[h] += g0[h] * a0 + g1[h] * b0
                i1[h] += g0[h] * a1 + g1[h] * b1


@elementwise
def _add_to_rows(tile: SweepTile, block: Reals, first_row: int, first: int) -> None:
    """Add the currents from the columns of a block into the nodes of its rows."""
    rows, columns = block.shape
    zero = tile.v.dtype.type(0.0)
    for n in range(0, rows, TOGETHER):
        more = min(n + 1, rows - 1)
        g0, g1 = block[n], block[more]
        for s in range(0, tile.v.shape[0], TOGETHER):
            v0, v1 = tile.v[s, first : first + columns], tile.v[s + 1, first : first + columns]
            a0, a1, b0, b1 = zero, zero, zero, zero
            for h in range(columns):
                a0 += g0[h] * v0[h]
                a1 += g0[h] * v1[h]
                b0 += g1[h] * v0[h]
                b1 += g1[h] * v1[h]
            tile.current[s, first_row + n] += a0
            tile.current[s + 1, first_row + n] += a1
            if more > n:
                tile.current[s, first_row + more] += b0
                tile.current[s + 1, first_row + more] += b1


@elementwise
def _collect_currents(tile: SweepTile, conductors: LayerConductors, colour: int) -> None:
    """Write the current into every node of the layers of one colour, were it at 0 V."""
    for first, stop, own in conductors.layers:
        if own == colour:
            for s in range(tile.v.shape[0]):
                _copy(tile.drive[s, first:stop], tile.current[s, first:stop])
    for offset, rows, columns, first_row, first_column, own in conductors.blocks:
        block = conductors.conductance[offset : offset + rows * columns].reshape(rows, columns)
        if own == colour:
            _add_to_rows(tile, block, first_row, first_column)
        else:
            _add_to_columns(tile, block, first_row, first_column)


@elementwise
def _find_rest(tile: SweepTile, conductors: LayerConductors, colour: int, s: int) -> tuple[float, float]:
    """Put the voltages at which the layers of one colour are at rest in the place of the currents of a sample.

    Returns what is left of Kirchhoff's current law and the current at 0 V, A, both as sums of magnitudes. What a
    conducting diode carries is not left over; a node that nothing conducts to stays at 0 V.
    """
    zero = tile.v.dtype.type(0.0)
    left, whole = zero, zero
    for first, stop, own in conductors.layers:
        if own == colour:
            current, v, total = tile.current[s, first:stop], tile.v[s, first:stop], tile.total[s, first:stop]
            low, high = conductors.low[first:stop], conductors.high[first:stop]
            for i in range(stop - first):
                rest = current[i] / total[i] if total[i] > zero else zero
                rest = min(max(rest, low[i]), high[i])
                left += abs(total[i] * (rest - v[i]))
                whole += abs(current[i])
                current[i] = rest
    return left, whole


@elementwise
def _move(tile: SweepTile, conductors: LayerConductors, colour: int, s: int) -> None:
    """Give the layers of one colour of a sample the voltages at which they are at rest."""
    for first, stop, own in conductors.layers:
        if own == colour:
            _copy(tile.current[s, first:stop], tile.v[s, first:stop])


@elementwise
def _judge(tile: SweepTile, options: DescentOptions, s: int, left: float, whole: float, last: bool) -> int:
    """Keep the residual of a sample and return its status."""
    tile.residual[s] = left / whole if whole > 0.0 else left
    if not whole <= RUNAWAY * tile.scale[s]:
        return DIVERGED
    # Before the first sweep the layers that move last need not be at rest, such as outputs with a new nudge.
    if tile.residual[s] <= options.tolerance and (last or not options.fixed) and tile.steps[s] > 0:
        return SETTLED
    return STEP_LIMIT if last else RUNNING


@kernel
def sweep_tile(tile: SweepTile, conductors: LayerConductors, options: DescentOptions) -> None:
    """Sweep until every sample has a status.

    Between sweeps, the layers that move last are at rest; what the others lack is the residual of the circuit.
    """
    for s in range(tile.v.shape[0]):
        if tile.total[s].min() < 0.0:
            tile.status[s] = DIVERGED
    for sweep in range(options.sweeps + 1):
        running = 0
        _collect_currents(tile, conductors, 0)
        for s in range(tile.v.shape[0]):
            if tile.status[s] == RUNNING:
                left, whole = _find_rest(tile, conductors, 0, s)
                tile.status[s] = _judge(tile, options, s, left, whole, sweep == options.sweeps)
                if tile.status[s] == RUNNING:
                    _move(tile, conductors, 0, s)
                    tile.steps[s] += 1
                    running += 1
        if running == 0:
            return
        _collect_currents(tile, conductors, 1)
        for s in range(tile.v.shape[0]):
            if tile.status[s] == RUNNING:
                _find_rest(tile, conductors, 1, s)
                _move(tile, conductors, 1, s)
