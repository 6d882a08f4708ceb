"""Labelled tables of the ledgers: how large the error of every cause is, per layer and per connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.oracle.ledger.statistics import (
    TermSize,
    average_defined,
    compute_cosines,
    compute_quality,
    compute_rms_norm,
    compute_term_size,
    is_live,
)
from learning.oracle.ledger.vectors import PARTS, Ledger
from substrate.network.topology import Topology

from ...results.store import Group, Variable
from ..interactions.tables import LayerColumns, make_interaction_group
from .found import MeasuredRemedies, Measurement

Array = NDArray[np.float64]

_SILENT = 1e-12
"""Share of the largest gradient of any layer below which a vector is round-off: no error arrives there."""

_WORDS = {
    "rms": "rms norm of the error term",
    "relative": "rms norm of the error term over that of the exact gradient",
    "median": "the same for the median sample, which outliers do not move",
    "mean_norm": "norm of the error term averaged over the samples",
    "scale": "part of the error term along the exact gradient, as a factor of it",
    "constant": "norm of the part of the error term that is the same for every sample",
    "rotation": "rms norm of what neither scale nor constant explains",
    "standard_error": "rms norm of what noise leaves in the error term",
    "spread": "rms norm of how the term differs between measurements or writes, over that of the exact gradient",
    "spread_median": "the same for the median sample",
    "cosine_after": "cosine to the exact gradient once this cause acts",
    "total": "rms norm of the whole error over that of the exact gradient",
    "total_median": "the same for the median sample",
    "variance": "variance of a component of one measurement",
    "dithered": "readout and noise together, which dither cancels in part: rms over that of the exact gradient",
    "dithered_median": "the same for the median sample",
    "gains": "part of the asymmetry that trims of every unit would cure, rms norm",
    "irreducible": "part of the asymmetry that no factors of single units or nodes cure, rms norm",
    "first_order": "asymmetry to first order in the antisymmetric couplings, rms norm",
    "metric": "part of the asymmetry that the nominal gains of amplifiers explain, rms norm",
    "per_node": "part of the asymmetry that one factor per node would cure, rms norm",
    "goal": "part of the finite nudge that is the gradient of another goal, rms norm",
    "nudge_bias": "rest of the finite nudge, rms norm",
    "part_relative": "rms norm of the part of a term over that of the exact gradient",
    "part_median": "the same for the median sample",
}
Quality = tuple[float, float]
"""Cosine, and relative error."""

_UNKNOWN: Quality = (float("nan"), float("nan"))

_OF_VECTORS = ("median", "constant", "spread_median", "total_median", "dithered_median", "part_median")
"""Figures that need samples, which the batch mean of a connection has not."""


class _Cut(NamedTuple):
    """One ledger cut to the kept samples and one layer: everything as rows."""

    steps: list[Array]
    terms: list[Array]
    parts: dict[str, Array]
    noise: list[Array]
    """Variance of the mean that every term holds."""

    single: list[Array]
    """Variance of every term from one measurement or write to the next."""

    after: list[Array]
    """Variance of the mean that the step after every term holds."""

    variance: Array
    names: tuple[str, ...]
    """The causes, in the order of the terms."""


_Cuts = list[list[_Cut | None]]
"""By scheme, and by layer or connection; None for a connection that the rule does not teach."""


def make_ledger_groups(topology: Topology, found: Measurement, labels: Group) -> dict[str, Group]:
    """Return the groups `ledger`, `ledger/connections` and, if they were measured, `ledger/interactions`.

    Parameters
    ----------
    topology : Topology
        Layers and connections.
    found : Measured
        What a measure found.
    labels : Group
        Names of the schemes and layers.
    """
    columns = list(topology.columns.values())
    designed, keep = found.designed, found.keep
    error, exact = (designed.ep - designed.delta)[keep], designed.delta[keep]
    programmed = [_divide_or_nan(compute_rms_norm(error[:, c]), compute_rms_norm(exact[:, c])) for c in columns]
    unsettled = [np.count_nonzero(~book.keep) for book in found.ledgers]
    groups: dict[str, Group] = {
        "ledger": {
            **make_vector_tables(topology, found.ledgers, labels),
            "asymmetry_programmed": Variable(
                ("layer",), np.array(programmed), long_name="asymmetry error of the chip as programmed, without spread"
            ),
            "unsettled": Variable(("scheme",), np.array(unsettled), long_name="samples not counted"),
        },
        "ledger/connections": make_connection_tables(topology, found, {"scheme": labels["scheme"]}),
    }
    if found.interactions and found.interactions[0].alone:
        exact = found.reference.delta
        groups["ledger/interactions"] = labels | make_interaction_group(topology, found.interactions, exact, keep)
    return groups


def make_connection_tables(topology: Topology, found: Measurement, labels: Group) -> Group:
    """Return the figures of what is written to every connection; NaN for one that is not taught."""
    names, terms = [c.block for c in topology.connections], found.ledgers[0].names
    blocks: _Cuts = [
        [_cut_ledger(books[name], _flatten_to_row) if name in books else None for name in names]
        for books in found.connections
    ]
    cut = [[books[name].cut if name in books else 0 for name in names] for books in found.connections]
    words = "requests of the tried write for more pulses than one write gives"
    return {
        **labels,
        "connection": Variable(("connection",), np.array([c.name for c in topology.connections])),
        "term": _make_term_labels(terms),
        **_make_ledger_tables(blocks, "connection", terms),
        "cut": Variable(("scheme", "connection"), np.array(cut), long_name=words),
    }


def make_vector_tables(topology: LayerColumns, ledgers: list[Ledger], labels: Group) -> Group:
    """Return the figures of the error vectors over samples whose exact gradient is not zero, and how many are dead."""
    columns = list(topology.columns.values())
    cuts = [[_cut_ledger(book, partial(_cut_columns, book.keep, c)) for c in columns] for book in ledgers]
    dead = np.zeros((len(cuts), len(columns)), dtype=np.int64)
    live: _Cuts = []
    for s, row in enumerate(cuts):
        silent = compute_silence_level(cut.steps[0] for cut in row)
        alive = [is_live(cut.steps[0], silent) for cut in row]
        dead[s] = [np.count_nonzero(~rows) for rows in alive]
        live.append([_select_rows(cut, rows) for cut, rows in zip(row, alive, strict=True)])
    words = "samples that are counted, but whose exact gradient is zero in this layer"
    counted = Variable(("scheme", "layer"), dead, long_name=words)
    names = ledgers[0].names
    jumped = [0 if book.jumped is None else np.count_nonzero(book.jumped & book.keep) for book in ledgers]
    words = "samples that are counted, but that a nudge throws onto another branch: all of their finite nudge is bias"
    return {
        **labels,
        "term": _make_term_labels(names),
        **_make_ledger_tables(live, "layer", names),
        "dead": counted,
        "jumped": Variable(("scheme",), np.array(jumped), long_name=words),
    }


def compute_silence_level(gradients: Iterable[Array]) -> float:
    """Return the norm below which a gradient is round-off, from those of all layers; some may have no rows."""
    return _SILENT * max((compute_rms_norm(a) for a in gradients if len(a)), default=0.0)


def make_block_tables(books: list[dict[str, Ledger]], names: list[str], labels: Group) -> Group:
    """Return the figures of the gradients of some blocks of a circuit, by their names."""
    terms = next(iter(books[0].values())).names
    cuts: _Cuts = [[_cut_ledger(book[name], _flatten_to_row) for name in names] for book in books]
    head = {"scheme": labels["scheme"], "connection": Variable(("connection",), np.array(names))}
    return {**head, "term": _make_term_labels(terms), **_make_ledger_tables(cuts, "connection", terms)}


def _make_term_labels(names: tuple[str, ...]) -> Variable:
    return Variable(("term",), np.array(names), long_name="cause of error")


def _select_rows(cut: _Cut, rows: NDArray[np.bool_]) -> _Cut:
    """Return some rows of a cut."""
    lists = {name: [a[rows] for a in getattr(cut, name)] for name in ("steps", "terms", "noise", "single", "after")}
    parts = {n: a[rows] for n, a in cut.parts.items()}
    return _Cut(**lists, parts=parts, variance=cut.variance[rows], names=cut.names)


def _cut_columns(keep: NDArray[np.bool_], columns: slice, a: Array) -> Array:
    return a[keep][:, columns]


def _flatten_to_row(a: Array) -> Array:
    return a.reshape(1, -1)


def _cut_ledger(book: Ledger, rows: Callable[[Array], Array]) -> _Cut:
    return _Cut(
        steps=[rows(step) for step in book.steps],
        terms=[rows(term) for term in book.terms().values()],
        parts={name: rows(part) for name, part in book.parts.items()},
        noise=[rows(book.noise_of(term)) for term in book.names],
        single=[rows(book.spread_of(term)) for term in book.names],
        after=[rows(book.noise_after(term)) for term in book.names],
        variance=rows(book.variance),
        names=book.names,
    )


def _make_ledger_tables(cuts: _Cuts, place: str, names: tuple[str, ...]) -> Group:
    """Return every figure over (scheme, `place`, term) or (scheme, `place`); NaN where there is no ledger."""
    shape = (len(cuts), len(cuts[0]))
    per_term = [*TermSize._fields, "relative", "spread", "spread_median", "cosine_after"]
    parts = next((cut.parts for row in cuts for cut in row if cut is not None), dict.fromkeys(PARTS))
    alone = ["total", "total_median", "variance", "dithered", "dithered_median", *parts]
    data = {name: np.full((*shape, len(names)), np.nan) for name in per_term}
    data |= {name: np.full(shape, np.nan) for name in alone}
    data |= {name: np.full((*shape, len(parts)), np.nan) for name in ("part_relative", "part_median")}
    for s, row in enumerate(cuts):
        silent = compute_silence_level(cut.steps[0] for cut in row if cut is not None)
        for k, cut in enumerate(row):
            if cut is not None:
                for name, value in _compute_ledger_figures(cut, silent).items():
                    data[name][s, k] = value
    if place == "connection":
        data = {name: value for name, value in data.items() if name not in _OF_VECTORS}
    label = Variable(("part",), np.array(list(parts)), long_name="part of a cause")
    group: Group = {"part": label}
    for name, value in data.items():
        dims = ("scheme", place, "part" if name.startswith("part_") else "term")[: value.ndim]
        group[name] = Variable(dims, value, long_name=_WORDS[name])
    return group


def _compute_ledger_figures(cut: _Cut, silent: float) -> dict[str, Array | float]:
    """Return all figures of one layer or connection: per term, and of the whole."""
    true = cut.steps[0]
    size = compute_rms_norm(true)
    unit = size if size > silent else np.nan
    rows = [compute_term_size(term, true, noise) for term, noise in zip(cut.terms, cut.noise, strict=True)]
    found: dict[str, Array | float] = {n: np.array([getattr(row, n) for row in rows]) for n in TermSize._fields}
    found["relative"] = np.array([row.rms for row in rows]) / unit
    found["spread"] = np.array([_compute_rms_spread(variance) for variance in cut.single]) / unit
    found["spread_median"] = np.array(
        [compute_term_size(np.sqrt(variance), true, 0.0 * true).median for variance in cut.single]
    )
    found["cosine_after"] = np.array(
        [average_defined(compute_cosines(a, true, n))[0] for a, n in zip(cut.steps[1:], cut.after, strict=True)]
    )
    readout, noise = cut.names.index("readout"), cut.names.index("noise")
    both = compute_term_size(cut.terms[readout] + cut.terms[noise], true, cut.noise[noise])
    whole = compute_term_size(cut.steps[-1] - true, true, cut.after[-1])
    found |= {"dithered": both.rms / unit, "dithered_median": both.median}
    found |= {"total": whole.rms / unit, "total_median": whole.median}
    found["variance"] = float(cut.variance.mean()) if cut.variance.size else np.nan
    parts = {name: compute_term_size(part, true, 0.0 * true) for name, part in cut.parts.items()}
    found["part_relative"] = np.array([part.rms for part in parts.values()]) / unit
    found["part_median"] = np.array([part.median for part in parts.values()])
    return found | {name: part.rms for name, part in parts.items()}


def _compute_rms_spread(variance: Array) -> float:
    return float(np.sqrt(variance.sum() / len(variance))) if len(variance) else float("nan")


def _divide_or_nan(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else float("nan")


def make_remedy_group(topology: Topology, found: Measurement, tried: MeasuredRemedies, labels: Group) -> Group:
    """Return cosine and error of every layer and connection before and after each remedy; NaN for one not measured."""
    columns = list(topology.columns.values())
    keep, true = found.ledgers[tried.scheme].keep, found.reference.delta
    own = found.estimates[tried.scheme].flat
    silent = compute_silence_level(true[keep][:, c] for c in columns)
    live = [keep & is_live(true[:, c], silent) for c in columns]

    def judge(delta: Array, exact: Array, measured: NDArray[np.bool_]) -> list[Quality]:
        rows = [some & measured for some in live]
        return [compute_quality(delta[r][:, c], exact[r][:, c]) for r, c in zip(rows, columns, strict=True)]

    def judge_blocks(blocks: Mapping[str, tuple[Array, Array]]) -> list[Quality]:
        pairs = [blocks.get(c.block) for c in topology.connections]
        return [_UNKNOWN if pair is None else compute_quality(*map(_flatten_to_row, pair)) for pair in pairs]

    gains = [tried.gains.get(name) for name in tried.keys]
    layers = [judge(g.delta, g.true, g.keep) if g else [_UNKNOWN] * len(columns) for g in gains]
    return {
        "remedy": Variable(("remedy",), np.array(list(tried.keys)), long_name="change, by its name"),
        "keys": Variable(("remedy",), np.array(list(tried.keys.values())), long_name="keys of the scenario it changes"),
        "blamed": Variable((), tried.scheme, long_name="place of the scheme that was measured again"),
        "layer": labels["layer"],
        **make_quality_tables("layer", judge(own, true, keep), layers),
        "connection": Variable(("connection",), np.array([c.name for c in topology.connections])),
        **make_quality_tables(
            "connection", judge_blocks(tried.before), [judge_blocks(g.blocks if g else {}) for g in gains]
        ),
    }


def make_quality_tables(place: str, before: list[Quality], after: list[list[Quality]]) -> Group:
    """Return cosine and error in every layer or of every connection, as it is and after every remedy."""
    words = ("cosine to the exact gradient, mean over samples", "error of one measurement, median over samples")
    ending = ""
    if place == "connection":
        words, ending = ("cosine of the batch gradient to the exact one", "error of one batch gradient"), "_written"
    now, then = np.array(before).reshape(-1, 2), np.array(after).reshape(len(after), len(before), 2)
    group: Group = {}
    for k, name in enumerate(("cosine", "error")):
        group[f"{name}{ending}_before"] = Variable((place,), now[:, k], long_name=f"{words[k]}, as it is")
        group[f"{name}{ending}"] = Variable(("remedy", place), then[..., k], long_name=f"{words[k]}, after the change")
    return group
