"""Let a circuit learn by itself while tasks alternate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.circuits.coupled import Coupled
from substrate.circuits.design import place_blocks
from substrate.circuits.effects.spreads import apply_spreads, draw_spreads
from substrate.circuits.effects.squarers import draw_squarers
from substrate.circuits.self_learning.cycles import CLOSED, LearningCycle, find_cycles
from substrate.circuits.self_learning.learner import EdgeRule, Learner, LearningTask

from ...circuits.setup import CircuitSetup
from ...circuits.updates import GATES
from ...data.measured_learner import MeasuredCycles, load_measured_cycles
from ...results.store import Group, Variable
from ...schema.circuit.scenario import AlternatingTask
from ..kind import COMPLETE, CircuitWork, Ending
from .plans import SelfLearning

Array = NDArray[np.float64]


class Beginning(NamedTuple):
    """A circuit about to learn."""

    learner: Learner
    gates: Array
    """First gate voltages, (edges,)."""


def run_self_learning(work: CircuitWork) -> tuple[dict[str, Group], Ending]:
    """Find the cycle in which learning ends, for one period after the other."""
    setup, plan, update = work.setup, work.setup.plan, work.setup.scenario.devices.update
    if not isinstance(plan, SelfLearning) or update is None:
        raise TypeError(f"{plan.kind} is no learning in continuous time")
    measured = None if plan.compare is None else load_measured_cycles(plan.compare)
    periods = np.array(plan.periods) if measured is None else measured.periods
    learner, gates = make_learner(setup)
    longer = update.delay * len(learner.tasks)
    found = []
    for k, period in enumerate(periods):
        found.append(find_cycles(learner, gates, np.array([period + longer]), plan.points))
        work.watch.advance(k + 1, len(periods), f"period {period:g} s")
    cycles = LearningCycle(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    return {"cycles": _make_group(setup, plan.points, periods, cycles) | _compare_cycles(cycles, measured)}, COMPLETE


def make_learner(setup: CircuitSetup) -> Beginning:
    """Return the piece of hardware of a scenario, with its tasks, and its first gates.

    Raises
    ------
    TypeError
        If the scenario is not of a circuit that learns by itself.
    """
    spec, design, devices = setup.scenario, setup.graph, setup.scenario.devices
    task, update, rule, gate = spec.task, devices.update, spec.learning.rule, devices.transistors.gate
    if not isinstance(task, AlternatingTask) or update is None or not isinstance(rule, Coupled) or gate is None:
        raise TypeError(f"{spec.name} does not learn by itself")
    spread = draw_spreads(design, *setup.fabrication)
    circuit = apply_spreads(place_blocks(design, setup.programmed), devices, spread)
    squarers = draw_squarers(design, *setup.fabrication)
    names, numbers = setup.names[GATES], design.blocks[GATES].elements

    def list_values(given: dict[str, float]) -> Array:
        return np.array([given.get(name, 0.0) for name in names])

    rate = update.gain / (update.circuit.resistance * update.circuit.capacitance * update.circuit.scale)
    edges = EdgeRule(
        numbers,
        np.zeros(0, dtype=np.int64),
        np.full(len(names), rate),
        list_values(update.offset) + (squarers[GATES].comparator if squarers else 0.0),
        list_values(update.bias),
        list_values(update.leak),
        np.full(len(names), gate[0]),
        np.full(len(names), gate[1]),
        rule.clamp * devices.nudge.gain,
    )
    beside = devices.nudge.offset_sigma * spread.targets
    tasks, first = [], 0
    for name, samples in task.tasks.items():
        rows = slice(first, first := first + len(samples))
        target = np.asarray(setup.data.y[rows])
        aim = target + np.array(task.offsets.get(name, 0.0)) + beside
        tasks.append(LearningTask(design.feeds.apply(np.asarray(setup.data.x[rows])), target, aim))
    return Beginning(Learner(circuit, edges, tasks), np.clip(setup.programmed[GATES], gate[0], gate[1]))


def _make_group(setup: CircuitSetup, points: int, periods: Array, cycles: LearningCycle) -> Group:
    task, (_, count, _) = setup.scenario.task, cycles.values.shape
    names = list(task.tasks) if isinstance(task, AlternatingTask) else []
    on = np.array([*np.repeat(names, points), names[0]])
    gap = "largest step to the cycle that was left, as a share of the range"
    span = "squared distance of the parameters between the first two changes of the task"
    error = "mean square error over all samples at all changes of the task"
    closed = cycles.gap <= CLOSED
    first = int(periods.argmin())
    floor = cycles.error[first] if closed[first] else np.nan
    return {
        "period": Variable(("period",), periods, "s", long_name="full period, in which every task is on once"),
        "point": Variable(("point",), np.arange(count), long_name="point of the cycle"),
        "element": Variable(("element",), np.array(setup.names[GATES]), long_name="name of the element"),
        "task": Variable(("point",), on, long_name="task that is on from this point"),
        "span": Variable(("period",), cycles.span, "V^2", long_name=span),
        "error": Variable(("period",), cycles.error, "V^2", long_name=error),
        "floor": Variable((), floor, "V^2", long_name="mean square error at the shortest period, in V^2"),
        "gap": Variable(("period",), cycles.gap, long_name=gap),
        "closed": Variable(("period",), closed, long_name="whether the cycle was found"),
        "unsettled": Variable(("period",), cycles.unsettled, long_name="rest points that were not found on the way"),
        "gate": Variable(
            ("period", "point", "element"), cycles.values, "V", long_name="gate voltages around the cycle"
        ),
    }


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
