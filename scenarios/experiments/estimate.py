"""What a scenario will cost, from its numbers alone: settlings, operations, bytes, seconds."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Generic, NamedTuple, TypeVar

from substrate.network.topology import Topology

from ..data.datasets import Outline
from ..schema.plan import ExperimentPlan
from ..schema.scenario import ScenarioSpec
from .counts import NudgedSettling, SampleCounts, count_phase_steps, count_search_settlings, list_nudged_settlings
from .rates import FIGURE, LOADING, PAGES, TimedChip

P = TypeVar("P", bound=ExperimentPlan)

BYTES = 8
"""Of a real number in double precision."""

_STATES = 8
"""Arrays of the size of a batch of states that exist while it settles."""


class CostEstimate(Generic[P]):
    """What one kind of experiment costs; every kind has one, `ESTIMATE` in its module `estimate`."""

    def count(self, plan: P, scenario: ScenarioSpec, outline: Outline, topology: Topology) -> SampleCounts:
        """Return the samples and estimates of a run.

        Parameters
        ----------
        plan : Plan
        scenario : Scenario
            All its numbers are plain.
        outline : Outline
            Size of its data.
        topology : Topology
        """
        raise NotImplementedError

    def times(self, plan: P, chip: TimedChip, counts: SampleCounts) -> dict[str, float]:
        """Return the seconds of processor time that the experiment takes on one thread, by part."""
        raise NotImplementedError

    def describe(self, plan: P, scenario: ScenarioSpec, counts: SampleCounts, topology: Topology) -> list[str]:  # noqa: ARG002
        """Return what else is foretold, in lines; the parameters are those of `count`, and what it counted."""
        return []


def find_cost_estimate(scenario: ScenarioSpec) -> CostEstimate[Any]:
    """Return what tells the cost of the experiment of a scenario."""
    found: CostEstimate[Any] = import_module(f".{scenario.experiment.kind}.estimate", __package__).ESTIMATE
    return found


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

    counts: SampleCounts
    """What they were counted from."""


def estimate_workload(scenario: ScenarioSpec, outline: Outline) -> Workload:
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
    plan, kind = scenario.experiment, find_cost_estimate(scenario)
    counts = kind.count(plan, scenario, outline, topology)
    nudged = list_nudged_settlings(scenario, counts.schemes)
    recurrent = sum(c.kind.products for c in topology.recurrent())
    clamped = sum(c.kind.products for c in topology.connections if c.pre == topology.input)
    probes = counts.probes
    nudged_steps = sum(settling.planes * settling.steps for settling in nudged)
    nudged_steps += probes * count_phase_steps(dynamics.nudged, dynamics.dt)
    # Again under one scheme, the most expensive one at most.
    again = [list_nudged_settlings(scenario, [scheme]) for scheme in counts.schemes] if counts.again else [[]]
    free = counts.free + counts.estimates + counts.again
    steps = free * count_phase_steps(dynamics.free, dynamics.dt) + counts.estimates * nudged_steps
    steps += counts.again * max(sum(settling.planes * settling.steps for settling in one) for one in again)
    search = counts.rows * count_search_settlings(scenario)
    steps += search * count_phase_steps(dynamics.nudged, dynamics.dt)
    data = (outline.samples + outline.test_samples) * (outline.inputs + outline.classes)
    arrays = max([_STATES, *(settling.planes * (_STATES + settling.points) for settling in nudged)])
    return Workload(
        topology=topology,
        estimates=counts.estimates,
        nudges=len(nudged),
        probes=probes,
        settlings=free + counts.estimates * (len(nudged) + probes) + counts.again * max(map(len, again)) + search,
        operations=2.0 * (steps * recurrent + free * clamped),
        memory=BYTES * (3 * topology.cell_count + data + (arrays + 2 * counts.kept) * counts.rows * topology.units),
        result=_estimate_stored_bytes(scenario, topology, counts, nudged),
        bounded=not (dynamics.free.fixed and dynamics.nudged.fixed),
        counts=counts,
    )


def describe_demands(scenario: ScenarioSpec, load: Workload) -> list[str]:
    """Return what a kind of experiment foretells beside settlings and seconds, in lines."""
    scenario = scenario.in_units()
    return find_cost_estimate(scenario).describe(scenario.experiment, scenario, load.counts, load.topology)


def estimate_seconds(scenario: ScenarioSpec, load: Workload, once: bool = False) -> dict[str, float]:
    """Return the seconds that a run takes, by part; only parts that are done.

    They are processor time on one thread, or, where the engine is JAX, time by the clock, from steps measured now.

    Parameters
    ----------
    scenario : Scenario
    load : Workload
        What was counted in it.
    once : bool
        Leave out what a run does once, however many designs it measures: loading, writing and drawing.
    """
    scenario = scenario.in_units()
    chip, kind = TimedChip.of(scenario, load.topology, load.counts.rows), find_cost_estimate(scenario)
    found = {} if once else {"loading": LOADING, "writing and drawing": PAGES + FIGURE * len(scenario.tried())}
    found |= kind.times(scenario.experiment, chip, load.counts)
    nudged = chip.design.dynamics.nudged
    one = chip.steps(nudged, 1.0) * chip.step(nudged)
    found["size of the nudge"] = load.counts.rows * count_search_settlings(scenario) * one
    return {name: seconds for name, seconds in found.items() if seconds > 0.0}


def _estimate_stored_bytes(
    scenario: ScenarioSpec, topology: Topology, counts: SampleCounts, nudged: Iterable[NudgedSettling]
) -> int:
    """Return the bytes of the large arrays of the result file."""
    dynamics, copies = scenario.dynamics, counts.copies
    total = BYTES * ((2 + copies) * topology.size + topology.cell_count)
    if copies:
        total += BYTES * (copies + 2) * counts.rows * topology.units
    record = getattr(scenario.experiment, "record", None)
    if record is not None:
        # Curves are kept in single precision, and in two planes as soon as one nudge is complex.
        phases = {settling.beta: settling for settling in nudged if not settling.points}.values()
        longest = max([count_phase_steps(dynamics.free, dynamics.dt), *(settling.steps for settling in phases)])
        planes = max([1, *(settling.planes for settling in phases)])
        times = longest // record.every_steps + 2
        total += 4 * planes * (1 + len(phases)) * times * record.samples * topology.units
    return total
