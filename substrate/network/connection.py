"""What a kind of connection is: a map from the activities of one layer to the drives of another.

Nobody but a kind knows how its parameter block holds the map. Everywhere else a block is an array whose entries are
scaled, cut, written and compared one by one. Each is held by one cell, or copied to many; arrays of cells have the
copies before all other dimensions, so that a block broadcasts to them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Values = NDArray[Any]
"""Activities or errors, float64, or complex128 under a complex nudge."""


class ConnectionKind(Protocol):
    """One kind of connection between two layers of known size."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter block."""
        ...

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the block's dimensions in a result file."""
        ...

    @property
    def cells(self) -> tuple[int, ...]:
        """Shape of the cells that hold the block: its own, behind that of its copies if there are any."""
        ...

    @property
    def cell_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of the cells in a result file."""
        ...

    @property
    def fan_in(self) -> int:
        """Weights whose products with activities one drive sums up: initial ones have the variance 1/fan-in."""
        ...

    @property
    def products(self) -> int:
        """Products of a weight and an activity that the drives of one sample take."""
        ...

    @property
    def paths(self) -> int:
        """Paths from the cells to the post units: one per unit, or per channel of units that share their cells."""
        ...

    @property
    def linear(self) -> bool:
        """Whether the drives depend on the presynaptic activities alone, and linearly.

        Of other kinds no block alone is a map: `adjoint` and `matrix` raise ValueError.
        """
        ...

    @property
    def local(self) -> bool:
        """Whether `gradient` gives the whole derivative by the block."""
        ...

    @property
    def reverse(self) -> ConnectionKind:
        """The connection the other way, whose blocks `mirror` gives."""
        ...

    def spread_paths(self, gains: Array) -> Array:
        """Return one number per path, (paths,), as each cell finds its own: an array that broadcasts to the cells."""
        ...

    def apply(self, w: Array, a: Values, here: Values | None = None) -> Values:
        """Return the drives (batch, post) that activities (batch, pre) make.

        Parameters
        ----------
        w : array
            The block, or its cells; so everywhere.
        a : array (batch, pre)
            Presynaptic activities.
        here : array (batch, post), optional
            Activities of the post layer; only kinds whose drives depend on them need it, and raise ValueError without.
        """
        ...

    def adjoint(self, w: Array, d: Values) -> Values:
        """Return the transpose of `apply`: errors of activities (batch, pre) of those of drives (batch, post)."""
        ...

    def gradient(
        self,
        a: Values,
        d: Values,
        w: Array | None = None,
        here: Values | None = None,
        there: Values | None = None,
    ) -> Values:
        """Return what each weight multiplies, summed over the batch, of the shape of the block.

        It is the derivative of ``sum apply(w, a, here) d`` with respect to the block as far as products of what is
        known at both ends of a weight give it, see `local`.

        Parameters
        ----------
        a, d : array (batch, pre), (batch, post)
            Activities, and errors of the drives; neither is conjugated.
        w, here : array, array (batch, post), optional
            The block and the activities of the post layer; kinds that are not linear may need them, and raise
            ValueError without.
        there : array (batch, pre), optional
            Activities of the pre layer at which pooling stands; absent: `a`.
        """
        ...

    def mirror(self, w: Array) -> Array:
        """Return the block of the reverse connection that makes its map the transpose of this one's linear map.

        Under softmax pooling: that makes the drives of both the derivatives of one energy.
        """
        ...

    def matrix(self, w: Array) -> Array:
        """Return the map as a matrix ``W[post, pre]``, for linear algebra that is dense."""
        ...
