"""Noise of cells in results: how each process is simulated, how large it is for the units, and what it costs."""

from __future__ import annotations

import math

import numpy as np

from learning.schemes.scheme import Scheme
from substrate.chip.boards.regimes import CellProcess, list_cell_processes
from substrate.chip.chip import Chip

from ..drawing.sheet import Sheet
from ..results.store import Group, ResultData, Variable
from ..results.views import find_extreme_nudges, format_number, name_signals

_HOW = {
    "white": "one draw per unit and step",
    "drift": "one slow process per unit and sample, which knows nothing that the phases of a sample have in common",
    "frozen": "one draw of all weights per batch, which is the same in all its phases",
}
"""How every way simulates noise."""


def make_cell_noise_group(chip: Chip) -> dict[str, Group]:
    """Return the processes of the noise of the cells of a chip in the group `cell_noise`; nothing without any."""
    processes = list_cell_processes(chip.design)
    if not processes:
        return {}
    words = [_describe_process(process) for process in processes]
    group = {
        "process": Variable(("process",), np.array(words), long_name="noise of the cells, and how it is simulated"),
        "way": Variable(("process",), np.array([process.way for process in processes]), long_name="way of simulation"),
        "time": Variable(("process",), np.array([p.time for p in processes]), "tau", "correlation time"),
    }
    return {"cell_noise": group}


def _describe_process(process: CellProcess) -> str:
    times = {0.0: "white", math.inf: "slower than any batch"}
    return f"{times.get(process.time, f'tau_c {process.time:g} tau')}: {_HOW[process.way]}"


def add_cell_noise_levels(groups: dict[str, Group], chip: Chip, schemes: list[Scheme]) -> None:
    """Add what the processes make of the drives, beside what a nudge does, to the group `cell_noise` if there is one.

    The chip has the batch of the group `signal` clamped.
    """
    if "cell_noise" not in groups:
        return
    topology, delta = chip.topology, groups["signal"]["delta"].data
    variances = [variance for _, variance in chip.list_cell_variances()]
    deviation = np.array([[np.sqrt(v[:, c].mean()) for c in topology.columns.values()] for v in variances])
    pulled = np.outer([scheme.beta for scheme in schemes], delta)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = deviation / pulled
    dims = ("process", "layer")
    groups["cell_noise"] |= {
        "scheme": groups["signal"]["scheme"],
        "layer": groups["signal"]["layer"],
        "beta": groups["signal"]["beta"],
        "deviation": Variable(dims, deviation, long_name="rms noise of a drive, sqrt(D)"),
        "relative": Variable(("scheme", *dims), relative, long_name="the same over beta times the rms dL/d drive"),
    }


def describe_cell_noise(last: ResultData) -> list[str]:
    """Return what noise of cells costs, and how every process of it is simulated."""
    group = last.groups.get("cell_noise")
    if group is None:
        return []
    listed = "; ".join(str(words) for words in group["process"].data)
    return [f"Noise of cells: {listed}.", *_describe_cost(group)]


def _describe_cost(group: Group) -> list[str]:
    """Return in a sentence what the largest noise costs that is faster than an estimate, and what slower noise does."""
    if "relative" not in group:
        return []
    fast = [k for k, way in enumerate(group["way"].data) if way != "frozen"]
    cost = ""
    if fast:
        # Processes are independent.
        sizes = np.sqrt(np.nansum(group["relative"].data[:, fast] ** 2, axis=1))
        s, k = (int(i) for i in np.unravel_index(np.argmax(sizes), sizes.shape))
        scheme, layer = group["scheme"].data[s], group["layer"].data[k]
        cost = f", here {format_number(sizes[s, k])} in layer {layer} with {scheme}"
    words = (
        "x % of cell noise slower than an estimate costs like x % of mismatch that changes with every batch; faster, "
        f"it costs sqrt(D)/(beta delta){cost}."
    )
    return [words]


def make_cell_noise_sheets(last: ResultData) -> list[Sheet]:
    """Return the noise of the drives of every layer, and what that is of the pull of a nudge."""
    group = last.groups.get("cell_noise")
    if group is None or "relative" not in group:
        return []
    shown = find_extreme_nudges(group)
    words = name_signals(last["signal"])
    columns = [f"over {words.sizes[s].replace('beta ', '')} delta" for s in shown]
    rows = []
    for p, process in enumerate(group["process"].data):
        for k, layer in enumerate(group["layer"].data):
            ratios = [format_number(group["relative"].data[s, p, k]) for s in shown]
            head = str(process).partition(":")[0] if k == 0 else ""
            rows.append([head, str(layer), format_number(group["deviation"].data[p, k]), *ratios])
    title = "Noise of cells: rms of the drive of a unit, sqrt(D)"
    return [Sheet(title, ["noise", "layer", "sqrt(D)", *columns], rows, words=2)]
