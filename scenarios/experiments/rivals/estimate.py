"""What a comparison of rules costs."""

from __future__ import annotations

from collections.abc import Iterator

from substrate.network.topology import Topology

from ...build import Setup
from ...data.datasets import Outline
from ...results.views import format_quantity
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts
from ..estimate import CostEstimate
from ..rates import FABRICATED, WRITTEN, TimedChip, estimate_exact_time, estimate_response_time
from .demand import RivalDemand, list_rule_schemes
from .plan import CompareRivals, Rival

BATCH = 1.5e-3
"""Seconds of one batch beside its settlings and the digital work on them: to weigh, to request, to write."""

DIGITAL = 0.4
"""Backward pass through a model of a sample, over the linear responses that the oracle finds."""


class RivalsEstimate(CostEstimate[CompareRivals]):
    """What a comparison of rules costs; a budget of pulses counts every cell as stepped at every write."""

    def count(self, plan: CompareRivals, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:
        """Return the settlings of all trainings and tests."""
        rows = min(scenario.task.batch, plan.samples or outline.samples, outline.samples)
        tests = min(plan.test_samples or outline.test_samples, outline.test_samples)
        samples = min(plan.samples or outline.samples, outline.samples)
        total = 0
        for rival in plan.rivals:
            demand = RivalDemand.of(rival.rule, scenario, rows, topology)
            pilots = len(plan.rates or []) * rival.is_tried
            batches = demand.count_batches(plan.budget, rows)
            total += (plan.chips + pilots) * (rows * demand.settlings * batches + tests)
            total += plan.chips * rows * demand.settlings * plan.estimates
        return SampleCounts(0, count_kinds(plan) * total, rows, [], trained=samples, tested=tests)

    def times(self, plan: CompareRivals, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds by part."""
        found = dict.fromkeys(("settling", "digital errors", "writes", "tests", "exact gradients", "in silico"), 0.0)
        for rival in plan.rivals:
            pilots = len(plan.rates or []) * rival.is_tried
            for times, pilot in ((plan.chips, False), (pilots, True)):
                for name, seconds in time_training(rival, chip, counts, pilot).items():
                    found[name] += count_kinds(plan) * times * seconds
        batches = plan.in_silico_epochs * -(-counts.trained // counts.rows)
        starts = {rival.start for rival in plan.rivals} - {"scratch"}
        made = sum(len(plan.mismatch or [0]) if start == "spread-aware" else 1 for start in starts)
        found["in silico"] = made * batches * (BATCH + chip.made() + estimate_exact_time(chip, counts.rows))
        return found

    def describe(
        self, plan: CompareRivals, scenario: ScenarioSpec, counts: SampleCounts, topology: Topology
    ) -> list[str]:
        """Return what a batch of every rival takes of what is counted, and how many batches the budget pays."""
        return [f"rival       {line}" for line in _describe_demands(plan, scenario, counts.rows, topology)]


ESTIMATE = RivalsEstimate()


def _describe_demands(plan: CompareRivals, scenario: ScenarioSpec, rows: int, topology: Topology) -> Iterator[str]:
    energy, cells = scenario.energy, topology.cell_count
    pulses = "" if scenario.devices.update is None else f", and {cells:,} pulses each time that all cells get one"
    pulses += f" ({format_quantity(energy.per_pulse * cells, 'J')})" if energy.per_pulse else ""
    for rival in plan.rivals:
        if rival.rule is None:
            continue
        demand = RivalDemand.of(rival.rule, scenario, rows, topology)
        asked, batches = demand.asked, demand.count_batches(plan.budget, rows)
        joules = f", {format_quantity(asked['joules'], 'J')} of reads and settling" if asked["joules"] else ""
        joules += ", and what its controller computes" if energy.per_mac and rival.rule.model_need else ""
        yield (
            f"{rival.label}: a batch of {rows} takes {asked['settlings']:,.0f} settlings and {asked['reads']:,.0f} "
            f"reads{joules}{pulses}; the budget pays for about {batches:,}"
        )


def time_training(rival: Rival, chip: TimedChip, counts: SampleCounts, pilot: bool = False) -> dict[str, float]:
    """Return the seconds of one training of a rival, by part, with the test after it and the estimates before it."""
    plan, rows, topology = chip.scenario.experiment, counts.rows, chip.topology
    found = {"tests": chip.run([], counts.tested)}
    if rival.rule is None or not isinstance(plan, CompareRivals):
        return found
    demand = RivalDemand.of(rival.rule, chip.scenario, rows, topology)
    batches = demand.count_batches(plan.budget, rows) + (0 if pilot else plan.estimates)
    found["settling"] = batches * chip.run(list_rule_schemes(rival.rule, chip.scenario), rows)
    if rival.rule.model_need is not None:
        found["digital errors"] = DIGITAL * batches * rows * estimate_response_time(chip)
    found["writes"] = batches * (BATCH + topology.cell_count * (FABRICATED + (WRITTEN if chip.stores else 0.0)))
    if not pilot:
        found["exact gradients"] = estimate_exact_time(chip, rows)
    return found


def weigh_rivals(plan: CompareRivals, setup: Setup) -> list[float]:
    """Return how long a training of each rival takes, over the mean of all trainings."""
    scenario = setup.scenario.in_units()
    rows = min(scenario.task.batch, plan.samples or len(setup.data.x), len(setup.data.x))
    chip = TimedChip.of(scenario, setup.design.topology, rows, measured=False)
    counts = SampleCounts(
        0, 0, rows, [], tested=min(plan.test_samples or len(setup.data.x_test), len(setup.data.x_test))
    )
    seconds = [sum(time_training(rival, chip, counts).values()) for rival in plan.rivals]
    return [one * len(seconds) / sum(seconds) for one in seconds]


def count_kinds(plan: CompareRivals) -> int:
    """Return how many kinds of chips are on the map."""
    return len(plan.mismatch or [0]) * len(plan.read_noise or [0])
