"""Whether nudge schemes fit the dynamics that carry them."""

from __future__ import annotations

from learning.rules.dyadic import Dyadic
from learning.rules.rule import LearningRule
from learning.schemes.scheme import Swing
from substrate.dynamics.methods import Dynamics, count_cycle_steps
from substrate.dynamics.phases import Phases

from .plan import ExperimentPlan

Words = tuple[str, str]
"""What is wrong, and what to try."""


def find_swing_faults(scheme: Swing, dynamics: Dynamics, phases: Phases, records: bool) -> list[Words]:
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
    points = count_cycle_steps(scheme.period, dynamics.dt)
    if points < scheme.fewest_points:
        hint = f"give a period of at least {scheme.fewest_points * dynamics.dt:g} tau, or lower dynamics.dt"
        return [(f"its cycle has {points} steps, {scheme.fewest_points} are needed", hint)]
    return []


def find_search_faults(experiment: ExperimentPlan, rule: LearningRule) -> list[Words]:
    """Return why the size of a nudge cannot be found by measuring."""
    if not experiment.finds_sizes:
        hint = "give beta a number; measure, nudge and train can find one"
        return [(f'beta = "auto" is found by a search, and {experiment.kind} makes none', hint)]
    if isinstance(rule, Dyadic) or not rule.needs_scheme:
        words = f'beta = "auto": the rule {rule.kind} does not nudge'
        return [(words, "give beta a number, which it does not use, or leave the scheme out")]
    if rule.injects:
        words = f'beta = "auto" is found for a pull of the outputs, and the rule {rule.kind} injects drives'
        return [(words, "give beta a number")]
    if getattr(experiment, "betas", None) is not None:
        return [('beta = "auto" and experiment.betas exclude each other', "give one of them")]
    return []
