"""Test the given parameters on many pieces of hardware."""

from __future__ import annotations

from ...results.store import Group
from ..evaluate.run import evaluate_chips
from ..kind import COMPLETE, CircuitWork, Ending
from .plans import CircuitEvaluate


def run_evaluation(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Return loss, error and unsettled fraction of every circuit, on the test samples if there are any."""
    setup, plan = work.setup, work.setup.plan
    if not isinstance(plan, CircuitEvaluate):
        raise TypeError(f"{plan.kind} is no evaluation")
    first = setup.fabrication.instance
    chips = ((k, setup.chip(k, threads=work.setting.threads)) for k in range(first, first + plan.chips))
    return {"evaluate": evaluate_chips(chips, plan.chips, setup.data, plan.samples, work.watch)}, COMPLETE


RUN = run_evaluation
"""What this kind of experiment does."""
