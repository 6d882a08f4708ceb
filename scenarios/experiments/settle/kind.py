"""The kind of experiment that records settling curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from substrate.protocol import has_settled

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData, Variable
from ..device_tables import make_device_groups
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline
from .plan import Settle
from .run import record_settling
from .words import describe_settling, list_settle_numbers, make_settling_sheet


class SettleKind(ExperimentKind[Settle]):
    """Settling curves: the free phase, then every nudge of every scheme."""

    name = "settle"
    mark = "settling"
    main_figures = ("settling",)
    kept = ("settling",)
    headlines = (Headline("settling", "steps_max"),)

    def run(self, work: ExperimentWork[Settle]) -> tuple[dict[str, Group], Ending]:
        """Record the curves."""
        chip, schemes = work.chip(), work.setup.learning.all_schemes()
        groups = make_device_groups(chip)
        work.watch.say("settling curves")
        return groups | record_settling(chip, work.batch(work.plan.record.samples), schemes, work.plan.record), COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return how many recorded settlings settled."""
        return describe_settling(result["settling"])

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return how every recorded settling ended."""
        return [make_settling_sheet(result["settling"])] if "settling" in result.groups else []

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return the fraction that settled and the steps of the slowest."""
        group = last.groups.get("settling")
        if group is None:
            return {}
        settled, slowest = float(np.mean(has_settled(group["status"].data))), float(group["steps"].data.max())
        return {"settling/settled": settled, "settling/steps_max": slowest}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return how many settled, and how long they took."""
        return list_settle_numbers(result["settling"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether nothing settled."""
        return not has_settled(result["settling"]["status"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that nothing settled, if so."""
        settled = "settling" not in groups or has_settled(groups["settling"]["status"].data).any()
        return "" if settled else "no recorded settling settled"

    def summary(self, groups: Mapping[str, Group]) -> dict[str, Group]:
        """Return how many of the recorded settlings settled, and how long the slowest took."""
        if "settling" not in groups:
            return {}
        group = groups["settling"]
        good = has_settled(group["status"].data)
        return {
            "settling": {
                "settled": Variable((), float(good.mean()), long_name="fraction of the settlings that settled"),
                "steps_max": Variable((), float(group["steps"].data.max()), long_name="steps of the slowest"),
            }
        }


KIND = SettleKind()
