"""The cycles in which circuits end that learn by themselves, in a sentence, a table and numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group
from ...results.views import format_number

Array = NDArray[np.float64]


def describe_cycles(group: Group) -> str:
    """Return how far the parameters go round, what it costs, and how near measured ones are."""
    closed, tasks = group["closed"].data.astype(bool), list(dict.fromkeys(map(str, group["task"].data)))
    if not closed.any():
        return f"None of {len(closed)} cycles was found, so there is nothing to judge."
    period, span, error = (group[name].data[closed] for name in ("period", "span", "error"))
    ends = sorted({int(period.argmin()), int(period.argmax())}, key=lambda k: float(period[k]))
    at = " and ".join(f"{format_number(period[k])} s" for k in ends)
    text = (
        f"While the tasks {', '.join(tasks)} take turns, {_name_parameters(group)} go round in a cycle: at {at} a "
        f"round, its squared span is {_list_values(span, ends)} V^2, and the mean square error "
        f"{_list_values(error, ends)} V^2."
    )
    if "limited" in group and (most := int(group["limited"].data[closed].max())):
        text += f" Up to {most} of them meet an end of their range."
    if "span_factor" in group:
        span_factor, error_factor = (format_number(float(group[f"{n}_factor"].data)) for n in ("span", "error"))
        text += f" Measured spans differ by an rms factor of {span_factor}, errors by {error_factor}."
    missing = len(closed) - int(closed.sum())
    return text + (f" {missing} of {len(closed)} cycles were not found." if missing else "")


def list_self_learning_numbers(group: Group) -> list[KeyNumber]:
    """Return how many cycles were found, and span and error of the longest period."""
    closed = group["closed"].data.astype(bool)
    last = int(np.argmax(np.where(closed, group["period"].data, -np.inf)))
    at = f"at a full period of {format_number(float(group['period'].data[last]))} s, the longest"
    return [
        KeyNumber(f"{int(closed.sum())} of {len(closed)}", "cycles that were found, one for each period"),
        KeyNumber(f"{format_number(float(group['span'].data[last]))} V\N{SUPERSCRIPT TWO}", f"squared span {at}"),
        KeyNumber(f"{format_number(float(group['error'].data[last]))} V\N{SUPERSCRIPT TWO}", f"mean square error {at}"),
    ]


def _name_parameters(group: Group) -> str:
    words = {"gate": "the gates", "conductance": "the conductances"}
    return " and ".join(word for name, word in words.items() if name in group) or "the parameters"


def _list_values(values: Array, places: list[int]) -> str:
    return " and ".join(format_number(float(values[k])) for k in places)


def make_cycles_sheet(group: Group, rows: int) -> Sheet:
    """Return the numbers of about `rows` periods, measured ones beside where there are any."""
    names = [name for name in ("span", "span_measured", "error", "error_measured") if name in group]
    period, closed = group["period"].data, group["closed"].data.astype(bool)
    chosen = np.unique(np.linspace(0, len(period) - 1, min(len(period), max(2, rows))).round().astype(int))
    table = [
        [
            format_number(float(period[k])),
            *(format_number(float(group[name].data[k])) for name in names),
            "yes" if closed[k] else "no",
        ]
        for k in chosen
    ]
    columns = ["period (s)", *(f"{name.replace('_', ' ')} (V^2)" for name in names), "closed"]
    note = "span: squared distance of the parameters between two changes of the task; error: mean square of the output"
    if "conductance" in group:
        note += "; conductances count as the voltages of their capacitors"
    return Sheet("Cycles in which learning ends", columns, table, note=note)


def compute_cycle_metrics(group: Group) -> dict[str, float]:
    """Return the smallest and largest span and error of closed cycles, and factors to measured ones."""
    closed = group["closed"].data.astype(bool)
    found = {"cycles/closed": float(closed.mean())}
    for name in ("span", "error"):
        good = group[name].data[closed]
        found |= {
            f"cycles/{name}_least": float(good.min(initial=np.inf)),
            f"cycles/{name}_most": float(good.max(initial=-np.inf)),
        }
        if f"{name}_factor" in group:
            found[f"cycles/{name}_factor"] = float(group[f"{name}_factor"].data)
    return found
