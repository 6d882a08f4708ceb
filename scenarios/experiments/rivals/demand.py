"""What one batch of a rival asks of the chip, and how many batches a budget pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from learning.rules.rule import LearningRule
from learning.schemes.scheme import Scheme, count_demand
from learning.schemes.unnudged import Unnudged
from substrate.chip.randomness import has_conjugate_answers
from substrate.network.topology import Topology

from ...schema.scenario import ScenarioSpec
from ..counts import count_phase_steps, list_nudged_settlings
from .budget import RivalBudget

USUAL = 30.0
"""Time of a settling to a tolerance, in tau."""


class RivalDemand(NamedTuple):
    """What one batch of a rival asks of the chip."""

    settlings: int
    """Of one sample."""

    asked: Mapping[str, float]
    """Of one batch, by name of a limit; joules without those of `pulses`, which count every cell as stepped, and
    without those of the controller."""

    least: Mapping[str, float]
    """The part of it that is known to be spent: not the time of settlings to a tolerance, and no pulses."""

    @classmethod
    def of(cls, rule: LearningRule | None, scenario: ScenarioSpec, rows: int, topology: Topology) -> RivalDemand:
        """Return the demand of a rule in batches of so many samples; all numbers of the scenario are plain."""
        if rule is None:
            return cls(0, {}, {})
        phases = scenario.phases
        schemes, mirror = list_rule_schemes(rule, scenario), has_conjugate_answers(scenario.devices)
        settlings = 1 + sum(len(list_nudged_settlings(scenario, [scheme])) for scheme in schemes)
        reads = [_count_reads(scheme, mirror) for scheme in schemes]
        whole, outputs = sum(r.whole for r in reads), sum(r.outputs for r in reads)
        conversions = rows * (whole * topology.units + outputs * topology.layers[topology.output])
        known = {"settlings": float(rows * settlings), "reads": float(rows * (whole + outputs))}

        def add_time(settled: float) -> dict[str, float]:
            power = scenario.energy.static * (scenario.tau or 0.0)
            return {
                "time": rows * (settled + (whole + outputs) * phases.read_time) + phases.write_time,
                "joules": scenario.energy.per_read * conversions + power * rows * settled,
            }

        asked = known | {"pulses": float(topology.cell_count)} | add_time(settlings * _estimate_length(scenario))
        least = known | add_time(_find_least_time(scenario, settlings))
        return cls(settlings, asked, least)

    def count_batches(self, budget: RivalBudget, rows: int) -> int:
        """Return about how many batches of so many samples a budget pays; what is not asked limits nothing."""
        limits = [(getattr(budget, name), need) for name, need in self.asked.items() if need]
        paid = [int(limit / need) for limit, need in limits if limit is not None]
        return max(1, min(paid, default=10 * rows)) if self.asked else 0

    def find_too_small(self, budget: RivalBudget) -> tuple[str, float] | None:
        """Return the name of a limit that does not pay a batch, and what a batch takes of it; None: all pay."""
        small = [(name, need) for name, need in self.least.items() if (getattr(budget, name) or need) < need]
        return next(iter(small), None)


class _Reads(NamedTuple):
    """Reads of one sample."""

    whole: int
    outputs: int
    """Of the output layer alone."""


def list_rule_schemes(rule: LearningRule, scenario: ScenarioSpec) -> list[Scheme]:
    """Return the scheme that a rule measures with, or what stands for it."""
    given = scenario.learning.given_schemes()
    return given[:1] if rule.takes_scheme else [rule.stand_in(given)]


def _count_reads(scheme: Scheme, mirror: bool) -> _Reads:
    """Return the reads of one sample under a scheme, the free one included."""
    if not isinstance(scheme, Unnudged):
        return _Reads(count_demand(scheme, mirror).reads, 0)
    return _Reads(1 if scheme.beside is None else count_demand(scheme.beside, mirror).reads, scheme.settlings)


def _estimate_length(scenario: ScenarioSpec) -> float:
    """Return how long a settling takes, in tau: that of the free phase, or the usual time to a tolerance."""
    phase, dt = scenario.dynamics.free, scenario.dynamics.dt
    return count_phase_steps(phase, dt) * dt if phase.fixed else USUAL


def _find_least_time(scenario: ScenarioSpec, settlings: int) -> float:
    """Return how long the settlings of one sample take at least, in tau: those that the clock ends."""
    dynamics = scenario.dynamics
    if dynamics.mode == "equilibrium":
        return 0.0
    free, nudged = (count_phase_steps(p, dynamics.dt) if p.fixed else 0 for p in (dynamics.free, dynamics.nudged))
    # Perturbed weights settle as the free phase does, injected drives as the nudged one.
    return dynamics.dt * (free + (settlings - 1) * min(free, nudged))
