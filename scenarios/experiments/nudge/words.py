"""What has to be said of a study of nudges beside its answer."""

from __future__ import annotations

import numpy as np

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
