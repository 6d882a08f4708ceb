"""The machine as a circuit that learns: four nodes, three edges, two gates on capacitors.

The sources `high` and `low` reach the output through one transistor each, the input through 500 ohm. The gates are
learned; two tasks alternate. Circuit, sources, tasks, time constants and solution lines are those of the authors
(arXiv 2505.22887; notebook of github.com/maguzj/imperfect-learning-physical-systems).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.circuit import CircuitGraph, Conductors, Transistors
from substrate.circuits.self_learning.learner import EdgeRule, Learner, LearningTask

Array = NDArray[np.float64]

HIGH, LOW, INPUT_OHM = 0.4351, 0.0181, 500.0

INTEGRATOR = 2.2e-3 * 0.33
"""RC of the integrator in seconds times the scale of its multiplier in volts."""

TASKS: dict[int, dict[str, list[tuple[float, float]]]] = {
    1: {"B": [(LOW, 0.14)], "A": [(HIGH, 0.31)]},
    2: {"B": [(LOW, 0.18)], "A": [(HIGH, 0.31)]},
    3: {"B": [(LOW, 0.1557)], "A": [(LOW, 0.1432), (HIGH, 0.2683)]},
}
"""Input and wanted output of every sample, in volts, in the order in which tasks come."""

LINES: dict[int, dict[str, tuple[float, float]]] = {
    1: {"B": (0.4391, 1.6061), "A": (2.7257, -3.3003)},
    2: {"B": (0.7482, 1.9224), "A": (2.5678, -2.901)},
    3: {"B": (0.535, 1.3284), "A": (0.4408, 1.2829), "A2": (1.4406, -1.9253)},
}
"""Slope and intercept in volts of measured solution lines, the plus gate against the minus gate, by sample."""


class Machine(NamedTuple):
    """The numbers of one machine; the defaults are what its authors state."""

    rate: float = 2.0
    """Of the integrators, in units of 1/(2.2 ms 0.33 V)."""

    bias_minus: float = 0.0
    bias_plus: float = 0.0
    """Of the integrators, in volts per second."""

    threshold_minus: float = 0.7
    threshold_plus: float = 0.7
    """In volts."""

    aim_b: float = 0.0
    aim_a: float = 0.0
    aim_a2: float = 0.0
    """How far clamping aims beside the target of each sample, in volts."""

    transconductance_minus: float = 8.5e-4
    transconductance_plus: float = 8.5e-4
    """In siemens per volt."""

    offset_minus: float = 0.0
    offset_plus: float = 0.0
    """Of the comparators of drops, in volts."""

    leak: float = 0.0
    """Share of a gate's voltage lost per second."""

    delay: float = 0.0
    """Seconds that each task is on beyond half the stated period."""

    read_noise: float = 0.0
    """Standard deviation of a gate voltage as read, in volts."""

    low: float = 1.0
    high: float = 5.18
    """Range of the gates in volts."""


def make_learner(machine: Machine, experiment: int, eta: float = 1.0) -> Learner:
    """Return the machine with the tasks of an experiment; gates are (minus, plus)."""
    both, ends = np.ones(2), np.array([3, 3])
    threshold = np.array([machine.threshold_minus, machine.threshold_plus])
    mos = Transistors(
        np.array([0, 1]),
        ends,
        np.array([machine.transconductance_minus, machine.transconductance_plus]),
        threshold,
        3.0 * both,
    )
    circuit = CircuitGraph(
        ("low", "high", "input", "output"),
        np.array([0, 1, 2]),
        np.array([3]),
        Conductors(np.array([2]), np.array([3]), np.array([1.0 / INPUT_OHM])),
        transistors=mos,
    )
    rule = EdgeRule(
        np.arange(2),
        np.zeros(0, dtype=np.int64),
        machine.rate / INTEGRATOR * both,
        np.array([machine.offset_minus, machine.offset_plus]),
        np.array([machine.bias_minus, machine.bias_plus]),
        machine.leak * both,
        machine.low * both,
        machine.high * both,
        eta,
    )
    beside = {"B": [machine.aim_b], "A": [machine.aim_a, machine.aim_a2]}
    tasks = []
    for name, samples in TASKS[experiment].items():
        held = np.array([[LOW, HIGH, given] for given, _ in samples])
        target = np.array([[wanted] for _, wanted in samples])
        tasks.append(LearningTask(held, target, target + np.array(beside[name][: len(samples)])[:, None]))
    return Learner(circuit, rule, tasks)


def find_lines(machine: Machine, experiment: int) -> dict[str, tuple[float, float]]:
    """Return slope and intercept of the lines on which the output is at its aim, by sample; transistors in triode."""
    beside = {"B": machine.aim_b, "A": machine.aim_a, "A2": machine.aim_a2}
    found = {}
    for name, samples in TASKS[experiment].items():
        for label, (given, wanted) in zip((name, f"{name}2"), samples, strict=False):
            out = wanted + beside[label]
            slope = machine.transconductance_minus / machine.transconductance_plus * (out - LOW) / (HIGH - out)
            fed = (given - out) / INPUT_OHM / machine.transconductance_plus / (HIGH - out)
            minus, plus = machine.threshold_minus + 0.5 * (out + LOW), machine.threshold_plus + 0.5 * (out + HIGH)
            found[label] = (slope, plus - slope * minus - fed)
    return found
