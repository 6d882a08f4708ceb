"""What an evaluation of chips costs."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import TimedChip
from .plan import Evaluate


class EvaluateEstimate(CostEstimate[Evaluate]):
    """What an evaluation of chips costs."""

    def count(self, plan: Evaluate, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates."""
        tests = min(plan.samples or outline.test_samples, outline.test_samples)
        return SampleCounts(0, tests * plan.chips, tests, [])

    def times(self, plan: Evaluate, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        return {"settling": plan.chips * (chip.made() + chip.run([], counts.rows))}


ESTIMATE = EvaluateEstimate()
