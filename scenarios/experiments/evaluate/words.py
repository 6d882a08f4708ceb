"""What fabricated chips reach, in a sentence, a table and numbers."""

from __future__ import annotations

import math

import numpy as np

from ...drawing.sheet import KeyNumber, Sheet
from ...results.statistics import compute_interval
from ...results.store import Group
from ...results.views import format_fixed, format_number, format_percent, format_share


def describe_sample_kind(evaluate: Group) -> str:
    """Return the kind of the samples in a group `evaluate`, in words."""
    return "training" if "training_samples" in evaluate and bool(evaluate["training_samples"].data) else "test"


def describe_chips(group: Group) -> str:
    """Return the error on average and of the worst chip."""
    value, chips = group["error"].data, group["chip"].data
    part = describe_sample_kind(group)
    what, show = "error", format_percent
    if not np.isfinite(value).any():
        value, what, show = group["loss"].data, "loss", format_number
    good = value[np.isfinite(value)]
    if not good.size:
        return f"None of {len(chips)} chips settled, so there is no error to judge."
    if len(chips) == 1:
        return f"Chip {chips[0]} has a {part} {what} of {show(good[0])}{_moving(group)}."
    spread = f", standard deviation {show(float(good.std(ddof=1)))}" if good.size > 1 else ""
    worst = int(np.nanargmax(value))
    failed = f"; {len(value) - good.size} chips gave no number" if good.size < len(value) else ""
    return (
        f"The {part} {what} is {show(float(good.mean()))} on average over {good.size} chips{spread}; the worst, chip "
        f"{chips[worst]}, has {show(value[worst])}{failed}{_moving(group)}."
    )


def list_evaluate_numbers(group: Group) -> list[KeyNumber]:
    """Return the mean with its interval and the worst of the chips, and the samples that did not settle."""
    name, show = ("error", format_percent) if np.isfinite(group["error"].data).any() else ("loss", format_number)
    value, what = group[name].data, f"{describe_sample_kind(group)} {name}"
    found, n = compute_interval(value), int(np.isfinite(value).sum())
    interval = f", 95 % interval {show(float(found.low))} to {show(float(found.high))}" if n > 1 else ""
    worst, moving = int(np.nanargmax(value)), float(np.nanmean(group["unsettled"].data))
    return [
        KeyNumber(show(float(found.mean)), f"mean {what}{interval}, n = {n} chips"),
        KeyNumber(show(float(value[worst])), f"{what} of the worst chip, {group['chip'].data[worst]}"),
        KeyNumber(format_percent(moving), f"{describe_sample_kind(group)} samples that did not settle"),
    ]


def _moving(group: Group) -> str:
    """Return the share of samples that did not settle, behind what is said of all; nothing where all did."""
    moving = float(np.nanmean(group["unsettled"].data)) if "unsettled" in group else 0.0
    return (
        f"; {format_percent(moving)} of the samples did not settle, and are judged by where they were" if moving else ""
    )


def make_chips_sheet(group: Group) -> Sheet:
    """Return the figures of every chip."""
    rows = [
        [
            str(chip),
            format_fixed(group["loss"].data[i], 4),
            format_share(group["error"].data[i]),
            format_share(group["unsettled"].data[i]),
        ]
        for i, chip in enumerate(group["chip"].data)
    ]
    return Sheet(
        f"{describe_sample_kind(group).capitalize()} samples on every chip",
        ["chip", "loss", "error", "unsettled"],
        rows,
    )


def compute_chip_metrics(group: Group) -> dict[str, float]:
    """Return mean, spread and worst of every figure, over chips that have a number."""
    found = {"evaluate/chips": float(len(group["chip"].data))}
    for name in ("loss", "error", "unsettled"):
        good = group[name].data[np.isfinite(group[name].data)]
        found[f"evaluate/{name}_mean"] = float(good.mean()) if good.size else math.nan
        found[f"evaluate/{name}_std"] = float(good.std(ddof=1)) if good.size > 1 else math.nan
        found[f"evaluate/{name}_worst"] = float(good.max()) if good.size else math.nan
    return found
