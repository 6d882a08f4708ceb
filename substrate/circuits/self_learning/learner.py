"""Circuits that learn by themselves in continuous time: coupled learning, with the imperfections of a real board.

Two networks of the same elements stand side by side. One is free; in the other, outputs are clamped at
``V_F + eta (aim - V_F)``. What an edge's capacitor integrates compares its drops in both, ``dV_F`` and ``dV_C``:

``dp/dt = rate (dV_F - dV_C + offset) (dV_F + dV_C) + bias - leak p``

with the gate voltage or the conductance p of the edge, the mean over the samples of the task that is on, and stops at
the ends of the range (Stern et al., PRX 11, 021045, 2021; Dillavou et al., PNAS 121, e2319718121, 2024). Voltages
settle so much faster than parameters that both networks are at rest at every moment. Tasks alternate, each on for
the same share of the period. With no offset, bias and leak the rule rests where all samples are right; with them it
ends in a cycle: parameters forget a part of every task while another is on (arXiv 2505.22887).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...engine.door import LearningEdges, LearningNetworks
from ..circuit import Array, CircuitGraph, Nodes
from ..nodes import find_ends
from ..rest import TOLERANCE
from ..solve import make_equations
from ..system import FULL, RestProblem, apply_nothing, assemble_system, compute_constant, find_bounds


class EdgeRule(NamedTuple):
    """What is learned, and how; arrays (edges,): transistors first, then conductors."""

    transistors: Nodes
    """Numbers of the transistors whose gates are learned."""

    conductors: Nodes
    """Numbers of the conductors that are learned."""

    rate: Array
    """In volts (of a gate) or siemens (of a conductor) per second and square volt of drop."""

    offset: Array
    """Of the comparator of both drops, in volts."""

    bias: Array
    """In volts or siemens per second."""

    leak: Array
    """Share lost per second; below 0 for an integrator that amplifies what it holds."""

    low: Array
    high: Array
    """Range of the parameters, in volts or siemens."""

    eta: float = 1.0
    """Part of the way from the free output to the aim at which outputs are clamped; above 1: over-clamping."""

    scale: Array | float = 1.0
    """Parameter per volt of the capacitor that sets it, (edges,): 1 of a gate, siemens per volt of a conductor."""


class LearningTask(NamedTuple):
    """Samples that are shown together."""

    held: Array
    """Voltages of the held nodes, (samples, held)."""

    target: Array
    """Voltages that the outputs should have, (samples, outputs)."""

    aim: Array
    """Voltages that clamping aims at, (samples, outputs): the targets, but for offsets."""


class Learner(NamedTuple):
    """A circuit that learns tasks in turn."""

    circuit: CircuitGraph
    rule: EdgeRule
    tasks: Sequence[LearningTask]


def make_networks(learner: Learner) -> LearningNetworks:
    """Return free and clamped network as the kernels take them.

    Raises
    ------
    ValueError
        If they have more than `FULL` free nodes.
    """
    rule, circuit = learner.rule, learner.circuit
    mos, g = circuit.transistors, circuit.conductors
    bare = g.g.copy()
    bare[rule.conductors] = 0.0  # what is learned is added by the kernels
    system = assemble_system(circuit._replace(conductors=g._replace(g=bare)))
    if system.nodes.unknowns > FULL:
        raise ValueError(f"{system.nodes.unknowns} free nodes: circuits that learn by themselves have at most {FULL}")
    held, aim = (np.concatenate([getattr(task, part) for task in learner.tasks]) for part in ("held", "aim"))
    drive = apply_nothing(held, len(circuit.outputs))
    constant, known = compute_constant(system, drive), system.nodes.constant(held)
    low, high = find_bounds(system, drive)
    free = make_equations(RestProblem(system, drive.beta, constant, known, low, high))
    a, b = (np.r_[getattr(mos, end)[rule.transistors], getattr(g, end)[rule.conductors]] for end in ("a", "b"))
    none = np.full(len(rule.conductors), -1)
    edges = LearningEdges(
        np.r_[rule.transistors, none],
        np.r_[mos.threshold[rule.transistors], np.zeros(len(none))],
        *find_ends(system.nodes, a, b),
        np.ascontiguousarray(known[:, a]),
        np.ascontiguousarray(known[:, b]),
        *(rule.rate, rule.offset, rule.bias, rule.leak, rule.low, rule.high),
    )
    first = np.cumsum([0, *(len(task.held) for task in learner.tasks)])
    clamped = free._replace(low=low.copy(), high=high.copy())
    parts = free.linear.copy(), free.constant.copy(), system.outputs, aim, rule.eta, first, TOLERANCE
    return LearningNetworks(free, clamped, edges, *parts)
