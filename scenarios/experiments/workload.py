"""What a scenario will cost, estimated from its numbers alone: parameters, settlings, operations, bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from learning.homeostasis.measured import ClosedLoop
from learning.oracle.ledger.remedies import REMEDIES, Setting, possible
from learning.schemes.scheme import Scheme, Swing, unfolded
from learning.schemes.wave import Rotation
from substrate.chip.randomness import conjugates
from substrate.dynamics.methods import Phase, cycle_steps, whole_steps
from substrate.network.topology import Topology

from ..build import design_of
from ..data.datasets import Outline
from ..schema.experiments import Evaluate, Measure, Record, Settle, StudyNudges, Train
from ..schema.scenario import Scenario

BYTES = 8
"""Of a real number in double precision."""

_STATES = 8
"""Arrays of the size of a batch of states that exist while it settles."""


class Workload(NamedTuple):
    """Estimates for one run; what ends at a tolerance counts with its step limit."""

    topology: Topology
    estimates: int
    """Samples whose gradient is estimated with every scheme, over the whole run."""

    nudges: int
    """Nudged settlings of one sample, over all its schemes."""

    probes: int
    """Settlings of one sample with an injected drive, for each of its estimates."""

    settlings: int
    """Settlings of one sample each, over the whole run, with those that tell what would help against the largest cause
    of error, without those of the oracle."""

    operations: float
    """Floating point operations of these settlings."""

    memory: int
    """Bytes of parameters, data and states."""

    result: int
    """Bytes of the large arrays of the result file, before compression."""

    bounded: bool
    """Some phases end at a tolerance, so that `operations` is a limit."""

    counts: Counts
    """What they were counted from."""


class Counts(NamedTuple):
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


class Nudged(NamedTuple):
    """One nudged settling."""

    beta: complex
    planes: int
    """Real states that it carries."""

    steps: int
    points: int = 0
    """Points of a cycle that are read; 0 if the nudge is constant."""


def workload(scenario: Scenario, outline: Outline) -> Workload:
    """Return what a run will cost.

    Parameters
    ----------
    scenario : Scenario
    outline : Outline
        Size of its data.
    """
    scenario = scenario.in_units()
    network, dynamics = scenario.network, scenario.dynamics
    classes = None if network.cost == "mse" else outline.classes
    topology = Topology(network.layers, network.connections, classes)
    counts = _counts(scenario, outline, topology)
    nudged = nudges_of(scenario, counts.schemes)
    recurrent = sum(math.prod(topology.shapes[c.block]) for c in topology.recurrent())
    clamped = sum(math.prod(topology.shapes[c.block]) for c in topology.connections if c.pre == topology.input)
    probes = probes_of(scenario)
    nudged_steps = sum(settling.planes * settling.steps for settling in nudged)
    nudged_steps += probes * limit_of(dynamics.nudged, dynamics.dt)
    # Again under one scheme, the most expensive one at most.
    again = [nudges_of(scenario, [scheme]) for scheme in counts.schemes] if counts.again else [[]]
    free = counts.free + counts.estimates + counts.again
    steps = free * limit_of(dynamics.free, dynamics.dt) + counts.estimates * nudged_steps
    steps += counts.again * max(sum(settling.planes * settling.steps for settling in one) for one in again)
    data = (outline.samples + outline.test_samples) * (outline.inputs + outline.classes)
    arrays = max([_STATES, *(settling.planes * (_STATES + settling.points) for settling in nudged)])
    return Workload(
        topology=topology,
        estimates=counts.estimates,
        nudges=len(nudged),
        probes=probes,
        settlings=free + counts.estimates * (len(nudged) + probes) + counts.again * max(map(len, again)),
        operations=2.0 * (steps * recurrent + free * clamped),
        memory=BYTES * (3 * topology.size + data + (arrays + 2 * counts.kept) * counts.rows * topology.units),
        result=_result(scenario, topology, counts, nudged),
        bounded=not (dynamics.free.fixed and dynamics.nudged.fixed),
        counts=counts,
    )


def remedies_of(scenario: Scenario, topology: Topology) -> int:
    """Return how many changes are tried, against the cause of error that has most."""
    design = design_of(scenario, topology, "identity")
    settings = [Setting(design, scheme) for scheme in scenario.tried()]
    return max(len(possible(s, terms)) for s in settings for terms in {r.terms[:1] for r in REMEDIES.values()})


def _counts(scenario: Scenario, outline: Outline, topology: Topology) -> Counts:
    experiment, schemes = scenario.experiment, scenario.tried()
    match experiment:
        case Settle():
            samples = min(experiment.record.samples, outline.samples)
            return Counts(samples, 0, samples, schemes)
        case Measure():
            samples, repeats = min(experiment.samples, outline.samples), scenario.repeats(experiment)
            again = samples * remedies_of(scenario, topology)
            return Counts(samples * repeats, 0, samples, schemes, repeats * len(schemes), again)
        case StudyNudges():
            samples = min(experiment.samples, outline.samples)
            # One estimate is one of every scheme; each has a free settling of its own.
            estimates = samples * experiment.repeats
            return Counts(estimates, samples + estimates * (len(schemes) - 1), samples, schemes)
        case Train():
            samples = min(experiment.samples or outline.samples, outline.samples)
            tests = min(experiment.test_samples or outline.test_samples, outline.test_samples)
            rows = min(scenario.task.batch, samples)
            return Counts(samples * experiment.epochs, tests * (experiment.epochs + 1), rows, schemes[:1])
        case Evaluate():
            tests = min(experiment.samples or outline.test_samples, outline.test_samples)
            return Counts(0, tests * experiment.chips, tests, [])


def nudges_of(scenario: Scenario, schemes: list[Scheme]) -> list[Nudged]:
    """Return the nudged settlings of one sample; recorded curves show equal constant nudges once."""
    recorded = isinstance(scenario.experiment, Settle)
    dynamics, found = scenario.dynamics, []
    for scheme in schemes:
        if not isinstance(scheme, Swing):
            limit = limit_of(dynamics.nudged, dynamics.dt)
            nodes = scheme.nodes() if recorded or conjugates(scenario.devices) else unfolded(scheme.nodes())
            betas = [complex(node.beta) for node in nodes if node.beta != 0.0]
            found += [Nudged(beta, 2 if beta.imag != 0.0 else 1, limit) for beta in betas]
        elif not recorded:
            points = cycle_steps(scheme.period, dynamics.dt)
            planes = 2 if isinstance(scheme, Rotation) else 1
            found.append(Nudged(scheme.beta, planes, (scheme.cycles + 1) * points, points))
    return list({settling.beta: settling for settling in found}.values()) if recorded else found


def probes_of(scenario: Scenario) -> int:
    """Return the settlings of one sample that homeostasis asks for; held outputs need none."""
    how = scenario.learning.homeostasis
    return 2 * how.draws if isinstance(scenario.experiment, Train) and isinstance(how, ClosedLoop) else 0


def limit_of(phase: Phase, dt: float) -> int:
    """Return the steps of a phase: all of a fixed length, or its limit."""
    if not phase.fixed:
        return phase.max_steps
    return (phase.steps or whole_steps(phase.duration or 0.0, dt)) + whole_steps(phase.window, dt)


def _result(scenario: Scenario, topology: Topology, counts: Counts, nudged: Iterable[Nudged]) -> int:
    """Return the bytes of the large arrays of the result file."""
    experiment, dynamics = scenario.experiment, scenario.dynamics
    total = 3 * BYTES * topology.size
    if isinstance(experiment, Measure):
        copies = len(counts.schemes) + 2
        total += BYTES * (copies * topology.size + (copies + 2) * counts.rows * topology.units)
    record: Record | None = None if isinstance(experiment, Evaluate | StudyNudges) else experiment.record
    if record is not None:
        # Curves are kept in single precision, and in two planes as soon as one nudge is complex.
        phases = {settling.beta: settling for settling in nudged if not settling.points}.values()
        longest = max([limit_of(dynamics.free, dynamics.dt), *(settling.steps for settling in phases)])
        planes = max([1, *(settling.planes for settling in phases)])
        times = longest // record.every_steps + 2
        total += 4 * planes * (1 + len(phases)) * times * record.samples * topology.units
    return total
