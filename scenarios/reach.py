"""Which cells of a scenario cannot hold the weight they are given, before any chip is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.programming.bounds import SampledCells
from devices.random import Stream
from devices.synapse.conductance import clip_to_window

from .build import Setup

Array = NDArray[np.float64]

_CURE = (
    "beyond the window or their own bounds, and hold the nearest one: widen devices.weights.window or w_max and w_min "
    "of devices.update, or begin with smaller weights (network.parameters)"
)


def describe_unreached(found: str) -> str:
    """Return in a sentence that cells, counted in words, do not hold the weight they were given."""
    return f"Cells: {found} were given a weight {_CURE}."


def format_cell_counts(counts: Mapping[str, int], sizes: Mapping[str, int]) -> str:
    """Return counts of cells by name, with their share where the size is known; names with none are left out."""
    shares = {name: f" ({100.0 * n / sizes[name]:.3g} %)" if sizes.get(name) else "" for name, n in counts.items()}
    return ", ".join(f"{n}{shares[name]} of {name}" for name, n in counts.items() if n)


def count_unreached(setup: Setup) -> dict[str, int]:
    """Return how many cells of every weight block of a scenario cannot hold their initial weight.

    They are those of its first chip, and counted as `substrate.chip.chip.Chip.unreached` counts them.
    """
    topology, devices, measured = setup.design.topology, setup.design.devices, setup.design.measured_cells
    backward = devices.feedback.over(devices.weights)
    partners = {b.block for _, b in topology.pairs()} if devices.feedback.tied else set()
    kinds = {
        c.block: backward if topology.is_feedback(c) else devices.weights
        for c in topology.connections
        if c.block not in partners
    }
    if devices.update is None and all(kind.window is None for kind in kinds.values()):
        return {}

    def stream(purpose: str) -> Stream:
        return Stream(setup.fabrication.seed, purpose, setup.fabrication.instance)

    drawn = SampledCells(devices.update, {block: topology.shapes[block] for block in kinds}, stream, measured)
    counts = {}
    for block, kind in kinds.items():
        ends, inside = drawn.ends(block), clip_to_window(kind, setup.programmed[block])
        kept = inside if ends is None else np.clip(inside, *ends)
        counts[block] = int(np.count_nonzero(kept != setup.programmed[block]))
    return counts


def describe_unreached_cells(setup: Setup) -> Iterator[str]:
    """Yield how many cells cannot hold their initial weight, by connection, if there are any."""
    counts = count_unreached(setup)
    if any(counts.values()):
        names = {block: block.removeprefix("weight/") for block in counts}
        sizes = {names[block]: setup.programmed[block].size for block in counts}
        yield describe_unreached(format_cell_counts({names[block]: n for block, n in counts.items()}, sizes))
