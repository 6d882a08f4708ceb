"""Alarms in words: shares of samples, units or reads that leave the figures without meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..drawing.sheet import Sheet
from ..results.store import Group, ResultData
from ..results.views import format_percent, is_of_circuit, select_latest


class _Kind(NamedTuple):
    """One thing that may be wrong."""

    above: float
    """It is told from this share on."""

    words: str
    cure: str


KINDS = {
    "dead": _Kind(
        0.0,
        "have an exact gradient of zero and are left out of the figures of that layer",
        "smaller weights (network.parameters), inputs in the range of the units (task), or an activation that keeps a "
        "slope (network.activation)",
    ),
    "saturated": _Kind(
        0.5,
        "are saturated: their activation has less than 5 % of its largest slope",
        "smaller weights (network.parameters), or inputs in the range of the units (task)",
    ),
    "unsettled": _Kind(
        0.1,
        "are not counted: they did not settle, or no rest point was found",
        "a smaller dynamics.dt, or more time (dynamics.free, dynamics.nudged)",
    ),
    "clipped": _Kind(
        0.01,
        "were outside the range of the converter",
        "a wider range of devices.converters.readout",
    ),
}
"""What raises an alarm."""

CIRCUIT_CURES = {
    "dead": "conductances or inputs that lift nodes off their diodes (network.init, physical.input_volts)",
    "unsettled": "more sweeps (dynamics.sweeps), a looser tolerance (dynamics.tolerance), or a smaller nudge "
    "(learning.scheme)",
}
"""What would help in circuits, which have no steps in time."""

_OF = {
    "dead": ("of the samples", " in layer "),
    "saturated": ("of the units", " of layer "),
    "unsettled": ("of the samples", " under "),
    "clipped": ("of the conversions", ""),
}


class Alarm(NamedTuple):
    """One alarm."""

    kind: str
    """A key of `KINDS`."""

    place: str
    """Layer or scheme; empty where it is the whole chip."""

    share: float
    cure: str
    """What would help."""


def describe_alarms(found: list[Alarm]) -> list[str]:
    """Return alarms as sentences, one per kind."""
    sentences, cures = [], {alarm.kind: alarm.cure for alarm in found}
    for kind, cure in cures.items():
        shares = ", ".join(_describe_share(alarm) for alarm in found if alarm.kind == kind)
        sentences.append(f"ALARM: {shares} {KINDS[kind].words}. What would help: {cure}.")
    return sentences


def _describe_share(alarm: Alarm) -> str:
    whole, before = _OF[alarm.kind]
    return f"{format_percent(alarm.share)} {whole}{before + alarm.place if alarm.place else ''}"


def find_alarms(result: ResultData) -> list[Alarm]:
    """Return what leaves the figures of a result without meaning; of a training at its last (measured) epoch."""
    last, own = select_latest(result).groups, CIRCUIT_CURES if is_of_circuit(result) else {}
    metrics = {name: v.data[-1] for name, v in last.get("metrics", {}).items() if v.dims[:1] == ("epoch",)}
    shares: list[tuple[str, NDArray[np.str_], NDArray[np.float64]]] = []
    if "alarms" in last:
        group = last["alarms"]
        shares += [(kind, group["layer"].data, group[kind].data) for kind in ("dead", "saturated")]
        shares.append(("unsettled", group["scheme"].data, group["unsettled"].data))
    elif metrics:
        if "saturation" in metrics:
            shares.append(("saturated", last["metrics"]["layer"].data, metrics["saturation"]))
        shares.append(("unsettled", np.array([""]), np.array([metrics["unsettled_train"]])))
    shares.append(("clipped", np.array([""]), np.array([compute_clipped_share(last)])))
    return [
        Alarm(kind, str(place), float(share), own.get(kind, KINDS[kind].cure))
        for kind, places, values in shares
        for place, share in zip(places, values, strict=True)
        if share > KINDS[kind].above
    ]


def compute_clipped_share(last: Mapping[str, Group]) -> float:
    """Return which share of the conversions was outside the range of the converter, from the latest groups."""
    if "clipped" in (metrics := last.get("metrics", {})):
        return float(metrics["clipped"].data[-1])
    counts = last.get("readout")
    return float(counts["clipped"].data) / max(1, int(counts["conversions"].data)) if counts else 0.0


def make_alarm_sheets(result: ResultData) -> list[Sheet]:
    """Return the table of alarms, if there are any."""
    found = find_alarms(result)
    rows = [[a.kind, a.place or "-", format_percent(a.share), a.cure] for a in found]
    note = "figures are averages over what is left" if {a.kind for a in found} & {"dead", "unsettled"} else ""
    return [Sheet("ALARMS", ["what", "where", "share", "what would help"], rows, words=4, note=note)] if rows else []
