"""What a comparison of write policies costs."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import FABRICATED, PRODUCTS, WRITTEN, TimedChip
from .plan import CompareWrites


class WriteEstimate(CostEstimate[CompareWrites]):
    """What a comparison of write policies costs."""

    def count(self, plan: CompareWrites, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates."""
        rows = min(scenario.task.batch, outline.samples)
        return SampleCounts(rows * plan.batches, 0, rows, scenario.tried()[:1])

    def times(self, plan: CompareWrites, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        size, batch = chip.topology.cell_count, counts.rows
        copies = sum(1 + len(one.extra_arrays.gains) for one in plan.policies) if plan.policies else 2
        products = sum(c.kind.products for c in chip.topology.connections)
        # A write, and what takes it apart, which is as much again.
        write = size * (FABRICATED + 2.0 * (WRITTEN if chip.stores else 0.0))
        return {
            "settling": plan.batches * chip.run(chip.scenario.tried()[:1], batch),
            "writes": plan.batches * (2.0 * batch * products / PRODUCTS["double"] + copies * write),
        }


ESTIMATE = WriteEstimate()
