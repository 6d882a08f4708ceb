"""The kind of experiment that trains the chip through its own measurements."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ...results.views import select_last_epoch, select_latest
from ..kind import Ending, ExperimentKind, ExperimentWork, Headline, Places
from ..metrics import flatten_metrics
from .plan import Train
from .progress import make_ending
from .run import TrainingJob, run_training
from .sheets import make_budget_sheet, make_epoch_sheet
from .sweep_curves import make_end_sheet, read_metric_curves
from .words import describe_training, describe_training_remarks, list_train_numbers

if TYPE_CHECKING:
    from ...drawing.space import PreparedFigure

_BY_EPOCH = (
    "Trainings by epoch. Thick: mean over replicates; thin: single ones. Points that failed or diverged are left out."
)


class TrainKind(ExperimentKind[Train]):
    """A training through the measurements of the chip, with measurements along the way."""

    name = "train"
    mark = "metrics"
    main_figures = ("training",)
    rank = 2
    kept = ("metrics", "metrics_exact")
    headlines = tuple(
        Headline("metrics", f"{what}_{part}", "last") for part in ("test", "train") for what in ("error", "loss")
    )
    unsettled = ("metrics", "unsettled_train")

    def run(self, work: ExperimentWork[Train]) -> tuple[dict[str, Group], Ending]:
        """Train, going on from a checkpoint if there is one."""
        setting = work.setting
        kept = setting.kept, setting.saved, setting.identity
        trained = run_training(TrainingJob(work.setup, work.plan, setting.threads, *kept, work.watch))
        return trained.groups, make_ending(trained.groups, trained.failure, trained.reference_failure)

    def sentence(self, result: ResultData) -> str:
        """Return what the training reached, or why it diverged."""
        return describe_training(result)

    def remarks(self, result: ResultData) -> list[str]:
        """Return what the gradients were like in the end."""
        return describe_training_remarks(result)

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:
        """Return some epochs, and what all of them took."""
        if "metrics" not in result.groups:
            return []
        return [make_epoch_sheet(result["metrics"], rows), make_budget_sheet(result, result["metrics"])]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return the figures of the last epoch, and the time of all."""
        if "metrics" not in last.groups:
            return {}
        found = {"metrics/epoch": float(last["metrics"]["epoch"].data[-1])}
        for path in ("metrics", "metrics_exact"):
            group = select_last_epoch(last.groups.get(path, {}))
            found |= flatten_metrics(path, group, set(group))
        return found | {"metrics/wall_s": float(np.nansum(last["metrics"]["wall_s"].data))}

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return test error or loss at the end, the cosine last measured, and what it took."""
        return list_train_numbers(result)

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no measured gradient means anything or, where none was measured, no sample settled."""
        last = select_latest(result)
        if "gradient" in last.groups:
            return not np.isfinite(last["gradient"]["cosine"].data).any()
        return bool((last["metrics"]["unsettled_train"].data[1:] >= 1.0).all())

    def sweep_sheets(self, result: ResultData, places: Places) -> list[Sheet]:
        """Return how the trainings end."""
        ends = make_end_sheet(result, places)
        return [] if ends is None else [ends]

    def sweep_figures(self, result: ResultData, places: Places) -> dict[str, PreparedFigure]:
        """Return all trainings over their epochs."""
        from ...drawing.space import PreparedFigure
        from .sweep_figures import draw_trainings

        if read_metric_curves(result, "error_test") is None:
            return {}
        return {"trainings": PreparedFigure(partial(draw_trainings, result, places), _BY_EPOCH)}


KIND = TrainKind()
