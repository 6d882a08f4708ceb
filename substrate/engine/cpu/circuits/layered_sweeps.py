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
    """A multiple of four samples, arrays (samples, units) or (samples,)."""

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
def _get_voltage(tile: SweepTile, s: int, first: int, n: int, rows: int) -> Any:
    """Return the voltage of a node, 0 V for one behind the last row."""
    return tile.v[s, first + n] if n < rows else tile.v.dtype.type(0.0)


@elementwise
def _add_to_columns(tile: SweepTile, block: Reals, first_row: int, first: int) -> None:
    """Add the currents from the rows of a block into the nodes of its columns, four rows and two samples at once."""
    rows, columns = block.shape
    for n in range(0, rows, 4):
        g0, g1, g2, g3 = block[n], block[min(n + 1, rows - 1)], block[min(n + 2, rows - 1)], block[min(n + 3, rows - 1)]
        for s in range(0, tile.v.shape[0], 2):
            one, two = tile.current[s, first : first + columns], tile.current[s + 1, first : first + columns]
            v0, w0 = tile.v[s, first_row + n], tile.v[s + 1, first_row + n]
            v1, w1 = _get_voltage(tile, s, first_row, n + 1, rows), _get_voltage(tile, s + 1, first_row, n + 1, rows)
            v2, w2 = _get_voltage(tile, s, first_row, n + 2, rows), _get_voltage(tile, s + 1, first_row, n + 2, rows)
            v3, w3 = _get_voltage(tile, s, first_row, n + 3, rows), _get_voltage(tile, s + 1, first_row, n + 3, rows)
            for h in range(columns):
                a = one[h] + (g0[h] * v0 + g1[h] * v1 + g2[h] * v2 + g3[h] * v3)
                b = two[h] + (g0[h] * w0 + g1[h] * w1 + g2[h] * w2 + g3[h] * w3)
                one[h] = a
                two[h] = b


@elementwise
def _add_to_rows(tile: SweepTile, block: Reals, first_row: int, first: int) -> None:
    """Add the currents from the columns of a block into the nodes of its rows, four rows and four samples at once."""
    rows, columns = block.shape
    z = tile.v.dtype.type(0.0)
    for n in range(0, rows, 4):
        g0, g1, g2, g3 = block[n], block[min(n + 1, rows - 1)], block[min(n + 2, rows - 1)], block[min(n + 3, rows - 1)]
        for s in range(0, tile.v.shape[0], 4):
            u0, u1 = tile.v[s, first : first + columns], tile.v[s + 1, first : first + columns]
            u2, u3 = tile.v[s + 2, first : first + columns], tile.v[s + 3, first : first + columns]
            a0, a1, a2, a3, b0, b1, b2, b3 = z, z, z, z, z, z, z, z
            c0, c1, c2, c3, d0, d1, d2, d3 = z, z, z, z, z, z, z, z
            for h in range(columns):
                v0, v1, v2, v3 = u0[h], u1[h], u2[h], u3[h]
                a0 += g0[h] * v0
                a1 += g0[h] * v1
                a2 += g0[h] * v2
                a3 += g0[h] * v3
                b0 += g1[h] * v0
                b1 += g1[h] * v1
                b2 += g1[h] * v2
                b3 += g1[h] * v3
                c0 += g2[h] * v0
                c1 += g2[h] * v1
                c2 += g2[h] * v2
                c3 += g2[h] * v3
                d0 += g3[h] * v0
                d1 += g3[h] * v1
                d2 += g3[h] * v2
                d3 += g3[h] * v3
            sums = ((a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3))
            for r in range(min(4, rows - n)):
                for k in range(4):
                    tile.current[s + k, first_row + n + r] += sums[r][k]


@elementwise
def _collect_currents(tile: SweepTile, conductors: LayerConductors, colour: int) -> None:
    """Write the current into every node of the layers of one colour, were it at 0 V."""
    for k in range(conductors.layers.shape[0]):
        first, stop, own = conductors.layers[k]
        if own == colour:
            for s in range(tile.v.shape[0]):
                drive, current = tile.drive[s, first:stop], tile.current[s, first:stop]
                for i in range(stop - first):
                    current[i] = drive[i]
    for k in range(conductors.blocks.shape[0]):
        offset, rows, columns, first_row, first_column, own = conductors.blocks[k]
        block = conductors.conductance[offset : offset + rows * columns].reshape(rows, columns)
        if own == colour:
            _add_to_rows(tile, block, first_row, first_column)
        else:
            _add_to_columns(tile, block, first_row, first_column)


@elementwise
def _find_rest(current: Reals, v: Reals, total: Reals, low: Reals, high: Reals) -> tuple[float, float]:
    """Put the voltages at which a layer is at rest in the place of its currents.

    Returns what is left of Kirchhoff's current law and the current at 0 V, A, both as sums of magnitudes. What a
    conducting diode carries is not left over; a node that nothing conducts to stays at 0 V.
    """
    zero = v.dtype.type(0.0)
    left, whole = zero, zero
    for i in range(v.shape[0]):
        rest = current[i] / total[i] if total[i] > zero else zero
        rest = min(max(rest, low[i]), high[i])
        left += abs(total[i] * (rest - v[i]))
        whole += abs(current[i])
        current[i] = rest
    return left, whole


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


@elementwise
def _move_layers(tile: SweepTile, conductors: LayerConductors, options: DescentOptions, colour: int, last: bool) -> int:
    """Bring the layers of one colour to rest, of all samples that run; before colour 0 moves, judge these.

    Returns how many still run. One call for all samples: each would count all arrays of the tile.
    """
    running = 0
    for s in range(tile.v.shape[0]):
        if tile.status[s] != RUNNING:
            continue
        left, whole = 0.0, 0.0
        for k in range(conductors.layers.shape[0]):
            first, stop, own = conductors.layers[k]
            if own == colour:
                low, high = conductors.low[first:stop], conductors.high[first:stop]
                v, total = tile.v[s, first:stop], tile.total[s, first:stop]
                lack, most = _find_rest(tile.current[s, first:stop], v, total, low, high)
                left, whole = left + lack, whole + most
        if colour == 0:
            tile.status[s] = _judge(tile, options, s, left, whole, last)
            if tile.status[s] != RUNNING:
                continue
            tile.steps[s] += 1
        running += 1
        for k in range(conductors.layers.shape[0]):
            first, stop, own = conductors.layers[k]
            if own == colour:
                rest, v = tile.current[s, first:stop], tile.v[s, first:stop]
                for i in range(stop - first):
                    v[i] = rest[i]
    return running


@kernel
def sweep_tile(tile: SweepTile, conductors: LayerConductors, options: DescentOptions) -> None:
    """Sweep until every sample has a status.

    Between sweeps, the layers that move last are at rest; what the others lack is the residual of the circuit.
    """
    for s in range(tile.v.shape[0]):
        if tile.total[s].min() < 0.0:
            tile.status[s] = DIVERGED
    for sweep in range(options.sweeps + 1):
        _collect_currents(tile, conductors, 0)
        if _move_layers(tile, conductors, options, 0, sweep == options.sweeps) == 0:
            return
        _collect_currents(tile, conductors, 1)
        _move_layers(tile, conductors, options, 1, False)
