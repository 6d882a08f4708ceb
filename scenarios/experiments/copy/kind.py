"""The kind of experiment that copies a trained network onto other chips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline
from .plan import CopyNetwork
from .run import copy_network
from .sheets import make_copies_sheet, make_stage_sheet
from .tables import make_copy_group
from .words import compute_copy_metrics, describe_copies, describe_copy_remarks, list_copy_numbers


class CopyKind(ExperimentKind[CopyNetwork]):
    """Copies of a network on chips that it was not trained on."""

    name = mark = "copy"
    main_figures = ("copies",)
    kept = ("copy",)
    headlines = (Headline("copy", "rise", "mean"),)
    unsettled = ("copy", "unsettled_copied")

    def run(self, work: ExperimentWork[CopyNetwork]) -> tuple[dict[str, Group], Ending]:
        """Train one chip, and copy its network onto chip after chip."""
        return {"copy": make_copy_group(work.setup, work.plan, copy_network(work))}, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return what copying costs, and what buys half of it back."""
        return describe_copies(result["copy"])

    def remarks(self, result: ResultData) -> list[str]:
        """Return what the law says, and what was not reached."""
        return [*super().remarks(result), *describe_copy_remarks(result["copy"])]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:
        """Return the stages, and the chips one by one."""
        if "copy" not in result.groups:
            return []
        return [make_stage_sheet(result["copy"]), make_copies_sheet(result["copy"], rows)]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return mean, interval and worst over chips, the pulses and the law."""
        return compute_copy_metrics(last["copy"]) if "copy" in last.groups else {}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return what copying costs, what is left and what buys half of it back."""
        return list_copy_numbers(result["copy"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no chip settled or gave a number."""
        group = result["copy"]
        return not (np.isfinite(group["rise"].data) & (group["unsettled_copied"].data < 1.0)).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that no copy gave a number, if so."""
        gave = "copy" not in groups or np.isfinite(groups["copy"]["rise"].data).any()
        return "" if gave else "no sample settled on any copy, so there is nothing to compare"


KIND = CopyKind()
