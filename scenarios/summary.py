"""The answer in words and tables, read from a result file and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from substrate.protocol import Status

from .store import Result

_CAUSES = {
    "asymmetry": (
        "Feedback asymmetry",
        "better matched feedback devices; a smaller nudge will not help",
    ),
    "finite_nudge": ("The finite nudge", "a smaller beta or a scheme of higher order (centred, circle)"),
    "settling": (
        "Incomplete settling",
        "a longer settling: a smaller tolerance or more steps (dynamics.free, .nudged)",
    ),
}
_NEGLIGIBLE = 1e-6


def show(result: Result, console: Console) -> None:
    """Print the answer of a run."""
    if "gradient" in result.groups:
        _show_signal(result, console)
        _show_ledger(result, console)
        console.print(sentence(result), soft_wrap=True)
        console.print(unsettled(result["gradient"]["status"].data), soft_wrap=True)
    if "settling" in result.groups:
        _show_settling(result, console)


def sentence(result: Result) -> str:
    """Return the sentence that says which cause of error dominates under the best scheme, and what would help."""
    ledger, gradient = result["ledger"], result["gradient"]
    relative, layers, terms = ledger["relative"].data, ledger["layer"].data, list(ledger["term"].data)
    if not np.isfinite(relative).any():
        return "No sample settled, so there is no gradient to judge: see the statuses below."
    best = int(np.nanargmin(np.max(np.sum(relative**2, axis=2), axis=1)))
    k, t = (int(i) for i in np.unravel_index(np.nanargmax(relative[best]), relative[best].shape))
    if relative[best, k, t] < _NEGLIGIBLE:
        return f"No cause of error matters: with {ledger['scheme'].data[best]} all are below {_percent(_NEGLIGIBLE)}."
    name, remedy = _CAUSES[terms[t]]
    others = [f"{_CAUSES[c][0].lower()} {_percent(relative[best, k, i])}" for i, c in enumerate(terms) if i != t]
    return (
        f"{name} dominates: with {ledger['scheme'].data[best]} it makes an error of {_percent(relative[best, k, t])} "
        f"of the exact gradient in layer {layers[k]} (cosine {gradient['cosine'].data[best, k]:.4f}), against "
        f"{' and '.join(others)}. What would help: {remedy}."
    )


def unsettled(status: NDArray[np.int64]) -> str:
    """Return how many samples were not counted, why, and the knob to turn; status is (scheme, sample)."""
    worst = status.max(axis=0)
    counts = Counter(Status(int(value)) for value in worst if value != Status.SETTLED)
    if not counts:
        return f"All {len(worst)} samples settled."
    reasons = "; ".join(f"{n} {s.words} ({s.advice})" for s, n in sorted(counts.items()))
    return f"Not counted: {sum(counts.values())} of {len(worst)} samples, {reasons}."


def _show_signal(result: Result, console: Console) -> None:
    signal = result["signal"]
    table = Table("layer", "activity", "exact dL/d drive", title="Signal levels, rms per unit (state units)", box=None)
    betas = signal["beta"].data
    shown = dict.fromkeys((int(betas.argmin()), int(betas.argmax())))
    for s in shown:
        table.add_column(f"to be read at beta {betas[s]:g}", justify="right")
    for k, layer in enumerate(signal["layer"].data):
        evoked = [f"{signal['evoked'].data[s, k]:.2e}" for s in shown]
        table.add_row(str(layer), f"{signal['activity'].data[k]:.3f}", f"{signal['delta'].data[k]:.2e}", *evoked)
    console.print(table)
    console.print()


def _show_ledger(result: Result, console: Console) -> None:
    ledger, gradient = result["ledger"], result["gradient"]
    table = Table(title="Error of each cause, in % of the exact gradient (rms over settled samples)", box=None)
    for column in ("scheme", "layer"):
        table.add_column(column)
    for column in ("cosine", "norm ratio", "asymmetry", "finite nudge", "settling", "matching rule"):
        table.add_column(column, justify="right")
    for s, scheme in enumerate(ledger["scheme"].data):
        for k, layer in enumerate(ledger["layer"].data):
            table.add_row(
                str(scheme) if k == 0 else "",
                str(layer),
                f"{gradient['cosine'].data[s, k]:.4f}",
                f"{gradient['norm_ratio'].data[s, k]:.3f}",
                *(_percent(value) for value in ledger["relative"].data[s, k]),
                f"{gradient['cosine_matching_rule'].data[k]:.4f}",
            )
    console.print(table)
    console.print("cosine: to the exact gradient; matching rule: cosine to expect from chips of this spread")
    console.print()


def _show_settling(result: Result, console: Console) -> None:
    group = result["settling"]
    table = Table("settling", title="Settling of the recorded samples", box=None)
    table.add_column("steps", justify="right")
    table.add_column("status")
    for k, phase in enumerate(group["phase"].data):
        counts = Counter(Status(int(value)) for value in group["status"].data[k])
        words = ", ".join(f"{n} {status.words}" for status, n in sorted(counts.items()))
        steps = group["steps"].data[k]
        table.add_row(str(phase), f"{steps.min()} to {steps.max()}", words)
    console.print(table)
    for status in sorted({Status(int(value)) for value in group["status"].data.ravel()} - {Status.SETTLED}):
        console.print(f"{status.words}: {status.advice}", soft_wrap=True)


def _percent(value: float) -> str:
    return f"{100.0 * value:.3g} %"
