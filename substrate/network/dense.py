"""Dense connections: every unit of one layer acts on every unit of another; the block is (pre, post)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .connection import ConnectionKind, Values

Array = NDArray[np.float64]


class Dense(NamedTuple):
    """A dense connection; see `substrate.network.connection.ConnectionKind`."""

    pre: int
    post: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter block."""
        return self.pre, self.post

    @property
    def cells(self) -> tuple[int, ...]:
        """Shape of the cells: one per weight."""
        return self.shape

    @property
    def fan_in(self) -> int:
        """Weights whose products with activities one drive sums up."""
        return self.pre

    @property
    def products(self) -> int:
        """Products of a weight and an activity that the drives of one sample take."""
        return self.pre * self.post

    @property
    def paths(self) -> int:
        """Paths from the cells to the post units: one each."""
        return self.post

    @property
    def linear(self) -> bool:
        """Whether the drives depend on the presynaptic activities alone, and linearly."""
        return True

    @property
    def local(self) -> bool:
        """Whether `gradient` gives the whole derivative by the block."""
        return True

    @property
    def reverse(self) -> Dense:
        """The connection the other way."""
        return Dense(self.post, self.pre)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the block's dimensions in a result file."""
        return "pre", "post"

    @property
    def cell_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of the cells in a result file."""
        return self.dims

    def spread_paths(self, gains: Array) -> Array:
        """Return one number per path, (post,), as each cell finds its own."""
        return gains

    def apply(self, w: Array, a: Values, here: Values | None = None) -> Values:  # noqa: ARG002
        """Return ``a w``: drives (batch, post) of activities (batch, pre)."""
        return np.asarray(a @ w)

    def adjoint(self, w: Array, d: Values) -> Values:
        """Return ``d w^T``: errors of the activities (batch, pre) from those of the drives (batch, post)."""
        return np.asarray(d @ w.T)

    def gradient(
        self,
        a: Values,
        d: Values,
        w: Array | None = None,  # noqa: ARG002
        here: Values | None = None,  # noqa: ARG002
        there: Values | None = None,  # noqa: ARG002
    ) -> Values:
        """Return ``a^T d``, summed over the batch, (pre, post)."""
        return np.asarray(a.T @ d)

    def mirror(self, w: Array) -> Array:
        """Return ``w^T``, a view."""
        return w.T

    def matrix(self, w: Array) -> Array:
        """Return the map as a matrix ``W[post, pre]``, a view."""
        return w.T


def are_dense(kinds: Iterable[ConnectionKind]) -> bool:
    """Tell whether all connections are dense, so that their blocks are those of one matrix."""
    return all(isinstance(kind, Dense) for kind in kinds)
