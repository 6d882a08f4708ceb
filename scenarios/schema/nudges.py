"""Whether nudge schemes fit the dynamics that carry them, and the budget that pays for them."""

from __future__ import annotations

from learning.schemes.scheme import Scheme, Swing, demand
from substrate.dynamics.methods import Dynamics, Phase, cycle_steps
from substrate.dynamics.phases import Phases

from .experiments import StudyNudges

Words = tuple[str, str]
"""What is wrong, and what to try."""


def swing_faults(scheme: Swing, dynamics: Dynamics, phases: Phases, records: bool) -> list[Words]:
    """Return why a swinging nudge does not go with the experiment.

    Parameters
    ----------
    scheme : Swing
        Its period in tau.
    dynamics : Dynamics
        All times in tau.
    phases : Phases
        How the nudge is applied.
    records : bool
        Whether the experiment is about settling curves and nothing else.
    """
    if records:
        hint = "take schemes of constant nudges, such as centred or circle"
        return [("a swinging nudge never settles, so it has no settling curve", hint)]
    if dynamics.mode == "equilibrium" or dynamics.method not in ("euler", "exponential"):
        hint = 'set dynamics.mode = "trajectory" and method = "euler" or "exponential", or take circle or chebyshev'
        return [("a swinging nudge needs a trajectory of fixed steps", hint)]
    if phases.nudge == "held":
        return [("a nudge that is held cannot swing", 'set phases.nudge = "continuous", or take circle or chebyshev')]
    points = cycle_steps(scheme.period, dynamics.dt)
    if points < scheme.fewest_points:
        hint = f"give a period of at least {scheme.fewest_points * dynamics.dt:g} tau, or lower dynamics.dt"
        return [(f"its cycle has {points} steps, {scheme.fewest_points} are needed", hint)]
    return []


def budget_faults(plan: StudyNudges, schemes: list[Scheme], dynamics: Dynamics, mirror: bool) -> list[Words]:
    """Return why the budget of a study does not pay one estimate of every scheme.

    Parameters
    ----------
    plan : StudyNudges
        With the budget, its time in tau.
    schemes : list of Scheme
        Periods in tau.
    dynamics : Dynamics
        All times in tau.
    mirror : bool
        Whether a settling may stand for its conjugate.
    """
    found = []
    for scheme in schemes:
        points = cycle_steps(scheme.period, dynamics.dt) if isinstance(scheme, Swing) else 0
        needed = demand(scheme, mirror, points)
        words = f"does not pay one estimate of {scheme.label}"
        if needed.settlings > plan.budget.settlings or needed.reads > plan.budget.reads:
            found.append((words, f"give at least settlings = {needed.settlings} and reads = {needed.reads}"))
        time = _length(dynamics.free, dynamics)
        if isinstance(scheme, Swing):
            time += (scheme.cycles + 1) * points * dynamics.dt
        else:
            time += (needed.settlings - 1) * _length(dynamics.nudged, dynamics)
        if plan.budget.time is not None and time > plan.budget.time * (1.0 + 1e-9):
            found.append((words, f"its phases take {time:.6g} tau: give at least time = {time:.6g}"))
    return found


def _length(phase: Phase, dynamics: Dynamics) -> float:
    """Return the least time that a phase takes, in tau; 0 where it ends at a tolerance."""
    return phase.steps * dynamics.dt if phase.steps is not None else phase.duration or 0.0
