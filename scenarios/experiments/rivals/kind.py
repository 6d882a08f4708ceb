"""The kind of experiment that compares learning rules at equal budget."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline
from ..metrics import flatten_metrics
from .plan import CompareRivals
from .race import race
from .sheets import make_account_sheet, make_forecast_sheet, make_map_sheet
from .tables import make_rival_group
from .words import describe_rival_remarks, describe_rivals, list_rivals_numbers

_METRICS = {"loss_mean", "best"}


class RivalsKind(ExperimentKind[CompareRivals]):
    """Trainings of the same chips by several rules at equal budget."""

    name = mark = "rivals"
    main_figures = ("rivals",)
    kept = ("rivals",)
    headlines = (Headline("rivals", "loss_mean"),)

    def run(self, work: ExperimentWork[CompareRivals]) -> tuple[dict[str, Group], Ending]:
        """Train rival after rival, at place after place of the map, going on from a checkpoint if there is one."""
        return {"rivals": make_rival_group(work.setup, work.plan, race(work).entries)}, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return which rule is best, at this budget."""
        return describe_rivals(result["rivals"])

    def remarks(self, result: ResultData) -> list[str]:
        """Return where single estimates would have misled."""
        return [*super().remarks(result), *describe_rival_remarks(result["rivals"])]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return the map, the account, and what single estimates say."""
        group = result.groups.get("rivals")
        if group is None:
            return []
        return [make_map_sheet(group), make_account_sheet(group), make_forecast_sheet(group)]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return the mean loss of every rival."""
        return flatten_metrics("rivals", last.groups.get("rivals", {}), _METRICS)

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return the best rules of the map."""
        return list_rivals_numbers(result["rivals"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no training gave a number."""
        return not np.isfinite(result["rivals"]["loss"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that all trainings diverged, if so."""
        settled = "rivals" not in groups or np.isfinite(groups["rivals"]["loss"].data).any()
        return "" if settled else "every training diverged, so there is nothing to compare"


KIND = RivalsKind()
