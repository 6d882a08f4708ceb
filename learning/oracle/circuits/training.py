"""Oracle side: training a circuit with its exact gradients, the reference for every measured one."""

from __future__ import annotations

from substrate.circuits.forms import AnyCircuitChip, make_oracle

from ...estimator import measure_free
from ...training import Gradient, Rule, Samples, make_scored_gradient


def make_exact_circuit_rule(chip: AnyCircuitChip) -> Rule:
    """Return the rule that gives the exact gradients of `chip`; samples that do not come to rest are left out."""

    def gradient(samples: Samples) -> Gradient:
        free = measure_free(chip, samples.x, samples.ids, samples.epoch)
        oracle = make_oracle(chip)
        point = oracle.find_point(samples.x, samples.target)
        blocks = oracle.compute_gradients(point, point.reached)
        output = list(free.activity.values())[-1]
        return make_scored_gradient(chip, output, samples.target, blocks, free.settled.status, point.reached)

    return gradient
