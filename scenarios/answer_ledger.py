"""What a ledger says in words: the largest cause of error, the knob to turn, and the floor of a training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .store import Group, Result
from .views import percent

CAUSES = {
    "asymmetry": (
        "Feedback asymmetry",
        "better matched feedback devices; a smaller nudge will not help",
    ),
    "finite_nudge": ("The finite nudge", "a smaller beta or a scheme of higher order (centred, circle)"),
    "settling": (
        "Settling",
        "a longer settling: a smaller tolerance, more steps or a longer duration (dynamics.free, .nudged)",
    ),
    "precision": ("The precision", 'dynamics.precision = "double", or a larger beta'),
    "readout": (
        "The readout",
        "more bits or a smaller offset (devices.converters), a smaller pedestal (devices.hold), or a larger beta",
    ),
    "presynaptic": ("The presynaptic factor", 'a smaller beta, or the other choice of learning.presynaptic ("free")'),
    "noise": (
        "Noise",
        "longer averages (window of dynamics.free, .nudged), less noise (devices.noise), or a larger beta",
    ),
    "forgetting": (
        "Forgetting between writes",
        "cells that keep longer (devices.retention), a shorter interval, or a larger learning rate",
    ),
    "write": ("The write", 'smaller steps or rounding = "stochastic" (devices.update), or a larger learning rate'),
    "write_noise": ("The noise of writes", "less devices.update.write_noise, or a larger learning rate"),
}
"""Name of every term of the ledger, and what makes it smaller."""

_VECTOR_TERMS = ("asymmetry", "finite_nudge", "settling", "precision")
_DITHERED = "Readout and noise"
_KEEP_SYMMETRIC = (
    "a rule that keeps forward and feedback weights alike while they learn; without any spread of the devices the "
    "error would still be {share}"
)
_NEGLIGIBLE = 1e-6
_FLOOR_TERMS = ("precision", "readout", "noise")
"""Causes whose size does not fall with the error signal while a training converges."""

_FLOOR = 1e-3
"""Constants below this, relative to the exact gradient, are not named."""


class Culprit(NamedTuple):
    """The largest cause of error under the best scheme."""

    scheme: int
    layer: int
    cause: int
    """Place in `_VECTOR_TERMS`, or one beyond: readout and noise together."""

    typical: NDArray[np.float64]
    """Error of every cause for the median sample, relative, (causes,)."""

    relative: NDArray[np.float64]
    """The same, rms."""


def sentence(result: Result) -> str:
    """Return the sentence that says which cause of error dominates under the best scheme, and what would help."""
    ledger, gradient = result["ledger"], result["gradient"]
    found = culprit(ledger)
    if found is None:
        return "No sample settled, so there is no gradient to judge."
    best, k, t = found.scheme, found.layer, found.cause
    if found.typical[t] < _NEGLIGIBLE:
        return f"No cause of error matters: with {ledger['scheme'].data[best]} all are below {percent(_NEGLIGIBLE)}."
    words = [CAUSES[term] for term in _VECTOR_TERMS] + [_readout_words(ledger, best, k)]
    name, remedy = words[t]
    programmed = float(ledger["asymmetry_programmed"].data[k])
    if t == _VECTOR_TERMS.index("asymmetry") and programmed > 0.5 * found.relative[t]:
        name, remedy = "Asymmetry of the programmed weights", _KEEP_SYMMETRIC.format(share=percent(programmed))
    shown = [f"{percent(a)} ({percent(b)} rms)" for a, b in zip(found.typical, found.relative, strict=True)]
    others = [f"{w[0].lower()} {shown[i]}" for i, w in enumerate(words) if i != t and found.typical[i] > 0.0]
    against = f", against {' and '.join(others)}" if others else ""
    verb = "dominate" if name == _DITHERED else "dominates"
    subject = "they make" if name == _DITHERED else "it makes"
    return (
        f"{name} {verb}: with {ledger['scheme'].data[best]} {subject} an error of {shown[t]} of the exact gradient "
        f"in layer {ledger['layer'].data[k]} for the median sample (mean cosine {gradient['cosine'].data[best, k]:.4f})"
        f"{against}. What would help: {remedy}."
    )


def culprit(ledger: Group) -> Culprit | None:
    """Return the largest cause of error in a group `ledger`; None if no sample settled.

    Readout and noise count as one, since noise dithers the readout.
    """
    terms = list(ledger["term"].data)
    places = [terms.index(term) for term in _VECTOR_TERMS]

    def merged(name: str, dithered: str) -> NDArray[np.float64]:
        both = ledger[dithered].data[..., None]
        return np.concatenate([ledger[name].data[..., places], both], axis=2)

    relative, median = merged("relative", "dithered"), merged("median", "dithered_median")
    if not np.isfinite(relative).any():
        return None
    # The median decides: one sample close to an instability can carry most of the rms.
    typical = np.where(np.isfinite(median), median, -1.0)
    alive = np.isfinite(relative).any(axis=(1, 2))
    best = int(np.argmin(np.where(alive, typical.max(axis=(1, 2)), np.inf)))
    k, t = (int(i) for i in np.unravel_index(np.argmax(typical[best]), typical[best].shape))
    return Culprit(best, k, t, typical[best, k], relative[best, k])


def floor(ledger: Group) -> list[str]:
    """Return what a training cannot average away: the largest part that is the same for every sample, if it matters."""
    found = culprit(ledger)
    if found is None:
        return []
    terms = list(ledger["term"].data)
    places = [terms.index(term) for term in _FLOOR_TERMS]
    constant, size, error, relative = (
        ledger[name].data[found.scheme][:, places] for name in ("constant", "rms", "standard_error", "relative")
    )
    share = np.divide(constant, size, out=np.zeros_like(constant), where=size > 0.0) * relative
    share = np.where((constant > 0.5 * size) & ~(constant <= error), share, 0.0)
    k, t = (int(i) for i in np.unravel_index(np.argmax(np.nan_to_num(share)), share.shape))
    if not share[k, t] > _FLOOR:
        return []
    name, remedy = CAUSES[_FLOOR_TERMS[t]]
    words = (
        f"{name} adds the same vector for every sample, {percent(share[k, t])} of the exact gradient in layer "
        f"{ledger['layer'].data[k]}: no average over samples removes it, so it sets the floor of a training. What "
        f"would help: {remedy}."
    )
    return [words]


def on_the_way(result: Result) -> list[str]:
    """Return what happens between error vector and weight, if that is more than the largest error of a vector."""
    found = culprit(result["ledger"])
    if found is None or "ledger/connections" not in result.groups:
        return []
    group = result["ledger/connections"]
    terms, choice = list(group["term"].data), ("presynaptic", "forgetting", "write")
    relative = np.nan_to_num(group["relative"].data[found.scheme][:, [terms.index(term) for term in choice]])
    c, t = (int(i) for i in np.unravel_index(np.argmax(relative), relative.shape))
    if relative[c, t] <= max(float(found.relative[found.cause]), _NEGLIGIBLE):
        return []
    name, remedy = CAUSES[choice[t]]
    words = (
        f"{name} changes the batch gradient even more: by {percent(relative[c, t])} in connection "
        f"{group['connection'].data[c]}. What would help: {remedy}."
    )
    return [words]


def _readout_words(ledger: Group, scheme: int, layer: int) -> tuple[str, str]:
    """Return name and remedy of readout and noise, by what there is of them; the larger one is to be cured."""
    terms = list(ledger["term"].data)
    sizes = {name: ledger["rms"].data[scheme, layer, terms.index(name)] for name in ("readout", "noise")}
    present = [name for name, size in sizes.items() if size > 0.0] or ["readout"]
    larger = max(present, key=lambda name: float(sizes[name]))
    return CAUSES[larger] if len(present) == 1 else (_DITHERED, CAUSES[larger][1])
