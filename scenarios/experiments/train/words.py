"""What a training says: how far it came, and what has to be said beside."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import KeyNumber
from ...results.store import ResultData
from ...results.views import format_number, format_percent, format_share, list_measured_epochs, select_latest
from ..measure.words import (
    describe_asymmetry_parts,
    describe_goal_change,
    describe_largest_cause,
    describe_training_floor,
    describe_write_errors,
)
from ..nudge_size import describe_nudge_sizes
from ..remarks import describe_audits, describe_board_losses, describe_clipped_reads, describe_unstable_rests

_DIVERGED_ADVICE = (
    "a smaller learning.optimiser.rate or, when settlings diverge, a smaller dynamics.dt or beta (learning.scheme)"
)


def describe_training(result: ResultData) -> str:
    """Return what the training reached, or why it diverged."""
    return (
        _describe_divergence(result) if result.attributes.get("status") == "diverged" else _describe_final_error(result)
    )


def describe_training_remarks(result: ResultData) -> list[str]:
    """Return what the gradients were like at the last measured epoch, and what was not counted."""
    last, epochs = select_latest(result), list_measured_epochs(result)
    if "gradient" not in last.groups:
        beside = [*describe_audits(last), *describe_clipped_reads(last), *describe_board_losses(last)]
        return [*describe_nudge_sizes(last), *beside]
    missed = int(last["ledger"]["unsettled"].data.max())
    counted = [f"Not counted there: {missed} samples that did not settle or have no rest point."] if missed else []
    failure = result.attributes.get("reference_failure")
    reference = [f"The training with exact gradients diverged: {failure}."] if failure else []
    told = [
        f"After epoch {epochs[-1]}: {describe_largest_cause(last)}",
        *describe_asymmetry_parts(last),
        *describe_goal_change(last),
        *describe_training_floor(last),
        *describe_write_errors(last),
    ]
    return [
        *describe_nudge_sizes(last),
        *told,
        *counted,
        *describe_unstable_rests(last),
        *reference,
        *describe_audits(last),
        *describe_clipped_reads(last),
    ]


def list_train_numbers(result: ResultData) -> list[KeyNumber]:
    """Return test error or loss at the end, the cosine of the worst layer or the training loss, and the settlings."""
    group, told = result["metrics"], result.groups.get("provenance", {}).get("test_samples")
    n = 0 if told is None else int(told.data)
    error, epoch = float(group["error_test"].data[-1]), int(group["epoch"].data[-1])
    if np.isfinite(error):
        interval = ", 95 % interval {} to {}".format(*map(format_share, bound_share(error, n))) if n else ""
        first = KeyNumber(
            format_share(error), f"test error after epoch {epoch}{interval}{f', n = {n} samples' * (n > 0)}"
        )
    else:
        loss = format_number(float(group["loss_test"].data[-1]))
        first = KeyNumber(loss, f"test loss (cost per sample) after epoch {epoch}{f', n = {n} samples' * (n > 0)}")
    numbers, last = [first], select_latest(result)
    if "gradient" in last.groups and np.isfinite(last["gradient"]["cosine"].data[0]).any():
        cosine, epochs = last["gradient"]["cosine"].data[0], list_measured_epochs(result)
        k = int(np.nanargmin(cosine))
        where = f"layer {last['gradient']['layer'].data[k]} after epoch {epochs[-1]}"
        numbers.append(KeyNumber(f"{cosine[k]:.3f}", f"mean cosine to the exact gradient, the worst layer, {where}"))
    else:
        loss = format_number(float(group["loss_train"].data[-1]))
        numbers.append(KeyNumber(loss, f"training loss (cost per sample) in epoch {epoch}"))
    return [*numbers, KeyNumber(f"{int(group['settlings'].data[-1]):,}", "settlings of one sample that training took")]


def bound_share(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of so many samples."""
    z2 = 1.959964**2
    middle, half = share + z2 / (2 * n), np.sqrt(z2 * (share * (1.0 - share) / n + z2 / (4 * n * n)))
    return (middle - half) / (1.0 + z2 / n), (middle + half) / (1.0 + z2 / n)


def _describe_divergence(result: ResultData) -> str:
    reason = str(result.attributes.get("reason", "the state is not finite")).rstrip(".")
    epoch = result.attributes.get("last_epoch", 0)
    return f"Training diverged in epoch {epoch}: {reason}. What would help: {_DIVERGED_ADVICE}."


def _describe_final_error(result: ResultData) -> str:
    group, exact = result["metrics"], result.groups.get("metrics_exact")
    epochs, name, what, show = int(group["epoch"].data[-1]), "error_test", "test error", format_percent
    figures = {
        "error_test": format_percent,
        "loss_test": format_number,
        "error_train": format_percent,
        "loss_train": format_number,
    }
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
