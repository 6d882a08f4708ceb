"""The kind of result that a measurement of a chip on a board leaves."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import ResultData
from ..kind import ExperimentKind
from ..measure.plan import Measure
from ..metrics import flatten_metrics
from .words import (
    describe_board_remarks,
    describe_repeats,
    list_board_numbers,
    make_board_sheet,
    make_estimate_sheet,
)

_METRICS = {
    "estimates": {"size", "spread", "snr", "cosine_single", "cosine_probed"},
    "board": {"settlings", "resettlings", "lines", "bytes", "retries", "line_s"},
}


class MeasuredChipKind(ExperimentKind[Measure]):
    """Gradients of a chip on a board: how they repeat, and what node perturbation finds."""

    name = "measured-chip"
    mark = "estimates"
    main_figures = ("board",)

    def sentence(self, result: ResultData) -> str:
        """Return how well gradients repeat, and that nothing tells whether they are right."""
        return describe_repeats(result)

    def remarks(self, result: ResultData) -> list[str]:
        """Return what was lost on the way."""
        return describe_board_remarks(result)

    def sheets(self, result: ResultData, rows: int) -> list[Sheet]:  # noqa: ARG002
        """Return estimates by layer and by connection, and what was asked of the board."""
        if "estimates" not in result.groups:
            return []
        vectors = make_estimate_sheet(result["estimates"], "Error vectors of one sample", "layer")
        blocks = make_estimate_sheet(result["estimates/connections"], "Gradients of the batch", "connection")
        return [vectors, blocks, make_board_sheet(result["board"])]

    def metrics(self, last: ResultData) -> dict[str, float]:
        """Return size, spread and signal to noise, and the counts of the board."""
        if "estimates" not in last.groups:
            return {}
        found: dict[str, float] = {}
        for path, names in _METRICS.items():
            found |= flatten_metrics(path, last[path], names)
        return found

    def key_numbers(self, result: ResultData) -> list[KeyNumber]:
        """Return the noise of one measurement where it is largest, what probes say there, and what was asked."""
        return list_board_numbers(result)

    def is_void(self, result: ResultData) -> bool:
        """Tell whether no measurement gave an error vector."""
        return not np.isfinite(result["estimates"]["size"].data).any()


KIND = MeasuredChipKind()
