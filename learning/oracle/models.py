"""Oracle side: the model of a chip that a rule computes with, made from the chip itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.protocol import BackwardModel, WritableBench
from substrate.theory.digital_model import DigitalModel
from substrate.theory.inverse_curve import InverseCurve

from ..identification.reads import get_wiring
from ..identification.twin import ExpectedSpread, MeasuredTwin, RecordedCells, RecordTwin
from ..policies.policy import KnownCells
from ..rules.rule import LearningRule

Memory = dict[str, NDArray[np.float64]]


def make_rule_model(rule: LearningRule, chip: Chip, memory: Memory | None = None) -> BackwardModel | None:
    """Return the model of `chip` that a rule wants; None for one that wants none.

    Parameters
    ----------
    rule : LearningRule
        Which rule.
    chip : Chip
        The chip; of it the controller sees what was programmed and designed, or all where the rule says so.
    memory : dict of array, optional
        What a training keeps, with what the model was told before; updated in place. Absent: it knows nothing yet.

    Raises
    ------
    ValueError
        If the state of a unit cannot be told from its activity, or weights are to be measured that are no matrix.
    """
    need = rule.model_need
    if need is None:
        return None
    kept: Memory = {} if memory is None else memory
    if need.knowledge in ("programmed", "exact"):
        return DigitalModel(chip, "exact" if need.knowledge == "exact" else "programmed", need.sigma)
    model, programmed = DigitalModel(chip, "programmed", need.sigma), lambda: chip.programmed
    if need.knowledge == "record":
        return RecordTwin(model, programmed, kept)
    curve = InverseCurve(chip.design.law, chip.design.activation)
    expected = ExpectedSpread(need.spread, need.read_sigma)
    return MeasuredTwin(model, programmed, kept, get_wiring(chip), curve, expected)


def make_recorded_cells(rule: LearningRule, chip: Chip, cells: KnownCells, memory: Memory) -> WritableBench:
    """Return what is written: the chip, through a record in `memory` where the model of the rule needs one."""
    need = rule.model_need
    if need is None or need.knowledge != "record":
        return chip
    return RecordedCells(chip, lambda: chip.programmed, cells.tied, memory)
