"""What a comparison of rules costs."""

from __future__ import annotations

from typing import NamedTuple

from learning.rules.rule import LearningRule
from learning.schemes.scheme import Scheme, count_demand
from learning.schemes.unnudged import Unnudged
from substrate.chip.randomness import has_conjugate_answers
from substrate.network.topology import Topology

from ...build import Setup
from ...data.datasets import Outline
from ...schema.scenario import ScenarioSpec
from ..counts import SampleCounts, count_phase_steps, list_nudged_settlings
from ..estimate import CostEstimate
from ..rates import FABRICATED, WRITTEN, TimedChip, estimate_exact_time, estimate_response_time
from .plan import CompareRivals, Rival, RivalBudget

BATCH = 1.5e-3
"""Seconds of one batch beside its settlings and the digital work on them: to weigh, to request, to write."""

USUAL = 30.0
"""Time of a settling to a tolerance, in tau."""

DIGITAL = 0.4
"""Backward pass through a model of a sample, over the linear responses that the oracle finds."""


class RivalDemand(NamedTuple):
    """What one batch of a rival asks of the chip, and how many of them its budget pays."""

    settlings: int
    """Of one sample."""

    batches: int

    @classmethod
    def of(cls, rule: LearningRule | None, scenario: ScenarioSpec, rows: int, cells: int) -> RivalDemand:
        """Return the demand of a rule; joules are not foretold, and limit nothing here."""
        plan = scenario.experiment
        if rule is None or not isinstance(plan, CompareRivals):
            return cls(0, 0)
        schemes, mirror = list_rule_schemes(rule, scenario), has_conjugate_answers(scenario.devices)
        reads = sum(_count_reads(scheme, mirror) for scheme in schemes)
        settlings = 1 + sum(len(list_nudged_settlings(scenario, [scheme])) for scheme in schemes)
        asked: dict[str, float] = {"settlings": rows * settlings, "reads": rows * reads, "pulses": cells}
        phases, settled = scenario.phases, settlings * _estimate_length(scenario)
        asked["time"] = rows * (settled + reads * phases.read_time) + phases.write_time
        return cls(settlings, max(1, _count_paid(plan.budget, asked, 10 * rows)))


class RivalsEstimate(CostEstimate[CompareRivals]):
    """What a comparison of rules costs; a budget of pulses counts every cell as stepped at every write."""

    def count(self, plan: CompareRivals, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:
        """Return the settlings of all trainings and tests."""
        rows = min(scenario.task.batch, plan.samples or outline.samples, outline.samples)
        tests = min(plan.test_samples or outline.test_samples, outline.test_samples)
        samples = min(plan.samples or outline.samples, outline.samples)
        total = 0
        for rival in plan.rivals:
            demand = RivalDemand.of(rival.rule, scenario, rows, topology.cell_count)
            pilots = len(plan.rates or []) * rival.is_tried
            total += (plan.chips + pilots) * (rows * demand.settlings * demand.batches + tests)
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


ESTIMATE = RivalsEstimate()


def time_training(rival: Rival, chip: TimedChip, counts: SampleCounts, pilot: bool = False) -> dict[str, float]:
    """Return the seconds of one training of a rival, by part, with the test after it and the estimates before it."""
    plan, rows, topology = chip.scenario.experiment, counts.rows, chip.topology
    found = {"tests": chip.run([], counts.tested)}
    if rival.rule is None or not isinstance(plan, CompareRivals):
        return found
    demand = RivalDemand.of(rival.rule, chip.scenario, rows, topology.cell_count)
    batches = demand.batches + (0 if pilot else plan.estimates)
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


def list_rule_schemes(rule: LearningRule, scenario: ScenarioSpec) -> list[Scheme]:
    """Return the scheme that a rule measures with, or what stands for it."""
    given = scenario.learning.given_schemes()
    return given[:1] if rule.takes_scheme else [rule.stand_in(given)]


def count_kinds(plan: CompareRivals) -> int:
    """Return how many kinds of chips are on the map."""
    return len(plan.mismatch or [0]) * len(plan.read_noise or [0])


def _count_reads(scheme: Scheme, mirror: bool) -> int:
    """Return the reads of one sample under a scheme, the free one and those of outputs alone included."""
    if not isinstance(scheme, Unnudged):
        return count_demand(scheme, mirror).reads
    return scheme.settlings + (1 if scheme.beside is None else count_demand(scheme.beside, mirror).reads)


def _estimate_length(scenario: ScenarioSpec) -> float:
    """Return how long a settling takes, in tau: that of the free phase, or the usual time to a tolerance."""
    phase, dt = scenario.dynamics.free, scenario.dynamics.dt
    return count_phase_steps(phase, dt) * dt if phase.fixed else USUAL


def _count_paid(budget: RivalBudget, asked: dict[str, float], otherwise: int) -> int:
    """Return how many batches a budget pays that ask so much each."""
    paid = [int(limit / asked[name]) for name in asked if (limit := getattr(budget, name)) is not None]
    return min(paid, default=otherwise)
