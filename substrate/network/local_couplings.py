"""Couplings that depend on the state: ``W = dh/da`` around one activity of every sample, known by products alone."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

Array = NDArray[np.float64]
Rows = NDArray[np.int64] | None


class CouplingProduct(Protocol):
    """A product with the couplings of every sample, or of the samples `rows`."""

    def __call__(self, v: Array, rows: Rows = None, /) -> Array:
        """Return ``W v``, (batch, units)."""
        ...


DRAWS = 16
"""Normal vectors per sample that estimate a norm or a trace."""


class LocalCouplings(NamedTuple):
    """A coupling ``W[post, pre]`` of every sample; see `substrate.network.couplings.Couplings`, which is one of all.

    Norm and trace are means over the samples, estimated from normal vectors (Hutchinson): the relative standard error
    of a norm is about ``sqrt(2 / (DRAWS samples units))``.
    """

    samples: int
    units: int
    forward: CouplingProduct
    """``W v``."""

    backward: CouplingProduct
    """``W^T v``."""

    def product(self, v: Array, rows: Rows = None) -> Array:
        """Return ``W v`` of every row of `v`, (batch, units), the samples being `rows` or all."""
        return self.forward(v, rows)

    def only(self, rows: NDArray[np.int64]) -> LocalCouplings:
        """Return the couplings of the samples `rows`."""

        def choose(product: CouplingProduct) -> CouplingProduct:
            return lambda v, some=None: product(v, rows if some is None else rows[some])

        return self._replace(samples=len(rows), forward=choose(self.forward), backward=choose(self.backward))

    def transposed(self) -> LocalCouplings:
        """Return ``W^T``."""
        return self._replace(forward=self.backward, backward=self.forward)

    def plus(self, other: LocalCouplings, factor: float = 1.0) -> LocalCouplings:
        """Return ``W + factor V``, `V` being `other`."""
        return self._replace(
            forward=lambda v, rows=None: self.forward(v, rows) + factor * other.forward(v, rows),
            backward=lambda v, rows=None: self.backward(v, rows) + factor * other.backward(v, rows),
        )

    def times(self, factor: float) -> LocalCouplings:
        """Return ``factor W``."""
        return self._replace(
            forward=lambda v, rows=None: factor * self.forward(v, rows),
            backward=lambda v, rows=None: factor * self.backward(v, rows),
        )

    def symmetric(self) -> LocalCouplings:
        """Return ``S = (W + W^T)/2``."""
        return self.plus(self.transposed()).times(0.5)

    def antisymmetric(self) -> LocalCouplings:
        """Return ``A = (W - W^T)/2``."""
        return self.plus(self.transposed(), -1.0).times(0.5)

    def square(self) -> float:
        """Return ``|W|^2``, the sum of all squared entries."""
        return float(np.mean([np.sum(self.product(v) ** 2) for v in self._draw()])) / self.samples

    def trace(self) -> float:
        """Return the sum of the couplings of every unit with itself."""
        return float(np.mean([np.vdot(v, self.product(v)) for v in self._draw()])) / self.samples

    def dense(self, sample: int = 0) -> Array:
        """Return ``W[post, pre]`` of one sample as a matrix, (units, units)."""
        return self.product(np.eye(self.units), np.full(self.units, sample)).T

    def _draw(self) -> list[Array]:
        return [Stream(k, "couplings").normal((self.samples, self.units)) for k in range(DRAWS)]
