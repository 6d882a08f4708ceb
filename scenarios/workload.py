"""What a scenario will cost, estimated from its numbers alone: parameters, settlings, operations, bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from learning.schemes import Node, Scheme
from substrate.methods import Phase, whole_steps
from substrate.topology import Topology

from .datasets import Outline
from .schema import Scenario
from .schema_experiment import Evaluate, Measure, Record, Settle, Train

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

    settlings: int
    """Settlings of one sample each, over the whole run, without those of the oracle."""

    operations: float
    """Floating point operations of these settlings."""

    memory: int
    """Bytes of parameters, data and states."""

    result: int
    """Bytes of the large arrays of the result file, before compression."""

    bounded: bool
    """Some phases end at a tolerance, so that `operations` is a limit."""


class _Counts(NamedTuple):
    """Samples, over the whole run."""

    estimates: int
    free: int
    """Free settlings alone."""

    rows: int
    """Largest batch."""

    schemes: list[Scheme]


def workload(scenario: Scenario, outline: Outline) -> Workload:
    """Return what a run will cost.

    Parameters
    ----------
    scenario : Scenario
    outline : Outline
        Size of its data.
    """
    network, dynamics = scenario.network, scenario.dynamics_in_tau()
    classes = None if network.cost == "mse" else outline.classes
    topology = Topology(network.layers, network.connections, classes)
    counts = _counts(scenario, outline)
    betas = _nudges(scenario, counts.schemes)
    recurrent = sum(math.prod(topology.shapes[c.block]) for c in topology.recurrent())
    clamped = sum(math.prod(topology.shapes[c.block]) for c in topology.connections if c.pre == topology.input)
    nudged_steps = sum(_planes(node) for node in betas) * _limit(dynamics.nudged, dynamics.dt)
    free = counts.free + counts.estimates
    steps = free * _limit(dynamics.free, dynamics.dt) + counts.estimates * nudged_steps
    data = (outline.samples + outline.test_samples) * (outline.inputs + outline.classes)
    states = _STATES * counts.rows * topology.units * (2 if any(_planes(node) == 2 for node in betas) else 1)
    return Workload(
        topology=topology,
        estimates=counts.estimates,
        nudges=len(betas),
        settlings=free + counts.estimates * len(betas),
        operations=2.0 * (steps * recurrent + free * clamped),
        memory=BYTES * (3 * topology.size + data + states),
        result=_result(scenario, topology, counts, betas),
        bounded=not (dynamics.free.fixed and dynamics.nudged.fixed),
    )


def _counts(scenario: Scenario, outline: Outline) -> _Counts:
    experiment, schemes = scenario.experiment, scenario.learning.all_schemes()
    match experiment:
        case Settle():
            samples = min(experiment.record.samples, outline.samples)
            return _Counts(samples, 0, samples, schemes)
        case Measure():
            samples = min(experiment.samples, outline.samples)
            return _Counts(samples, 0, samples, schemes)
        case Train():
            samples = min(experiment.samples or outline.samples, outline.samples)
            tests = min(experiment.test_samples or outline.test_samples, outline.test_samples)
            rows = min(scenario.task.batch, samples)
            return _Counts(samples * experiment.epochs, tests * (experiment.epochs + 1), rows, schemes[:1])
        case Evaluate():
            tests = min(experiment.samples or outline.test_samples, outline.test_samples)
            return _Counts(0, tests * experiment.chips, tests, [])


def _nudges(scenario: Scenario, schemes: list[Scheme]) -> list[Node]:
    """Return the nodes that are settled for one sample; recorded curves show equal nudges once."""
    nodes = [node for scheme in schemes for node in scheme.nodes() if node.beta != 0.0]
    return list({node.beta: node for node in nodes}.values()) if isinstance(scenario.experiment, Settle) else nodes


def _planes(node: Node) -> int:
    """Return how many real states a settling carries."""
    return 2 if complex(node.beta).imag != 0.0 else 1


def _limit(phase: Phase, dt: float) -> int:
    if not phase.fixed:
        return phase.max_steps
    return (phase.steps or whole_steps(phase.duration or 0.0, dt)) + whole_steps(phase.window, dt)


def _result(scenario: Scenario, topology: Topology, counts: _Counts, betas: Iterable[Node]) -> int:
    """Return the bytes of the large arrays of the result file."""
    experiment, dynamics = scenario.experiment, scenario.dynamics_in_tau()
    total = 3 * BYTES * topology.size
    if isinstance(experiment, Measure):
        copies = len(counts.schemes) + 2
        total += BYTES * (copies * topology.size + (copies + 2) * counts.estimates * topology.units)
    record: Record | None = None if isinstance(experiment, Evaluate) else experiment.record
    if record is not None:
        # Curves are kept in single precision, and in two planes as soon as one nudge is complex.
        phases = {complex(node.beta): node for node in betas}.values()
        longest = max([_limit(dynamics.free, dynamics.dt), *(_limit(dynamics.nudged, dynamics.dt) for _ in phases)])
        planes = max([1, *(_planes(node) for node in phases)])
        times = longest // record.every_steps + 2
        total += 4 * planes * (1 + len(phases)) * times * record.samples * topology.units
    return total
