"""Convolutions with pooling, and the feedback that runs back through them.

The block of both is a kernel (kernel row, kernel column, channel of the lower layer, channel of the higher layer). It
slides with stride 1 and is not turned: ``z[p] = sum_k x[p + k - before] w[k]``, with zeros beyond the edge of the
layer.

All places share one set of cells, or each has a copy of its own: an array of cells has the row and the column of the
place before the dimensions of the kernel. Whatever takes a kernel takes its copies as well. What is learned is the
kernel alone, so a gradient is summed over the copies.

Forward, from the lower to the higher layer, the drive is ``pool(z)`` at the lower activities. Back, with a kernel of
its own in the same orientation, it is the derivative of ``sum pool(z) a_high`` by the lower activities (Laborieux &
Zenke 2024). Under softmax pooling it depends on the activity of the lower layer, where it arrives, too. With equal
kernels both drives are derivatives of one energy, whatever the biases: one number that is added to a channel commutes
with pooling, so it makes no difference to the slopes.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .connection import Values
from .pooling import Pooling, get_window, pool, pool_slopes, spread

Array = NDArray[np.float64]

Form = tuple[int, int, int]
"""Rows, columns and channels of a layer, whose units are counted in this order, the channels fastest."""

Padding = Literal["same", "valid"]
"""Whether zeros around a layer make as many places as it has rows and columns, or the kernel stays inside."""


# No named tuples: those are equal to each other where their numbers are.
@dataclass(frozen=True)
class _Kernel:
    """What both directions have in common."""

    low: Form
    high: Form
    kernel: tuple[int, int]
    padding: Padding
    pool: Pooling
    copied: bool = False
    """Whether every place has cells of its own."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter block."""
        return *self.kernel, self.low[2], self.high[2]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the block's dimensions in a result file."""
        return "kernel_row", "kernel_column", "low_channel", "high_channel"

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns at which the kernel stands."""
        rows, columns = (n * by for n, by in zip(self.high[:2], get_window(self.pool), strict=True))
        return rows, columns

    @property
    def cells(self) -> tuple[int, ...]:
        """Shape of the cells: the kernel's, behind that of the places if each has its own."""
        return (*self.places, *self.shape) if self.copied else self.shape

    @property
    def cell_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of the cells in a result file."""
        return ("place_row", "place_column", *self.dims) if self.copied else self.dims

    @property
    def fan_in(self) -> int:
        """Weights into one place before pooling; for both directions, whose kernels start with one scale."""
        return self.kernel[0] * self.kernel[1] * self.low[2]

    @property
    def products(self) -> int:
        """Products of a weight and an activity that the drives of one sample take."""
        return self.fan_in * math.prod(self.places) * self.high[2]

    @property
    def linear(self) -> bool:
        """Whether pooling is linear."""
        return self.pool != "softmax"

    def mirror(self, w: Array) -> Array:
        """Return `w` itself: both directions hold a kernel in the same orientation."""
        return w

    def _convolve(self, w: Array, low: Values) -> Values:
        """Return the drives before pooling (batch, row, column, channel) of lower values (batch, units)."""
        patches = self._view_patches(low)
        if w.ndim > len(self.shape):
            return np.asarray(np.einsum("brcikl,rcklio->brco", patches, w, optimize=True))
        return np.asarray(np.tensordot(patches, w, axes=((4, 5, 3), (0, 1, 2))))

    def _convolve_back(self, w: Array, z: Values) -> Values:
        """Return the lower values (batch, units) that the transpose of `_convolve` makes of `z`."""
        if w.ndim > len(self.shape):
            return self._add_patches(np.einsum("brco,rcklio->brcikl", z, w, optimize=True))
        edges = [(k - 1 - before, k - 1 - after) for k, (before, after) in zip(self.kernel, self._edges, strict=True)]
        patches = _slide(z, self.kernel, edges)
        found = np.tensordot(patches, w[::-1, ::-1], axes=((4, 5, 3), (0, 1, 3)))
        return found.reshape(len(z), math.prod(self.low))

    def _add_patches(self, patches: Values) -> Values:
        """Return the lower values (batch, units) that the transpose of `_view_patches` makes."""
        (before, after), (left, right) = self._edges
        rows, columns, channels = self.low
        padded = np.zeros((len(patches), before + rows + after, left + columns + right, channels), dtype=patches.dtype)
        for i, k in np.ndindex(*self.kernel):
            padded[:, i : i + self.places[0], k : k + self.places[1]] += patches[..., i, k]
        return padded[:, before : before + rows, left : left + columns].reshape(len(patches), math.prod(self.low))

    def _correlate(self, low: Values, z: Values) -> Values:
        """Return the sum over samples and places of lower values (batch, units) times `z`, of the block's shape."""
        return np.asarray(np.tensordot(self._view_patches(low), z, axes=((0, 1, 2), (0, 1, 2)))).transpose(1, 2, 0, 3)

    def _send_back(self, w: Array | None, low: Values | None, high: Values) -> Values:
        """Return what higher values (batch, units) become before pooling, where the lower activities are `low`."""
        values = spread(high.reshape(len(high), *self.high), self.pool)
        if self.linear:
            return np.asarray(values / math.prod(get_window(self.pool)))
        if w is None or low is None:
            raise ValueError("softmax pooling: give the kernel and the activities of the lower layer, too")
        return np.asarray(pool_slopes(self._convolve(w, low), self.pool) * values)

    def _refuse_softmax(self) -> None:
        if not self.linear:
            raise ValueError("softmax pooling: the drive is no linear map of the presynaptic activities")

    def _view_patches(self, low: Values) -> Values:
        return _slide(low.reshape(len(low), *self.low), self.kernel, self._edges)

    @property
    def _edges(self) -> list[tuple[int, int]]:
        """Zeros before and after the rows, and the columns."""
        return [((k - 1) // 2, k // 2) if self.padding == "same" else (0, 0) for k in self.kernel]


class Convolution(_Kernel):
    """A convolution from a lower layer (rows, columns, channels) to a higher one, and pooling of 2 x 2 places.

    See `substrate.network.connection.ConnectionKind`.
    """

    @property
    def paths(self) -> int:
        """Paths from the cells: one per channel of the higher layer, before pooling; of copies one per place, too."""
        return self.high[2] * (math.prod(self.places) if self.copied else 1)

    @property
    def local(self) -> bool:
        """Whether `gradient` gives the whole derivative by the block."""
        return True

    @property
    def reverse(self) -> ConvolutionFeedback:
        """The feedback through this convolution."""
        return ConvolutionFeedback(*astuple(self))

    def spread_paths(self, gains: Array) -> Array:
        """Return one number per path, (paths,), as each cell finds its own."""
        return gains.reshape(*self.places, 1, 1, 1, -1) if self.copied else gains

    def apply(self, w: Array, a: Values, here: Values | None = None) -> Values:  # noqa: ARG002
        """Return ``pool(z)``, the drives (batch, post) of activities (batch, pre)."""
        return pool(self._convolve(w, a), self.pool).reshape(len(a), math.prod(self.high))

    def adjoint(self, w: Array, d: Values) -> Values:
        """Return errors of the activities (batch, pre) from those of the drives (batch, post), for linear pooling."""
        self._refuse_softmax()
        return self._convolve_back(w, self._send_back(w, None, d))

    def gradient(
        self,
        a: Values,
        d: Values,
        w: Array | None = None,
        here: Values | None = None,  # noqa: ARG002
        there: Values | None = None,
    ) -> Values:
        """Return the sum over samples and places of ``patch(a) pool'(z) d``, of the block's shape."""
        return self._correlate(a, self._send_back(w, a if there is None else there, d))

    def matrix(self, w: Array) -> Array:
        """Return the map as a matrix ``W[post, pre]``, for linear pooling."""
        self._refuse_softmax()
        return np.asarray(self.apply(w, np.eye(math.prod(self.low)))).T


class ConvolutionFeedback(_Kernel):
    """The feedback through a convolution: from its higher layer to its lower one, with a kernel of its own.

    See `substrate.network.connection.ConnectionKind`.
    """

    @property
    def paths(self) -> int:
        """Paths from the cells: one per channel of the lower layer; of copies one per unit."""
        return math.prod(self.low) if self.copied else self.low[2]

    @property
    def local(self) -> bool:
        """Whether `gradient` gives the whole derivative by the block."""
        return self.linear

    @property
    def reverse(self) -> Convolution:
        """The convolution that this is the feedback of."""
        return Convolution(*astuple(self))

    def spread_paths(self, gains: Array) -> Array:
        """Return one number per path, (paths,), as each cell finds its own; 1 where it feeds nothing."""
        if not self.copied:
            return gains[:, None]
        padded = np.pad(gains.reshape(self.low), (*self._edges, (0, 0)), constant_values=1.0)
        return np.moveaxis(sliding_window_view(padded, self.kernel, axis=(0, 1)), 2, -1)[..., None]

    def apply(self, w: Array, a: Values, here: Values | None = None) -> Values:
        """Return the derivative of ``sum pool(z) a`` by the lower activities `here`, (batch, post).

        Raises
        ------
        ValueError
            If pooling is softmax and `here` is not given.
        """
        return self._convolve_back(w, self._send_back(w, here, a))

    def adjoint(self, w: Array, d: Values) -> Values:
        """Return errors of the activities (batch, pre) from those of the drives (batch, post), for linear pooling."""
        self._refuse_softmax()
        return self.reverse.apply(w, d)

    def gradient(
        self,
        a: Values,
        d: Values,
        w: Array | None = None,
        here: Values | None = None,
        there: Values | None = None,  # noqa: ARG002
    ) -> Values:
        """Return the sum over samples and places of ``patch(d) pool'(z) a``, of the block's shape.

        Under softmax pooling this leaves out how the kernel moves its own ``pool'(z)``, which no local product gives.
        """
        return self._correlate(d, self._send_back(w, here, a))

    def matrix(self, w: Array) -> Array:
        """Return the map as a matrix ``W[post, pre]``, for linear pooling."""
        return self.reverse.matrix(w).T


def count_places(low: Form, kernel: tuple[int, int], padding: Padding) -> tuple[int, int]:
    """Return at how many rows and columns a kernel stands on a layer; below 1 where it is larger than the layer."""
    rows, columns = (n - k + 1 if padding == "valid" else n for n, k in zip(low[:2], kernel, strict=True))
    return rows, columns


def compute_high_size(low: Form, kernel: tuple[int, int], padding: Padding, how: Pooling) -> tuple[int, int] | None:
    """Return rows and columns of the higher layer of a convolution; None where the kernel or the windows do not fit."""
    places, window = count_places(low, kernel, padding), get_window(how)
    if min(places) < 1 or places[0] % window[0] or places[1] % window[1]:
        return None
    return places[0] // window[0], places[1] // window[1]


def _slide(x: Values, kernel: tuple[int, int], edges: list[tuple[int, int]]) -> Values:
    """Return a view (batch, row, column, channel, kernel row, kernel column) of `x` with zeros around it."""
    return sliding_window_view(np.pad(x, ((0, 0), *edges, (0, 0))), kernel, axis=(1, 2))
