"""The rows of a ledger: error by cause, with the parts of some, the whole, and the noise of one measurement."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...results.store import Group
from ...results.views import hide_buried_sums
from ..measure.words import ASYMMETRY_PARTS, DITHERED, find_part_places

Array = NDArray[np.float64]

PART_OF = "- "
"""What the names of parts of a row begin with."""

ONE_MEASUREMENT = "one measurement"
"""Row of the noise of a single measurement."""

_PARTS = ("readout", "noise")
"""Causes that count as one where both act."""

_SPLIT = {"asymmetry": tuple(ASYMMETRY_PARTS), "finite nudge": ("goal", "nudge_bias")}
"""Parts of causes that are drawn below them; those of the asymmetry are of circuits."""

_ON_CONNECTIONS = ("locality", "presynaptic", "forgetting", "write", "write_noise")
"""Causes that error vectors do not have."""


def make_cause_rows(group: Group, at: list[int]) -> tuple[list[str], Array, Array]:
    """Return the names of the rows, their values for the median sample and their rms, both (scheme, layer, row).

    All over the exact gradient. `at`: places of the schemes.
    """
    shown = list_vector_terms(group)
    names = [*name_terms(group, shown), "total"]
    values, marks = (
        np.concatenate([group[name].data[at][..., shown], group[total].data[at][..., None]], axis=2)
        for name, total in (("median", "total_median"), ("relative", "total"))
    )
    if all(part in names and (values[..., names.index(part)] > 0.0).any() for part in _PARTS):
        place = names.index(_PARTS[0])
        names.insert(place, DITHERED.lower())
        values, marks = (
            np.insert(a, place, group[name].data[at], axis=2)
            for a, name in ((values, "dithered_median"), (marks, "dithered"))
        )
        names = [f"{PART_OF}{name}" if name in _PARTS else name for name in names]
    names, values, marks = _insert_parts(group, at, names, values, marks)
    spread, outliers = (np.nan_to_num(_compute_relative_noise(group, n)[at]) for n in ("spread_median", "spread"))
    if spread.any():
        names, values = [*names, ONE_MEASUREMENT], np.concatenate([values, spread[..., None]], axis=2)
        marks = np.concatenate([marks, outliers[..., None]], axis=2)
    return names, values, marks


def make_whole_rows(group: Group, scheme: int) -> dict[str, Array]:
    """Return rows without parts, by name: their values for the median sample, (layer,), over the exact gradient.

    Two chips have the same rows, whether or not both readout and noise act on them.
    """
    shown = [k for k in list_vector_terms(group) if group["term"].data[k] not in _PARTS]
    found = dict(zip(name_terms(group, shown), group["median"].data[scheme][..., shown].T, strict=True))
    sums = {DITHERED.lower(): "dithered_median", "total": "total_median"}
    found |= {row: hide_buried_sums(group, name)[scheme] for row, name in sums.items()}
    return found | {ONE_MEASUREMENT: np.nan_to_num(_compute_relative_noise(group, "spread_median")[scheme])}


def list_vector_terms(group: Group) -> list[int]:
    """Return the places of the causes that error vectors can have; clamping only where something clamps."""
    clamps = "clamp" in group["term"].data and group["rms"].data[..., list(group["term"].data).index("clamp")].any()
    absent = _ON_CONNECTIONS if clamps else (*_ON_CONNECTIONS, "clamp")
    return [k for k, term in enumerate(group["term"].data) if term not in absent]


def _insert_parts(
    group: Group, at: list[int], names: list[str], values: Array, marks: Array
) -> tuple[list[str], Array, Array]:
    """Return rows with the parts of a cause below it, where it was split."""
    for cause, parts in _SPLIT.items():
        places = find_part_places(group, parts)
        if not places or not np.nan_to_num(group["part_relative"].data[at][..., places]).any():
            continue
        below = names.index(cause) + 1
        names = [*names[:below], *(f"{PART_OF}{name.replace('_', ' ')}" for name in parts), *names[below:]]
        values, marks = (
            np.insert(rows, [below] * len(places), group[name].data[at][..., places], axis=2)
            for rows, name in ((values, "part_median"), (marks, "part_relative"))
        )
    return names, values, marks


def _compute_relative_noise(group: Group, name: str) -> Array:
    """Return how single measurements scatter, over the exact gradient, (scheme, layer)."""
    acting = group["term"].data == "noise"
    return np.asarray(group[name].data[..., acting].sum(axis=2))


def name_terms(group: Group, shown: Iterable[int]) -> list[str]:
    """Return the names of some terms, as a reader meets them."""
    return [str(group["term"].data[k]).replace("_", " ") for k in shown]
