"""The rule of a training, as a scenario has it."""

from __future__ import annotations

from functools import partial

from learning.homeostasis.measured import add_homeostasis
from learning.oracle.models import make_rule_model
from learning.rules.rule import RuleContext, make_rule
from learning.training import Rule
from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers

from ...schema.learning import Learning


def make_training_rule(learning: Learning, chip: Chip) -> Rule:
    """Return what measures the gradient of a batch on a chip, homeostasis included."""
    scheme = (learning.given_schemes() or learning.all_schemes())[0]
    mirror, model = has_conjugate_answers(chip.design.devices), make_rule_model(learning.rule, chip)
    how = RuleContext(scheme, learning.presynaptic, mirror, lambda: chip.programmed, model)
    rule = make_rule(learning.rule, chip, how)
    return rule if learning.homeostasis is None else add_homeostasis(rule, partial(learning.homeostasis.pull, chip))
