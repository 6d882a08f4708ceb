"""What a training tells while it runs and when it ends, be it of a rate network or of a circuit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learning.training import BatchResult

from ...results.store import Group
from ..kind import COMPLETE, Ending
from ..watch import Watch
from .checkpoint import REFERENCE, TRAINING, TrainingLog


def report_progress(watch: Watch, log: TrainingLog, step: BatchResult, epochs: int, reference: bool) -> None:
    """Tell how far both trainings are, the one with exact gradients included where there is one."""
    stages, before = 2 if reference else 1, epochs if log.stage == REFERENCE else 0
    done = (before + log.trainee.epoch) * step.batches + log.trainee.batch
    kind = "exact gradients" if log.stage == REFERENCE else "training"
    error = 100.0 * float(log.rows[-1]["error_test"])
    told = f", test error {error:.3g} %" if np.isfinite(error) else ""
    text = f"{kind}, {log.trainee.epoch} epochs done{told}"
    watch.advance(done, stages * epochs * step.batches, text)


def make_ending(groups: Mapping[str, Group], failure: str, reference_failure: str) -> Ending:
    """Return how a training ended: complete, or diverged and when."""
    if failure:
        return {"status": "diverged", "reason": failure, "last_epoch": int(groups[TRAINING]["epoch"].data[-1])}
    return COMPLETE | ({"reference_failure": reference_failure} if reference_failure else {})
