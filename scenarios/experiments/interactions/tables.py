"""Labelled tables of what causes of error do alone, removed and in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learning.oracle.ledger.errors import MeanError
from learning.oracle.ledger.interactions import Interactions
from learning.oracle.ledger.statistics import compute_rms_norm, compute_term_size

from ...results.store import Group, Variable

Array = NDArray[np.float64]

_WHOLES = {
    "base": "error without any cause",
    "full": "error of the chip",
    "interaction": "error that no cause makes alone",
}
_BY_CAUSE = {
    "alone": "error of the cause alone",
    "removed": "what the chip gains without the cause",
    "repaired": "error of the chip without the cause",
    "interaction_without": "error that no cause makes alone on the chip without the cause",
}
_BY_PAIR = {
    "pair_own": "error that two causes make only together, on a chip without others",
    "pair_left": "error that no cause makes alone, without what the pair makes only together",
    "pair_repaired": "error of the chip without both causes, of the pair that makes most; else NaN",
}


class LayerColumns(Protocol):
    """What says where the units of every layer stand among all of a vector, such as a topology."""

    @property
    def columns(self) -> Mapping[str, slice]:
        """Columns by layer."""
        ...


def make_interaction_group(
    topology: LayerColumns, interactions: list[Interactions], exact: Array, counted: NDArray[np.bool_]
) -> Group:
    """Return the causes alone, removed and in pairs, and what they leave; rms norms over that of the exact gradient."""
    columns = list(topology.columns.values())
    units = [compute_rms_norm(exact[counted][:, c]) or np.nan for c in columns]
    first = interactions[0]
    group: Group = {"cause": Variable(("cause",), np.array(list(first.alone)), long_name="cause of error")}

    def add(name: str, words: str, place: tuple[str, ...], means: Sequence[Sequence[MeanError | None]]) -> None:
        """Add norm and standard error of the means of every scheme."""
        kept = [one.keep & counted for one in interactions]
        sizes = np.array(
            [
                [[_measure_size(mean, keep, c, unit) for mean in row] for c, unit in zip(columns, units, strict=True)]
                for row, keep in zip(means, kept, strict=True)
            ]
        )
        sizes = sizes if place else sizes[:, :, 0]
        dims = ("scheme", "layer", *place)
        group[name] = Variable(dims, sizes[..., 0], long_name=f"{words}, rms over that of the exact gradient")
        group[f"{name}_error"] = Variable(dims, sizes[..., 1], long_name="its standard error")

    for name, words in _WHOLES.items():
        field = "left" if name == "interaction" else name
        add(name, words, (), [[getattr(one, field)] for one in interactions])
    median = [
        [compute_term_size(m.value[keep][:, c], exact[keep][:, c], m.variance[keep][:, c]).median for c in columns]
        for m, keep in ((one.left, one.keep & counted) for one in interactions)
    ]
    group["interaction_median"] = Variable(
        ("scheme", "layer"), np.array(median), long_name="error that no cause makes alone, of the median sample"
    )
    for name, words in _BY_CAUSE.items():
        field = "without" if name == "interaction_without" else name
        add(name, words, ("cause",), [list(getattr(one, field).values()) for one in interactions])
    if first.pairs:
        names = np.array(list(first.pairs))
        for k, end in enumerate(("pair_first", "pair_second")):
            group[end] = Variable(("pair",), names[:, k], long_name="cause of a pair")
        for name, words in _BY_PAIR.items():
            field = name.removeprefix("pair_")
            add(name, words, ("pair",), [[getattr(p, field) for p in one.pairs.values()] for one in interactions])
    return group


def _measure_size(mean: MeanError | None, keep: NDArray[np.bool_], layer: slice, unit: float) -> tuple[float, float]:
    """Return norm and standard error of a mean in one layer; NaN for one that was not measured."""
    if mean is None or not keep.any():
        return float("nan"), float("nan")
    value, variance = mean.value[keep][:, layer], mean.variance[keep][:, layer]
    return compute_rms_norm(value, variance) / unit, float(np.sqrt(variance.sum() / len(variance))) / unit
