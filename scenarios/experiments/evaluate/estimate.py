"""What an evaluation of chips costs."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import Scenario
from ..counts import Counts
from ..estimate import Estimate
from ..rates import TimedChip
from .plan import Evaluate


class EvaluateEstimate(Estimate[Evaluate]):
    """What an evaluation of chips costs."""

    def count(self, plan: Evaluate, scenario: Scenario, outline: Outline, topology: Topology) -> Counts:  # noqa: ARG002
        """Return the samples and estimates."""
        tests = min(plan.samples or outline.test_samples, outline.test_samples)
        return Counts(0, tests * plan.chips, tests, [])

    def times(self, plan: Evaluate, chip: TimedChip, counts: Counts) -> dict[str, float]:
        """Return the seconds by part."""
        return {"settling": plan.chips * (chip.made() + chip.run([], counts.rows))}


ESTIMATE = EvaluateEstimate()
