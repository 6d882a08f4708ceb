"""The answer in sentences, read from a result and nothing else."""

from __future__ import annotations

from ..experiments.alarms import describe_alarms, find_alarms
from ..experiments.kind import find_result_kind
from ..experiments.remarks import describe_cell_noise
from ..results.store import ResultData
from ..results.views import list_changes, select_change, select_latest
from .cells import describe_cut_requests, describe_unreached_weights
from .changes import describe_changed_losses, describe_changes


def make_answer(result: ResultData) -> str:
    """Return the one sentence a reader should take home, behind the alarms that it has to be read with.

    Where the design was changed, there is one about every change, too.
    """
    return " ".join(list_answers(result))


def list_answers(result: ResultData) -> list[str]:
    """Return the answer by paragraphs: alarms, then the one sentence, or one for the design and each of its changes."""
    kind, names = find_result_kind(result), list_changes(result)
    alarms = describe_alarms(find_alarms(result))
    for k, name in enumerate(names, 1):
        alarms += [f"With {name}: {alarm}" for alarm in describe_alarms(find_alarms(select_change(result, k)))]
    told = "This result holds no experiment." if kind is None else kind.sentence(result)
    return [*alarms, *(describe_changes(result) or [told])]


def list_remarks(result: ResultData) -> list[str]:
    """Return what else has to be said: samples that were not counted, weights that cells do not hold, requests cut."""
    kind = find_result_kind(result)
    own = [] if kind is None else kind.remarks(result)
    own += [line for line in describe_changed_losses(result) if line not in own]
    last = select_latest(result)
    return [*own, *describe_cell_noise(last), *describe_unreached_weights(result), *describe_cut_requests(last)]


def is_void(result: ResultData) -> bool:
    """Tell whether no figure of a result means anything: no sample settled, or none gave a number."""
    kind = find_result_kind(result)
    return kind is not None and kind.is_void(result)
