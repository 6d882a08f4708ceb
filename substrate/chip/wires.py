"""Weights of an array of cells behind its wires: the exact nodal solution.

Every cell joins a node of its row line to a node of its column line. Lines have one conductance
between neighbouring nodes, and from an end node to the driver (an ideal voltage) or to the sense amplifier
(a virtual ground); the other ends are open. Kirchhoff's current law at all nodes is solved column by column, from the
open ends of the rows to their drivers: what is behind a column is known to the rows by its admittance matrix alone.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Literal

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from devices.synapse.wires import LARGEST

from ..engine.threads import limit_blas_threads

Array = NDArray[np.float64]
End = Literal["first", "last"]

_REMEMBERED = 128
"""Arrays whose solution is kept: a write, or a chip without one of its imperfections, leaves many as they were."""


def compute_tiled_transfer(
    conductance: Array, array: tuple[int, int], segment: float, row_end: End, column_end: End
) -> Array:
    """Return the same as `transfer`, of cells that are cut into arrays with lines of their own.

    Parameters
    ----------
    conductance : array (rows, columns)
        Of the cells, 0 or more.
    array : tuple of int
        Most rows and columns of one array.
    segment, row_end, column_end : float, str, str
        See `transfer`.
    """
    found = np.empty_like(conductance)
    for top in range(0, conductance.shape[0], array[0]):
        for left in range(0, conductance.shape[1], array[1]):
            place = slice(top, top + array[0]), slice(left, left + array[1])
            found[place] = compute_wire_transfer(conductance[place], segment, row_end, column_end)
    return found


def compute_wire_transfer(conductance: Array, segment: float, row_end: End, column_end: End) -> Array:
    """Return the current that each column senses per volt on each row, (rows, columns).

    By reciprocity its transpose holds the currents of the rows per volt on the columns, over the same ends.

    Parameters
    ----------
    conductance : array (rows, columns)
        Of the cells, 0 or more.
    segment : float
        Resistance of a line from cell to cell and from the last cell to its end, in units of 1 over the conductance.
        0 returns `conductance` itself.
    row_end, column_end : str
        Where the rows and the columns are contacted.

    Raises
    ------
    ValueError
        If the array has more than `LARGEST` cells.
    """
    if segment == 0.0:
        return conductance
    rows, columns = conductance.shape
    if rows * columns > LARGEST:
        raise ValueError(
            f"devices.wires.segment: an array of {rows} x {columns} cells is too large to solve (at most {LARGEST} "
            "cells): cut it by devices.wires.array = [128, 128], use smaller layers, or leave devices.wires out"
        )
    if rows > columns:
        # Drive the fewer lines.
        return compute_wire_transfer(conductance.T, segment, column_end, row_end).T
    # Turned so that rows are driven at their first end and columns sensed at their last one.
    turn = slice(None, None, -1 if column_end == "first" else 1), slice(None, None, -1 if row_end == "last" else 1)
    return _solve_array_cached(_HashableArray(np.ascontiguousarray(conductance[turn])), segment)[turn]


class _HashableArray:
    """Conductances that are looked up by what they are."""

    def __init__(self, conductance: Array) -> None:
        self.conductance = conductance
        self.digest = hashlib.blake2b(conductance.tobytes(), digest_size=16).digest() + repr(conductance.shape).encode()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _HashableArray) and self.digest == other.digest


@functools.lru_cache(maxsize=_REMEMBERED)
def _solve_array_cached(array: _HashableArray, segment: float) -> Array:
    with limit_blas_threads():
        found = _solve_array(array.conductance, segment)
    array.conductance = np.empty((0, 0))  # the digest is enough
    return found


def _solve_array(conductance: Array, segment: float) -> Array:
    """Return what `transfer` returns if rows are driven at their first end and columns sensed at their last one.

    With the admittance ``X`` (rows, rows) of all that lies behind a node of the rows, a segment before it divides
    voltages by ``1 + r X`` and leaves ``X/(1 + r X)``, to which the next column adds its own.
    """
    rows, columns = conductance.shape
    one = np.eye(rows)
    behind, sensed = np.zeros((rows, rows)), np.empty((rows, columns))
    for j in range(columns - 1, -1, -1):
        own, sensed[:, j] = _solve_column(conductance[:, j], segment)
        both = scipy.linalg.cho_solve(
            scipy.linalg.cho_factor(one + segment * (behind + own), check_finite=False),
            np.concatenate([behind + own, sensed[:, j:]], axis=1),
            check_finite=False,
        )
        behind, sensed[:, j:] = both[:, :rows], both[:, rows:]
    return sensed


def _solve_column(cells: Array, segment: float) -> tuple[Array, Array]:
    """Return the admittance (rows, rows) of one column line, and the current it senses per volt on each row."""
    line = 1.0 / segment
    bands = np.full((3, len(cells)), -line)
    # Every node has two neighbours on its line, one of them the end, but the first one.
    bands[1] = cells + 2.0 * line
    bands[1, 0] -= line
    voltages = scipy.linalg.solve_banded((1, 1), bands, np.diag(cells), check_finite=False)
    return np.diag(cells) - cells[:, None] * voltages, line * voltages[-1]
