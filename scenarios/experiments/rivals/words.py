"""What a comparison of rules says in words."""

from __future__ import annotations

import itertools

import numpy as np

from ...drawing.sheet import KeyNumber
from ...results.store import Group
from ...results.views import format_number, format_percent
from .tables import forecast_rivals


def describe_rivals(group: Group) -> str:
    """Return which rule is best at every place of the map, at this budget, and which are not told apart from it."""
    chips, places = len(group["chip"].data), range(len(group["mismatch"].data))
    found = "; ".join(_describe_place(group, p) for p in places)
    return f"On {chips} chips of every kind, at a budget of {group['budget'].data} for each: {found}."


def _describe_place(group: Group, p: int) -> str:
    where, best = describe_kind(group, p), int(group["best"].data[p])
    if best < 0:
        return f"{where} no training gave a number"
    names, ends = group["rival"].data, [group[f"loss_{end}"].data[p, best] for end in ("mean", "low", "high")]
    loss, low, high = (format_number(float(value)) for value in ends)
    tied = [str(name) for r, name in enumerate(names) if group["tied"].data[p, r] and r != best]
    head = f"{where} {names[best]} has the lowest test loss, {loss} (95 % interval {low} to {high})"
    return f"{head}, tied with {' and '.join(tied)}" if tied else f"{head}, and no other is tied with it"


_RANKS = ("lowest", "second lowest", "third lowest")


def list_rivals_numbers(group: Group) -> list[KeyNumber]:
    """Return the lowest test loss at three places of the map; where there are fewer, the next ones, too."""
    found, chips = [], len(group["chip"].data)
    places = np.unique(np.linspace(0, len(group["mismatch"].data) - 1, 3).round().astype(int))
    for rank, p in itertools.product(_RANKS, places):
        order = [k for k in np.argsort(group["loss_mean"].data[p]) if np.isfinite(group["loss_mean"].data[p, k])]
        if len(order) <= _RANKS.index(rank):
            continue
        k = int(order[_RANKS.index(rank)])
        loss, low, high = (format_number(float(group[f"loss_{end}"].data[p, k])) for end in ("mean", "low", "high"))
        told = f"{rank} test loss {describe_kind(group, p)}, by {group['rival'].data[k]}"
        interval = f", 95 % interval {low} to {high}" if low != "-" else ""
        found.append(KeyNumber(loss, f"{told}{interval}, n = {chips} chips"))
    return found[:3]


def describe_kind(group: Group, p: int) -> str:
    """Return the kind of chip at a place of the map."""
    mismatch, noise = float(group["mismatch"].data[p]), float(group["read_noise"].data[p])
    return f"with mismatch {format_percent(mismatch)} and read noise {noise:g}"


def describe_rival_remarks(group: Group) -> list[str]:
    """Return where single estimates and trainings rank rules differently, and which trainings diverged."""
    found = [text for p in range(len(group["mismatch"].data)) if (text := _compare_rankings(group, p))]
    diverged = group["diverged"].data.sum(axis=(0, 2))
    lost = [f"{name} {int(n)}" for name, n in zip(group["rival"].data, diverged, strict=True) if n > 0]
    if lost:
        found.append(f"Trainings that diverged, and count as no number: {', '.join(lost)}. A smaller rate would help.")
    return found


def _compare_rankings(group: Group, p: int) -> str:
    """Return what averaging changed in the order of the rules that learn at a place; empty where it changed nothing."""
    forecast, loss = forecast_rivals(group, p), group["loss_mean"].data[p]
    learns = np.isfinite(forecast.overtakes + forecast.one) | np.isposinf(forecast.overtakes)
    learns &= np.isfinite(loss)
    if not learns.any():
        return ""
    names, first = group["rival"].data, int(np.argmin(np.where(learns, forecast.one, np.inf)))
    better = learns & (loss < loss[first]) & (forecast.one > 2.0 * forecast.one[first])
    if not better.any():
        return ""
    explained = better & (forecast.averaged < 2.0 * forecast.averaged[first])
    other = int(np.argmax(np.where(explained if explained.any() else better, forecast.one, -np.inf)))
    single = [format_percent(float(forecast.one[r])) for r in (other, first)]
    mean = " and ".join(format_percent(float(forecast.averaged[r])) for r in (other, first))
    why = f"averages over the batches of the budget divide the scatter alone, and leave {mean}"
    if not explained.any():
        why = f"averages leave {mean} and do not explain it, so that rates, or what the training itself changes, must"
    return (
        f"{describe_kind(group, p).capitalize()} one estimate of {names[other]} has an error of {single[0]} before "
        f"training, one of {names[first]} {single[1]}, and yet {names[other]} trains to a lower loss: {why}."
    )
