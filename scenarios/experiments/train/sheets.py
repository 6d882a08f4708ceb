"""The tables of a training: its epochs, and what it asked of the chip."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...drawing.sheet import Sheet
from ...results.store import Group, ResultData
from ...results.views import format_fixed, format_share

_GIVEN_UP = "cells left beside their request, in all batches"


def get_symmetry_mark(group: Group) -> str:
    """Return what labels of the symmetry and of the loss of homeostasis end with: nothing where these are exact."""
    return " (estimate)" if "symmetry_draws" in group else ""


def make_epoch_sheet(group: Group, limit: int) -> Sheet:
    """Return the first, some and the last epochs of a training."""
    count = len(group["epoch"].data)
    shown = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(np.int64))
    columns = ["epoch", "loss train", "loss test", "error train", "error test", "unsettled"]
    about, circuit = get_symmetry_mark(group), "limited" in group
    seen = "saturation" in group  # not of a chip on a board, whose states nobody sees
    columns += ["clamped", "at a bound"] * circuit + ["saturated", f"symmetry W{about}"] * seen
    columns += [f"L_homeo/n{about}"] * ("homeostasis_loss" in group)
    pairs = group["pair"].data if "pair" in group else []
    rows = [
        [
            str(group["epoch"].data[e]),
            *(format_fixed(group[f"loss_{part}"].data[e], 4) for part in ("train", "test")),
            *(format_share(group[name].data[e]) for name in ("error_train", "error_test", "unsettled_train")),
            *([format_share(group[name].data[e]) for name in ("clamped", "limited") if circuit]),
            *([format_share(group["saturation"].data[e].max())] if seen else []),
            *([format_fixed(group["symmetry_couplings"].data[e], 3)] if seen else []),
            *([f"{group['homeostasis_loss'].data[e]:.3g}"] if "homeostasis_loss" in group else []),
            *(format_fixed(angle, 1) for angle in (group["angle_weights"].data[e] if len(pairs) else [])),
        ]
        for e in shown
    ]
    note = "unsettled: training samples that did not settle"
    note += "; clamped: nodes that diodes hold; at a bound: of all parameters" * circuit
    note += "; saturated: units without slope, worst layer" * seen
    if "homeostasis_loss" in group:
        note += "; L_homeo/n: loss of Jacobian homeostasis, 2 |A|^2 per unit"
    if about:
        note += f"; estimate: from {group['symmetry_draws'].data[-1]} normal vectors per sample"
    if len(pairs):
        note += "; angle: between forward and feedback weights, degree"
    if len(shown) < count:
        note += f"; {len(shown)} of {count} epochs, all are in the group metrics of the result file"
    return Sheet("Training by epoch", columns + [f"angle {pair}" for pair in pairs], rows, note=note)


def make_budget_sheet(result: ResultData, group: Group) -> Sheet:
    """Return what the training asked of the chip, in all."""
    epochs = max(1, int(group["epoch"].data[-1]))
    asked = {
        "settlings of one sample": group["settlings"].data[-1],
        **({"time spent settling (tau)": group["settled_time"].data[-1]} if "settled_time" in group else {}),
        **({"time spent settling (s)": group["settled_s"].data[-1]} if "settled_s" in group else {}),
        **({"time with reads and writes (tau)": group["elapsed"].data[-1]} if _has_elapsed(group) else {}),
        **(
            {"time with reads and writes (s)": group["elapsed_s"].data[-1]}
            if _has_elapsed(group) and "elapsed_s" in group
            else {}
        ),
        **(_describe_probes(group) if "probes" in group and group["probes"].data[-1] else {}),
        "reads of all units": group["reads"].data[-1],
        **_describe_digital_work(group),
        "writes of all weights": group["writes"].data[-1],
        **(_describe_writes(result, group) if "lost" in group else {}),
        **({"energy (J)": group["energy"].data[-1]} if "energy" in group and group["energy"].data[-1] else {}),
        **({"reads of single cells": group["cell_reads"].data[-1]} if _has_cell_reads(group) else {}),
        **({_GIVEN_UP: group["given_up"].data[-1]} if "given_up" in group else {}),
        **_describe_line(group),
        ("time of all batches (s)" if "lines" in group else "time of the simulation (s)"): np.nansum(
            group["wall_s"].data
        ),
    }
    rows = [[words, _format_amount(value, 0), _format_amount(value / epochs, 1)] for words, value in asked.items()]
    if "cells_per_weight" in group:
        rows.append(["analog cells per weight", _format_amount(group["cells_per_weight"].data[-1], 1), ""])
    if "memory_bits" in group:
        rows.append(["digital memory (bits per cell)", _format_amount(group["memory_bits"].data[-1], 1), ""])
    note = (
        "lost: requests that moved no cell, and their share of all cells at every write; with random rounding or "
        "coincidences the others make up for them"
    )
    return Sheet("Budget of the training", ["", "in all", "per epoch"], rows, note=note if "lost" in group else "")


def _has_elapsed(group: Group) -> bool:
    return "elapsed" in group and bool(group["elapsed"].data[-1])


def _describe_digital_work(group: Group) -> dict[str, Any]:
    """Return what rules that compare costs or compute errors ask for, in words."""
    words = {"outputs_read": "reads of outputs alone", "macs": "multiply-adds in digital"}
    return {text: group[name].data[-1] for name, text in words.items() if name in group and group[name].data[-1]}


def _describe_line(group: Group) -> dict[str, Any]:
    """Return what went over the line to a board, tests included, and what was lost, in words."""
    words = {
        "resettlings": "free settlings to bring a sample back, tests included",
        "lines": "lines to the board, tests included",
        "retries": "lines sent again",
        "bytes": "bytes in both directions",
        "line_s": "time waiting for the board (s)",
        "requests_lost": "requests that round to no pulse",
        "requests_cut": "requests cut to the most pulses of one line",
        "requests_stuck": "requests for stuck cells",
        "codes_clipped": "inputs and drives beyond their converter",
        "reads_at_end": "reads at an end of their converter",
        "lines_ignored": "lines that are none of the protocol",
    }
    always = ("lines", "retries", "bytes", "line_s")
    return {
        text: group[name].data[-1]
        for name, text in words.items()
        if name in group and (name in always or group[name].data[-1])
    }


def _has_cell_reads(group: Group) -> bool:
    return "cell_reads" in group and bool(group["cell_reads"].data[-1])


def _describe_probes(group: Group) -> dict[str, Any]:
    """Return how the settlings with injected drives ended, in words."""
    probes, unsettled = (int(group[name].data[-1]) for name in ("probes", "probes_unsettled"))
    return {
        "of these: probes with injected drives": probes,
        f"probes that did not settle ({format_share(unsettled / probes)})": unsettled,
    }


def _describe_writes(result: ResultData, group: Group) -> dict[str, Any]:
    """Return what became of the writes of every connection, in words."""
    found: dict[str, Any] = {"pulses of all cells": group["pulses"].data[-1]}
    writes = max(1, int(group["writes"].data[-1]))
    for k, name in enumerate(group["connection"].data):
        lost = int(group["lost"].data[-1, k])
        of_all = lost / (writes * result[f"weights/{name}"]["programmed"].data.size)
        found[f"requests of {name} lost ({format_share(of_all)})"] = lost
        if cut := int(group["cut"].data[-1, k]):
            found[f"requests of {name} cut to the most pulses of one write"] = cut
    if "refreshes" in group:
        for words, key in (("pairs refreshed", "refreshes"), ("pulses of refreshes", "refresh_pulses")):
            found[words] = group[key].data[-1].sum() + group[f"{key}_bias"].data[-1].sum()
    return found


def _format_amount(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if value == 0.0 or abs(value) >= 1.0 else f"{value:.3g}"
