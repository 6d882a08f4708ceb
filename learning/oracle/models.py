"""Oracle side: the model of a chip that a rule computes with, made from the chip itself."""

from __future__ import annotations

from substrate.chip.chip import Chip
from substrate.theory.digital_model import DigitalModel

from ..rules.rule import LearningRule


def make_rule_model(rule: LearningRule, chip: Chip) -> DigitalModel | None:
    """Return the model of `chip` that a rule wants; None for one that wants none.

    Raises
    ------
    ValueError
        If the state of a unit cannot be told from its activity.
    """
    need = rule.model_need
    return None if need is None else DigitalModel(chip, need.knowledge, need.sigma)
