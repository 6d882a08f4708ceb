"""What keeps a circuit from having one rest point is found before anything settles."""

import numpy as np
import pytest

from substrate.circuits.circuit import (
    Amplifiers,
    Capacitors,
    CircuitGraph,
    Conductors,
    Diodes,
    IdealDiodes,
    Transistors,
)
from substrate.circuits.faults import find_circuit_faults, find_doubtful_nodes

NODES = ("0", "high", "out", "mid", "strong")


def ends(*pairs):
    return [np.array([NODES.index(pair[k]) for pair in pairs]) for k in range(2)]


def build(outputs=("out",), conductors=(("high", "out"), ("out", "mid")), g=1.0, **kinds):
    joined = Conductors(*ends(*conductors), np.full(len(conductors), g))
    count = 3 + any("mid" in pair for pair in conductors) + ("amplifiers" in kinds)
    numbers = np.array([NODES.index(name) for name in outputs])
    return CircuitGraph(NODES[:count], np.array([0, 1]), numbers, joined, **kinds)


def amplify(*pairs):
    return Amplifiers(*ends(*pairs), np.full(len(pairs), 2.0), np.full(len(pairs), 0.5), np.zeros(len(pairs)))


def test_a_circuit_without_faults_has_none():
    assert find_circuit_faults(build()) == []
    assert find_circuit_faults(build(amplifiers=amplify(("mid", "strong")))) == []


@pytest.mark.parametrize(
    ("circuit", "subject", "message", "hint"),
    [
        (build(amplifiers=amplify(("mid", "strong"), ("strong", "mid"))), "amplifiers", "circle", "another node"),
        (build(amplifiers=amplify(("mid", "high"))), "high", "held and driven", "take one of the two away"),
        (build(amplifiers=amplify(("mid", "strong"), ("out", "strong"))), "strong", "two amplifiers", "take one away"),
        (build(outputs=("high",)), "high", "an output and held", "take a free node"),
        (
            build(outputs=("strong",), amplifiers=amplify(("mid", "strong"))),
            "strong",
            "an output and driven",
            "read the node in front",
        ),
        (build(conductors=(("high", "out"), ("high", "0"))), "high and 0", "both held", "leave that element out"),
        (
            build(diodes=Diodes(*ends(("0", "high")), np.ones(1), np.ones(1))),
            "0 and high",
            "both held",
            "leave that element out",
        ),
        (
            build(transistors=Transistors(*ends(("0", "high")), np.ones(1), np.ones(1), np.ones(1))),
            "0 and high",
            "both held",
            "leave that element out",
        ),
        (build(ideal=IdealDiodes(*ends(("mid", "out")))), "mid and out", "one end of which must be held", "a model"),
        (build(ideal=IdealDiodes(*ends(("high", "0")))), "high and 0", "one end of which must be held", "a source"),
        (build(conductors=(("high", "out"), ("mid", "mid"))), "mid", "float", "add a path to one of 0, high"),
        (
            build(conductors=(("out", "mid"),), capacitors=Capacitors(*ends(("mid", "0")), np.ones(1))),
            "out, mid",
            "float",
            "add a path to one of 0, high",
        ),
        (build(g=0.0), "out, mid", "float", "add a path"),
    ],
)
def test_a_fault_names_nodes_and_what_to_try(circuit, subject, message, hint):
    fault = find_circuit_faults(circuit)[0]
    assert fault.subject == subject
    assert message in fault.message
    assert hint in fault.hint


def test_nodes_that_transistors_alone_join_are_doubtful():
    mos = Transistors(*ends(("high", "mid")), np.ones(1), np.ones(1), np.ones(1))
    circuit = build(conductors=(("high", "out"), ("mid", "mid")), transistors=mos)
    assert find_circuit_faults(circuit) == []
    assert find_doubtful_nodes(circuit) == ["mid"]
    assert find_doubtful_nodes(build()) == []
