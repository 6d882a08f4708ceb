"""What the elements of a layered circuit measure of two reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .design import LayeredDesign

Array = NDArray[np.float64]
Voltages = Mapping[str, Array]


def contrast_layers(
    design: LayeredDesign, after: Voltages, before: Voltages, keep: NDArray[np.bool_] | None = None
) -> dict[str, Array]:
    """Return what `substrate.circuits.layered.chip.LayeredChip.contrast` says."""
    first = next(iter(design.layers))
    if keep is not None and not keep.all():
        after, before = ({name: v[keep] for name, v in read.items()} for read in (after, before))
    changes, sums = compare_reads(after, before, first)
    found, bias = {}, {}
    for pre, post in design.connections:
        d, s = changes[post], sums[post]
        own = np.einsum("bj,bj->j", d, s)
        if pre == first:
            mixed = 2.0 * (before[pre].T @ d)
            whole = np.stack([own - mixed, own + mixed]) if design.rails == "both" else own - mixed
        else:
            other, both = changes[pre], sums[pre]
            whole = np.einsum("bi,bi->i", other, both)[:, None] + own - (other.T @ s + both.T @ d)
        found[f"conductance/{pre}-{post}"] = whole
        bias[f"current/{post}"] = -2.0 * d.sum(axis=0)
    return found | (bias if design.bias == "current" else {})


def compare_reads(after: Voltages, before: Voltages, inputs: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return differences and sums of the voltages of two reads, by layer that is not held."""
    if not np.array_equal(after[inputs], before[inputs]):
        raise ValueError("the inputs of both reads differ: compare settlings of one batch")
    names = [name for name in after if name != inputs]
    return {n: after[n] - before[n] for n in names}, {n: after[n] + before[n] for n in names}
