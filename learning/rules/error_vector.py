"""The error vector times the presynaptic activity: the rule that needs no symmetry.

``dL/dW[i, j] ~ delta_i a_j`` and ``dL/db = delta``, with `delta` estimated by a nudge scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.parameters import Parameters
from substrate.protocol import Bench, Status

from .. import cost
from ..estimator import Free, estimate, measure_free
from ..schemes.scheme import Scheme
from ..training import Gradient, Samples, judged

Array = NDArray[np.float64]


class Method(NamedTuple):
    """How a rule measures."""

    scheme: Scheme
    """Nudges and weights."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the readings, or the free activity."""

    mirror: bool = True
    """Whether a settling may stand for its conjugate; else both are settled."""

    programmed: Callable[[], Mapping[str, Array]] | None = None
    """The controller's own record of what is programmed now, by block; only a decay needs it."""


class ErrorVector(Parameters):
    """Error vector times presynaptic activity."""

    kind: Literal["error-vector"] = "error-vector"

    def gradient(self, bench: Bench, samples: Samples, how: Method) -> Gradient:
        """Measure the gradient of one batch on `bench`."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        return error_vector_gradient(bench, free, samples.target, how)


def error_vector_gradient(bench: Bench, free: Free, target: Array, how: Method) -> Gradient:
    """Return ``a_pre delta_post`` of the batch that is clamped now.

    Samples that diverged have no error vector and are left out; all others teach, as on a real chip
    that reads whatever is there when the time is over.

    Parameters
    ----------
    bench : Bench
        Chip, clamped by `measure_free`.
    free : Free
        Its free phase.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    how : Method
        How to measure.
    """
    measured = estimate(bench, free, target, how.scheme, how.presynaptic, how.mirror)
    keep = measured.status != Status.DIVERGED
    blocks = cost.gradients(bench, measured.presynaptic, measured.delta, keep)
    return taught(bench, free, target, blocks, measured.status)


def taught(bench: Bench, free: Free, target: Array, blocks: dict[str, Array], status: NDArray[np.int64]) -> Gradient:
    """Return the gradient of a batch: its blocks, those of the readout, and how the batch did.

    Parameters
    ----------
    bench : Bench
        Chip.
    free : Free
        Its free phase; the outputs are the last layer.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    blocks : mapping of block name to array
        Batch means over the samples that did not diverge.
    status : int array (batch,)
        Worst status of all settlings.
    """
    keep, output = status != Status.DIVERGED, free.activity[layers(free)[-1]]
    blocks = blocks | cost.readout_gradients(bench.readout, output, target, keep)
    return judged(bench, output, target, blocks, status, keep)


def layers(free: Free) -> list[str]:
    """Return the layers in order, the clamped input first and the output last."""
    return list(free.activity)


def feedback(bench: Bench, free: Free) -> list[tuple[str, str]]:
    """Return the (pre, post) connections whose pre layer comes after their post layer."""
    order = layers(free)
    return [(pre, post) for pre, post in bench.connections if order.index(pre) > order.index(post)]
