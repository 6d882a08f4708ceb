"""Pictures as they are kept: one record of bytes each, whatever file they came in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE, COLOURS, LABEL = 32, 3, 2
"""Rows and columns of a picture; red, green, blue; bytes of a record before the pixels."""

PIXELS = SIDE * SIDE * COLOURS
RECORD = LABEL + PIXELS

Records = NDArray[np.uint8]
"""Shape (pictures, RECORD): the two bytes of the label, then the pixels by row, column and colour."""

_AT_ONCE = 4096
"""Pictures whose squares are summed at once."""


def pack_records(labels: NDArray[np.uint8], planes: NDArray[np.uint8]) -> Records:
    """Return records of pictures that are given as a red, a green and a blue plane.

    Parameters
    ----------
    labels : uint8 array (pictures, 2)
    planes : uint8 array (pictures, 3072)
        Each plane by row and column.
    """
    records = np.empty((len(planes), RECORD), np.uint8)
    records[:, :LABEL] = labels
    by_colour = planes.reshape(-1, COLOURS, SIDE, SIDE)
    records[:, LABEL:].reshape(-1, SIDE, SIDE, COLOURS)[:] = by_colour.transpose(0, 2, 3, 1)
    return records


def sum_colours(records: Records) -> NDArray[np.int64]:
    """Return how many pixels there are, their sum and that of their squares, of each colour, (3, 3); exact."""
    sums = np.zeros((3, COLOURS), np.int64)
    for first in range(0, len(records), _AT_ONCE):
        pixels = records[first : first + _AT_ONCE, LABEL:]
        squares = np.square(pixels, dtype=np.uint32)
        parts = [np.full(PIXELS, len(pixels)), *(part.sum(axis=0, dtype=np.int64) for part in (pixels, squares))]
        sums += np.stack(parts).reshape(3, -1, COLOURS).sum(axis=1)
    return sums
