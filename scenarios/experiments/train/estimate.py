"""What a training costs."""

from __future__ import annotations

import math

from learning.homeostasis.measured import ClosedLoop
from learning.oracle.homeostasis import ExactPull, SampledPull
from substrate.network.dense import are_dense
from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..measure.estimate import estimate_measure_times
from ..rates import FABRICATED, PRODUCTS, PULL, WRITTEN, TimedChip, estimate_exact_time
from .plan import Train


class TrainEstimate(CostEstimate[Train]):
    """What a training costs."""

    def count(self, plan: Train, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates."""
        samples = min(plan.samples or outline.samples, outline.samples)
        tests = min(plan.test_samples or outline.test_samples, outline.test_samples) * (plan.epochs + 1)
        rows, schemes, how = min(scenario.task.batch, samples), scenario.tried()[:1], scenario.learning.homeostasis
        # Held outputs need no probes.
        probes = 2 * how.draws if isinstance(how, ClosedLoop) else 0
        return SampleCounts(samples * plan.epochs, tests, rows, schemes, probes=probes, epochs=plan.epochs)

    def times(self, plan: Train, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        schemes, batch, size = chip.scenario.tried(), counts.rows, chip.topology.cell_count
        batches = counts.estimates / batch
        nudged = chip.design.dynamics.nudged
        probes = counts.probes * chip.steps(nudged, 1.0) * chip.step(nudged)
        step = chip.run(schemes[:1], batch) + batch * probes
        products = sum(c.kind.products for c in chip.topology.connections)
        update = 2.0 * batch * products / PRODUCTS["double"] + size * (FABRICATED + (WRITTEN if chip.stores else 0.0))
        found = {
            "settling": batches * step,
            "homeostasis": _estimate_pull_time(chip, counts.estimates),
            "writes": batches * update,
            "tests": chip.run([], counts.free),
        }
        if plan.reference:
            found["exact gradients"] = (
                batches * (chip.run([], batch) + estimate_exact_time(chip, batch) + update) + found["tests"]
            )
        if plan.ledger is not None:
            times = 1 + math.ceil(plan.epochs / plan.ledger.every_epochs)
            parts = estimate_measure_times(chip, schemes, plan.ledger.samples, plan.ledger)
            found["ledgers"] = times * sum(parts.values())
        return found


ESTIMATE = TrainEstimate()


def _estimate_pull_time(chip: TimedChip, samples: int) -> float:
    """Return the seconds of all draws around the states of samples; those on matrices alone take next to nothing."""
    how, topology = chip.scenario.learning.homeostasis, chip.topology
    if chip.clock is None or are_dense(c.kind for c in topology.recurrent()):
        return 0.0
    draws = how.draws if isinstance(how, SampledPull) else topology.units if isinstance(how, ExactPull) else 0
    return samples * draws * PULL * chip.clock("double")
