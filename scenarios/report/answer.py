"""The answer in sentences, read from a result and nothing else."""

from __future__ import annotations

from ..experiments.alarms import alarm_words, alarms
from ..experiments.kind import kind_of
from ..results.store import Result
from ..results.views import latest
from .cells import cut, unreached


def answer(result: Result) -> str:
    """Return the one sentence a reader should take home, behind the alarms that it has to be read with."""
    kind = kind_of(result)
    told = "This result holds no experiment." if kind is None else kind.sentence(result)
    return " ".join([*alarm_words(alarms(result)), told])


def remarks(result: Result) -> list[str]:
    """Return what else has to be said: samples that were not counted, weights that cells do not hold, requests cut."""
    kind = kind_of(result)
    own = [] if kind is None else kind.remarks(result)
    return [*own, *unreached(result), *cut(latest(result))]


def is_void(result: Result) -> bool:
    """Tell whether no figure of a result means anything: no sample settled, or none gave a number."""
    kind = kind_of(result)
    return kind is not None and kind.is_void(result)
