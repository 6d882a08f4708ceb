"""The answer in sentences, read from a result and nothing else."""

from __future__ import annotations

from ..experiments.alarms import describe_alarms, find_alarms
from ..experiments.kind import find_result_kind
from ..experiments.remarks import describe_cell_noise
from ..results.store import ResultData
from ..results.views import select_latest
from .cells import describe_cut_requests, describe_unreached_weights


def make_answer(result: ResultData) -> str:
    """Return the one sentence a reader should take home, behind the alarms that it has to be read with."""
    kind = find_result_kind(result)
    told = "This result holds no experiment." if kind is None else kind.sentence(result)
    return " ".join([*describe_alarms(find_alarms(result)), told])


def list_remarks(result: ResultData) -> list[str]:
    """Return what else has to be said: samples that were not counted, weights that cells do not hold, requests cut."""
    kind = find_result_kind(result)
    own = [] if kind is None else kind.remarks(result)
    last = select_latest(result)
    return [*own, *describe_cell_noise(last), *describe_unreached_weights(result), *describe_cut_requests(last)]


def is_void(result: ResultData) -> bool:
    """Tell whether no figure of a result means anything: no sample settled, or none gave a number."""
    kind = find_result_kind(result)
    return kind is not None and kind.is_void(result)
