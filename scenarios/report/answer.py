"""The answer in sentences, read from a result and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Status, has_settled

from ..experiments.measure.alarm_words import alarm_words, alarms
from ..experiments.measure.words import floor, on_the_way, sentence
from ..experiments.nudge.words import nudge_remarks
from ..results.store import Group, Result
from ..results.views import latest, measured_epochs, number, percent, samples_of
from .cells import cut, unreached

_DIVERGED_ADVICE = (
    "a smaller learning.optimiser.rate or, when settlings diverge, a smaller dynamics.dt or beta (learning.scheme)"
)


def answer(result: Result) -> str:
    """Return the one sentence a reader should take home, behind the alarms that it has to be read with."""
    return " ".join([*alarm_words(alarms(result)), _answer(result)])


def _answer(result: Result) -> str:
    if diverged(result):
        return _divergence(result)
    words: dict[str, Callable[[], str]] = {
        "metrics": lambda: _training(result),
        "evaluate": lambda: _chips(result["evaluate"]),
        "gradient": lambda: sentence(result),
        "nudge": lambda: str(result["nudge"]["answer"].data),
        "settling": lambda: _settling(result["settling"]),
    }
    return next((say() for group, say in words.items() if group in result.groups), "This result holds no experiment.")


def remarks(result: Result) -> list[str]:
    """Return what else has to be said: samples that were not counted, weights that cells do not hold, requests cut."""
    return [*_remarks(result), *unreached(result), *cut(latest(result))]


def _remarks(result: Result) -> list[str]:
    last, epochs = latest(result), measured_epochs(result)
    if "nudge" in last.groups:
        return nudge_remarks(last["nudge"])
    if "gradient" not in last.groups:
        return [*_audited(last), *_clipped(last)]
    if not epochs:
        gradient = last["gradient"]
        schemes = [str(label) for label in gradient["scheme"].data]
        left_out = unsettled(gradient["status"].data, gradient["kept"].data, schemes)
        return [*floor(last["ledger"]), *on_the_way(last), left_out, *_left(last), *_audited(last), *_clipped(last)]
    missed = int(last["ledger"]["unsettled"].data.max())
    counted = [f"Not counted there: {missed} samples that did not settle or have no rest point."] if missed else []
    failure = result.attributes.get("reference_failure")
    reference = [f"The training with exact gradients diverged: {failure}."] if failure else []
    told = [f"After epoch {epochs[-1]}: {sentence(last)}", *floor(last["ledger"]), *on_the_way(last)]
    return [*told, *counted, *_left(last), *reference, *_audited(last), *_clipped(last)]


def _left(last: Result) -> list[str]:
    """Return how many samples rest at a point that a chip leaves at the slightest push, if any do."""
    marks = last["gradient"].get("left")
    # The groups of an epoch of a training have no samples.
    if marks is None or not marks.data.any():
        return []
    words = "rest at a point that a chip leaves at the slightest push (an eigenvalue above 0)"
    return [f"{np.count_nonzero(marks.data)} of {len(marks.data)} samples {words}: no real chip has their gradients."]


def _audited(last: Result) -> list[str]:
    """Return what the audits of the equilibrium mode found, if there were any; those of all epochs together."""
    group, prefix = last.groups.get("audit"), ""
    if group is None:
        group, prefix = last.groups.get("metrics", {}), "audit_"
    if f"{prefix}checked" not in group:
        return []
    checked, elsewhere = (int(group[f"{prefix}{name}"].data.sum()) for name in ("checked", "elsewhere"))
    if checked == 0:
        return []
    words = f"Audit: {elsewhere} of {checked} settlings rest at another point when they are followed in time"
    return [f'{words}: use dynamics.mode = "trajectory".' if elsewhere else f"{words}."]


def _clipped(last: Result) -> list[str]:
    """Return how often the readout converter met a value outside its range, if it ever did."""
    share, metrics = 0.0, last.groups.get("metrics", {})
    if "readout" in last.groups:
        share = float(last["readout"]["clipped"].data) / max(1, int(last["readout"]["conversions"].data))
    elif "clipped" in metrics:
        share = float(metrics["clipped"].data[-1])
    words = f"Readout: {percent(share)} of the conversions were outside the range of the converter"
    return [f"{words}: widen devices.converters.readout."] if share else []


def diverged(result: Result) -> bool:
    """Return whether a training ended early."""
    return result.attributes.get("status") == "diverged"


def unsettled(status: NDArray[np.int64], kept: NDArray[np.bool_], schemes: Sequence[str] = ()) -> str:
    """Return how many samples were not counted, why, under which scheme, and the knob to turn.

    Status and kept are (scheme, sample); `schemes` are the labels, (scheme,).
    """
    worst, counted = status.max(axis=0), np.asarray(kept.any(axis=0))
    counts = Counter(Status(int(value)) for value in worst[~counted & ~has_settled(worst)])
    reasons = [_reasons(counts)] if counts else []
    alone = int(np.count_nonzero(~counted)) - sum(counts.values())
    if alone:
        reasons.append(f"{alone} settled, but no rest point was found to compare with")
    moving = int(np.count_nonzero(~has_settled(worst[counted])))
    still = f"{moving} samples were still moving when their time was over; what is missing is the settling error. "
    if not reasons:
        return f"{still}All {len(worst)} are counted." if moving else f"All {len(worst)} samples settled."
    missed = int(np.count_nonzero(~counted))
    return (
        f"{still * (moving > 0)}Not counted: {missed} of {len(worst)} samples, {'; '.join(reasons)}."
        f"{_under(status, counted, schemes)}"
    )


def _under(status: NDArray[np.int64], counted: NDArray[np.bool_], schemes: Sequence[str]) -> str:
    """Return under which of several schemes the samples failed that no scheme counts."""
    failed = np.count_nonzero(~has_settled(status[:, ~counted]), axis=1)
    if len(schemes) < 2 or not failed.any():
        return ""
    listed = ", ".join(f"{count} under {name}" for name, count in zip(schemes, failed, strict=True) if count)
    return f" Of these failed: {listed}; all schemes are judged by the samples that every one can measure."


def _reasons(counts: Counter[Status]) -> str:
    return "; ".join(f"{n} {s.words} ({s.advice})" for s, n in sorted(counts.items()))


def _divergence(result: Result) -> str:
    reason = str(result.attributes.get("reason", "the state is not finite")).rstrip(".")
    epoch = result.attributes.get("last_epoch", 0)
    return f"Training diverged in epoch {epoch}: {reason}. What would help: {_DIVERGED_ADVICE}."


def _training(result: Result) -> str:
    group, exact = result["metrics"], result.groups.get("metrics_exact")
    epochs, name, what, show = int(group["epoch"].data[-1]), "error_test", "test error", percent
    figures = {"error_test": percent, "loss_test": number, "error_train": percent, "loss_train": number}
    name = next((key for key in figures if np.isfinite(group[key].data).any()), name)
    what, show = " ".join(reversed(name.split("_"))).replace("train ", "training "), figures[name]
    value = group[name].data
    known = value[np.isfinite(value)]
    # Means over the samples of an epoch exist from the first one on.
    begin = "" if np.isfinite(value[0]) else " (mean over the first)"
    if not known.size:
        return f"{epochs} epochs were trained, but no sample gave a number."
    text = f"{epochs} {'epoch' if epochs == 1 else 'epochs'} took the {what} from {show(known[0])}{begin} to "
    text += show(value[-1])
    if np.isfinite(value).any() and np.nanmin(value) < value[-1]:
        best = int(np.nanargmin(value))
        text += f" (best: {show(value[best])} after epoch {group['epoch'].data[best]})"
    if exact:
        text += f"; the same training with exact gradients reaches {show(exact[name].data[-1])}"
    return f"{text}."


def _chips(group: Group) -> str:
    value, chips = group["error"].data, group["chip"].data
    part = samples_of(group)
    what, show = "error", percent
    if not np.isfinite(value).any():
        value, what, show = group["loss"].data, "loss", number
    good = value[np.isfinite(value)]
    if not good.size:
        return f"None of {len(chips)} chips settled, so there is no error to judge."
    if len(chips) == 1:
        return f"Chip {chips[0]} has a {part} {what} of {show(good[0])}."
    spread = f", standard deviation {show(float(good.std(ddof=1)))}" if good.size > 1 else ""
    worst = int(np.nanargmax(value))
    failed = f"; {len(value) - good.size} chips gave no number" if good.size < len(value) else ""
    return (
        f"The {part} {what} is {show(float(good.mean()))} on average over {good.size} chips{spread}; the worst, chip "
        f"{chips[worst]}, has {show(value[worst])}{failed}."
    )


def _settling(group: Group) -> str:
    status, steps = group["status"].data, group["steps"].data
    counts = Counter(Status(int(value)) for value in status[~has_settled(status)])
    if counts:
        return f"{sum(counts.values())} of {status.size} recorded settlings did not settle: {_reasons(counts)}."
    slowest = int(np.unravel_index(steps.argmax(), steps.shape)[0])
    return (
        f"All {status.size} recorded settlings settled; the slowest, {group['phase'].data[slowest]}, took "
        f"{steps.max()} steps."
    )
