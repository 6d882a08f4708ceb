"""Layered circuits of resistors and ideal diodes: their conductances, and settlings and writes on threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..stopping import RUNNING, SETTLED
from ..threads import limit_blas_threads
from .circuits.layered_sweeps import DescentOptions, LayerConductors, SweepTile, sweep_tile
from .circuits.layered_writes import InputWrite, write_conductors, write_inputs
from .tiles import run_in_threads

Array = NDArray[np.float64]
Reals = NDArray[Any]

TILE = 8
"""Samples that settle together, a multiple of `FULL`."""

CHUNK, LARGE = 64, 2**22
"""Threads share an input block of so many conductances by columns, in multiples of 64: no two write one cache line.
Of smaller ones a second thread takes longer to wake than it saves, see `docs/performance.md`."""


class Imprint(NamedTuple):
    """A change of all conductances by a share of the squared voltages across them, after less before."""

    x: Reals
    """Voltages of the inputs, (batch, inputs)."""

    difference: Reals
    """Voltages of the nodes after less before, (batch, units)."""

    sum: Reals
    """After and before together."""

    shares: tuple[float, ...]
    """Change per squared volt, by connection, the input first, S/V^2."""


class LayeredWiring(NamedTuple):
    """What a layered circuit is made of."""

    sizes: tuple[int, ...]
    """Units of every layer, the input first."""

    rails: int
    """Sources of every input: 1, or 2 of opposite voltage."""

    low: Array
    """Least voltage that a diode lets a node have, (units,); minus infinity without one."""

    high: Array
    window: tuple[float, float]
    """Least and largest conductance, S."""

    dtype: type[np.floating[Any]]


class LayeredCircuit:
    """The conductances of a layered circuit in the precision of the simulation, and what it does with them.

    Parameters
    ----------
    wiring : LayeredWiring
        What it is made of; all conductances are at the least value.
    threads : int
        How many may work at once; no number depends on it.
    """

    def __init__(self, wiring: LayeredWiring, threads: int) -> None:
        self._wiring, self._threads = wiring, threads
        dtype, sizes = wiring.dtype, wiring.sizes
        self._low, self._high = (_convert_number(value, dtype) for value in wiring.window)
        self._inputs: Reals = np.full((wiring.rails, sizes[0], sizes[1]), self._low, dtype=dtype)
        self._conductors = _make_conductors(wiring)
        self._sources = np.zeros(sizes[1], dtype=dtype)
        self._differences: Reals | None = None
        self.total: Reals = np.zeros(sum(sizes[1:]), dtype=dtype)
        """The sum of all conductances of every node, (units,), S."""
        self.cells = int(self._inputs.size + self._conductors.conductance.size)
        """Number of conductances."""
        self.add_up()

    def count_floored(self) -> int:
        """Return how many conductances are as low as the window lets them be."""
        parts = (self._inputs, self._conductors.conductance)
        return sum(int(np.count_nonzero(part == self._low)) for part in parts)

    def get_block(self, k: int) -> Reals:
        """Return the conductances between layers `k` and ``k + 1``, (pre, post), with rails first for the input.

        They may be changed in place if `add_up` follows.
        """
        if k == 0:
            return self._inputs
        offset, rows, columns = self._conductors.blocks[k - 1, :3]
        block = self._conductors.conductance[offset : offset + rows * columns].reshape(rows, columns)
        return block if block.shape == self._wiring.sizes[k : k + 2] else block.T

    def add_up(self) -> None:
        """Bring conductances that were changed from outside into the window, and sum them up by node."""
        none = np.zeros((0, len(self.total)), dtype=self.total.dtype)
        shares = (0.0,) * (len(self._wiring.sizes) - 1)
        self.imprint(Imprint(np.zeros((0, self._wiring.sizes[0]), dtype=self.total.dtype), none, none, shares))

    def drive(self, x: Reals) -> Reals:
        """Return the currents from the sources into the first layer were it at 0 V, (batch, units), A."""
        if self._differences is None:
            self._differences = self._inputs[0] - self._inputs[1] if self._wiring.rails == 2 else self._inputs[0]
        with limit_blas_threads():
            return np.asarray(x @ self._differences)

    def imprint(self, change: Imprint, x: Reals | None = None) -> Reals:
        """Change all conductances within the window; return the drive of the voltages `x` afterwards."""
        dtype, units = self.total.dtype.type, len(self._sources)
        x = np.zeros((0, self._wiring.sizes[0]), dtype=dtype) if x is None else x
        d, s = change.difference[:, :units], change.sum[:, :units]
        slope, constant = dtype(2.0 * change.shares[0]) * d, dtype(change.shares[0]) * np.einsum("bh,bh->h", d, s)
        write = InputWrite(self._inputs, change.x, slope, constant, self._sources, self._low, self._high)
        drive = np.empty((len(x), units), dtype=dtype)

        def work(columns: slice) -> None:
            write_inputs(write, x, drive, columns.start, columns.stop)

        run_in_threads(work, self._share_columns(), self._threads)
        shares, window = np.array(change.shares[1:], dtype=dtype), (self._low, self._high)
        write_conductors(self._conductors, change.difference, change.sum, shares, self.total, *window)
        self.total[:units] += self._sources
        self._differences = None
        return drive

    def _share_columns(self) -> list[slice]:
        units = len(self._sources)
        parts = self._threads if self._inputs.size >= LARGE else 1
        step = -(-units // (parts * CHUNK)) * CHUNK
        return [slice(first, min(first + step, units)) for first in range(0, units, step)]

    def settle(
        self, v: Reals, drive: Reals, total: Reals, options: DescentOptions, batch: int, bounded: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Let the first `batch` samples settle; return status, steps and residual of each.

        Parameters
        ----------
        v : array (samples, units)
            Voltages, changed in place; samples behind the batch fill it up to a multiple of `FULL`.
        drive : array (samples, units)
            Constant currents into the nodes, A.
        total : array (samples, units)
            Sums of the conductances of the nodes, S.
        options : DescentOptions
            When it ends.
        batch : int
            Samples that count.
        bounded : bool
            Whether diodes limit the voltages.
        """
        conductors = self._conductors
        if not bounded:
            anywhere = np.full_like(conductors.low, np.inf)
            conductors = conductors._replace(low=-anywhere, high=anywhere)
        status = np.full(len(v), RUNNING)
        status[batch:] = SETTLED
        steps, residual = np.zeros(len(v), dtype=np.int64), np.zeros(len(v))
        whole = SweepTile(v, drive, total, np.empty_like(v), np.abs(drive).sum(axis=1), status, steps, residual)

        def work(first: int) -> None:
            tile = SweepTile._make(array[first : first + TILE] for array in whole)
            sweep_tile(tile, conductors, options)

        run_in_threads(work, list(range(0, len(v), TILE)), self._threads)
        return status[:batch], steps[:batch], residual[:batch]


def _convert_number(value: float, dtype: Any) -> float:
    """Return a number that kernels take as one of the precision of the simulation."""
    number: float = dtype(value)
    return number


def _make_conductors(wiring: LayeredWiring) -> LayerConductors:
    """Return the conductors between layers, the wider layer of a block along its rows."""
    sizes = wiring.sizes[1:]
    starts = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    rows, offset = [], 0
    for k in range(len(sizes) - 1):
        narrow, wide = (k, k + 1) if sizes[k] <= sizes[k + 1] else (k + 1, k)
        rows.append((offset, sizes[narrow], sizes[wide], starts[narrow], starts[wide], narrow % 2))
        offset += sizes[k] * sizes[k + 1]
    layers = [(starts[k], starts[k + 1], k % 2) for k in range(len(sizes))]
    return LayerConductors(
        np.full(offset, wiring.window[0], dtype=wiring.dtype),
        np.array(rows, dtype=np.int64).reshape(-1, 6),
        np.array(layers, dtype=np.int64),
        wiring.low.astype(wiring.dtype),
        wiring.high.astype(wiring.dtype),
    )
