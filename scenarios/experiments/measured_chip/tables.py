"""From what a chip on a board showed to the labelled tables of a result file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learning.oracle.ledger.statistics import compute_cosines
from substrate.protocol import Status

from ...boards.connect import OpenBoard
from ...boards.counts import make_board_group
from ...results.store import Group, Variable
from ..kind import Batch
from ..measure.tables import list_layer_names
from .found import BoardMeasurement

Array = NDArray[np.float64]


def make_board_groups(board: OpenBoard, found: BoardMeasurement, batch: Batch) -> dict[str, Group]:
    """Return all groups: estimates by scheme and layer, gradients by connection, free reads, counts of the board."""
    topology, layers = board.bench.topology, board.bench.topology.names
    labels: Group = {
        "scheme": Variable(("scheme",), np.array([scheme.label for scheme in found.schemes]), long_name="nudge scheme"),
        "layer": list_layer_names(topology),
    }
    statistics = [[_describe_repeats(one.delta[name]) for name in layers] for one in found.repeated]
    group = labels | _make_statistics(statistics, ("scheme", "layer"), "error vectors of one sample")
    group["status"] = Variable(
        ("scheme", "sample"),
        np.array([one.status.max(axis=0) for one in found.repeated]),
        flags=Status,
        long_name="worst status of all settlings",
    )
    group["status_told"] = Variable((), board.bench.tells_status, long_name="whether the board tells how settlings end")
    if found.probed:
        group |= _compare_with_probes(found, layers)
    names = [c.name for c in topology.connections]
    blocks = [[_describe_repeats(one.blocks[c.block]) for c in topology.connections] for one in found.repeated]
    gradients = {"scheme": labels["scheme"], "connection": Variable(("connection",), np.array(names))}
    gradients |= _make_statistics(blocks, ("scheme", "connection"), "gradient of the batch")
    return {
        "estimates": group,
        "estimates/connections": gradients,
        "reads": {"input": Variable(("sample", "unit_in"), batch.x, long_name="inputs")}
        | {
            name: Variable(
                ("repeat", "sample", f"unit_{name}"), found.repeated[0].free[name], long_name=f"free reads of {name}"
            )
            for name in layers
        },
        "board": make_board_group(board),
    }


def _describe_repeats(values: Array) -> tuple[float, float]:
    """Return rms size of the mean over the repeats, its noise taken off, and the spread of one measurement.

    ``E |mean|^2 = |truth|^2 + V/R``: with `R` repeats of variance `V` the second part is taken off.
    """
    repeats = len(values)
    # Without what all have in common, equal measurements have a spread of exactly 0.
    spread = float(np.nanmean(np.var(values - values[0], axis=0, ddof=1))) if repeats > 1 else float("nan")
    square = float(np.nanmean(np.mean(values, axis=0) ** 2)) - (spread / repeats if repeats > 1 else 0.0)
    return float(np.sqrt(max(square, 0.0))), float(np.sqrt(spread))


def _make_statistics(found: list[list[tuple[float, float]]], dims: tuple[str, ...], of: str) -> Group:
    size, spread = (np.array([[pair[k] for pair in row] for row in found]) for k in range(2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = size / spread
        single = np.where(np.isinf(ratio), 1.0, ratio / np.sqrt(1.0 + ratio**2))
    return {
        "size": Variable(dims, size, long_name=f"rms size of the {of}, the noise of the mean taken off"),
        "spread": Variable(dims, spread, long_name=f"standard deviation of one measurement of the {of}"),
        "snr": Variable(dims, ratio, long_name="size over spread: signal to noise of one measurement"),
        "cosine_single": Variable(dims, single, long_name="cosine of one measurement to the mean of endlessly many"),
    }


def _compare_with_probes(found: BoardMeasurement, layers: list[str]) -> Group:
    """Return the cosines of mean error vectors to node perturbation, and the most that its noise and size allow.

    Two measurements of equal noise that have a cosine of `c` to each other have one of ``sqrt c`` to the truth.
    """

    def compare(a: Array, b: Array) -> float:
        return float(np.nanmean(compute_cosines(a, b)))

    one, other = found.probed
    means = [{name: made.delta[name].mean(axis=0) for name in layers} for made in found.repeated]
    cosines = [[0.5 * (compare(m[n], one[n]) + compare(m[n], other[n])) for n in layers] for m in means]
    allowed = [float(np.sqrt(max(compare(one[n], other[n]), 0.0))) for n in layers]
    return {
        "cosine_probed": Variable(
            ("scheme", "layer"), np.array(cosines), long_name="mean cosine of error vectors to node perturbation"
        ),
        "cosine_allowed": Variable(
            ("layer",),
            np.array(allowed),
            long_name="largest such cosine that noise and size of node perturbation allow",
        ),
    }
