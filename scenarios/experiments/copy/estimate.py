"""What copies of a trained network cost."""

from __future__ import annotations

import math

from learning.homeostasis.measured import ClosedLoop
from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import FABRICATED, PRODUCTS, WRITTEN, TimedChip, estimate_exact_time
from .plan import CopyNetwork


class CopyEstimate(CostEstimate[CopyNetwork]):
    """What copies of a trained network cost."""

    def count(self, plan: CopyNetwork, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates of all trainings, tests and reads."""
        samples = min(plan.samples or outline.samples, outline.samples)
        tested = outline.test_samples or outline.samples
        tested = min(plan.test_samples or tested, tested)
        rows, how = min(scenario.task.batch, samples), plan.recover
        epochs = plan.epochs + (0 if how is None else plan.chip_count * how.epochs)
        free = tested * (_count_tests(plan, samples, rows))
        free += min(plan.reads, outline.samples) * (
            (plan.weights == "measured") + plan.chips * (plan.calibrate != "none")
        )
        probes = scenario.learning.homeostasis
        drawn = 2 * probes.draws if isinstance(probes, ClosedLoop) else 0
        schemes = scenario.tried()[:1]
        return SampleCounts(
            samples * epochs, free, rows, schemes, probes=drawn, epochs=epochs, trained=samples, tested=tested
        )

    def times(self, plan: CopyNetwork, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:  # noqa: ARG002
        """Return the seconds by part."""
        rows, size = counts.rows, chip.topology.cell_count
        batches = counts.epochs * math.ceil(counts.trained / rows)
        nudged = chip.design.dynamics.nudged
        probes = counts.probes * chip.steps(nudged, 1.0) * chip.step(nudged)
        products = sum(c.kind.products for c in chip.topology.connections)
        update = 2.0 * rows * products / PRODUCTS["double"] + size * (FABRICATED + (WRITTEN if chip.stores else 0.0))
        tests = max(counts.free // counts.tested, 1)
        return {
            "settling": batches * (chip.run(chip.scenario.tried()[:1], rows) + rows * probes),
            "writes": batches * update,
            "tests": tests * (chip.made() + chip.run([], counts.tested)),
            "law": estimate_exact_time(chip, counts.tested),
        }


ESTIMATE = CopyEstimate()


def _count_tests(plan: CopyNetwork, samples: int, rows: int) -> int:
    """Return how often a chip is tested."""
    found = plan.chip_count + plan.chips * (plan.calibrate != "none")
    if plan.recover is not None:
        batches = math.ceil(samples / rows)
        every = plan.recover.every_batches or batches
        found += plan.chip_count * math.ceil(plan.recover.epochs * batches / every)
    return found
