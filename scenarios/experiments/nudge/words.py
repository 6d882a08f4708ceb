"""What has to be said of a study of nudges beside its answer."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import KeyNumber
from ...results.store import Group
from ...results.views import format_percent, list_scheme_kinds


def describe_nudge_study(group: Group) -> list[str]:
    """Return what no nudge can undo, whether the best one lies at the edge of what was tried, and who was left out."""
    best, layers = int(group["best"].data), group["layer"].data
    worst = int(np.nanargmax(group["mse"].data[best]))
    left = float(np.sqrt(group["asymmetry"].data[worst]))
    asymmetry = (
        f"Asymmetry makes {format_percent(left)} of error there, whatever the nudge: only better matching helps."
    )
    return [
        *([asymmetry] if left > 1e-6 else []),
        *_describe_edge(group, best),
        *_describe_left_out(group, str(layers[worst])),
    ]


def list_nudge_numbers(group: Group) -> list[KeyNumber]:
    """Return error, bias and noise of the best nudge, in its worst layer."""
    best = int(group["best"].data)
    k = int(np.nanargmax(group["mse"].data[best]))
    n = f"n = {int(group['kept'].data.sum())} samples, {int(group['averaged'].data[best])} estimates each"
    where = f"{group['scheme'].data[best]}, layer {group['layer'].data[k]}, over the exact gradient, {n}"
    words = {"mse": "rms error of the best nudge", "bias": "its bias", "variance": "its noise"}
    return [
        KeyNumber(
            format_percent(float(np.sqrt(group[name].data[best, k]))), f"{told}: {where}" if name == "mse" else told
        )
        for name, told in words.items()
    ]


def _describe_edge(group: Group, best: int) -> list[str]:
    beta, kinds = group["beta"].data, list_scheme_kinds(group["scheme"].data)
    sizes = beta[kinds == kinds[best]]
    if len(sizes) < 2:
        return []
    if beta[best] == sizes.min():
        return [f"No smaller nudge than {beta[best]:g} was tried with {kinds[best]}: one may be better."]
    if beta[best] == sizes.max():
        return [f"No larger nudge than {beta[best]:g} was tried with {kinds[best]}: one may be better."]
    return []


def _describe_left_out(group: Group, layer: str) -> list[str]:
    kept = group["kept"].data
    missed = int(np.count_nonzero(~kept))
    few = [f"Not counted: {missed} of {len(kept)} samples that did not settle under every scheme."] if missed else []
    best, k = int(group["best"].data), list(group["layer"].data).index(layer)
    bias, error, whole = (float(group[name].data[best, k]) for name in ("bias", "bias_error", "mse"))
    if not (error <= 0.5 * bias or error <= 0.1 * whole):  # NaN: too few repeats to know
        few.append("Its bias is hidden by the noise of the repeats: take more of them (experiment.repeats).")
    return few
