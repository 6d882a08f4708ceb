"""The kind of experiment that compares write policies."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group, ResultData
from ...results.views import select_latest
from ..device_tables import make_device_groups
from ..kind import COMPLETE, Ending, ExperimentKind, ExperimentWork, Headline
from ..metrics import flatten_metrics
from .plan import CompareWrites
from .run import compare_writes
from .sheets import make_cosine_sheet, make_cost_sheet, make_term_sheet
from .tables import make_write_group
from .words import describe_limits, describe_remarks, list_write_numbers

_METRICS = {"cosine", "cosine_kept", "forecast", "error", "pulses", "pulses_most", "memory_bits", "energy", "steps"}


class WriteKind(ExperimentKind[CompareWrites]):
    """Write policies: what becomes of the requests of many batches, term by term, and what that costs."""

    name = mark = "write"
    main_figures = ("writes",)
    kept = ("write",)
    headlines = (Headline("write", "cosine"),)

    def run(self, work: ExperimentWork[CompareWrites]) -> tuple[dict[str, Group], Ending]:
        """Measure the requests and write copies of the chip."""
        chip = work.chip()
        groups = make_device_groups(chip)  # before it is written
        found = compare_writes(chip, work.setup, work.plan, work.watch)
        return groups | {"write": make_write_group(chip, work.setup, work.plan, found)}, COMPLETE

    def sentence(self, result: ResultData) -> str:
        """Return what limits the best policy, and what would help."""
        return describe_limits(select_latest(result)["write"])

    def remarks(self, result: ResultData) -> list[str]:
        """Return what was lost or given up, and where no policy can help."""
        return [*describe_remarks(select_latest(result)["write"]), *super().remarks(result)]

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return cosines, terms and costs of every policy."""
        group = select_latest(result).groups.get("write")
        return [] if group is None else [make_cosine_sheet(group), make_term_sheet(group), make_cost_sheet(group)]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return cosines, errors and costs."""
        return flatten_metrics("write", last.groups.get("write", {}), _METRICS)

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return cosine, limit and pulses of the best policy."""
        return list_write_numbers(select_latest(result)["write"])

    def is_void(self, result: ResultData) -> bool:
        """Tell whether nothing was requested."""
        return not np.isfinite(select_latest(result)["write"]["error"].data).any()


KIND = WriteKind()
