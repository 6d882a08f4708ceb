"""What settling curves cost."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import Scenario
from ..counts import Counts
from ..estimate import Estimate
from ..rates import TimedChip
from .plan import Settle


class SettleEstimate(Estimate[Settle]):
    """What settling curves cost."""

    def count(self, plan: Settle, scenario: Scenario, outline: Outline, topology: Topology) -> Counts:  # noqa: ARG002
        """Return the samples and estimates."""
        samples = min(plan.record.samples, outline.samples)
        return Counts(samples, 0, samples, scenario.tried())

    def times(self, plan: Settle, chip: TimedChip, counts: Counts) -> dict[str, float]:  # noqa: ARG002
        """Return the seconds by part."""
        return {"settling": chip.run(chip.scenario.tried(), counts.rows)}


ESTIMATE = SettleEstimate()
