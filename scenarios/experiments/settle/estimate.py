"""What settling curves cost."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import TimedChip
from .plan import Settle


class SettleEstimate(CostEstimate[Settle]):
    """What settling curves cost."""

    def count(self, plan: Settle, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates."""
        samples = min(plan.record.samples, outline.samples)
        return SampleCounts(samples, 0, samples, scenario.tried())

    def times(self, plan: Settle, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:  # noqa: ARG002
        """Return the seconds by part."""
        return {"settling": chip.run(chip.scenario.tried(), counts.rows)}


ESTIMATE = SettleEstimate()
