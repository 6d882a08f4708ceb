"""Circuits that learn: the smallest, and one of ten free nodes."""

import numpy as np

from substrate.circuits.circuit import CircuitGraph, Conductors, Transistors
from substrate.circuits.self_learning.learner import EdgeRule, Learner, LearningTask

S, THRESHOLD, RATE = 8.5e-4, 0.7, 3e3
BIAS, OFFSET, LEAK = np.array([1.5, 2.5]), np.array([1e-3, -2e-3]), np.array([0.1, -0.2])
NOTHING = np.zeros(2)


def task(samples):
    held, target = (np.array(part) for part in zip(*samples, strict=True))
    return LearningTask(held, target[:, None], target[:, None])


A, B = task([([0.0, 0.45, 0.45], 0.31)]), task([([0.0, 0.45, 0.0], 0.14)])


def make_learner(tasks=(A, B), bias=NOTHING, offset=NOTHING, leak=NOTHING, low=1.0):
    """Return the smallest learner: two learned transistors and a resistor meet at one free node."""
    ends, ones = np.array([3, 3]), np.ones(2)
    circuit = CircuitGraph(
        ("low", "high", "in", "out"),
        np.arange(3),
        np.array([3]),
        Conductors(np.array([2]), np.array([3]), np.array([2e-3])),
        transistors=Transistors(np.array([0, 1]), ends, S * ones, THRESHOLD * ones, 3.0 * ones),
    )
    edges = RATE * ones, offset, bias, leak, low * ones, 5.0 * ones
    return Learner(circuit, EdgeRule(np.arange(2), np.zeros(0, dtype=int), *edges), tasks)


def make_resistors(seed=0, eta=1e-4, **rule):
    """Return a learner of resistors alone, six free nodes and one output, and its first conductances."""
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(9) for j in range(i) if (rng.random() < 0.5 or j == i - 1) and i > 2]
    a, b = np.array(pairs).T
    g = rng.uniform(1e-4, 1e-3, len(a))
    circuit = CircuitGraph(tuple(map(str, range(9))), np.arange(3), np.array([8]), Conductors(a, b, g))
    given = {"rate": 0.3 / eta, "offset": 0.0, "bias": 0.0, "leak": 0.0, "low": 5e-5, "high": 2e-3} | rule
    parts = {name: np.full(len(a), value) for name, value in given.items()}
    edges = EdgeRule(np.zeros(0, dtype=int), np.arange(len(a)), **parts, eta=eta)
    shown = task([([0.0, 0.4, 0.1], 0.25), ([0.0, -0.2, 0.3], 0.0), ([0.0, 0.1, 0.4], 0.3)])
    return Learner(circuit, edges, [shown]), g


def make_lattice(seed=0):
    """Return a learner of ten free nodes, transistors and conductors, all of which are learned."""
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(12) for j in range(i) if rng.random() < 0.4 and i > 1]
    a, b = np.array(pairs).T
    mos, linear = slice(None, None, 2), slice(1, None, 2)
    s = rng.uniform(5e-4, 1e-3, len(a[mos]))
    values = np.r_[rng.uniform(2.5, 4.0, len(s)), rng.uniform(5e-4, 3e-3, len(a[linear]))]
    circuit = CircuitGraph(
        tuple(map(str, range(12))),
        np.array([0, 1]),
        np.array([7]),
        Conductors(a[linear], b[linear], values[len(s) :]),
        transistors=Transistors(a[mos], b[mos], s, np.full(len(s), THRESHOLD), values[: len(s)]),
    )
    # A transistor measures s dV^2 in equilibrium propagation.
    rate, zeros = np.r_[s, np.ones(len(a) - len(s))], np.zeros(len(a))
    ranges = np.zeros(len(a)), np.full(len(a), 10.0)
    rule = EdgeRule(np.arange(len(s)), np.arange(len(a) - len(s)), rate, zeros, zeros, zeros, *ranges)
    return Learner(circuit, rule, [task([([0.0, 0.45], 0.3)])]), values
