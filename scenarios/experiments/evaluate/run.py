"""Test the given parameters on many fabricated chips."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from learning.training import evaluate
from substrate.chip.chip import Chip
from substrate.circuits.forms import AnyCircuitChip

from ...data.datasets import Data
from ...results.store import Group, Variable
from ..watch import Watch

NumberedChips = Iterable[tuple[int, Chip | AnyCircuitChip]]
"""Chips with their numbers, made when they are asked for."""


_NAMES = {
    "loss": "mean cost of the samples",
    "error": "share of wrong classes",
    "unsettled": "share of samples that did not settle",
}


def evaluate_chips(chips: NumberedChips, count: int, data: Data, samples: int | None, watch: Watch) -> Group:
    """Return loss, error and unsettled fraction of every chip, on the test samples if there are any."""
    x, y = (data.x_test, data.y_test) if len(data.x_test) else (data.x, data.y)
    instances, rows = [], []
    for instance, chip in chips:
        rows.append(evaluate(chip, x[:samples], y[:samples]))
        instances.append(instance)
        watch.advance(len(rows), count, f"chip {instance}")
    trained = Variable((), not len(data.x_test), long_name="whether these are training samples, for want of others")
    numbers = Variable(("chip",), np.array(instances), long_name="fabricated chip")
    group: Group = {"chip": numbers, "training_samples": trained}
    return group | {
        name: Variable(("chip",), np.array([row[name] for row in rows]), long_name=_NAMES[name]) for name in rows[0]
    }


def make_unreached_group(unreached: list[int]) -> Group:
    """Return how many cells of every chip do not hold what they were given; nothing where all do."""
    text = "cells whose weight, as it was given, lies beyond the window or their own bounds"
    return {"unreached": Variable(("chip",), np.array(unreached), long_name=text)} if any(unreached) else {}
