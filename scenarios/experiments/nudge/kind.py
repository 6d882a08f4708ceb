"""The kind of experiment that finds the best nudge of one chip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learning.oracle.best_nudge import StudyError

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ...results.views import select_latest
from ..device_tables import make_device_groups
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline, RunError
from ..metrics import flatten_metrics
from ..nudge_size import describe_nudge_sizes, make_nudge_size_sheets, resolve_nudge_sizes
from .plan import StudyNudges
from .run import study_nudges
from .sheets import make_best_sizes_sheet, make_noise_gains_sheet
from .words import describe_nudge_study, list_nudge_numbers

_METRICS = {"bias", "variance", "mse", "cosine", "asymmetry", "best"}


class NudgeKind(ExperimentKind[StudyNudges]):
    """The best nudge: bias and noise of every scheme on the chip, at one budget for all."""

    name = mark = "nudge"
    main_figures = ("nudge_study",)
    kept = ("nudge", "nudge_size")
    headlines = (Headline("nudge", "cosine"),)

    def run(self, work: ExperimentWork[StudyNudges]) -> tuple[dict[str, Group], Ending]:
        """Measure every scheme."""
        chip, batch, plan = work.chip(), work.batch(work.plan.samples), work.plan
        learning, sizes = resolve_nudge_sizes(chip, batch, work.setup.learning, work.watch.say, plan.budget)
        try:
            found = study_nudges(chip, batch, plan, plan.tried(learning.given_schemes()), work.watch)
        except StudyError as error:
            raise RunError(f"experiment: {error}") from error
        return make_device_groups(chip) | sizes | found, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return the best nudge."""
        return str(result["nudge"]["answer"].data)

    def remarks(self, result: ResultData) -> list[str]:
        """Return what no nudge can undo, and what was not tried."""
        return [*describe_nudge_sizes(result), *describe_nudge_study(select_latest(result)["nudge"])]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return the best size and the noise of every scheme."""
        group = select_latest(result).groups.get("nudge")
        if group is None:
            return []
        return [*make_nudge_size_sheets(result), make_best_sizes_sheet(group), make_noise_gains_sheet(group)]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return bias, noise and error of every scheme."""
        return flatten_metrics("nudge", last.groups.get("nudge", {}), _METRICS)

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return bias, noise and error of the best nudge."""
        return list_nudge_numbers(select_latest(result)["nudge"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no scheme has an error."""
        return not np.isfinite(select_latest(result)["nudge"]["mse"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that no sample settled, if so."""
        settled = "nudge" not in groups or np.isfinite(groups["nudge"]["mse"].data).any()
        return "" if settled else "no sample settled, so there is nothing to compare"


KIND = NudgeKind()
