"""Weight perturbation: all weights are moved at random together, and the costs are compared.

A dither line moves every cell by ``+h xi`` and ``-h xi`` with `xi` of +1 and -1, the same for all samples of a batch,
and the costs follow from the outputs alone: ``g = mean (C+ - C-)/(2 h) xi`` (Jabri & Flower 1992; Spall 1992; in time,
McCaughan et al. 2023). Its mean is the gradient whatever the couplings; its relative variance is ``(P - 1)/m`` for `P`
cells and `m` probes, of the mean over the batch, since all samples share a probe: a larger batch does not lower it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.protocol import Bench, Port, Status

from .. import cost
from ..draws import draw_cell_uniforms
from ..estimator import measure_free
from ..schemes.scheme import Scheme
from ..schemes.unnudged import Unnudged
from ..training import Gradient, Samples
from .error_vector import make_batch_gradient
from .rule import RULES, LearningRule, RuleContext

Array = NDArray[np.float64]


@RULES.register
class WeightPerturbation(LearningRule):
    """The gradient itself from the cost of the outputs under perturbed weights of both signs."""

    kind: Literal["weight-perturbation"] = "weight-perturbation"

    probes: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Probes of one batch, of two settlings of every sample each; 1 to 65 536."""

    size: Annotated[float, Field(gt=0.0, le=100.0)] = 0.002
    """What every weight and bias is moved by; units of the weight, above 0."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the probes; 0 to 2^63 - 1."""

    takes_presynaptic: ClassVar[bool] = False
    nudges: ClassVar[bool] = False
    takes_scheme: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    moves_weights: ClassVar[bool] = True
    ports: ClassVar[frozenset[Port]] = frozenset({"dither", "output-read"})

    def stand_in(self, given: Sequence[Scheme]) -> Unnudged:
        """Return what stands for this rule where results tell schemes apart."""
        return super().stand_in(given).model_copy(update={"settlings": 2 * self.probes, "size": self.size})

    def gradient(self, bench: Bench, samples: Samples, how: RuleContext) -> Gradient:
        """Measure the gradient of one batch on `bench`, and take the perturbation away."""
        free = measure_free(bench, samples.x, samples.ids, samples.epoch)
        status, output = free.settled.status, list(bench.layers)[-1]
        first = 0 if samples.ids is None or not len(samples.ids) else int(samples.ids[0])
        shapes, found = bench.shapes, dict[str, Array]()
        for p in range(self.probes):
            name = f"{samples.epoch}/{first}/{how.repeat}"
            signs = {b: _draw_signs(self.seed, f"{name}/{b}", p, shape) for b, shape in shapes.items()}
            costs = []
            for sign in (self.size, -self.size):
                bench.perturb(signs, sign)
                status = np.maximum(status, bench.settle(start="free").status)
                read = np.real(bench.read_layers([output])[output])
                costs.append(cost.compute_loss(bench.readout, read, samples.target))
            keep = status != Status.DIVERGED
            change = float(np.mean((costs[0] - costs[1])[keep])) if keep.any() else float("nan")
            for block, xi in signs.items():
                found[block] = found.get(block, 0.0) + xi * change / (2.0 * self.size * self.probes)
        bench.perturb({}, 0.0)
        return make_batch_gradient(bench, free, samples.target, found, status)


def _draw_signs(seed: int, name: str, probe: int, shape: tuple[int, ...]) -> Array:
    return np.where(draw_cell_uniforms(seed, name, probe, shape) < 0.5, -1.0, 1.0)
