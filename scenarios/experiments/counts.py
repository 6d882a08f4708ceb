"""What is counted in a scenario to foretell what it costs: samples, settlings, steps."""

from __future__ import annotations

from typing import NamedTuple

from learning.auto_nudge import SHARES
from learning.oracle.ledger.remedies import REMEDIES, GradientSetting, list_possible_remedies
from learning.schemes.scheme import ROUNDS, ConstantNudges, Scheme, Swing, count_demand, unfold_mirrored_nodes
from learning.schemes.unnudged import Unnudged
from learning.schemes.wave import Rotation
from substrate.chip.randomness import has_conjugate_answers
from substrate.dynamics.methods import Phase, count_cycle_steps, count_whole_steps
from substrate.network.topology import Topology

from ..build import make_design
from ..schema.scenario import ScenarioSpec


class SampleCounts(NamedTuple):
    """Samples, over the whole run."""

    estimates: int
    free: int
    """Free settlings alone."""

    rows: int
    """Largest batch."""

    schemes: list[Scheme]
    kept: int = 1
    """Estimates of one batch that are kept side by side."""

    again: int = 0
    """Samples that are measured again under one scheme, to tell what would help."""

    probes: int = 0
    """Settlings with an injected drive, for each estimate."""

    free_each: int = 1
    """Free settlings of one estimate."""

    each: str = "estimate"
    """One estimate, in words."""

    epochs: int = 0
    """Epochs of a training."""

    copies: int = 0
    """Arrays of the size of all weights in the result file, beside those of the chip."""

    trained: int = 0
    """Training samples of one epoch, where the experiment trains several times."""

    tested: int = 0
    """Samples of one test, there."""


class NudgedSettling(NamedTuple):
    """One nudged settling."""

    beta: complex
    planes: int
    """Real states that it carries."""

    steps: int
    points: int = 0
    """Points of a cycle that are read; 0 if the nudge is constant."""


def count_remedies(scenario: ScenarioSpec, topology: Topology) -> int:
    """Return how many changes are tried, against the cause of error that has most."""
    design = make_design(scenario, topology, "identity")
    settings = [GradientSetting(design, scheme) for scheme in scenario.tried()]
    return max(
        len(list_possible_remedies(s, terms)) for s in settings for terms in {r.terms[:1] for r in REMEDIES.values()}
    )


def count_search_settlings(scenario: ScenarioSpec) -> int:
    """Return about how many settlings of a sample the search for sizes of nudges takes, ``beta = "auto"``."""
    mirror, found = has_conjugate_answers(scenario.devices), 0
    for scheme in scenario.learning.written_schemes():
        if isinstance(scheme, ConstantNudges) and scheme.is_auto:
            found += (scheme.rounds or ROUNDS) * len(SHARES) * count_demand(scheme.tried_first(), mirror).settlings
    return found


def list_nudged_settlings(scenario: ScenarioSpec, schemes: list[Scheme]) -> list[NudgedSettling]:
    """Return the settlings of one sample beside the free one; recorded curves show equal constant nudges once."""
    recorded = scenario.experiment.only_curves
    dynamics, found = scenario.dynamics, []
    for scheme in schemes:
        if isinstance(scheme, Unnudged):
            beside = [] if scheme.beside is None else list_nudged_settlings(scenario, [scheme.beside])
            limit = count_phase_steps(dynamics.nudged, dynamics.dt)
            found += [*beside, *[NudgedSettling(scheme.size, 1, limit)] * scheme.settlings]
        elif not isinstance(scheme, Swing):
            limit = count_phase_steps(dynamics.nudged, dynamics.dt)
            nodes = (
                scheme.nodes()
                if recorded or has_conjugate_answers(scenario.devices)
                else unfold_mirrored_nodes(scheme.nodes())
            )
            betas = [complex(node.beta) for node in nodes if node.beta != 0.0]
            found += [NudgedSettling(beta, 2 if beta.imag != 0.0 else 1, limit) for beta in betas]
        elif not recorded:
            points = count_cycle_steps(scheme.period, dynamics.dt)
            planes = 2 if isinstance(scheme, Rotation) else 1
            found.append(NudgedSettling(scheme.beta, planes, (scheme.cycles + 1) * points, points))
    return list({settling.beta: settling for settling in found}.values()) if recorded else found


def count_phase_steps(phase: Phase, dt: float) -> int:
    """Return the steps of a phase: all of a fixed length, or its limit."""
    if not phase.fixed:
        return phase.max_steps
    return (phase.steps or count_whole_steps(phase.duration or 0.0, dt)) + count_whole_steps(phase.window, dt)
