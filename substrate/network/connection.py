"""What a kind of connection is: a linear map from the activities of one layer to the drives of another.

Nobody but a kind knows how its parameter block holds the map. Everywhere else a block is an array whose entries are
cells: it is scaled, cut, written and compared entry by entry.
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
    def fan_in(self) -> int:
        """Activities that act on one post unit."""
        ...

    @property
    def reverse(self) -> ConnectionKind:
        """The connection the other way, whose blocks `mirror` gives."""
        ...

    def apply(self, w: Array, a: Values) -> Values:
        """Return the drives (batch, post) that activities (batch, pre) make."""
        ...

    def adjoint(self, w: Array, d: Values) -> Values:
        """Return the transpose of `apply`: errors of activities (batch, pre) of those of drives (batch, post)."""
        ...

    def gradient(self, a: Values, d: Values) -> Values:
        """Return the derivative of ``sum apply(w, a) d`` with respect to the block, of its shape.

        It sums activities (batch, pre) times errors (batch, post) over the batch; neither is conjugated.
        """
        ...

    def mirror(self, w: Array) -> Array:
        """Return the block of the reverse connection whose map is the transpose of this one."""
        ...

    def matrix(self, w: Array) -> Array:
        """Return the map as a matrix ``W[post, pre]``, for linear algebra that is dense."""
        ...
