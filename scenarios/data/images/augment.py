"""How a network is shown pictures: as numbers around 0, and in training mirrored and shifted at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from .records import COLOURS, LABEL, SIDE
from .rows import LazyRows

Array = NDArray[np.float64]
Pictures = NDArray[np.uint8]
"""Shape (pictures, rows, columns, colours)."""


@dataclass(frozen=True)
class PictureRows(LazyRows):
    """Inputs (pictures, inputs) of records, by row, column and colour.

    An input is ``(pixel - mean)/spread``, or with `shrink` the same of the mean over shrink x shrink pixels.
    """

    mean: Array
    """Of each colour, (3,), in 0 to 255."""

    spread: Array
    """What is divided by, of each colour, (3,)."""

    shrink: int = 1

    flip: bool = False
    """In training half of the pictures are mirrored, left to right."""

    crop: int = 0
    """In training so many black pixels are put around a picture, and 32 x 32 are cut out of it."""

    @property
    def columns(self) -> int:
        """Numbers of one picture."""
        return math.prod(self.form)

    @property
    def form(self) -> tuple[int, int, int]:
        """Rows, columns and colours of one picture."""
        return SIDE // self.shrink, SIDE // self.shrink, COLOURS

    def make(self, raw: NDArray[Any]) -> Array:
        """Return the inputs (pictures, inputs) of some records, as they are."""
        return self._scale(_get_pictures(raw))

    def present(self, ids: NDArray[np.int64], epoch: int, seed: int) -> Array:
        """Return the inputs (pictures, inputs) of some places as one epoch of a training shows them.

        What happens to a picture is a function of its place, the epoch and the seed, not of its batch or its turn.

        Parameters
        ----------
        ids : int array (pictures,)
            Places, which are the names of the pictures.
        epoch : int
            How often they have been shown before.
        seed : int
            Of the scenario.
        """
        pictures = _get_pictures(self.gather(ids))
        drawn = Stream(seed, f"augment/{epoch}").uniform_rows(ids, 3)
        if self.flip:
            pictures = np.where(drawn[:, :1, None, None] < 0.5, pictures[:, :, ::-1], pictures)
        if self.crop:
            corner = np.minimum((drawn[:, 1:] * (2 * self.crop + 1)).astype(np.int64), 2 * self.crop)
            pictures = _crop(pictures, self.crop, corner)
        return self._scale(pictures)

    def _scale(self, pictures: Pictures) -> Array:
        side, step = SIDE // self.shrink, self.shrink
        # Sums of bytes are exact, in any order.
        sums = pictures.reshape(-1, side, step, side, step, COLOURS).sum(axis=(2, 4), dtype=np.uint32)
        inputs: Array = (sums / step**2 - self.mean) / self.spread
        return inputs.reshape(len(pictures), self.columns)


def _get_pictures(records: NDArray[Any]) -> Pictures:
    return records[:, LABEL:].reshape(-1, SIDE, SIDE, COLOURS)


def _crop(pictures: Pictures, edge: int, corner: NDArray[np.int64]) -> Pictures:
    """Return pictures cut out of wider ones, whose edge is black, at the corner (pictures, 2) of each."""
    padded = np.pad(pictures, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    places = corner[:, :, None] + np.arange(SIDE)
    cut: Pictures = padded[np.arange(len(padded))[:, None, None], places[:, 0, :, None], places[:, 1, None, :]]
    return cut
