"""What rules of circuits have in common: a gradient is a sum of contrasts between two reads.

Every rule here says which reads are compared, and with which factor: the gradient of a block is
``metric * sum_k factor_k sum_samples (dV_after,k^2 - dV_before,k^2) / samples``, and each element can measure its part
by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KindRegistry
from devices.parameters import Parameters
from substrate.protocol import CircuitBench, Status

from ..estimator import FreeReading, measure_free
from ..schemes.scheme import Scheme
from ..training import Gradient, Rule, Samples, make_scored_gradient

Array = NDArray[np.float64]
Read = Mapping[str, Array]


class Contrast(NamedTuple):
    """Two reads that elements compare."""

    after: Read
    """Voltages per layer (batch, nodes)."""

    before: Read
    factor: float
    """What the difference of the squared drops is multiplied by."""


class CircuitReading(NamedTuple):
    """What one measurement of one batch found."""

    free: FreeReading
    contrasts: list[Contrast]
    status: NDArray[np.int64]
    """Worst status of all settlings of a sample, (batch,)."""

    steps: NDArray[np.int64]
    """Steps of all nudged settlings, (batch,)."""

    delta: dict[str, Array]
    """Error vectors as the node voltages give them, per layer (batch, nodes): estimates of ``dL/dI`` in V^2/A."""


class CircuitRule(Parameters):
    """What every rule of circuits is derived from."""

    kind: str
    """Which rule."""

    @abstractmethod
    def measure(self, bench: CircuitBench, samples: Samples, scheme: Scheme | None) -> CircuitReading:
        """Measure one batch on `bench`, and leave it clamped."""

    @property
    def needs_scheme(self) -> bool:
        """Whether it nudges as a scheme says."""
        return True


CIRCUIT_RULES: KindRegistry[CircuitRule] = KindRegistry("rule of circuits", CircuitRule)  # type: ignore[type-abstract]
"""Every rule of circuits that a scenario may name."""


def combine_contrasts(
    bench: CircuitBench, reading: CircuitReading, keep: NDArray[np.bool_], metric: bool = True
) -> dict[str, Array]:
    """Return the gradients of all blocks, means over the samples that count; NaN everywhere if none does.

    `metric` says whether the squared drops are weighed by the nominal gains of amplifiers.
    """
    count = int(np.count_nonzero(keep))
    blocks: dict[str, Array] = {}
    for part in reading.contrasts:
        for name, block in bench.contrast(part.after, part.before, keep).items():
            share = part.factor * (bench.metrics[name] if metric else 1.0) / count if count else float("nan")
            blocks[name] = blocks.get(name, 0.0) + share * block
    return blocks


def make_circuit_rule(rule: CircuitRule, bench: CircuitBench, scheme: Scheme | None, metric: bool) -> Rule:
    """Return the rule that measures gradients on `bench`."""

    def gradient(samples: Samples) -> Gradient:
        reading = rule.measure(bench, samples, scheme)
        used = reading.status != Status.DIVERGED
        blocks = combine_contrasts(bench, reading, used, metric)
        return _score(bench, reading, samples, blocks, used)

    return gradient


def make_imprinting_rule(
    rule: CircuitRule,
    bench: CircuitBench,
    scheme: Scheme | None,
    metric: bool,
    rates: Callable[[], Mapping[str, float]],
) -> Rule:
    """Return the rule by which every element changes itself: no gradient leaves the circuit.

    `rates` gives the learning rates of all blocks for the batch to come. A batch with a sample that diverged changes
    nothing.
    """

    def gradient(samples: Samples) -> Gradient:
        reading = rule.measure(bench, samples, scheme)
        used = reading.status != Status.DIVERGED
        if used.all():
            now = rates()
            for part in reading.contrasts:
                weight = {name: bench.metrics[name] if metric else 1.0 for name in now}
                shares = {name: -rate * part.factor * weight[name] / len(used) for name, rate in now.items()}
                bench.imprint(part.after, part.before, shares)
        return _score(bench, reading, samples, {}, used)

    return gradient


def make_writing_rule(rule: Rule, bench: CircuitBench, rates: Callable[[], Mapping[str, float]]) -> Rule:
    """Return a rule that writes the gradients of another itself, at the rates of all blocks for the batch to come."""

    def gradient(samples: Samples) -> Gradient:
        found = rule(samples)
        if found.used.any():
            now = rates()
            bench.write({name: -now[name] * block for name, block in found.blocks.items() if now.get(name)})
        return found._replace(blocks={})

    return gradient


def _score(
    bench: CircuitBench, reading: CircuitReading, samples: Samples, blocks: dict[str, Array], used: NDArray[np.bool_]
) -> Gradient:
    output = list(reading.free.activity.values())[-1]
    return make_scored_gradient(bench, output, samples.target, blocks, reading.status, used)


def measure_free_circuit(bench: CircuitBench, samples: Samples) -> FreeReading:
    """Put a batch on the inputs, let the circuit settle and read it."""
    return measure_free(bench, samples.x, samples.ids, samples.epoch)
