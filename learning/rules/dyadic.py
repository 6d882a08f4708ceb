"""The dyadic rule: a second state settles to the error vector itself, on transposed weights.

Every unit has two compartments; the second relaxes around the free state to ``R (1 - W^T R)^-1 e``
(additive law), the exact error vector: recurrent backpropagation (Pineda 1987; Høier et al. 2024).
There is no nudge, and so no truncation error.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from substrate.protocol import Bench, Port, Status

from .. import cost
from ..estimator import measure_free
from ..training import Gradient, Samples
from .error_vector import make_batch_gradient
from .rule import RULES, LearningRule, RuleContext


@RULES.register
class Dyadic(LearningRule):
    """Error vector of a second, adjoint state, times the free presynaptic activity."""

    kind: Literal["dyadic"] = "dyadic"

    takes_presynaptic: ClassVar[bool] = False
    ports: ClassVar[frozenset[Port]] = frozenset({"adjoint"})
    nudges: ClassVar[bool] = False

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:  # noqa: ARG002  every rule is asked alike
        """Measure the gradient of one batch on `bench`; neither the scheme nor the presynaptic choice is used."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        settled = bench.settle_errors(samples.target)
        status = np.maximum(free.settled.status, settled.status)
        delta = dict(bench.read_errors())
        blocks = cost.compute_gradients(bench, free.activity, delta, status != Status.DIVERGED)
        return make_batch_gradient(bench, free, samples.target, blocks, status)
