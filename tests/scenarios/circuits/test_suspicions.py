"""What of a circuit is valid and probably not meant is said at its key."""

import pytest

from scenarios.circuits.suspicions import find_circuit_suspicions

from .scenarios_of_circuits import EXPONENTIAL, GRAPH, LATTICE, LAYERS, NETLIST, change, set_up

ARRAYS = {"kind": "voltages", "inputs": [["2 V", "0 V", "-1 V"]], "targets": [["1 V", "0 V"]]}


def list_suspicions(folder, base, *changes):
    return [
        (".".join(map(str, place)), words)
        for place, words, _ in find_circuit_suspicions(set_up(change(base, *changes), folder))
    ]


@pytest.mark.parametrize("base", [LAYERS, EXPONENTIAL, GRAPH, NETLIST])
def test_what_is_meant_is_not_suspicious(tmp_path, base):
    assert list_suspicions(tmp_path, base) == []


@pytest.mark.parametrize(
    ("base", "changes", "place", "words"),
    [
        (LAYERS, ("task", ARRAYS), "task.inputs", "are up to 2 V: behind real diodes"),
        (LAYERS, ("devices.weights.mismatch_sigma", 0.3), "devices.weights.mismatch_sigma", "is 30%"),
        (LAYERS, ("experiment", {"kind": "evaluate", "chips": 3}), "experiment.chips", "is 3, and all chips are equal"),
        (LATTICE, ("network.lattice.gate", ["0.5 V", "0.6 V"]), "network", "cut off, they float"),
        (NETLIST, ("task.targets", [["0.9 V"], ["0.1 V"]]), "task", "50% of the first samples have targets beyond"),
        (GRAPH, ("learning.scheme.beta", "10 mS"), "learning.scheme.beta", "of the critical nudge"),
    ],
)
def test_what_is_probably_not_meant_is_told(tmp_path, base, changes, place, words):
    found = list_suspicions(tmp_path, base, changes)
    assert [where for where, _ in found] == [place]
    assert words in found[0][1]


@pytest.mark.parametrize("base", [LAYERS, LATTICE])
def test_a_settling_that_is_too_short_for_its_energy_is_told(tmp_path, base):
    slow = change(base, ("physical.capacitance", "1 nF"))
    ((place, words, hint),) = find_circuit_suspicions(
        set_up(change(slow, ("energy", {"settling_time": "1 ns"})), tmp_path)
    )
    assert place == ("energy", "settling_time")
    assert "time constants of the slowest mode" in words
    least = hint.removeprefix("take ").removesuffix(" or more")
    assert list_suspicions(tmp_path, slow, ("energy", {"settling_time": least})) == []
    assert list_suspicions(tmp_path, base, ("energy", {"settling_time": "1 ns"})) == []
