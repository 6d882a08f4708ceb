"""Sums over rows, and rows that change places, compiled."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..compile import elementwise
from .drift import Array, Reals, Tile


@elementwise
def compute_square_sums(x: Reals, first: int, stop: int, planes: int, total: Array) -> None:
    """Write the sum of squares of samples: unlike a maximum it is vectorised, and it does not skip NaN."""
    for r in range(first, stop):
        part = x.dtype.type(0.0)
        for p in range(planes * r, planes * (r + 1)):
            for i in range(x.shape[1]):
                part += x[p, i] * x[p, i]
        total[r] = part


@elementwise
def compute_square_sum(x: Reals) -> float:
    """Return the sum of squares of a row: unlike a maximum it is vectorised, and it does not skip NaN."""
    total = x.dtype.type(0.0)
    for i in range(x.shape[0]):
        total += x[i] * x[i]
    return float(total)


@elementwise
def find_largest(x: Reals) -> float:
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
def swap_samples(tile: Tile, i: int, j: int, planes: int) -> None:
    """Exchange two samples of a tile; scratch that is written before it is read stays."""
    swap_rows(tile.y, i, j, planes)
    swap_rows(tile.constant, i, j, planes)
    swap_rows(tile.target, i, j, 1)
    for x in (tile.sample, tile.status, tile.steps):
        swap(x, i, j)
    swap(tile.sign, i, j)
    swap(tile.residual, i, j)
