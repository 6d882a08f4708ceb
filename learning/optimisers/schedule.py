"""How learning rates change over a training."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple


class TrainingMoment(NamedTuple):
    """How far a training is."""

    step: int = 0
    """Batches before this one."""

    steps: int = 1
    """Batches of the whole training."""

    per_epoch: int = 1
    """Batches of an epoch."""


def compute_rate_share(schedule: Literal["constant", "cosine"], warm_up: float, moment: TrainingMoment) -> float:
    """Return the share of the learning rate that applies now.

    Over the W batches of a warm-up it is ``(t + 1) / W``; after them, counted from 0 to T again, 1 or
    ``(1 + cos(pi t / T)) / 2`` (Loshchilov & Hutter 2017, one cycle).

    Parameters
    ----------
    schedule : {"constant", "cosine"}
        Which.
    warm_up : float
        Epochs before it.
    moment : Moment
        How far the training is.
    """
    rising = round(warm_up * moment.per_epoch)
    if moment.step < rising:
        return (moment.step + 1) / rising
    if schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (moment.step - rising) / (moment.steps - rising)))
