"""What readers see of a result: the last measured epoch, and numbers as text."""

from __future__ import annotations

import numpy as np

from .store import Group, Result


def latest(result: Result) -> Result:
    """Return the result with measured groups as they were at the last measured epoch, without an epoch dimension.

    The groups `metrics` and `metrics_exact` keep their epochs. A group whose first measurement never
    came is left out.
    """
    groups = {
        name: group if name in {"metrics", "metrics_exact"} else last_epoch(group)
        for name, group in result.groups.items()
    }
    return Result(result.attributes, {name: group for name, group in groups.items() if group})


def last_epoch(group: Group) -> Group:
    """Return a group at its last epoch, without that dimension; empty if it has no epoch."""
    if "epoch" not in group:
        return group
    if not group["epoch"].data.size:
        return {}
    return {
        name: v._replace(dims=v.dims[1:], data=v.data[-1]) if v.dims[:1] == ("epoch",) else v
        for name, v in group.items()
        if name != "epoch"
    }


def measured_epochs(result: Result) -> list[int]:
    """Return the epochs at which gradients were measured; empty when there was no training."""
    group = result.groups.get("gradient", {})
    return [int(epoch) for epoch in group["epoch"].data] if "epoch" in group else []


def extremes(signal: Group) -> list[int]:
    """Return the places of the smallest and the largest nudge in a group `signal`; one place if they are the same."""
    betas = signal["beta"].data
    return list(dict.fromkeys((int(betas.argmin()), int(betas.argmax()))))


def percent(value: float) -> str:
    """Return a fraction as text in percent; a dash where there is no number."""
    return f"{100.0 * value:.3g} %" if np.isfinite(value) else "-"


def number(value: float) -> str:
    """Return a number as text; a dash where there is none."""
    return f"{value:.4g}" if np.isfinite(value) else "-"
