"""Noise of cells in results: how each process is simulated, how large it is for the units, and what it costs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from learning.oracle.exact import ExactErrors
from learning.oracle.fluctuations import predict_estimate_variance
from learning.oracle.forecast import LARGEST
from learning.schemes.scheme import Scheme, Swing
from substrate.chip.boards.regimes import CellProcess, list_cell_processes, shakes_membranes
from substrate.chip.chip import Chip

from ...drawing.sheet import Sheet
from ...results.store import Group, ResultData, Variable
from ...results.views import find_extreme_nudges, format_number, format_percent, name_signals

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


def add_cell_noise_levels(
    groups: dict[str, Group], chip: Chip, schemes: list[Scheme], reference: ExactErrors, keep: NDArray[np.bool_]
) -> None:
    """Add what the processes make of drives and estimates to the group `cell_noise`, if there is one.

    Parameters
    ----------
    groups : dict of str to Group
        Those of a measure.
    chip : Chip
        As it is, with the batch clamped.
    schemes : list of Scheme
        That were measured.
    reference : ExactErrors
        Exact error vectors of the batch.
    keep : array (batch,)
        Samples that are counted.
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
        **_make_estimate_noise(groups["ledger"], chip, schemes, reference, keep),
        "relative": Variable(("scheme", *dims), relative, long_name="the same over beta times the rms dL/d drive"),
    }


def _make_estimate_noise(
    ledger: Group, chip: Chip, schemes: list[Scheme], reference: ExactErrors, keep: NDArray[np.bool_]
) -> Group:
    """Return how single estimates scatter, as measured and by the law of the linearised chip."""
    dims, noise = ("scheme", "layer"), list(ledger["term"].data).index("noise")
    expected = np.array([_predict_scatter(chip, scheme, reference, keep) for scheme in schemes])
    words = "rms noise of one estimate, over the exact gradient"
    return {
        "measured": Variable(dims, ledger["spread"].data[..., noise], long_name=words),
        "expected": Variable(dims, expected, long_name=f"{words}, of what moves membranes: by the linearised chip"),
    }


def _predict_scatter(
    chip: Chip, scheme: Scheme, reference: ExactErrors, keep: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the expected scatter by layer, (layers,); NaN where nothing moves or too much would have to be solved."""
    columns, size = chip.topology.columns.values(), len(chip.machine.tau) * (1 + len(chip.machine.slow_times))
    known = shakes_membranes(chip.design) and chip.design.phases.noise == "independent" and keep.any()
    if not known or size > LARGEST or isinstance(scheme, Swing):
        return np.full(len(columns), np.nan)
    variance = predict_estimate_variance(chip, reference.linear, scheme)[keep]
    exact = reference.delta[keep] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt([variance[:, c].sum() / exact[:, c].sum() for c in columns])


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
    return [Sheet(title, ["noise", "layer", "sqrt(D)", *columns], rows, words=2), _make_scatter_sheet(group)]


def _make_scatter_sheet(group: Group) -> Sheet:
    """Return how single estimates scatter, beside the law."""
    names = "measured", "expected"
    rows = [
        [str(scheme) if k == 0 else "", str(layer), *(format_percent(group[name].data[s, k]) for name in names)]
        for s, scheme in enumerate(group["scheme"].data)
        for k, layer in enumerate(group["layer"].data)
    ]
    return Sheet(
        "Noise of one estimate, in % of the exact gradient (rms)",
        ["scheme", "layer", *names],
        rows,
        words=2,
        note="expected: of noise that moves the membranes, by the linearised chip; a draw per batch is not in it",
    )
