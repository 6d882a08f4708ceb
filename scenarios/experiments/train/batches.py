"""The batches of a training: shuffled anew in every epoch, by the seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream
from learning.training import Samples

from ...data.datasets import Data


@dataclass(frozen=True)
class EpochBatches:
    """The batches of one epoch, each made when it is asked for, since pictures may be more than memory holds."""

    data: Data
    parts: list[NDArray[np.int64]]
    """Samples of every batch."""

    epoch: int
    seed: int

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.parts)

    def __getitem__(self, batch: int) -> Samples:
        """Return a batch."""
        ids = self.parts[batch]
        return Samples(self.data.present(ids, self.epoch, self.seed), self.data.y[ids], ids, self.epoch)


def shuffle_batches(data: Data, samples: int | None, size: int, seed: int, epoch: int) -> EpochBatches:
    """Return the batches of `size` samples of one epoch, of the first so many samples; None: of all."""
    count = len(data.x[:samples])
    order = np.argsort(Stream(seed, f"shuffle/{epoch}").uniform((count,)), kind="stable")
    return EpochBatches(data, [order[i : i + size] for i in range(0, count, size)], epoch, seed)
