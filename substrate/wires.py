"""Weights of an array of cells behind its wires: the exact nodal solution.

Every cell joins a node of its row line to a node of its column line. Lines have one conductance
between neighbouring nodes, and from an end node to the driver (an ideal voltage) or to the sense amplifier
(a virtual ground); the other ends are open. Kirchhoff's current law at all nodes is one sparse symmetric
system, factorised once per array.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]
End = Literal["first", "last"]

LARGEST = 2**18
"""Most cells of an array; the factors of more need gigabytes."""

_TOGETHER = 32
"""Lines that are driven at once; bounds the memory of the solution."""


def transfer(conductance: Array, segment: float, row_end: End, column_end: End) -> Array:
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
            "cells): use smaller layers, or leave devices.wires out"
        )
    if rows > columns:
        # Drive the fewer lines.
        return transfer(conductance.T, segment, column_end, row_end).T
    place = np.arange(rows * columns).reshape(rows, columns)
    driven = place[:, 0 if row_end == "first" else -1]
    sensed = rows * columns + place[0 if column_end == "first" else -1]
    factors = _factorised(conductance, 1.0 / segment, place, np.concatenate([driven, sensed]))
    current = np.empty((rows, columns))
    for first in range(0, rows, _TOGETHER):
        lines = driven[first : first + _TOGETHER]
        injected = np.zeros((2 * rows * columns, len(lines)))
        injected[lines, np.arange(len(lines))] = 1.0 / segment
        current[first : first + len(lines)] = factors.solve(injected)[sensed].T / segment
    return current


def _factorised(conductance: Array, line: float, row: NDArray[np.int64], contacts: NDArray[np.int64]) -> Any:
    """Return the factors of the nodal matrix; the columns' nodes lie behind the `row` nodes."""
    column = row + row.size
    links: list[tuple[Any, Any, Any]] = [
        (row, column, conductance),
        (row[:, :-1], row[:, 1:], line),
        (column[:-1], column[1:], line),
    ]
    one = np.concatenate([a.ravel() for a, _, _ in links])
    other = np.concatenate([b.ravel() for _, b, _ in links])
    size = np.concatenate([np.broadcast_to(g, a.shape).ravel() for a, _, g in links])
    nodes = np.arange(2 * row.size)
    diagonal = line * np.isin(nodes, contacts)
    for ends in (one, other):
        diagonal = diagonal + np.bincount(ends, weights=size, minlength=len(nodes))
    entries = np.concatenate([-size, -size, diagonal])
    places = np.concatenate([one, other, nodes]), np.concatenate([other, one, nodes])
    matrix = scipy.sparse.csc_matrix((entries, places), shape=(len(nodes), len(nodes)))
    # Symmetric and diagonally dominant: no pivoting is needed, and an ordering for A + A^T keeps the factors sparse.
    return scipy.sparse.linalg.splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
