"""The estimate as an experiment: settle freely, nudge, settle, read, weigh.

Nothing here knows a weight, a device or a Jacobian; whatever works here works on a real chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Nudge, Settled, State

from .schemes import Node, Scheme, unfolded

Array = NDArray[np.float64]


class Free(NamedTuple):
    """What was read in the free phase."""

    activity: dict[str, Array]
    """Per layer (batch, unit), the clamped input included."""

    settled: Settled


class Estimate(NamedTuple):
    """An estimate of the error vectors ``dL/d drive``."""

    delta: dict[str, Array]
    """Per unclamped layer (batch, unit)."""

    presynaptic: dict[str, Array]
    """Presynaptic factor per layer (batch, unit), the clamped input included."""

    status: NDArray[np.int64]
    """Worst `Status` over all settlings of the sample, (batch,)."""

    steps: NDArray[np.int64]
    """Steps over all nudged settlings of the sample, (batch,)."""


def measure_free(bench: Bench, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0) -> Free:
    """Clamp the inputs `x` (batch, inputs), let the chip settle freely and read it.

    `ids` (batch,) and `epoch` say which presentation of which sample this is (absent: in order, the first).
    """
    bench.set_input(x, ids, epoch)
    settled = bench.settle()
    return Free({name: np.real(a) for name, a in bench.read().items()}, settled)


def estimate(
    bench: Bench,
    free: Free,
    target: Array,
    scheme: Scheme,
    presynaptic: Literal["mean", "free"] = "mean",
    mirror: bool = True,
) -> Estimate:
    """Estimate the error vectors of the batch that is clamped now.

    ``delta = -sum_k c_k a*(beta_k)`` over the nodes of `scheme`; a mirrored node stands for itself
    and its conjugate, whose state is the conjugate state.

    Parameters
    ----------
    bench : Bench
        Chip, clamped by `measure_free`.
    free : Free
        Its free phase; the node at zero uses it.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    scheme : Scheme
        Nodes and weights.
    presynaptic : {"mean", "free"}
        Factor of the weight gradients: mean over the nodes, or the free activity.
    mirror : bool
        Whether a settling may stand for its conjugate; with noise both are settled.
    """
    total = {name: np.zeros_like(a) for name, a in free.activity.items()}
    mean = {name: np.zeros_like(a) for name, a in free.activity.items()}
    status, steps = free.settled.status, np.zeros_like(free.settled.steps)
    nodes = scheme.nodes() if mirror else unfolded(scheme.nodes())
    count = sum(1 + node.mirrored for node in nodes)
    for node in nodes:
        activity: Mapping[str, State] = free.activity
        if node.beta != 0.0:
            settled = bench.settle(Nudge(node.beta, target), start="free")
            status, steps = np.maximum(status, settled.status), steps + settled.steps
            activity = bench.read()
        for name, a in activity.items():
            total[name] -= _both(node, node.weight, a)
            mean[name] += _both(node, 1.0 / count, a)
    fed = {post for _, post in bench.connections}
    return Estimate(
        delta={name: a for name, a in total.items() if name in fed},
        presynaptic=free.activity if presynaptic == "free" else mean,
        status=status,
        steps=steps,
    )


def _both(node: Node, weight: complex, activity: State) -> Array:
    """Return the contribution of a node, with that of its conjugate if it is mirrored."""
    return np.asarray((1.0 + node.mirrored) * np.real(weight * activity))
