"""Let a circuit learn by itself while tasks alternate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.circuit.components import ContinuousUpdate
from learning.circuits.coupled import Coupled
from substrate.circuits.design import place_blocks
from substrate.circuits.effects.spreads import Spreads, apply_spreads, draw_spreads
from substrate.circuits.effects.squarers import draw_squarers
from substrate.circuits.self_learning.cycles import CLOSED, LearningCycle, find_cycles
from substrate.circuits.self_learning.learner import EdgeRule, Learner, LearningTask

from ...circuits.setup import CircuitSetup
from ...circuits.updates import CONDUCTANCES, GATES
from ...data.measured_learner import MeasuredCycles, load_measured_cycles
from ...results.store import Group, Variable
from ...schema.circuit.scenario import AlternatingTask
from ..kind import COMPLETE, CircuitWork, Ending
from .plans import SelfLearning

Array = NDArray[np.float64]


class Beginning(NamedTuple):
    """A circuit about to learn."""

    learner: Learner
    values: Array
    """First gate voltages, then conductances, (edges,)."""


def run_self_learning(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Find the cycle in which learning ends, for one period after the other."""
    setup, plan, update = work.setup, work.setup.plan, work.setup.scenario.devices.update
    if not isinstance(plan, SelfLearning) or update is None:
        raise TypeError(f"{plan.kind} is no learning in continuous time")
    measured = None if plan.compare is None else load_measured_cycles(plan.compare)
    periods = np.array(plan.periods) if measured is None else measured.periods
    learner, first = make_learner(setup)
    longer = update.delay * len(learner.tasks)
    found = []
    for k, period in enumerate(periods):
        found.append(find_cycles(learner, first, np.array([period + longer]), plan.points))
        work.watch.advance(k + 1, len(periods), f"period {period:g} s")
    cycles = LearningCycle(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    group = _make_group(setup, plan.points, periods, cycles) | _list_values(setup, cycles.values)
    return {"cycles": group | _compare_cycles(cycles, measured)}, COMPLETE


def make_learner(setup: CircuitSetup) -> Beginning:
    """Return the piece of hardware of a scenario, with its tasks, and its first gates and conductances.

    Raises
    ------
    TypeError
        If the scenario is not of a circuit that learns by itself.
    """
    spec, design, devices = setup.scenario, setup.graph, setup.scenario.devices
    if devices.update is None or not isinstance(spec.learning.rule, Coupled):
        raise TypeError(f"{spec.name} does not learn by itself")
    spread = draw_spreads(design, *setup.fabrication)
    circuit = apply_spreads(place_blocks(design, setup.programmed), devices, spread)
    parts = [_list_edges(setup, devices.update, spread, block) for block in _list_blocks(setup)]
    joined = _Edges(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    gates, conductors = (
        design.blocks[block].elements if block in design.blocks else np.zeros(0, dtype=np.int64)
        for block in (GATES, CONDUCTANCES)
    )
    eta = spec.learning.rule.clamp * devices.nudge.gain
    rule = EdgeRule(gates, conductors, *joined[:6], eta, joined.scale)
    tasks = _list_tasks(setup, devices.nudge.offset_sigma * spread.targets)
    return Beginning(Learner(circuit, rule, tasks), joined.first)


class _Edges(NamedTuple):
    """Learned elements as `EdgeRule` has them, and their first parameters; (edges,) each."""

    rate: Array
    offset: Array
    bias: Array
    leak: Array
    low: Array
    high: Array
    scale: Array
    first: Array


def _list_blocks(setup: CircuitSetup) -> list[str]:
    """Return the blocks that are learned, gates first."""
    return [block for block in (GATES, CONDUCTANCES) if block in setup.graph.blocks]


def _list_edges(setup: CircuitSetup, update: ContinuousUpdate, spread: Spreads, block: str) -> _Edges:
    """Return the learned elements of a block: a resistor acts, and so changes, by its own spread more or less."""
    design, devices, names = setup.graph, setup.scenario.devices, setup.names[block]
    elements, one = design.blocks[block].elements, np.ones(len(names))
    scale, spreads = one, one
    if block == CONDUCTANCES:
        conductors = design.circuit.conductors
        unit = design.circuit._replace(conductors=conductors._replace(g=np.ones_like(conductors.g)))
        spreads = apply_spreads(unit, devices, spread).conductors.g[elements]
        scale = spreads * (update.sensitivity or 0.0)

    def list_given(given: dict[str, float]) -> Array:
        return np.array([given.get(name, 0.0) for name in names])

    low, high = design.bounds(design.blocks[block].kind)
    rate = update.gain / (update.circuit.resistance * update.circuit.capacitance * update.circuit.scale)
    squarers = draw_squarers(design, *setup.fabrication)
    return _Edges(
        scale * rate,
        list_given(update.offset) + (squarers[block].comparator if squarers else 0.0),
        scale * list_given(update.bias),
        list_given(update.leak),
        spreads * low,
        spreads * high,
        scale,
        spreads * np.clip(setup.programmed[block], low, high),
    )


def _list_tasks(setup: CircuitSetup, beside: Array) -> list[LearningTask]:
    """Return the tasks, whose clamps aim `beside` the targets."""
    task, found, first = setup.scenario.task, [], 0
    if not isinstance(task, AlternatingTask):
        raise TypeError(f"{setup.scenario.name} has no tasks that alternate")
    for name, samples in task.tasks.items():
        rows = slice(first, first := first + len(samples))
        target = np.asarray(setup.data.y[rows])
        aim = target + np.array(task.offsets.get(name, 0.0)) + beside
        found.append(LearningTask(setup.graph.feeds.apply(np.asarray(setup.data.x[rows])), target, aim))
    return found


def _make_group(setup: CircuitSetup, points: int, periods: Array, cycles: LearningCycle) -> Group:
    task, (_, count, _) = setup.scenario.task, cycles.values.shape
    names = list(task.tasks) if isinstance(task, AlternatingTask) else []
    on = np.array([*np.repeat(names, points), names[0]])
    gap = "largest step to the cycle that was left, as a share of the range"
    span = "squared distance of the parameters between the first two changes of the task, conductances by sensitivity"
    limited = "parameters that stand at an end of their range at a point of the cycle"
    error = "mean square error over all samples at all changes of the task"
    closed = cycles.gap <= CLOSED
    first = int(periods.argmin())
    floor = cycles.error[first] if closed[first] else np.nan
    return {
        "period": Variable(("period",), periods, "s", long_name="full period, in which every task is on once"),
        "point": Variable(("point",), np.arange(count), long_name="point of the cycle"),
        "task": Variable(("point",), on, long_name="task that is on from this point"),
        "span": Variable(("period",), cycles.span, "V^2", long_name=span),
        "error": Variable(("period",), cycles.error, "V^2", long_name=error),
        "limited": Variable(("period",), cycles.limited, long_name=limited),
        "floor": Variable((), floor, "V^2", long_name="mean square error at the shortest period, in V^2"),
        "gap": Variable(("period",), cycles.gap, long_name=gap),
        "closed": Variable(("period",), closed, long_name="whether the cycle was found"),
        "unsettled": Variable(("period",), cycles.unsettled, long_name="rest points that were not found on the way"),
    }


def _list_values(setup: CircuitSetup, values: Array) -> Group:
    """Return gate voltages and conductances around the cycles, (periods, points, edges), with their names."""
    group: Group = {}
    words = {
        GATES: ("gate", "element", "V", "gate voltages"),
        CONDUCTANCES: ("conductance", "resistor", "S", "conductances"),
    }
    first = 0
    for block in _list_blocks(setup):
        own = slice(first, first := first + len(setup.names[block]))
        name, dim, unit, what = words[block]
        group[dim] = Variable((dim,), np.array(setup.names[block]), long_name=f"name of the {dim}")
        label = f"{what} around the cycle"
        group[name] = Variable(("period", "point", dim), values[:, :, own], unit, long_name=label)
    return group


def _compare_cycles(cycles: LearningCycle, measured: MeasuredCycles | None) -> Group:
    """Return measured spans and errors, and the rms factors by which closed cycles differ from them."""
    if measured is None:
        return {}
    group: Group = {}
    closed = cycles.gap <= CLOSED
    for name in ("span", "error"):
        seen, found = getattr(measured, name), getattr(cycles, name)
        rms = np.sqrt(np.mean(np.log(found[closed] / seen[closed]) ** 2)) if closed.any() else np.nan
        group[f"{name}_measured"] = Variable(("period",), seen, "V^2", long_name=f"measured {name}")
        group[f"{name}_factor"] = Variable((), float(np.exp(rms)), long_name=f"rms factor between both {name}s")
    return group


RUN = run_self_learning
"""What this kind of experiment does."""
