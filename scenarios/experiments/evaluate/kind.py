"""The kind of experiment that tests many fabricated chips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...reach import describe_unreached
from ...results.store import Group, ResultData
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline
from .plan import Evaluate
from .run import NumberedChips, evaluate_chips, make_unreached_group
from .words import compute_chip_metrics, describe_chips, list_evaluate_numbers, make_chips_sheet


class EvaluateKind(ExperimentKind[Evaluate]):
    """Accuracy of the given parameters over many fabricated chips."""

    name = mark = "evaluate"
    main_figures = ("chips",)
    kept = ("evaluate",)
    headlines = (Headline("evaluate", "error", "mean"), Headline("evaluate", "loss", "mean"))
    unsettled = ("evaluate", "unsettled")

    def run(self, work: ExperimentWork[Evaluate]) -> tuple[dict[str, Group], Ending]:
        """Test chip after chip."""
        first, plan = work.setup.fabrication.instance, work.plan
        unreached = []

        def make_chips() -> NumberedChips:
            for instance in range(first, first + plan.chips):
                chip = work.chip(instance)
                unreached.append(sum(chip.unreached.values()))
                yield instance, chip

        found = evaluate_chips(make_chips(), plan.chips, work.setup.data, plan.samples, work.watch)
        return {"evaluate": found | make_unreached_group(unreached)}, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return the error on average and of the worst chip."""
        return describe_chips(result["evaluate"])

    def remarks(self, result: ResultData) -> list[str]:
        """Return how many cells of a chip do not hold what they were given, if any."""
        cells = result["evaluate"].get("unreached")
        found = [] if cells is None else [describe_unreached(f"up to {int(cells.data.max())} of a chip")]
        return [*super().remarks(result), *found]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return the figures of every chip."""
        return [make_chips_sheet(result["evaluate"])] if "evaluate" in result.groups else []

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return mean, spread and worst over chips."""
        return compute_chip_metrics(last["evaluate"]) if "evaluate" in last.groups else {}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return mean, worst and unsettled chips."""
        return list_evaluate_numbers(result["evaluate"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no chip settled or gave a number."""
        group = result["evaluate"]
        return not (np.isfinite(group["loss"].data) & (group["unsettled"].data < 1.0)).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that no sample settled, if so."""
        settled = "evaluate" not in groups or np.isfinite(groups["evaluate"]["loss"].data).any()
        return "" if settled else "no sample settled, so there is nothing to compare"


KIND = EvaluateKind()
