"""The contrastive rule: what two units do together, weighed over the nudges.

``dL/dW[i, j] ~ -sum_k c_k a_i(beta_k) a_j(beta_k)``, local at the synapse: no error vector is ever
formed. It tends to ``delta_i a_j + a_i delta_j``, the gradient of a weight that both directions of
a pair share, which is right for symmetric couplings only. On edges from the clamped input `a_j`
stands still, and it tends to ``delta_i a_j`` (Scellier & Bengio 2017).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Bench, Status

from ..estimator import NudgeReading, iterate_readings, measure_free
from ..training import Gradient, Samples
from .error_vector import make_batch_gradient
from .rule import RULES, LearningRule, RuleContext

Array = NDArray[np.float64]


@RULES.register
class Contrastive(LearningRule):
    """Product of both activities of a connection, contrasted over the nudges; for symmetric couplings."""

    kind: Literal["contrastive"] = "contrastive"

    takes_presynaptic: ClassVar[bool] = False

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        """Measure the gradient of one batch on `bench`; the presynaptic choice has no meaning here."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        taken = list(iterate_readings(bench, free, samples.target, how.scheme, how.mirror))
        ends = [reading.settled.status for reading in taken if reading.settled is not None]
        status = np.maximum.reduce([free.settled.status, *ends])
        blocks = contrast_readings(bench, taken, status != Status.DIVERGED)
        return make_batch_gradient(bench, free, samples.target, blocks, status)


def contrast_readings(bench: Bench, taken: list[NudgeReading], keep: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the batch means ``-sum_k c_k a_pre(beta_k) a_post(beta_k)``, and those of ``-sum_k c_k a`` for biases.

    Parameters
    ----------
    bench : Bench
        Chip whose circuits multiply.
    taken : list of Reading
        All readings of one estimate.
    keep : bool array (batch,)
        Samples that count; NaN everywhere if none does.
    """
    count = int(np.count_nonzero(keep))
    share = -1.0 / count if count else float("nan")
    blocks: dict[str, Array] = {}
    for reading in taken:
        for name, part in _correlate_reading(bench, reading, keep).items():
            blocks[name] = blocks.get(name, 0.0) + share * part
    return blocks


def _correlate_reading(bench: Bench, reading: NudgeReading, keep: NDArray[np.bool_]) -> dict[str, Array]:
    """Return what one reading adds, summed over the samples."""
    weighed = {post: (reading.weight * reading.activity[post])[keep] for _, post in bench.connections}
    # A read with the conjugate would be no holomorphic function of the nudge: nothing is conjugated.
    products = bench.correlate(weighed, {layer: a[keep] for layer, a in reading.activity.items()})
    return {block: reading.both(product) for block, product in products.items()}
