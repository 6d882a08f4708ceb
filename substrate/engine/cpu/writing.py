"""Cells and requests as the kernels of pulses take them."""

from __future__ import annotations

import numpy as np

from devices.programming import pulse
from devices.programming.laws import Step
from devices.programming.sampled import CellConstants
from devices.random import Stream

from .kernels.pulses import CellBlock, PulseTrain

RULES = {"nearest": pulse.NEAREST, "stochastic": pulse.STOCHASTIC, "coincidences": pulse.COINCIDENCES}


def make_cell_block(cells: CellConstants) -> CellBlock:
    """Return the cells of a block, without weights; a block without rows is one row."""
    rows = cells.low.shape if cells.low.ndim == 2 else (1, cells.low.size)
    parts = (
        np.stack([-cells.step_down, cells.step_up]).reshape(2, *rows),
        np.stack([cells.bend_down, cells.bend_up]).reshape(2, *rows),
        cells.low.reshape(rows),
        cells.high.reshape(rows),
    )
    return CellBlock(np.zeros((0, 0)), *parts)


def make_pulse_train(law: Step, stream: Stream, offset: float) -> PulseTrain:
    """Return how requests, with `offset` added, become pulses whose draws `stream` names."""
    return PulseTrain(*stream.key(), RULES[law.rounding], law.train, law.step, offset, law.shape())
