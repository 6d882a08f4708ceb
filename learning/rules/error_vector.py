"""The error vector times the presynaptic activity: the rule that needs no symmetry.

``dL/dW[i, j] ~ delta_i a_j`` and ``dL/db = delta``, with `delta` estimated by a nudge scheme. Rules that ask for
something else made of the same products are derived from it: they say what in `requests`, and the ledger of errors
follows them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Status

from .. import cost
from ..estimator import FreeReading, estimate_error_vectors, measure_free
from ..training import Gradient, Samples, make_scored_gradient
from .rule import RULES, LearningRule, Record, RuleContext

Array = NDArray[np.float64]
Blocks = dict[str, Array]


@RULES.register
class ErrorVector(LearningRule):
    """Error vector times presynaptic activity."""

    kind: Literal["error-vector"] = "error-vector"

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        """Measure the gradient of one batch on `bench`.

        Samples that diverged have no error vector and are left out; all others teach, as on a real chip
        that reads whatever is there when the time is over.
        """
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        measured = estimate_error_vectors(bench, free, samples.target, how.scheme, how.presynaptic, how.mirror)
        keep = measured.status != Status.DIVERGED
        blocks = cost.compute_gradients(bench, measured.presynaptic, measured.delta, keep)
        asked = self.requests(blocks, bench, how.programmed)
        return make_batch_gradient(bench, free, samples.target, asked, measured.status)

    def requests(self, blocks: Blocks, bench: Bench, programmed: Record | None) -> Blocks:  # noqa: ARG002
        """Return what is asked of the weights, by block, from the products of error and activity.

        Parameters
        ----------
        blocks : mapping of block name to array
            Products, as batch means.
        bench : Bench
            Chip.
        programmed : callable or None
            Gives what is programmed now, by block, where the controller keeps a record.
        """
        return blocks


def make_batch_gradient(
    bench: Bench, free: FreeReading, target: Array, blocks: Blocks, status: NDArray[np.int64]
) -> Gradient:
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
    keep, output = status != Status.DIVERGED, free.activity[list(bench.layers)[-1]]
    blocks = blocks | cost.compute_readout_gradients(bench.readout, output, target, keep)
    return make_scored_gradient(bench, output, target, blocks, status, keep)


def find_feedback_connections(bench: Bench) -> list[tuple[str, str]]:
    """Return the (pre, post) connections whose pre layer comes after their post layer."""
    order = list(bench.layers)
    return [(pre, post) for pre, post in bench.connections if order.index(pre) > order.index(post)]
