"""Rows of an array of cells, which are read together: what one unit drives. A block of biases is one row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import WritableBench

from .policy import Array


def count_block_rows(shape: tuple[int, ...]) -> int:
    """Return the rows of a block of this shape."""
    return shape[0] if len(shape) > 1 else 1


def spread_block_rows(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return one value per row, (rows,), as values of the cells of a block of this shape; read only."""
    return np.broadcast_to(rows.reshape(-1, *[1] * (len(shape) - 1)), shape)


def read_block_rows(bench: WritableBench, name: str, due: NDArray[np.bool_], shape: tuple[int, ...]) -> Array:
    """Read the rows of an array that are due, (rows,), and return them in their places among zeros."""
    chosen, read = spread_block_rows(due, shape), np.zeros(shape)
    read[chosen] = bench.read_cells(name, chosen)
    return read
