"""What readers see of a result: the last measured epoch, and numbers as text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .store import Group, ResultData


def select_latest(result: ResultData) -> ResultData:
    """Return the result with measured groups as they were at the last measured epoch, without an epoch dimension.

    The groups `metrics` and `metrics_exact` keep their epochs. A group whose first measurement never
    came is left out.
    """
    groups = {
        name: group if name in {"metrics", "metrics_exact"} else select_last_epoch(group)
        for name, group in result.groups.items()
    }
    return ResultData(result.attributes, {name: group for name, group in groups.items() if group})


def select_last_epoch(group: Group) -> Group:
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


CHANGES = "change"
"""Group of the changes of a design; what was measured after a change is in groups below it."""


UNCHANGED = "as it is"
"""The design before any change."""


def name_changed_group(change: int, path: str) -> str:
    """Return where a group of what was measured after a change stands; changes count from 1."""
    return f"{CHANGES}/{change}/{path}"


def list_changes(result: ResultData) -> list[str]:
    """Return the names of the changes of the design that a result has."""
    return [str(name) for name in result.groups[CHANGES]["name"].data] if CHANGES in result.groups else []


def select_change(result: ResultData, change: int) -> ResultData:
    """Return what was measured after a change as a result of its own; 0 is the design as it is."""
    above = name_changed_group(change, "")
    if change == 0:
        groups = {path: group for path, group in result.groups.items() if path.partition("/")[0] != CHANGES}
        return ResultData(result.attributes, groups)
    groups = {path.removeprefix(above): group for path, group in result.groups.items() if path.startswith(above)}
    if "provenance" in result.groups:
        toml = result.groups[CHANGES]["resolved_toml"]
        told = toml._replace(dims=(), data=toml.data[change - 1])
        groups["provenance"] = result.groups["provenance"] | {"resolved_toml": told}
    return ResultData(result.attributes, groups)


def list_measured_epochs(result: ResultData) -> list[int]:
    """Return the epochs at which gradients were measured; empty when there was no training."""
    group = result.groups.get("gradient", {})
    return [int(epoch) for epoch in group["epoch"].data] if "epoch" in group else []


def is_of_circuit(result: ResultData) -> bool:
    """Tell whether a result is that of a circuit, whose cost is in V^2."""
    costs = (("free", "loss"), ("metrics", "loss_test"))
    found = [result.groups[group][name].units for group, name in costs if name in result.groups.get(group, {})]
    return "V^2" in found


class SignalWords(NamedTuple):
    """What the columns of a group `signal` are called."""

    scale: str
    """What all are: root mean squares of something."""

    activity: str
    delta: str
    sizes: list[str]
    """Of every nudge, with a unit where it has one: ``beta 0.2``, ``beta 50 uS``, ``clamp 0.1``."""

    unit: str
    """Unit of what is to be read behind its name; empty: that of the state."""


def name_signals(signal: Group) -> SignalWords:
    """Return the words for signals of rate networks, in units of the state, or of circuits, in volts."""
    beta = signal["beta"]
    if signal["activity"].units == "1":
        return SignalWords(
            "per unit (state units)", "activity", "exact dL/d drive", [f"beta {b:g}" for b in beta.data], ""
        )
    sizes = [f"clamp {b:g}" if beta.units == "1" else f"beta {format_quantity(b, beta.units)}" for b in beta.data]
    return SignalWords("per node", "voltage (V)", "exact dL/d current (V^2/A)", sizes, " (V)")


def find_extreme_nudges(signal: Group) -> list[int]:
    """Return the places of the smallest and the largest nudge in a group `signal`, once if they are the same."""
    betas = signal["beta"].data
    return list(dict.fromkeys((int(betas.argmin()), int(betas.argmax())))) if betas.any() else []


def list_scheme_kinds(schemes: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the kind in every label of a scheme: ``circle 4`` of ``circle 4, beta 0.2``."""
    return np.array([str(text).rpartition(", beta ")[0] or str(text) for text in schemes])


def find_best_schemes(group: Group, errors: NDArray[np.float64]) -> list[int]:
    """Return the place of the scheme of every kind in a group that has the smallest of its `errors`, (scheme,)."""
    kinds = list_scheme_kinds(group["scheme"].data)
    return [min(np.flatnonzero(kinds == k).tolist(), key=lambda s: float(errors[s])) for k in dict.fromkeys(kinds)]


def hide_buried_sums(group: Group, name: str) -> NDArray[np.float64]:
    """Return a sum that noise enters, (scheme, layer); nan where noise of the mean buries it.

    There its square less that of the noise is below 0, which does not make it 0.
    """
    values, acting = group[name].data, group["term"].data == "noise"
    noise = np.nan_to_num(group["spread"].data[..., acting].sum(axis=2))
    return np.asarray(np.where((values == 0.0) & (noise > 0.0), np.nan, values))


def format_percent(value: float) -> str:
    """Return a fraction as text in percent; a dash where there is no number."""
    return f"{100.0 * value:.3g} %" if np.isfinite(value) else "-"


def find_unit_prefix(value: float, unit: str) -> tuple[float, str]:
    """Return the largest power of a thousand that is not above a value, and the name of the unit it makes."""
    found = [(1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "u"), (1e-3, "m"), (1.0, ""), (1e3, "k")]
    scale, prefix = next((pair for pair in reversed(found) if pair[0] <= abs(value)), found[0])
    return scale, f"{prefix}{unit}"


def format_quantity(value: float, unit: str) -> str:
    """Return a number with three digits and a unit that has a prefix: ``50 uS``."""
    scale, prefixed = find_unit_prefix(value, unit)
    return f"{value / scale:.3g} {prefixed}"


def format_number(value: float) -> str:
    """Return a number as text; a dash where there is none."""
    return f"{value:.4g}" if np.isfinite(value) else "-"


def format_fixed(value: float, digits: int) -> str:
    """Return a number with so many digits behind the point; a dash where there is none."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"


def format_share(value: float) -> str:
    """Return a fraction in percent with one digit; a dash where there is none."""
    return f"{100.0 * value:.1f} %" if np.isfinite(value) else "-"
