"""The kind of experiment that finds the best nudge of one chip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learning.oracle.best_nudge import StudyError

from ...drawing.sheet import Sheet
from ...results.store import Group, Result
from ...results.views import latest
from ..device_tables import device_groups
from ..kind import COMPLETE, Ending, Headline, Kind, RunError, Work
from ..metrics import flat
from .plan import StudyNudges
from .run import study_nudges
from .sheets import best_sizes, noise_gains
from .words import nudge_remarks

_METRICS = {"bias", "variance", "mse", "cosine", "asymmetry", "best"}


class NudgeKind(Kind[StudyNudges]):
    """The best nudge: bias and noise of every scheme on the chip, at one budget for all."""

    name = mark = "nudge"
    kept = ("nudge",)
    headlines = (Headline("nudge", "cosine"),)

    def run(self, work: Work[StudyNudges]) -> tuple[dict[str, Group], Ending]:
        """Measure every scheme."""
        chip = work.chip()
        try:
            found = study_nudges(chip, work.batch(), work.plan, work.setup.schemes, work.watch)
        except StudyError as error:
            raise RunError(f"experiment: {error}") from error
        return device_groups(chip) | found, COMPLETE

    def sentence(self, result: Result) -> str:
        """Return the best nudge."""
        return str(result["nudge"]["answer"].data)

    def remarks(self, result: Result) -> list[str]:
        """Return what no nudge can undo, and what was not tried."""
        return nudge_remarks(latest(result)["nudge"])

    def sheets(self, result: Result, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return the best size and the noise of every scheme."""
        group = latest(result).groups.get("nudge")
        return [] if group is None else [best_sizes(group), noise_gains(group)]

    def metrics(self, last: Result) -> dict[str, float]:
        """Return bias, noise and error of every scheme."""
        return flat("nudge", last.groups.get("nudge", {}), _METRICS)

    def is_void(self, result: Result) -> bool:
        """Tell whether no scheme has an error."""
        return not np.isfinite(latest(result)["nudge"]["mse"].data).any()

    def failure(self, groups: Mapping[str, Group]) -> str:
        """Return that no sample settled, if so."""
        settled = "nudge" not in groups or np.isfinite(groups["nudge"]["mse"].data).any()
        return "" if settled else "no sample settled, so there is nothing to compare"


KIND = NudgeKind()
