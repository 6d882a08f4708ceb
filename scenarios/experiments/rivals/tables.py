"""From trainings to the labelled arrays of a result file, and what they say together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...build import Setup
from ...results.statistics import compute_interval
from ...results.store import Group, Variable
from .checkpoint import NOTHING, Entry
from .plan import CompareRivals
from .run import list_places

Array = NDArray[np.float64]

_DIMS = ("place", "rival", "chip")

_WORDS = {
    "loss": "mean cost of the test samples after the training",
    "error": "share of wrong classes of the test samples",
    "square_bias": "squared error of the mean estimate of one batch before training, relative to the exact gradient, "
    "less what the scatter explains on average",
    "scatter": "standard deviation of one such estimate, relative to the exact gradient",
    "per_batch": "settlings of one batch",
    "rate": "learning rate",
    "batches": "batches that the budget paid",
    "diverged": "whether the training diverged",
    "settlings": "settlings of one sample",
    "settled_time": "time spent settling",
    "elapsed": "time of settlings, reads and writes, one after the other",
    "reads": "real reads of all units",
    "outputs_read": "real reads of outputs alone",
    "writes": "programming events",
    "pulses": "cells stepped",
    "macs": "multiply-adds of the controller to find errors",
    "energy": "energy",
}
_SPENT = ("settlings", "settled_time", "elapsed", "reads", "outputs_read", "writes", "pulses", "macs", "energy")
_UNITS = {"settled_time": "tau", "elapsed": "tau", "energy": "J"}


def make_rival_group(setup: Setup, plan: CompareRivals, entries: dict[tuple[int, int, int], Entry]) -> Group:
    """Return what every rival reached on every chip, what it spent, and what its estimates were before."""
    places, shape = list_places(plan, setup), (len(list_places(plan, setup)), len(plan.rivals), plan.chips)
    data = {name: np.full(shape, np.nan) for name in _WORDS}
    for place in np.ndindex(shape):
        entry = entries.get((place[0], place[1], place[2]), NOTHING)
        row = {**entry._asdict(), **entry.spent._asdict(), "diverged": float(bool(entry.failure))}
        for name, values in data.items():
            values[place] = row[name]
    data["loss"][data["diverged"] > 0.0] = np.nan
    first = setup.fabrication.instance
    group: Group = {
        "rival": Variable(("rival",), np.array([rival.label for rival in plan.rivals]), long_name="way to train"),
        "mismatch": Variable(("place",), np.array([p.mismatch for p in places]), long_name="spread of all cells"),
        "read_noise": Variable(("place",), np.array([p.read_noise for p in places]), long_name="noise of a read"),
        "chip": Variable(("chip",), np.arange(first, first + plan.chips), long_name="fabricated chip"),
        "scratch": Variable(
            ("rival",),
            np.array([rival.start == "scratch" for rival in plan.rivals]),
            long_name="starts from the initial parameters",
        ),
        "estimates": Variable((), plan.estimates, long_name="estimates that bias and scatter are told from"),
        "budget": Variable((), describe_budget(plan), long_name="what every rival may spend on a chip"),
    }
    if setup.scenario.tau is not None and data["elapsed"].any():
        seconds = data["elapsed"] * setup.scenario.tau
        group["seconds"] = Variable(_DIMS, seconds, "s", _WORDS["elapsed"])
    group |= {n: Variable(_DIMS, v, _UNITS.get(n, "1"), _WORDS[n]) for n, v in data.items()}
    verdict = judge_rivals(data["loss"])
    group["best"] = Variable(
        ("place",), verdict.best, long_name="place of the rival with the lowest mean loss; -1: none"
    )
    group["tied"] = Variable(("place", "rival"), verdict.tied, long_name="not told apart from the best")
    for name, values in zip(("mean", "low", "high"), verdict.interval, strict=False):
        words = "mean loss over chips" if name == "mean" else f"{name} end of its 95 % interval"
        group[f"loss_{name}"] = Variable(("place", "rival"), values, long_name=words)
    return group


class Verdict(NamedTuple):
    """Which rival is best at every place."""

    best: NDArray[np.int64]
    tied: NDArray[np.bool_]
    """Whether the 95 % interval of its difference to the best, chip by chip, holds 0; the best itself is tied."""

    interval: tuple[Array, Array, Array]
    """Mean loss, and the ends of its 95 % interval, (place, rival)."""


def judge_rivals(loss: Array) -> Verdict:
    """Return the verdict on losses (place, rival, chip); NaN of a training that diverged.

    A rival that diverged on some chip is never the best, nor tied, while another one did not.
    """
    whole = compute_interval(loss)
    complete = whole.chips == loss.shape[2]
    ranked = np.where(complete | ~complete.any(axis=1, keepdims=True), whole.mean, np.inf)
    ranked = np.where(np.isnan(ranked), np.inf, ranked)
    best = np.where(np.isfinite(ranked).any(axis=1), ranked.argmin(axis=1), -1)
    tied = np.zeros(loss.shape[:2], dtype=bool)
    for p, b in enumerate(best):
        if b >= 0:
            low = compute_interval(loss[p] - loss[p, b]).low
            tied[p] = np.isfinite(ranked[p]) & (low <= 0.0)
            tied[p, b] = True
    return Verdict(best.astype(np.int64), tied, (whole.mean, whole.low, whole.high))


class Forecast(NamedTuple):
    """What the law of averages says of every rival at one place, (rival,)."""

    bias: Array
    """Bias; 0 where its square is below twice what the scatter makes of it by chance, at most."""

    hidden: NDArray[np.bool_]
    """Whether it is 0 for that reason."""

    scatter: Array

    batches: Array
    """Batches that the budget pays."""

    cost: Array
    """Settlings of one batch."""

    one: Array
    """Error of one estimate of a batch, relative to the exact gradient: ``sqrt(bias^2 + scatter^2)``."""

    averaged: Array
    """Error of the mean over all batches that the budget pays: ``sqrt(bias^2 + scatter^2 / K)``."""

    overtakes: Array
    """Settlings from which its error is below that of the rival that is best at one batch, whose own number is 0; inf:
    never, NaN: it does not start from scratch."""


def forecast_rivals(group: Group, place: int) -> Forecast:
    """Return what bias and scatter before the training say, averaged over chips.

    Averages divide only the scatter: ``error^2 = bias^2 + scatter^2 s / S`` after `S` settlings with `s` of one batch.
    """
    scatter, cost, batches = (_mean(group, name, place) for name in ("scatter", "per_batch", "batches"))
    square = _mean(group, "square_bias", place)
    chance = np.sqrt(2.0 / len(group["chip"].data)) * scatter**2 / float(group["estimates"].data)
    hidden = ~(np.nan_to_num(square) > 2.0 * np.nan_to_num(chance))
    bias = np.where(np.isfinite(square), np.sqrt(np.where(hidden, 0.0, np.nan_to_num(square))), np.nan)
    one = np.hypot(bias, scatter)
    averaged = np.sqrt(bias**2 + scatter**2 / np.maximum(batches, 1.0))
    # A start from other parameters has another gradient: errors relative to it are not compared.
    alike = np.isfinite(one) & group["scratch"].data
    if not alike.any():
        return Forecast(bias, hidden, scatter, batches, cost, one, averaged, np.full_like(one, np.nan))
    first = int(np.argmin(np.where(alike, one, np.inf)))
    gained, lacking = bias[first] ** 2 - bias**2, scatter**2 * cost - scatter[first] ** 2 * cost[first]
    with np.errstate(divide="ignore", invalid="ignore"):
        overtakes = np.where(gained > 0.0, lacking / gained, np.inf)
    overtakes = np.where(alike, overtakes, np.nan)
    overtakes[first] = 0.0
    return Forecast(bias, hidden, scatter, batches, cost, one, averaged, overtakes)


def _mean(group: Group, name: str, place: int) -> Array:
    """Return means over chips; NaN for a rival that learns nothing."""
    values = group[name].data[place]
    return np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in values])


def describe_budget(plan: CompareRivals) -> str:
    """Return the limits of a budget in words."""
    limits = [(getattr(plan.budget, name), name) for name in type(plan.budget).model_fields]
    units = {"joules": "J", "time": "tau"}
    return " and ".join(
        f"{value:g} {units[name]}" if name in units else f"{value:,} {name}" for value, name in limits if value
    )


def list_spent(group: Group) -> list[str]:
    """Return the names of the amounts that any rival spent."""
    names = [name for name in (*_SPENT, "seconds") if name in group and np.nan_to_num(group[name].data).any()]
    alike = np.array_equal(group["elapsed"].data, group["settled_time"].data, equal_nan=True)
    return [name for name in names if name != ("elapsed" if alike else "settled_time")]
