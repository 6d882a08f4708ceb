"""Random draws of learning, signs, probes and roundings: each depends on names alone, not on what is drawn beside it.

A draw of a sample is a Philox stream whose key is (seed, epoch) and whose counter is (sample, draw, seed of the
scenario); one of cells has the number of the batch and the name of the block in place of epoch and sample.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SEEDS = 2**63
"""More than any seed that is written."""

_CELLS = 2**63
"""Number of a draw that no sample has."""

_NO_SAMPLE = 2**64 - 1
"""Stands where the number of a sample would."""


def combine_seeds(whole: int, own: int) -> int:
    """Return one seed of two, of the scenario as a whole and of what draws; no other two give the same.

    Parameters
    ----------
    whole, own : int
        0 to 2^63 - 1. With 0 for the whole it is `own`.
    """
    return _SEEDS * whole + own


def draw_sample_signs(seed: int, ids: NDArray[np.int64], epoch: int) -> Array:
    """Return +1 or -1 for every sample, (batch,); parameters as in `signs`."""
    return np.array(
        [1.0 if int(_make_draw_stream(seed, epoch, i, -1).random_raw()) & 1 else -1.0 for i in ids.tolist()]
    )


def draw_unit_signs(seed: int, ids: NDArray[np.int64], epoch: int, draw: int, units: int) -> Array:
    """Return +1 or -1 (Rademacher) for every unit of every sample, (batch, units).

    Parameters
    ----------
    seed : int
        0 or more, see `combine_seeds`.
    ids : int array (batch,)
        Which samples these are; 0 or more.
    epoch : int
        How often they have been presented before.
    draw : int
        Which draw of the sample; 0 or more.
    units : int
        Units that are probed.
    """
    words = [_make_draw_stream(seed, epoch, i, draw).random_raw(-(-units // 64)) for i in ids.tolist()]
    bytes_of_all = np.array(words, dtype="<u8").view(np.uint8).reshape(len(ids), -1)
    return np.where(np.unpackbits(bytes_of_all, axis=1, count=units), 1.0, -1.0)


def draw_unit_normals(seed: int, ids: NDArray[np.int64], epoch: int, draw: int, units: int) -> Array:
    """Return a standard normal number for every unit of every sample, (batch, units); parameters as in `signs`."""
    rows = [np.random.Generator(_make_draw_stream(seed, epoch, i, draw)).standard_normal(units) for i in ids.tolist()]
    return np.array(rows).reshape(len(ids), units)


def draw_cell_uniforms(seed: int, block: str, batch: int, shape: tuple[int, ...]) -> Array:
    """Return a number in [0, 1) for every cell of a block.

    Parameters
    ----------
    seed : int
        0 or more, see `combine_seeds`.
    block : str
        Name of the block.
    batch : int
        Number of the batch in the training; 0 or more.
    shape : tuple of int
        Of the block.
    """
    named = int.from_bytes(hashlib.blake2b(block.encode(), digest_size=8).digest(), "little")
    return np.random.Generator(_make_draw_stream(seed, batch, named, _CELLS)).random(shape)


def draw_matrix(seed: int, number: int, shape: tuple[int, int]) -> Array:
    """Return a matrix of independent normal numbers of variance ``1 / columns``.

    Parameters
    ----------
    seed : int
        0 or more, see `combine_seeds`.
    number : int
        Which matrix; 0 or more.
    shape : tuple of int
        Rows and columns.
    """
    normal = np.random.Generator(_make_draw_stream(seed, 0, _NO_SAMPLE, number)).standard_normal(shape)
    return np.asarray(normal / np.sqrt(shape[1]))


def draw_order(seed: int, epoch: int, draw: int, count: int) -> NDArray[np.int64]:
    """Return the numbers 0 to ``count - 1`` in an order that all samples share, (count,); parameters as in `signs`."""
    return np.random.Generator(_make_draw_stream(seed, epoch, _NO_SAMPLE, draw)).permutation(count)


def _make_draw_stream(seed: int, epoch: int, sample: int, draw: int) -> np.random.Philox:
    # The low word of the counter is left to the stream itself; 0 beside the sample is its sign as a whole.
    whole, own = divmod(seed, _SEEDS)
    key = np.array([own, epoch % 2**64], dtype=np.uint64)  # below 0: what no training presents
    counter = np.array([0, sample, draw + 1, whole], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter)
