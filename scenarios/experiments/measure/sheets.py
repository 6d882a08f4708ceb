"""The tables of a measure: alarms, errors by cause, what helps against the largest, every cause alone."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import Sheet
from ...results.store import Group, ResultData
from ...results.views import find_extreme_nudges, format_percent, format_quantity, hide_buried_sums, name_signals
from ..kind import COSINE, WHOLE
from .advice import list_attempts
from .words import (
    ASYMMETRY_PARTS,
    DITHERED,
    NEGLIGIBLE,
    SINGLE,
    find_blamed_cause,
    find_part_places,
    list_judged_causes,
)

Array = NDArray[np.float64]

_ALWAYS = ("asymmetry", "finite_nudge", "settling")
"""Causes that are shown even where they are off."""


def make_ledger_sheet(result: ResultData, after: str) -> Sheet:
    """Return the error of every cause, median and rms, per scheme and layer; `after` says after which epoch."""
    ledger, gradient = result["ledger"], result["gradient"]
    causes, medians, sizes = _list_causes(ledger)
    expected = gradient["cosine_matching_rule"].data
    predicted = bool(np.isfinite(expected).any())
    foretold = "cosine_forecast" in gradient and bool((ledger["variance"].data > 0.0).any())
    rows = []
    for s, k in product(range(len(ledger["scheme"].data)), range(len(ledger["layer"].data))):
        head = [str(ledger["scheme"].data[s]) if k == 0 else "", str(ledger["layer"].data[k])]
        head += [f"{gradient['cosine'].data[s, k]:.4f}"]
        head += [_format_cosine(gradient["cosine_forecast"].data[s, k])] if foretold else []
        head += [f"{gradient['norm_ratio'].data[s, k]:.3f}"]
        rule = _format_cosine(expected[k])
        for words, values, total in (("median", medians, "total_median"), ("rms", sizes, "total")):
            cells = [format_percent(value) for value in (*values[s, k], hide_buried_sums(ledger, total)[s, k])]
            first = words == "median"
            rows.append([*(head if first else [""] * len(head)), words, *cells])
            rows[-1] += [rule if first else ""] if predicted else []
    return Sheet(
        f"Error of each cause{after}, in % of the exact gradient, over samples that settled and are not dead",
        [
            *("scheme", "layer", "cosine"),
            *(["forecast"] if foretold else []),
            *("norm ratio", "sample", *causes, "total"),
            *(["matching rule"] if predicted else []),
        ],
        rows,
        words=2,
        note="cosine: to the exact gradient; sample: the median one decides which cause is blamed, the rms counts "
        "outliers, too; total: causes are vectors, so sizes do not add"
        + ("; -: buried by the noise of the mean" if _has_buried_sums(ledger) else "")
        + (
            "; goal: finite nudges measure the exact gradient of a neighbouring cost, no error"
            if "goal" in causes
            else ""
        )
        + ("; forecast: cosine of one measurement, from its noise" if foretold else "")
        + ("; matching rule: cosine to expect from chips of this spread" if predicted else ""),
    )


def _has_buried_sums(ledger: Group) -> bool:
    names = ("total", "total_median", "dithered", "dithered_median")
    return any(np.isnan(hide_buried_sums(ledger, n)).sum() > np.isnan(ledger[n].data).sum() for n in names)


def _format_cosine(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "-"


def _list_causes(ledger: Group) -> tuple[list[str], Array, Array]:
    """Return the causes that are shown, and their errors (scheme, layer, cause): of the median sample, and rms.

    In the place of the finite nudge stand its two parts, where they are known; readout and noise together come last.
    """
    terms = list(ledger["term"].data)
    shown = [t for t, term in enumerate(terms) if term in _ALWAYS or (ledger["relative"].data[..., t] > 0.0).any()]
    names = [str(terms[t]).replace("_", " ") for t in shown]
    tables = [ledger[name].data[..., shown] for name in ("median", "relative")]
    if places := _find_goal_places(ledger):
        at = names.index("finite nudge")
        names[at : at + 1] = ["goal", "nudge bias"]
        parts = [ledger[name].data[..., places] for name in ("part_median", "part_relative")]
        tables = [
            np.concatenate([table[..., :at], part, table[..., at + 1 :]], axis=2)
            for table, part in zip(tables, parts, strict=True)
        ]
    if {"readout", "noise"} <= set(names):
        names.append(DITHERED.lower())
        both = [hide_buried_sums(ledger, name)[..., None] for name in ("dithered_median", "dithered")]
        tables = [np.concatenate([table, more], axis=2) for table, more in zip(tables, both, strict=True)]
    return names, tables[0], tables[1]


def _find_goal_places(ledger: Group) -> list[int]:
    """Return the places of the two parts of the finite nudge; none where it was not split under any scheme."""
    places = find_part_places(ledger, ("goal", "nudge_bias"))
    return places if places and np.isfinite(ledger["part_relative"].data[..., places]).any() else []


def make_asymmetry_sheets(result: ResultData) -> list[Sheet]:
    """Return what the asymmetry of a circuit is made of; nothing of rate networks, or where there is none."""
    ledger = result["ledger"]
    places = find_part_places(ledger, tuple(ASYMMETRY_PARTS))
    if not places or not (np.nan_to_num(ledger["part_relative"].data[..., places]) > NEGLIGIBLE).any():
        return []
    rows = []
    for s, k in product(range(len(ledger["scheme"].data)), range(len(ledger["layer"].data))):
        head = [str(ledger["scheme"].data[s]) if k == 0 else "", str(ledger["layer"].data[k])]
        for words, name in (("median", "part_median"), ("rms", "part_relative")):
            cells = [format_percent(value) for value in ledger[name].data[s, k, places]]
            rows.append([*(head if words == "median" else ["", ""]), words, *cells])
    return [
        Sheet(
            "Parts of the asymmetry, in % of the exact gradient",
            ["scheme", "layer", "sample", *(name.replace("_", " ") for name in ASYMMETRY_PARTS)],
            rows,
            words=3,
            note="; ".join(f"{name.replace('_', ' ')}: {words}" for name, words in ASYMMETRY_PARTS.items()),
        )
    ]


def make_remedy_sheets(result: ResultData) -> list[Sheet]:
    """Return what was tried against the largest cause, and what it gained in every layer."""
    group, found = result.groups.get("ledger/remedies"), find_blamed_cause(result)
    if group is None or found is None or not (attempts := list_attempts(group, found.place, found.written)):
        return []
    written = "_written" if found.written else ""
    names = [str(name) for name in group["connection" if found.written else "layer"].data]
    places = [list(group["remedy"].data).index(a.name) for a in attempts]
    before = [f"{value:.4f}" for value in group[f"cosine{written}_before"].data]
    rows = [["as it is", "", *before, format_percent(attempts[0].error_before)]]
    for attempt, place in zip(attempts, places, strict=True):
        cosines = [f"{value:.4f}" for value in group[f"cosine{written}"].data[place]]
        rows.append([attempt.words, attempt.keys, *cosines, format_percent(attempt.error)])
    return [
        Sheet(
            f"What helps with {result['ledger']['scheme'].data[found.scheme]}: measured again after every change alone",
            ["change", "keys", *(f"cosine {name}" for name in names), f"error {names[found.place]}"],
            rows,
            words=2,
            note="error: of one measurement, "
            + ("of the batch gradient" if found.written else "median over samples")
            + ", in % of the exact gradient",
        )
    ]


def make_energy_sheets(result: ResultData) -> list[Sheet]:
    """Return what a circuit takes by phase, mean over the samples, where the scenario says what is counted."""
    group = result.groups.get("energy", {})
    if not {"settling", "read"} & set(group):
        return []
    columns, rows = ["settling", "power"], []
    for k, phase in enumerate(group["phase"].data):
        rows.append([str(phase), format_quantity(float(group["power"].data[k].mean()), "W")])
        if "settling" in group:
            rows[-1].append(format_quantity(float(group["settling"].data[k].mean()), "J"))
        if "read" in group:
            rows[-1].append(format_quantity(float(group["read"].data), "J"))
    columns += ["heat"] * ("settling" in group) + ["read"] * ("read" in group)
    note = "heat: of elements while the settling lasts, with that of charging capacitors; read: of all nodes once"
    return [Sheet("Power at rest, and energy of every settling, mean over samples", columns, rows, note=note)]


def list_layer_errors(result: ResultData) -> dict[str, dict[str, float]]:
    """Return by layer the cosine, every cause of error that acts and the whole error, under the best scheme."""
    ledger, found = result["ledger"], find_blamed_cause(result)
    if found is None:
        return {}
    causes, tried = list_judged_causes(ledger, written=False), result.groups.get("ledger/remedies")
    names = [*(name.replace("_", " ") for name in causes.names), DITHERED.lower(), SINGLE.lower()]
    by_layer = {}
    for k, layer in enumerate(ledger["layer"].data):
        place = found.scheme, k
        sizes = dict(zip(names, map(float, causes.typical[place]), strict=True))
        whole = np.hypot(sizes[names[-1]], ledger["total_median"].data[place])
        whole = whole if tried is None else tried["error_before"].data[k]
        cosine = {COSINE: float(result["gradient"]["cosine"].data[place])}
        acting = {name: size for name, size in sizes.items() if size > 0.0}
        by_layer[str(layer)] = cosine | acting | {WHOLE: float(whole)}
    return by_layer


def make_signal_sheet(signal: Group, after: str) -> Sheet:
    """Return how large activities are, and how small what has to be read; `after` says after which epoch."""
    shown = find_extreme_nudges(signal)
    words = name_signals(signal)
    betas = [f"to be read at {words.sizes[s]}{words.unit}" for s in shown]
    rows = [
        [
            str(layer),
            f"{signal['activity'].data[k]:.3f}",
            f"{signal['delta'].data[k]:.2e}",
            *(f"{signal['evoked'].data[s, k]:.2e}" for s in shown),
        ]
        for k, layer in enumerate(signal["layer"].data)
    ]
    if "activity_volts" in signal:
        volts = float(signal["activity_volts"].data)
        betas += [f"{beta} (mV)" for beta in betas]
        for k, row in enumerate(rows):
            row += [f"{1e3 * volts * signal['evoked'].data[s, k]:.3g}" for s in shown]
    title = f"Signal levels{after}, rms {words.scale}"
    return Sheet(title, ["layer", words.activity, words.delta, *betas], rows)
