"""Writes to the conductances of layered circuits, compiled: one walk over memory per training step.

The voltages across a conductor before and after, ``e`` and ``e'``, change it by ``share (e'^2 - e^2)``, summed over
samples. With ``d = after - before`` and ``s = after + before`` of a node that is ``(d_i - d_j)(s_i - s_j)``, free of
differences of squares; for the sources of an input ``d_i = 0``. Columns do not depend on each other, so their sums
have the same bits however they are shared between threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compile import elementwise, kernel
from .layered_sweeps import LayerConductors

Reals = NDArray[Any]

FULL = 4
"""Samples that are summed up in one walk over a row: batches are filled up to a multiple, with samples at 0 V."""


class InputWrite(NamedTuple):
    """A change of the conductances between an input and the first layer, by the voltages of a batch."""

    conductance: Reals
    """(rails, inputs, units), changed in place, S; the sources of the second rail have the opposite voltage."""

    x: Reals
    """Voltages of the inputs, (batch, inputs)."""

    slope: Reals
    """``2 share d``, (batch, units)."""

    constant: Reals
    """``share sum_b d s``, the same for every input, (units,)."""

    total: Reals
    """Gets the conductance of every unit to all inputs, (units,)."""

    low: float
    """Window of a conductance, of the type of the arrays."""

    high: float


@elementwise
def _add_samples(x: Reals, i: int, rows: Reals, first: int, stop: int, total: Reals) -> None:
    """Add to `total` the rows of the samples, each times its voltage of input `i`."""
    for b in range(0, x.shape[0], FULL):
        w0, w1, w2, w3 = x[b, i], x[b + 1, i], x[b + 2, i], x[b + 3, i]
        if w0 != 0.0 or w1 != 0.0 or w2 != 0.0 or w3 != 0.0:
            r0, r1 = rows[b, first:stop], rows[b + 1, first:stop]
            r2, r3 = rows[b + 2, first:stop], rows[b + 3, first:stop]
            for h in range(total.shape[0]):
                total[h] += w0 * r0[h] + w1 * r1[h] + w2 * r2[h] + w3 * r3[h]


@elementwise
def _add_to_samples(x: Reals, i: int, part: Reals, rows: Reals, first: int, stop: int) -> None:
    """Add `part` to the rows of the samples, each times its voltage of input `i`."""
    for b in range(0, x.shape[0], FULL):
        w0, w1, w2, w3 = x[b, i], x[b + 1, i], x[b + 2, i], x[b + 3, i]
        if w0 != 0.0 or w1 != 0.0 or w2 != 0.0 or w3 != 0.0:
            r0, r1 = rows[b, first:stop], rows[b + 1, first:stop]
            r2, r3 = rows[b + 2, first:stop], rows[b + 3, first:stop]
            for h in range(part.shape[0]):
                value = part[h]
                r0[h] += w0 * value
                r1[h] += w1 * value
                r2[h] += w2 * value
                r3[h] += w3 * value


@elementwise
def _write_rails(
    plus: Reals, minus: Reals, constant: Reals, linear: Reals, sums: Reals, low: float, high: float
) -> None:
    """Change the conductances from both rails of an input; leave their difference in `linear`, add them to `sums`."""
    for h in range(plus.shape[0]):
        a = min(max(plus[h] + (constant[h] - linear[h]), low), high)
        b = min(max(minus[h] + (constant[h] + linear[h]), low), high)
        plus[h] = a
        minus[h] = b
        linear[h] = a - b
        sums[h] += a + b


@elementwise
def _write_rail(line: Reals, constant: Reals, linear: Reals, sums: Reals, low: float, high: float) -> None:
    """Do the same for an input that has one rail."""
    for h in range(line.shape[0]):
        a = min(max(line[h] + (constant[h] - linear[h]), low), high)
        line[h] = a
        linear[h] = a
        sums[h] += a


@kernel
def write_inputs(write: InputWrite, x: Reals, drive: Reals, first: int, stop: int) -> None:
    """Change the conductances of inputs, keep them in the window, and add up what the next batch sees of them.

    Parameters
    ----------
    write : InputWrite
        What is to be changed, and how.
    x : array (batch, inputs)
        Voltages of the next batch.
    drive : array (batch, units)
        Gets ``sum_i x_i (g+ - g-)``, A.
    first, stop : int
        Range of columns that this call works on.
    """
    rails, inputs, _ = write.conductance.shape
    constant, sums = write.constant[first:stop], write.total[first:stop]
    linear = np.zeros_like(constant)
    sums[:] = 0.0
    drive[:, first:stop] = 0.0
    for i in range(inputs):
        linear[:] = 0.0
        _add_samples(write.x, i, write.slope, first, stop, linear)
        plus = write.conductance[0, i, first:stop]
        if rails == 2:
            minus = write.conductance[1, i, first:stop]
            _write_rails(plus, minus, constant, linear, sums, write.low, write.high)
        else:
            _write_rail(plus, constant, linear, sums, write.low, write.high)
        _add_to_samples(x, i, linear, drive, first, stop)


@kernel
def write_conductors(
    conductors: LayerConductors, d: Reals, s: Reals, shares: Reals, total: Reals, low: float, high: float
) -> None:
    """Change the conductances between layers, keep them in the window, and add them up by node.

    Parameters
    ----------
    conductors : LayerConductors
        Changed in place.
    d, s : array (batch, units)
        Differences and sums of the voltages after and before.
    shares : array (blocks,)
        Factor of the change of every block.
    total : array (units,)
        Gets the conductance of every node to other layers.
    low, high : float
        Window of a conductance.
    """
    total[:] = 0.0
    for k in range(conductors.blocks.shape[0]):
        offset, rows, columns, first_row, first, _ = conductors.blocks[k]
        share = shares[k]
        for n in range(rows):
            begin, node = offset + n * columns, first_row + n
            row, sums = conductors.conductance[begin : begin + columns], total[first : first + columns]
            change, mine = np.zeros_like(row), total.dtype.type(0.0)
            for b in range(d.shape[0]):
                d0, s0, db, sb = d[b, node], s[b, node], d[b, first : first + columns], s[b, first : first + columns]
                for h in range(columns):
                    change[h] += (d0 - db[h]) * (s0 - sb[h])
            for h in range(columns):
                row[h] = min(max(row[h] + share * change[h], low), high)
                sums[h] += row[h]
                mine += row[h]
            total[node] += mine
