"""The products of every kind of connection in JAX; activities have their planes first, (planes, batch, units).

`substrate.network` is the specification. Derivatives are written out: a transposed convolution that JAX derives within
the loop of a settling is three times slower on processors.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from ....network.connection import ConnectionKind
from ....network.convolution import Convolution, ConvolutionFeedback, Form
from ....network.dense import Dense
from ....network.pooling import get_window

Array = Any

Weight = tuple[Array, ...]
"""A block as the products take it: itself, or its copies; of a feedback kernel also the one that runs back."""

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def pack_weight(kind: ConnectionKind, block: Array) -> Weight:
    """Return a block, or its copies, as the products take it."""
    if isinstance(kind, ConvolutionFeedback) and block.ndim == len(kind.shape):
        return block, jnp.transpose(block[::-1, ::-1], (0, 1, 3, 2))
    return (block,)


def apply_connection(kind: ConnectionKind, weight: Weight, a: Array, here: Array, precision: lax.Precision) -> Array:
    """Return the drive of a connection (planes, batch, post).

    Parameters
    ----------
    kind : ConnectionKind
        What holds the weights.
    weight : tuple of arrays
        The block, or its copies, as `pack_weight` left it.
    a, here : array (planes, batch, pre), (planes, batch, post)
        Activities of both ends.
    precision : Precision
        Of the products.

    Raises
    ------
    NotImplementedError
        For a kind that this engine does not know.
    """
    if isinstance(kind, Dense):
        return jnp.matmul(_join(a), weight[0], precision=precision).reshape(*a.shape[:2], -1)
    if isinstance(kind, Convolution):
        z = _convolve(kind, weight[0], _shape(a, kind.low), precision)
        return _pool(kind, z).reshape(*a.shape[:2], -1)
    if isinstance(kind, ConvolutionFeedback):
        z = _send_back(kind, weight[0], here, a, precision)
        return _convolve_back(kind, weight[-1], z, precision).reshape(*a.shape[:2], -1)
    raise NotImplementedError(f"{type(kind).__name__} has no products in JAX")


def correlate_ends(
    kind: ConnectionKind, weight: Weight, a: Array, d: Array, low: Array, precision: lax.Precision
) -> Array:
    """Return what each weight multiplies, summed over the batch, (planes, *shape of the block).

    With both ends complex it is the product of complex numbers; neither is conjugated. Pooling stands at the activities
    `low` of the lower layer. See `substrate.network.connection.ConnectionKind.gradient`.
    """
    if isinstance(kind, Dense):
        return _multiply_planes(a, d, lambda x, y: jnp.matmul(x.T, y, precision=precision))
    if isinstance(kind, Convolution):
        ends = _shape(a, kind.low), _send_back(kind, weight[0], low, d, precision)
    elif isinstance(kind, ConvolutionFeedback):
        ends = _shape(d, kind.low), _send_back(kind, weight[0], low, a, precision)
    else:
        raise NotImplementedError(f"{type(kind).__name__} has no products in JAX")
    return _multiply_planes(*ends, lambda x, y: _correlate(kind, x, y, precision))


def _multiply_planes(x: Array, y: Array, product: Any) -> Array:
    """Return a bilinear product of two arrays with their planes first."""
    if len(x) == 1 and len(y) == 1:
        return product(x[0], y[0])[None]
    x, y = (z if len(z) == 2 else jnp.concatenate([z, jnp.zeros_like(z)]) for z in (x, y))
    real = product(x[0], y[0]) - product(x[1], y[1])
    return jnp.stack([real, product(x[0], y[1]) + product(x[1], y[0])])


def _shape(a: Array, form: Form) -> Array:
    """Return units (planes, batch, units) as (planes, batch, row, column, channel)."""
    return a.reshape(*a.shape[:2], *form)


def _join(x: Array) -> Array:
    """Return the planes as samples: real kernels treat them alike."""
    return x.reshape(-1, *x.shape[2:])


def _find_edges(kind: Convolution | ConvolutionFeedback) -> list[tuple[int, int]]:
    """Return zeros before and after the rows, and the columns."""
    return [((k - 1) // 2, k // 2) if kind.padding == "same" else (0, 0) for k in kind.kernel]


def _convolve(kind: Convolution | ConvolutionFeedback, kernel: Array, low: Array, precision: lax.Precision) -> Array:
    """Return drives before pooling (planes, batch, row, column, channel)."""
    if kernel.ndim > len(kind.shape):
        patches = jnp.stack(_cut_patches(kind, _join(low)), axis=3)
        z = jnp.einsum("brcki,rckio->brco", patches, _line_up(kind, kernel), precision=precision)
        return z.reshape(*low.shape[:2], *z.shape[1:])
    z = lax.conv_general_dilated(
        _join(low), kernel, (1, 1), _find_edges(kind), dimension_numbers=_LAYOUT, precision=precision
    )
    return z.reshape(*low.shape[:2], *z.shape[1:])


def _convolve_back(kind: ConvolutionFeedback, turned: Array, z: Array, precision: lax.Precision) -> Array:
    """Return the lower values that the transpose of `_convolve` makes of `z`; `turned` as `pack_weight` left it."""
    if turned.ndim > len(kind.shape):
        return _add_patches(kind, jnp.einsum("pbrco,rckio->kpbrci", z, _line_up(kind, turned), precision=precision))
    pairs = zip(kind.kernel, _find_edges(kind), strict=True)
    edges = [(k - 1 - before, k - 1 - after) for k, (before, after) in pairs]
    low = lax.conv_general_dilated(_join(z), turned, (1, 1), edges, dimension_numbers=_LAYOUT, precision=precision)
    return low.reshape(*z.shape[:2], *low.shape[1:])


def _correlate(kind: Convolution | ConvolutionFeedback, low: Array, z: Array, precision: lax.Precision) -> Array:
    """Return the sum over samples and places of patches of `low` times `z`, as one product per place of the kernel.

    What a library makes of the derivative by a kernel may add up in any order; these sums do not.
    """
    z = z.reshape(-1, z.shape[-1])
    places = [
        jnp.matmul(patch.reshape(-1, low.shape[-1]).T, z, precision=precision) for patch in _cut_patches(kind, low)
    ]
    return jnp.stack(places).reshape(kind.shape)


def _cut_patches(kind: Convolution | ConvolutionFeedback, low: Array) -> list[Array]:
    """Return what of the lower values (..., row, column, channel) meets each place of the kernel, its rows first."""
    padded = jnp.pad(low, ((0, 0), *_find_edges(kind), (0, 0)))
    rows, columns = kind.places
    return [padded[:, r : r + rows, c : c + columns] for r, c in np.ndindex(*kind.kernel)]


def _add_patches(kind: ConvolutionFeedback, patches: Array) -> Array:
    """Return the lower values that the transpose of `_cut_patches` makes of its patches, side by side in front."""
    edges, (rows, columns) = _find_edges(kind), kind.places
    sizes = [n + sum(edge) for n, edge in zip(kind.low[:2], edges, strict=True)]
    padded = sum(
        jnp.pad(patch, [(0, 0), (0, 0), (r, sizes[0] - r - rows), (c, sizes[1] - c - columns), (0, 0)])
        for (r, c), patch in zip(np.ndindex(*kind.kernel), patches, strict=True)
    )
    (before, _), (left, _) = edges
    return padded[:, :, before : before + kind.low[0], left : left + kind.low[1]]


def _line_up(kind: Convolution | ConvolutionFeedback, copies: Array) -> Array:
    """Return copies of a kernel with its places in one dimension (row, column, place of the kernel, low, high)."""
    return copies.reshape(*kind.places, -1, *kind.shape[2:])


def _send_back(
    kind: Convolution | ConvolutionFeedback, kernel: Array, low: Array, high: Array, precision: lax.Precision
) -> Array:
    """Return what higher values become before pooling, where the lower activities are `low`."""
    rows, columns = get_window(kind.pool)
    values = jnp.repeat(jnp.repeat(_shape(high, kind.high), rows, axis=2), columns, axis=3)
    if kind.pool != "softmax":
        return values / math.prod(get_window(kind.pool))
    z = _merge(_convolve(kind, kernel, _shape(low, kind.low), precision))
    windows = _split_windows(kind, z)
    shares = _compute_shares(windows)
    mean = (shares * windows).sum(axis=(-4, -2), keepdims=True)
    slopes = (shares * (1.0 + windows - mean)).reshape(z.shape)
    return _part(slopes * _merge(values), max(len(low), len(high)))


def _pool(kind: Convolution, z: Array) -> Array:
    """Return what pooling makes of drives (planes, batch, row, column, channel)."""
    if kind.pool == "none":
        return z
    if kind.pool == "average":
        return _split_windows(kind, z).mean(axis=(-4, -2))
    windows = _split_windows(kind, _merge(z))
    return _part((_compute_shares(windows) * windows).sum(axis=(-4, -2)), len(z))


def _merge(planes: Array) -> Array:
    """Return an array with its planes first as one array, complex if there are two."""
    return planes[0] if len(planes) == 1 else lax.complex(planes[0], planes[1])


def _part(values: Array, planes: int) -> Array:
    """Return an array with its planes first."""
    return values[None] if planes == 1 else jnp.stack([values.real, values.imag])


def _split_windows(kind: Convolution | ConvolutionFeedback, z: Array) -> Array:
    """Return a view (..., row, row in window, column, column in window, channel)."""
    *batch, rows, columns, channels = z.shape
    height, width = get_window(kind.pool)
    return z.reshape(*batch, rows // height, height, columns // width, width, channels)


def _compute_shares(windows: Array) -> Array:
    """Return ``exp z/sum(exp z)`` of every window; one real number taken off all its values changes nothing."""
    shift = lax.stop_gradient(windows.real.max(axis=(-4, -2), keepdims=True))
    raised = jnp.exp(windows - shift)
    return raised / raised.sum(axis=(-4, -2), keepdims=True)
