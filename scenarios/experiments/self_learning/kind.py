"""The kind of experiment in which a circuit learns by itself; `scenarios.experiments.circuits` runs it."""

from __future__ import annotations

from collections.abc import Mapping

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ..circuits.plans import SelfLearning
from ..kind import ExperimentKind, Headline
from .words import compute_cycle_metrics, describe_cycles, list_self_learning_numbers, make_cycles_sheet


class SelfLearningKind(ExperimentKind[SelfLearning]):
    """Cycles in which circuits end that learn alternating tasks by themselves."""

    name = "self-learning"
    mark = "cycles"
    main_figures = ("cycles",)
    kept = ("cycles",)
    headlines = (Headline("cycles", "floor"), Headline("cycles", "span"))

    def sentence(self, result: ResultData) -> str:
        """Return how far the parameters go round and what it costs."""
        return describe_cycles(result["cycles"])

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:
        """Return the span and the error of every period."""
        return [make_cycles_sheet(result["cycles"], rows)] if "cycles" in result.groups else []

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return the ends of spans and errors, and how far measured ones are."""
        return compute_cycle_metrics(last["cycles"]) if "cycles" in last.groups else {}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return how many cycles were found, and the range of spans and errors."""
        return list_self_learning_numbers(result["cycles"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no cycle was found."""
        return not result["cycles"]["closed"].data.any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that no cycle was found, if so."""
        found = "cycles" not in groups or groups["cycles"]["closed"].data.any()
        return "" if found else "no cycle was found, so there is nothing to compare"


KIND = SelfLearningKind()
