"""What a comparison of rules costs."""

from __future__ import annotations

from substrate.network.topology import Topology

from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import TimedChip, estimate_exact_time
from .plan import CompareRivals


class RivalsEstimate(CostEstimate[CompareRivals]):
    """What a comparison of rules costs; a budget without settlings counts as many of them as reads or pulses."""

    def count(self, plan: CompareRivals, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:
        """Return the settlings of all trainings and tests."""
        budget, rows = plan.budget, min(scenario.task.batch, outline.samples)
        amounts = [budget.settlings, budget.reads, budget.pulses and rows * budget.pulses // topology.cell_count]
        each = min((amount for amount in amounts if amount), default=outline.samples)
        tests = min(plan.test_samples or outline.test_samples, outline.test_samples)
        paced = [rival for rival in plan.rivals if rival.rule is not None and rival.rate is None]
        trained = plan.chips * sum(rival.rule is not None for rival in plan.rivals) + len(plan.rates or []) * len(paced)
        places = len(plan.mismatch or [0]) * len(plan.read_noise or [0])
        return SampleCounts(0, places * (trained * each + plan.chips * len(plan.rivals) * tests), rows, [])

    def times(self, plan: CompareRivals, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        silico = any(rival.start != "scratch" for rival in plan.rivals)
        batches = counts.free / counts.rows
        exact = estimate_exact_time(chip, counts.rows) * plan.chips * len(plan.rivals)
        found = {"settling": batches * chip.run([], counts.rows), "exact gradients": exact}
        return found | ({"in silico": plan.in_silico_epochs * exact} if silico else {})


ESTIMATE = RivalsEstimate()
