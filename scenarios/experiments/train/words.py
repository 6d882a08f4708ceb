"""What a training says: how far it came, and what has to be said beside."""

from __future__ import annotations

import numpy as np

from ...results.store import Result
from ...results.views import latest, measured_epochs, number, percent
from ..measure.words import floor, on_the_way, sentence
from ..remarks import audited, clipped, left

_DIVERGED_ADVICE = (
    "a smaller learning.optimiser.rate or, when settlings diverge, a smaller dynamics.dt or beta (learning.scheme)"
)


def training_sentence(result: Result) -> str:
    """Return what the training reached, or why it diverged."""
    return _divergence(result) if result.attributes.get("status") == "diverged" else _training(result)


def training_remarks(result: Result) -> list[str]:
    """Return what the gradients were like at the last measured epoch, and what was not counted."""
    last, epochs = latest(result), measured_epochs(result)
    if "gradient" not in last.groups:
        return [*audited(last), *clipped(last)]
    missed = int(last["ledger"]["unsettled"].data.max())
    counted = [f"Not counted there: {missed} samples that did not settle or have no rest point."] if missed else []
    failure = result.attributes.get("reference_failure")
    reference = [f"The training with exact gradients diverged: {failure}."] if failure else []
    told = [f"After epoch {epochs[-1]}: {sentence(last)}", *floor(last["ledger"]), *on_the_way(last)]
    return [*told, *counted, *left(last), *reference, *audited(last), *clipped(last)]


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
