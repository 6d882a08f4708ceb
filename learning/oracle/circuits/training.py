"""Oracle side: training a circuit with its exact gradients, the reference for every measured one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from substrate.circuits.forms import AnyCircuitChip, make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.exact import make_exact_reads
from substrate.protocol import Status

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


def make_exact_imprinting_rule(chip: LayeredChip, rates: Callable[[], Mapping[str, float]]) -> Rule:
    """Return the rule by which every element of layers changes itself by its exact gradient.

    It is exact to the precision of the simulation, and much faster than dense solutions are. `rates` gives the learning
    rates of all blocks for the batch to come. A batch with a sample that diverged changes nothing.
    """

    def gradient(samples: Samples) -> Gradient:
        free = measure_free(chip, samples.x, samples.ids, samples.epoch)
        used = free.settled.status != Status.DIVERGED
        if used.all():
            after, before, factor = make_exact_reads(chip, samples.target)
            finite = all(np.isfinite(volts).all() for volts in after.values())
            shares = {name: -rate * factor / len(used) for name, rate in rates().items()} if finite else {}
            chip.imprint(after, before, shares)
        output = list(free.activity.values())[-1]
        return make_scored_gradient(chip, output, samples.target, {}, free.settled.status, used)

    return gradient
