"""The tables of a comparison of rules: what was reached, what was spent, what single estimates said before."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import Sheet
from ...results.store import Group
from ...results.views import format_fixed, format_percent, format_share
from .tables import forecast_rivals, list_spent

_COLUMNS = {
    "settlings": "settlings",
    "settled_time": "settled (tau)",
    "elapsed": "time (tau)",
    "seconds": "time (s)",
    "reads": "reads",
    "outputs_read": "output reads",
    "writes": "writes",
    "pulses": "pulses",
    "macs": "digital MACs",
    "energy": "joules",
}


def make_map_sheet(group: Group) -> Sheet:
    """Return the loss of every rival at every place, with its interval, and which are best."""
    rows = []
    for p, r in product(range(len(group["mismatch"].data)), range(len(group["rival"].data))):
        mean, low, high = (float(group[f"loss_{end}"].data[p, r]) for end in ("mean", "low", "high"))
        best = int(group["best"].data[p]) == r
        error = group["error"].data[p, r]
        rows.append(
            [
                *(_name_place(group, p) if r == 0 else ["", ""]),
                str(group["rival"].data[r]),
                _format_rate(group["rate"].data[p, r]),
                format_fixed(mean, 4),
                f"{format_fixed(low, 4)} to {format_fixed(high, 4)}" if np.isfinite(low) else "-",
                format_share(float(error[np.isfinite(error)].mean())) if np.isfinite(error).any() else "-",
                "best" if best else "tied" if group["tied"].data[p, r] else "",
            ]
        )
    return Sheet(
        f"Test loss after {group['budget'].data}, mean over {len(group['chip'].data)} chips",
        ["mismatch", "read noise", "rule", "rate", "loss", "95 % interval", "error", ""],
        rows,
        words=3,
        note="tied: the 95 % interval of the difference to the best, chip by chip, holds 0; chips without spread and "
        "noise are alike but for drawn probes",
    )


def make_account_sheet(group: Group) -> Sheet:
    """Return what every rival spent on one chip, mean over chips and places."""
    names = list_spent(group)
    rows = []
    for r, rival in enumerate(group["rival"].data):
        spent = [np.nanmean(group[name].data[:, r]) for name in names]
        rows.append([str(rival), f"{np.nanmean(group['batches'].data[:, r]):,.0f}", *map(_format_amount, spent)])
    return Sheet(
        "Account of one chip, mean over chips and places",
        ["rule", "batches", *(_COLUMNS[name] for name in names)],
        rows,
        words=1,
        note="digital MACs: multiply-adds that find errors; training in silico and tests cost the chip nothing",
    )


def make_forecast_sheet(group: Group) -> Sheet:
    """Return what single estimates say of the rules, and what is left of that after the averages of a training."""
    rows = []
    for p in range(len(group["mismatch"].data)):
        forecast = forecast_rivals(group, p)
        for r, rival in enumerate(group["rival"].data):
            if not np.isfinite(forecast.one[r]):
                continue
            shown = ["not seen" if forecast.hidden[r] else format_percent(float(forecast.bias[r]))]
            shown += [format_percent(float(v[r])) for v in (forecast.scatter, forecast.one, forecast.averaged)]
            place = _name_place(group, p)
            rows.append([*place, str(rival), *shown, _format_break_even(float(forecast.overtakes[r]))])
    return Sheet(
        "Error of the gradient before training, in % of the exact one, and what averages leave",
        ["mismatch", "read noise", "rule", "bias", "scatter", "one batch", "all batches", "overtakes after"],
        rows,
        words=3,
        note="not seen: less than the scatter may make of it by chance; all batches: "
        "sqrt(bias^2 + scatter^2 / K) for the K batches of the budget; overtakes after: settlings from which its error "
        "is below that of the rule that is best at one batch, by the same law",
    )


def _format_rate(rates: NDArray[np.float64]) -> str:
    """Return the rate that all chips of a kind have; that of a rival that learns nothing is none."""
    return f"{rates[0]:g}" if np.isfinite(rates[0]) else "-"


def _name_place(group: Group, p: int) -> list[str]:
    return [format_percent(float(group["mismatch"].data[p])), f"{group['read_noise'].data[p]:g}"]


def _format_break_even(value: float) -> str:
    if np.isnan(value):
        return "-"
    if value == 0.0:
        return "best at one"
    return "never" if np.isinf(value) else f"{value:,.0f}"


def _format_amount(value: float) -> str:
    return f"{value:,.0f}" if value == 0.0 or value >= 1.0 else f"{value:.3g}"
