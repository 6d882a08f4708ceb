"""The tables of a comparison of write policies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import Sheet
from ...results.store import Group
from ...results.views import format_fixed

Array = NDArray[np.float64]

_SHORT = {"granularity": "grain", "asymmetry": "up/down", "write_noise": "write noise"}
ROUNDING = 1e-9
"""Errors up to this, relative to the requests, are rounding."""


def make_cosine_sheet(group: Group) -> Sheet:
    """Return what reaches the cells of every connection under every policy, and the pulses and bits that takes."""
    columns = ["connection", "policy", "steps n", "pulses", "99.9 %", "bits", "kept", "effective", "forecast"]
    rows = [
        [
            *_name(group, c, p),
            f"{group['steps'].data[c]:.3g}",
            " + ".join(f"{one:.3g}" for one in group["array_pulses"].data[p, c] if np.isfinite(one)),
            f"{group['pulses_most'].data[p, c]:.3g}",
            f"{group['memory_bits'].data[p, c]:.3g}",
            *(format_fixed(group[name].data[p, c], 3) for name in ("cosine_kept", "cosine", "forecast")),
        ]
        for c, p in np.ndindex(len(group["connection"].data), len(group["policy"].data))
    ]
    note = (
        "steps n: rms of the summed requests in nominal steps; pulses: per cell, mean by array and what 99.9 % of the "
        "cells do not exceed; bits: digital memory per cell; kept, effective: cosine of the change of what cells keep, "
        "and of the effective weights, to the summed requests; forecast: of the latter, without asymmetry and bounds; "
        "-: no law tells it, as of signs, outer products and further arrays, or the requests are less than a step"
    )
    title = f"Writes of {int(group['batches'].data)} batches: cosine to what was requested"
    return Sheet(title, columns, rows, words=2, note=note)


def make_term_sheet(group: Group) -> Sheet:
    """Return what every term adds to the requests, in % of their rms; terms that are 0 everywhere are left out."""
    shown = list_present_terms(group["error"].data)
    names = [str(group["term"].data[k]) for k in shown]
    rows = [
        [*_name(group, c, p), *(_percent(group["error"].data[p, c, k]) for k in shown)]
        for c, p in np.ndindex(len(group["connection"].data), len(group["policy"].data))
    ]
    note = (
        "terms add up cell by cell, not in these numbers: policy: what it holds back or changes; grain: whole steps in "
        "place of what was handed on; gain: steps that are not nominal; up/down: one direction more than the other; "
        "window: bounds; cycle: scatter from pulse to pulse; write noise, spread: effective beside kept weights"
    )
    return Sheet(
        "What the writes add to the requests, in % of their rms",
        ["connection", "policy", *(_SHORT.get(name, name) for name in names)],
        rows,
        words=2,
        note=note,
    )


def make_cost_sheet(group: Group) -> Sheet:
    """Return what every policy takes in all."""
    rows = [
        [
            str(name),
            f"{int(group['cells_per_weight'].data[p])}",
            f"{group['energy'].data[p]:.3g}" if group["energy"].data[p] else "-",
            f"{group['cell_reads'].data[p]:.3g}",
            f"{100 * group['lost'].data[p]:.3g} %",
            f"{100 * group['given_up'].data[p]:.3g} %",
        ]
        for p, name in enumerate(group["policy"].data)
    ]
    columns = ["policy", "cells", "energy (J)", "reads per cell", "lost", "given up"]
    note = (
        "cells: analog cells per weight; energy: of pulses and of reads of cells, where the scenario says what they "
        "take; lost: requests that moved no cell, given up: cells left beside their request after the longest series "
        "of tries, per cell and batch"
    )
    return Sheet("What the policies take", columns, rows, note=note)


def list_present_terms(error: Array) -> list[int]:
    """Return the places of the terms that are more than rounding, from errors (..., term)."""
    return [k for k in range(error.shape[-1]) if np.nanmax(error[..., k], initial=0.0) > ROUNDING]


def _name(group: Group, connection: int, policy: int) -> list[str]:
    return [str(group["connection"].data[connection]), str(group["policy"].data[policy])]


def _percent(value: float) -> str:
    return "-" if not np.isfinite(value) else "0" if value < ROUNDING else f"{100.0 * value:.3g}"
