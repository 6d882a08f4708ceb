"""What a study of nudges costs."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import NOISE, TimedChip, estimate_exact_time
from .plan import StudyNudges


class NudgeEstimate(CostEstimate[StudyNudges]):
    """What a study of nudges costs."""

    def count(self, plan: StudyNudges, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:  # noqa: ARG002
        """Return the samples and estimates."""
        schemes, samples = scenario.tried(), min(plan.samples, outline.samples)
        # One estimate is one of every scheme; each has a free settling of its own.
        estimates, each = samples * plan.repeats, len(schemes)
        free = samples + estimates * (each - 1)
        return SampleCounts(estimates, free, samples, schemes, free_each=each, each="repeat of all schemes")

    def times(self, plan: StudyNudges, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        # Every scheme has free settlings of its own.
        runs = sum(plan.repeats * chip.run([scheme], counts.rows) for scheme in chip.scenario.tried())
        return {"settling": runs, "exact gradients": estimate_exact_time(chip.without(*NOISE), counts.rows)}


ESTIMATE = NudgeEstimate()
