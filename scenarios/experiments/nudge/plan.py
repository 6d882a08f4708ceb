"""What a scenario says about a study of nudges, and whether its budget pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from learning.schemes.allowance import Allowance
from learning.schemes.scheme import Beta, Scheme, Swing, count_demand
from substrate.dynamics.methods import Dynamics, Phase, count_cycle_steps

from ...schema.plan import ExperimentPlan


class StudyNudges(ExperimentPlan):
    """Find the best nudge: bias and noise of every scheme on the chip, at one budget for all; nothing is learned."""

    needs_scheme: ClassVar = True
    compares_gradients: ClassVar = True
    finds_sizes: ClassVar = True

    kind: Literal["nudge"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 16
    """The first so many training samples."""

    repeats: Annotated[int, Field(ge=2, le=1_000_000)] = 32
    """Estimates of every scheme, each with noise of its own; 2 or more. Without any noise 2 are enough."""

    betas: Annotated[list[Beta], Field(min_length=1, max_length=64)] | None = None
    """Sizes at which every scheme is tried, in place of its own; above 0. Absent: each scheme as it is written."""

    budget: Allowance = Allowance()
    """What every scheme may spend on one sample, the free settling and the free read of every estimate included."""

    def tried(self, schemes: list[Scheme]) -> list[Scheme]:
        """Return every scheme at every size."""
        if self.betas is None:
            return schemes
        return [scheme.model_copy(update={"beta": beta}) for scheme in schemes for beta in self.betas]

    def faults(
        self, schemes: Sequence[Scheme], dynamics: Dynamics, mirror: bool
    ) -> list[tuple[tuple[str, ...], str, str]]:
        """Return why the budget does not pay one estimate of every scheme."""
        return [(("budget",), *words) for words in find_budget_faults(self, schemes, dynamics, mirror)]


def find_budget_faults(
    plan: StudyNudges, schemes: Sequence[Scheme], dynamics: Dynamics, mirror: bool
) -> list[tuple[str, str]]:
    """Return why the budget of a study does not pay one estimate of every scheme.

    Parameters
    ----------
    plan : StudyNudges
        With the budget, its time in tau.
    schemes : sequence of Scheme
        Periods in tau.
    dynamics : Dynamics
        All times in tau.
    mirror : bool
        Whether a settling may stand for its conjugate.
    """
    found = []
    for scheme in schemes:
        points = count_cycle_steps(scheme.period, dynamics.dt) if isinstance(scheme, Swing) else 0
        needed = count_demand(scheme, mirror, points)
        words = f"does not pay one estimate of {scheme.label}"
        if needed.settlings > plan.budget.settlings or needed.reads > plan.budget.reads:
            found.append((words, f"give at least settlings = {needed.settlings} and reads = {needed.reads}"))
        time = _compute_least_time(dynamics.free, dynamics)
        if isinstance(scheme, Swing):
            time += (scheme.cycles + 1) * points * dynamics.dt
        else:
            time += (needed.settlings - 1) * _compute_least_time(dynamics.nudged, dynamics)
        if plan.budget.time is not None and time > plan.budget.time * (1.0 + 1e-9):
            found.append((words, f"its phases take {time:.6g} tau: give at least time = {time:.6g}"))
    return found


def _compute_least_time(phase: Phase, dynamics: Dynamics) -> float:
    """Return the least time that a phase takes, in tau; 0 where it ends at a tolerance."""
    return phase.steps * dynamics.dt if phase.steps is not None else phase.duration or 0.0


PLAN = StudyNudges
