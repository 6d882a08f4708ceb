"""What a ledger says in words: the largest cause of error, what helps against it, and the floor of a training."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...results.store import Group, ResultData
from ...results.views import format_percent, is_of_circuit, select_latest
from .advice import describe_remedies, find_main_part

NAMES = {
    "locality": "What no local product gives",
    "layer_costs": "The local cost of the layers",
    "asymmetry": "Feedback asymmetry",
    "model": "The model of the chip",
    "projection": "The random projection of the output error",
    "clamp": "Clamping the outputs",
    "finite_nudge": "The finite nudge",
    "iterations": "Too few iterations of the backward pass",
    "finite_perturbation": "The size of the perturbation",
    "settling": "Settling",
    "precision": "The precision",
    "readout": "The readout",
    "presynaptic": "The presynaptic factor",
    "noise": "Noise",
    "forgetting": "Forgetting between writes",
    "write": "The write",
    "write_noise": "The noise of writes",
}
"""Name of every term of the ledger."""

DITHERED = "Readout + noise"
"""Both together, since noise dithers the converter and undoes part of its error."""

SINGLE = "Noise of one measurement"
"""How single measurements scatter: what averages over samples and repeats remove, and the cosine does not average."""

VECTOR_TERMS = (
    *("layer_costs", "asymmetry", "model", "projection", "clamp", "finite_nudge", "iterations", "finite_perturbation"),
    *("settling", "precision"),
)
"""Terms of error vectors; a result has those that its machine can have."""

_ON_THE_WAY = ("locality", "presynaptic", "forgetting", "write", "write_noise")
NEGLIGIBLE = 1e-6
"""Errors below this, relative to the exact gradient, are not spoken of."""

ASYMMETRY_PARTS = {
    "metric": "what nominal gains of amplifiers explain",
    "per_node": "what one factor for every node would cure",
    "irreducible": "what no factor of a node cures, from transistors or amplifiers of unequal A/B side by side",
}
"""Parts of the asymmetry of a circuit, and what they are."""

_FLOOR_TERMS = ("precision", "readout", "noise")
"""Causes whose size does not fall with the error signal while a training converges."""

_FLOOR = 1e-3
"""Constants below this, relative to the exact gradient, are not named."""


_WORSE = 2.0
"""So much larger than any error vector's must an error of a written gradient be to be blamed in their place."""


class LargestCause(NamedTuple):
    """The largest cause of error under the best scheme."""

    scheme: int
    place: int
    """Layer or, of what is written, connection."""

    cause: int
    """Place in `names`, or beyond: readout and noise together, noise of one measurement."""

    names: tuple[str, ...]
    """Those of `VECTOR_TERMS` that there are; of what is written, and of the terms on the way."""

    typical: NDArray[np.float64]
    """Error of every cause for the median sample, relative, (causes,); of what is written, of the batch."""

    relative: NDArray[np.float64]
    """The same, rms."""

    written: bool = False
    """Whether it is an error of the batch gradient of a connection, larger than any of an error vector."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms of the ledger that the cause is made of."""
        return (*((term,) for term in self.names), ("readout", "noise"), ("noise",))[self.cause]


def describe_largest_cause(result: ResultData, brief: bool = False) -> str:
    """Return the sentence that says which cause of error dominates under the best scheme, and what would help.

    In brief it leaves out the other causes, and what does not help.
    """
    ledger = result["ledger"]
    found = find_blamed_cause(result)
    if found is None:
        if "dead" in ledger and ledger["dead"].data.any():
            return "Every sample that settled has an exact gradient of zero, so there is no gradient to judge."
        return "No sample settled, so there is no gradient to judge."
    group = result["ledger/connections"] if found.written else ledger
    best, k, t = found.scheme, found.place, found.cause
    if max(found.typical[t], found.relative[t]) < NEGLIGIBLE:
        scheme = ledger["scheme"].data[best]
        return f"No cause of error matters: with {scheme} all are below {format_percent(NEGLIGIBLE)}."
    names = NAMES | ({"asymmetry": "Asymmetry of the circuit"} if is_of_circuit(result) else {})
    words = [*(names[term] for term in found.names), _name_readout_cause(group, best, k), SINGLE]
    name, pairs = words[t], zip(found.typical, found.relative, strict=True)
    shown = [format_percent(a) + ("" if found.written else f" ({format_percent(b)} rms)") for a, b in pairs]
    others = [f"{w.lower()} {shown[i]}" for i, w in enumerate(words) if i != t and found.relative[i] > 0.0]
    against = f", against {', '.join(others)}" if others else ""
    tried = result.groups.get("ledger/remedies")
    part = find_main_part(tried, k, found.written) or _find_nudge_part(group, found)
    if found.terms == ("asymmetry",) and not part and not found.written:
        programmed = float(ledger["asymmetry_programmed"].data[k])
        name = "Asymmetry of the programmed weights" if programmed > 0.5 * found.relative[t] else name
    name += f" dominates, above all {part}" if part else " dominates"
    cures = describe_remedies(tried, k, found.written, brief)
    if found.terms[0] in _ON_THE_WAY:
        cures = f" What would help: {_describe_remedy(result, found.terms[0])}."
    whose = _describe_place(result, found, brief)
    if brief:
        return f"{name}: {format_percent(found.typical[t])} of {whose}.{cures}"
    return f"{name}: with {ledger['scheme'].data[best]} it makes an error of {shown[t]} of {whose}{against}.{cures}"


def _describe_place(result: ResultData, found: LargestCause, brief: bool) -> str:
    """Return what an error is relative to, and where, with the cosine there unless in brief."""
    best, k = found.scheme, found.place
    if not found.written:
        layer, cosine = result["ledger"]["layer"].data[k], result["gradient"]["cosine"].data[best, k]
        told = "" if brief else f" for the median sample (mean cosine {cosine:.4f})"
        return f"the exact gradient in layer {layer}{told}"
    group = result["ledger/connections"]
    cosine = group["cosine_after"].data[best, k, -1]
    told = "" if brief or not np.isfinite(cosine) else f" (cosine {cosine:.4f})"
    return f"the exact batch gradient of connection {group['connection'].data[k]}{told}, more than in any error vector"


class JudgedCauses(NamedTuple):
    """Errors of all causes in every layer, or of every connection."""

    names: tuple[str, ...]
    typical: NDArray[np.float64]
    """Of the median sample, or of the batch, (schemes, places, causes); `names`, then as `LargestCause.cause` says."""

    relative: NDArray[np.float64]
    """The same, rms."""

    whole: NDArray[np.float64]
    """Whole error of one measurement in the worst place, (schemes,)."""


def list_judged_causes(group: Group, written: bool) -> JudgedCauses:
    """Return what is compared to find the largest cause, of a group `ledger`, or of connections where `written`."""
    terms = list(group["term"].data)
    names = tuple(term for term in (*VECTOR_TERMS, *_ON_THE_WAY * written) if term in terms)

    def merged(name: str, dithered: str, spread: str) -> NDArray[np.float64]:
        scattered, sizes = np.nan_to_num(group[spread].data), group[name].data
        # The mean of write noise vanishes: what counts is one write.
        felt = np.maximum(scattered, sizes)
        own = [(felt if term == "write_noise" else sizes)[..., terms.index(term), None] for term in names]
        both, single = group[dithered].data[..., None], scattered[..., terms.index("noise"), None]
        return np.concatenate([*own, both, np.where(np.isfinite(both), single, both)], axis=2)

    relative = merged("relative", "dithered", "spread")
    typical = relative if written else merged("median", "dithered_median", "spread_median")
    total = group["total" if written else "total_median"].data
    whole = np.hypot(np.nan_to_num(total), np.nan_to_num(typical[..., -1])).max(axis=1)
    return JudgedCauses(names, typical, relative, whole)


def find_largest_cause(ledger: Group, connections: Group | None = None) -> LargestCause | None:
    """Return the largest cause of error in the groups `ledger` and `ledger/connections`; None if no sample settled.

    The best scheme has the smallest whole error of one measurement in its worst layer, for the median sample, and in
    its worst connection. Readout and the mean of the noise count as one cause, since noise dithers the readout. How
    single measurements scatter counts beside, where more than one was taken. What is written is judged in the place of
    error vectors where it is worse than all of them.
    """
    vectors = list_judged_causes(ledger, written=False)
    if not np.isfinite(vectors.relative).any():
        return None
    # The median decides: one sample close to an instability can carry most of the rms.
    typical = np.where(np.isfinite(vectors.typical), vectors.typical, -1.0)
    alive = np.isfinite(vectors.relative).any(axis=(1, 2))
    blocks = None if connections is None else list_judged_causes(connections, written=True)
    # The whole error: a cause that no scheme changes, such as the asymmetry, tells none apart.
    whole = vectors.whole if blocks is None else vectors.whole + blocks.whole
    best = int(np.argmin(np.where(alive, whole, np.inf)))
    relative = np.nan_to_num(vectors.relative[best], nan=-1.0)
    decides = typical[best] if typical[best].max() >= NEGLIGIBLE else relative
    if blocks is not None:
        sizes = np.nan_to_num(blocks.relative[best], nan=-1.0)
        if sizes.max() > max(_WORSE * max(decides.max(), relative.max()), NEGLIGIBLE):
            c, t = _find_place_of_largest(sizes)
            return LargestCause(best, c, t, blocks.names, sizes[c], sizes[c], written=True)
    k, t = _find_place_of_largest(decides)
    return LargestCause(best, k, t, vectors.names, typical[best, k], vectors.relative[best, k])


def find_blamed_cause(result: ResultData) -> LargestCause | None:
    """Return the largest cause of error in a result that has a group `ledger`."""
    return find_largest_cause(result["ledger"], result.groups.get("ledger/connections"))


def _find_place_of_largest(sizes: NDArray[np.float64]) -> tuple[int, int]:
    k, t = np.unravel_index(np.argmax(sizes), sizes.shape)
    return int(k), int(t)


def describe_goal_change(result: ResultData) -> list[str]:
    """Return how much of the finite nudge is a change of goal, in the layer where it is largest, if it matters."""
    ledger = result["ledger"]
    found = find_blamed_cause(result)
    parts = list(ledger["part"].data) if "part" in ledger else []
    if found is None or "goal" not in parts or "finite_nudge" not in ledger["term"].data:
        return []
    size = ledger["relative"].data[found.scheme, :, list(ledger["term"].data).index("finite_nudge")]
    k = int(np.argmax(np.nan_to_num(size)))
    goal, bias = (float(ledger["part_relative"].data[found.scheme, k, parts.index(n)]) for n in ("goal", "nudge_bias"))
    if not np.isfinite(goal) or not size[k] > _FLOOR:
        return []
    left = "none" if bias < _FLOOR * size[k] else format_percent(bias)
    other = "a change of goal: the exact gradient of a neighbouring cost, which is no error of the machine"
    whole = f"{format_percent(size[k])} (rms), {format_percent(goal)} is {other}; {left} is bias"
    words = [f"Of the finite nudge in layer {ledger['layer'].data[k]}, {whole}."]
    jumped = int(ledger["jumped"].data[found.scheme])
    if jumped:
        who = "1 sample leaves" if jumped == 1 else f"{jumped} samples leave"
        words.append(
            f"{who} the branch of the free state under the nudge of {ledger['scheme'].data[found.scheme]}, so that all "
            "of the finite nudge there counts as bias: take a smaller one."
        )
    return words


def _find_nudge_part(group: Group, found: LargestCause) -> str:
    """Return what most of a finite nudge that dominates is; empty where it is something else."""
    parts = list(group["part"].data) if "part" in group else []
    if found.terms != ("finite_nudge",) or "goal" not in parts:
        return ""
    sizes = group["part_relative" if found.written else "part_median"].data[found.scheme, found.place]
    goal, bias = (float(sizes[parts.index(name)]) for name in ("goal", "nudge_bias"))
    if goal > 2.0 * bias:
        return "a change of goal, which is no error of the machine"
    return "a bias, since its couplings are not symmetric or a state jumps" if bias > 2.0 * goal else ""


def describe_asymmetry_parts(result: ResultData) -> list[str]:
    """Return what the asymmetry of a circuit is made of, in the layer where it is largest, if it matters."""
    ledger = result["ledger"]
    found, places = find_blamed_cause(result), find_part_places(ledger, tuple(ASYMMETRY_PARTS))
    if found is None or not places or "asymmetry" not in ledger["term"].data:
        return []
    size = ledger["relative"].data[found.scheme, :, list(ledger["term"].data).index("asymmetry")]
    k = int(np.argmax(np.nan_to_num(size)))
    if not size[k] > _FLOOR:
        return []
    shares = ledger["part_relative"].data[found.scheme, k, places]
    told = [
        f"{name.replace('_', ' ')} {format_percent(share)}, {words}"
        for (name, words), share in zip(ASYMMETRY_PARTS.items(), shares, strict=True)
        if share > NEGLIGIBLE
    ]
    whole = f"Of the asymmetry in layer {ledger['layer'].data[k]}, {format_percent(size[k])} (rms)"
    return [f"{whole}: {'; '.join(told)}."] if told else []


def find_part_places(ledger: Group, names: tuple[str, ...]) -> list[int]:
    """Return the places of some parts of causes in a group `ledger`; none where it does not have them all."""
    parts = list(ledger["part"].data) if "part" in ledger else []
    return [parts.index(name) for name in names] if set(names) <= set(parts) else []


def describe_training_floor(result: ResultData) -> list[str]:
    """Return what a training cannot average away: the largest part that is the same for every sample, if it matters."""
    ledger = result["ledger"]
    found = find_blamed_cause(result)
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
    words = (
        f"{NAMES[_FLOOR_TERMS[t]]} adds the same vector for every sample, {format_percent(share[k, t])} of the exact "
        f"gradient in layer {ledger['layer'].data[k]}: no average over samples removes it, so it sets the floor of a "
        "training."
    )
    return [words]


def describe_write_errors(result: ResultData) -> list[str]:
    """Return what happens between error vector and weight, if that is more than the largest error of a vector."""
    group = result.groups.get("ledger/connections")
    found = find_blamed_cause(result)
    if found is None or found.written or group is None:
        return []
    terms, scheme = list(group["term"].data), found.scheme
    places = [terms.index(term) for term in _ON_THE_WAY if term in terms]
    sizes = np.nan_to_num(group["relative"].data[scheme][:, places])
    if "spread" in group and "write_noise" in terms:
        # Its mean vanishes: what counts is one write.
        sizes[:, -1] = np.nan_to_num(group["spread"].data[scheme][:, terms.index("write_noise")])
    c, t = (int(i) for i in np.unravel_index(np.argmax(sizes), sizes.shape))
    largest = np.nan_to_num(found.relative)[found.cause]
    if sizes[c, t] <= max(float(largest), NEGLIGIBLE):
        return []
    name, cosines = NAMES[terms[places[t]]], group["cosine_after"].data[scheme, c]
    # The first term acts on the exact gradient itself.
    before, after = cosines[places[t] - 1] if places[t] else 1.0, cosines[places[t]]
    turned = f"; it turns the cosine there from {before:.4f} to {after:.4f}" if np.isfinite(before + after) else ""
    words = (
        f"{name} changes the batch gradient even more: by {format_percent(sizes[c, t])} in connection "
        f"{group['connection'].data[c]}{turned}."
    )
    return [f"{words} What would help: {_describe_remedy(result, terms[places[t]])}."]


def _describe_remedy(result: ResultData, term: str) -> str:
    """Return what makes a term between error vector and weight smaller, from what the scenario says."""
    if term == "locality" or "provenance" not in result.groups:
        return 'pool = "average" in network.connections' if term == "locality" else "a larger learning.optimiser.rate"
    said = tomllib.loads(str(result["provenance"]["resolved_toml"].data))
    devices = said.get("devices", {})
    if said.get("network", {}).get("law") == "resistive":
        return _describe_circuit_remedy(devices)
    if term == "presynaptic":
        return "a better readout of the activities (devices.converters.readout, devices.hold), or longer phases"
    law = devices.get("update") or {}
    if term == "write_noise":
        return "less devices.update.write_noise, or a larger learning.optimiser.rate"
    if term == "forgetting":
        keys = [f"devices.retention.{key}" for key in ("leak_tau", "drift") if devices.get("retention", {}).get(key)]
        return f"cells that keep longer ({', '.join(keys)}), or a larger learning.optimiser.rate"
    cures = ["smaller steps (devices.update.step)"] if "step" in law else []
    cures += ['devices.update.rounding = "stochastic"'] if law.get("rounding") == "nearest" else []
    cures += ["a smaller devices.update.error"] if law.get("kind") == "verified" else []
    return ", ".join([*cures, f"{'or ' if cures else ''}a larger learning.optimiser.rate"])


def _describe_circuit_remedy(devices: Mapping[str, Any]) -> str:
    """Return what lets the elements of a circuit keep more of a requested change."""
    floor = "first conductances above the lowest one (network.init), or a lower devices.weights.window"
    return f"more devices.weights.levels, or {floor}" if "levels" in devices.get("weights", {}) else floor


def _name_readout_cause(ledger: Group, scheme: int, layer: int) -> str:
    """Return the name of readout and noise, by what there is of them."""
    terms = list(ledger["term"].data)
    sizes = {name: ledger["rms"].data[scheme, layer, terms.index(name)] for name in ("readout", "noise")}
    present = [name for name, size in sizes.items() if size > 0.0] or ["readout"]
    return NAMES[present[0]] if len(present) == 1 else DITHERED


def has_measured_gradient(result: ResultData) -> bool:
    """Tell whether a result has the quality of some gradient."""
    gradient = select_latest(result).groups.get("gradient")
    return gradient is not None and bool(np.isfinite(gradient["cosine"].data).any())


def describe_hidden_connections(result: ResultData, threshold: float) -> str:
    """Return at how many points of a sweep every layer has a good cosine, but some connection has not, and the worst.

    The cosine of a connection is that of its batch gradient as it is measured, before it is written.
    """
    ledger, status = result.groups.get("ledger/connections", {}), result["points"]["status"].data
    if "cosine_after" not in ledger or not ledger["cosine_after"].data.size:
        return ""
    after = ledger["cosine_after"].data[..., list(ledger["term"].data).index("noise")]
    worst = np.nan_to_num(after.reshape(status.size, -1, after.shape[-1]), nan=np.inf).min(axis=1)
    layers = result["gradient"]["cosine"].data.reshape(status.size, -1)
    good = (np.nan_to_num(layers, nan=np.inf).min(axis=1) >= threshold) & np.isfinite(layers).any(axis=1)
    hidden = good & (worst.min(axis=1) < threshold)
    if not hidden.any():
        return ""
    lowest = np.where(hidden[:, None], worst, np.inf)
    name = ledger["connection"].data[int(np.argmin(lowest.min(axis=0)))]
    points = f"At {np.count_nonzero(hidden)} of the {np.count_nonzero(good)} points where all layers have {threshold:g}"
    return f"{points} or more, the batch gradient of a connection has less: {lowest.min():.3g} in the worst, {name}."
