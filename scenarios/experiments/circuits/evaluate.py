"""Test the given parameters on many pieces of hardware."""

from __future__ import annotations

import numpy as np

from learning.training import evaluate

from ...results.store import Group, Variable
from ..kind import COMPLETE, CircuitWork, Ending
from .plans import CircuitEvaluate


def run_evaluation(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Return loss, error and unsettled fraction of every circuit, on the test samples if there are any."""
    setup, plan, data = work.setup, work.setup.plan, work.setup.data
    if not isinstance(plan, CircuitEvaluate):
        raise TypeError(f"{plan.kind} is no evaluation")
    tests = len(data.x_test) > 0
    x, y = (data.x_test, data.y_test) if tests else (data.x, data.y)
    rows, first = [], setup.fabrication.instance
    for k in range(plan.chips):
        chip = setup.chip(first + k, threads=work.setting.threads)
        rows.append(evaluate(chip, x[: plan.samples], y[: plan.samples]))
        work.watch.advance(k + 1, plan.chips, f"chip {first + k}")
    group: Group = {
        "chip": Variable(("chip",), first + np.arange(plan.chips), long_name="piece of hardware"),
        "training_samples": Variable((), not tests, long_name="whether these are training samples, for want of others"),
    }
    group |= {name: Variable(("chip",), np.array([row[name] for row in rows])) for name in rows[0]}
    return {"evaluate": group}, COMPLETE


RUN = run_evaluation
"""What this kind of experiment does."""
