"""Factors of sparse conductance matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

Array = NDArray[np.float64]

PIVOT = 0.1
"""Size of a diagonal entry, over the largest below it, from which on it stays the pivot."""


class SparseFactors:
    """Solves with one sparse matrix after the other; one that repeats is factorised once.

    Rows and columns are in the order of least degree, in which lattices fill in little, and pivots stay on the diagonal
    where they can: conductance matrices are symmetric in structure, and without amplifiers each diagonal entry is the
    largest of its column.
    """

    def __init__(self) -> None:
        self._matrix: sparse.csc_array | None = None
        self._factors: Any = None

    def holds(self, matrix: sparse.csc_array) -> bool:
        """Tell whether a matrix is the one that was taken last."""
        last = self._matrix
        return last is not None and all(
            np.array_equal(getattr(last, part), getattr(matrix, part)) for part in ("data", "indices", "indptr")
        )

    def take(self, matrix: sparse.csc_array) -> bool:
        """Make a square matrix the one to solve with; return whether it is regular."""
        if not self.holds(matrix):
            options = {"SymmetricMode": True}
            self._matrix = matrix.copy()
            try:
                self._factors = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=PIVOT, options=options)
            except RuntimeError:  # exactly singular
                self._factors = None
        return self._factors is not None

    def solve(self, right: Array, transposed: bool = False) -> Array:
        """Return ``M^-1 r`` or ``M^-T r`` (n,) or (n, columns); not a number where the matrix is singular."""
        if self._factors is None:
            return np.full_like(right, np.nan)
        return np.asarray(self._factors.solve(right, trans="T" if transposed else "N"))
