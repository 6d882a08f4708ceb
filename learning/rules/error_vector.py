"""The error vector times the presynaptic activity: the rule that needs no symmetry.

``dL/dW[i, j] ~ delta_i a_j`` and ``dL/db = delta``, with `delta` estimated by a nudge scheme. Rules that ask for
something else made of the same products are derived from it: they say what in `requests`; rules that find the error
vectors in another way say how in `estimate`. The ledger of errors follows both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Readout, Status

from .. import cost
from ..estimator import Estimate, FreeReading, NudgeReading, combine_readings, iterate_readings, measure_free
from ..training import Gradient, Samples, make_scored_gradient
from .rule import RULES, LearningRule, Record, RuleContext

Array = NDArray[np.float64]
Blocks = dict[str, Array]
Layers = Mapping[str, Array]


@RULES.register
class ErrorVector(LearningRule):
    """Error vector times presynaptic activity."""

    kind: Literal["error-vector"] = "error-vector"

    terms: ClassVar[Mapping[str, str]] = {}
    """Other names of terms of the ledger, which are true for this rule; an empty one: it has no such term.

    The error of `limit` is the `asymmetry`, what a complete and noiseless measurement adds to it the `finite_nudge`.
    """

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        """Measure the gradient of one batch on `bench`.

        Samples that diverged have no error vector and are left out; all others teach, as on a real chip
        that reads whatever is there when the time is over.
        """
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        measured = self.estimate(bench, free, samples.target, how)
        keep = measured.status != Status.DIVERGED
        blocks = cost.compute_gradients(bench, measured.presynaptic, measured.delta, keep)
        asked = self.requests(blocks, bench, how.programmed)
        return make_batch_gradient(bench, free, samples.target, asked, measured.status)

    def estimate(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Estimate:
        """Return the error vectors of the batch that is clamped now, and the presynaptic factors.

        Parameters
        ----------
        bench : Bench
            Chip, clamped and settled freely.
        free : FreeReading
            Its free phase.
        target : array (batch, classes) or (batch, outputs)
            Targets of the cost.
        how : RuleContext
            How to measure.
        """
        return combine_readings(bench, free, self.readings(bench, free, target, how), how.presynaptic)

    def readings(self, bench: Bench, free: FreeReading, target: Array, how: RuleContext) -> Iterator[NudgeReading]:
        """Nudge, settle and read as the scheme says, one reading after the other; parameters as in `estimate`."""
        return iterate_readings(bench, free, target, how.scheme, how.mirror)

    def forces(self, activity: Layers, target: Array, readout: Readout | None) -> Layers | None:  # noqa: ARG002
        """Return ``dC/da`` of all layers, per unclamped layer (batch, units), of the cost that it descends.

        None: it is the cost of the chip, which the outputs alone have.
        """
        return None

    def limit(self, exact: Layers, activity: Layers, force: Array, how: RuleContext) -> Layers:  # noqa: ARG002
        """Return what `estimate` tends to without noise, settled completely and moved as little as can be.

        Only rules that take no scheme are asked; by default it is the exact error vector.

        Parameters
        ----------
        exact : mapping of layer to array (batch, units)
            Exact error vectors at rest.
        activity : mapping of layer to array (batch, units)
            Activities at rest.
        force : array (batch, outputs)
            ``dC/da`` of the outputs there.
        how : RuleContext
            With the model of the chip.
        """
        return exact

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


def take_free_estimate(
    free: FreeReading, delta: Layers, status: NDArray[np.int64], steps: NDArray[np.int64]
) -> Estimate:
    """Return error vectors as the estimate of a rule whose presynaptic factor is the free activity.

    Samples whose error vectors are not finite count as diverged.
    """
    finite = np.logical_and.reduce([np.isfinite(d).all(axis=1) for d in delta.values()])
    status = np.where(finite, status, Status.DIVERGED)
    return Estimate(dict(delta), free.activity, status, steps)
