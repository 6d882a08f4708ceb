"""What ngspice finds of decks that were written here, where it is installed."""

import numpy as np
import pytest

from substrate.circuits.circuit import Amplifiers, CircuitGraph, Conductors, Diodes
from substrate.circuits.contrast import differentiate_parameters
from substrate.circuits.linear import linearise_circuit
from substrate.circuits.motion.transient import follow_transient
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.spice.deck import DeckTimes, write_deck
from substrate.circuits.spice.ngspice import find_ngspice, find_ngspice_rest, follow_ngspice_transient, run_deck
from substrate.circuits.system import apply_nothing, assemble_system
from tests.substrate.circuits.motion.test_transient import RUNS, prepare
from tests.substrate.circuits.references import NAMES, load_reference

from .decks import DECKS

pytestmark = pytest.mark.skipif(find_ngspice() is None, reason="ngspice is not installed")


def phases(reference):
    """Yield the drives of all phases: free, nudged both ways, nudged by a held current, clamped."""
    free = apply_nothing(reference.held, len(reference.circuit.outputs))
    yield free
    for sign in (1.0, -1.0):
        yield free._replace(beta=np.full(3, sign * reference.beta), target=reference.target)
    yield free._replace(current=-reference.beta * reference.target)
    yield free._replace(clamped=0.5 * reference.target)


@pytest.mark.parametrize("name", NAMES)
def test_ngspice_finds_the_voltages_of_all_phases(name):
    reference = load_reference(name)
    system = assemble_system(reference.circuit)
    for drive in phases(reference):
        own = find_circuit_rest(system, drive)
        assert (own.status == 0).all()
        found = find_ngspice_rest(reference.circuit, drive)
        assert np.abs(found - own.voltages).max() < reference.told["tolerance"]["voltage_abs"]


@pytest.mark.parametrize("name", NAMES)
def test_stored_decks_have_the_stored_answers(name):
    reference = load_reference(name)
    found = run_deck((DECKS / f"{name}.cir").read_text(encoding="utf-8"))
    told = reference.told["samples"][0]["ngspice"]["plus"]
    assert max(abs(found[f"v({node})"][0] - told[node]) for node in reference.told["nodes"]) < 1e-13


def test_diodes_of_ngspice_are_those_of_the_law_in_forward_direction():
    reference = load_reference(NAMES[2])
    drive = apply_nothing(reference.held[:1], len(reference.circuit.outputs))
    found = run_deck(write_deck(reference.circuit, drive, device_models=True))
    told = reference.told["samples"][0]["newton"]["free"]
    assert max(abs(found[f"v({node})"][0] - told[node]) for node in reference.told["nodes"]) < 1e-9


def perturb(circuit, kind, element, factor):
    """Return a circuit with one conductance or gate voltage multiplied."""
    elements = getattr(circuit, kind)
    key = "g" if kind == "conductors" else "gate"
    values = getattr(elements, key).copy()
    values[element] *= factor
    return circuit._replace(**{kind: elements._replace(**{key: values})})


@pytest.mark.parametrize(
    ("name", "kind", "key"), [(NAMES[2], "conductors", "conductance"), (NAMES[3], "transistors", "gate")]
)
def test_gradients_are_what_differences_in_ngspice_say(name, kind, key):
    reference = load_reference(name)
    circuit, outputs = reference.circuit, reference.circuit.outputs
    drive = apply_nothing(reference.held[:1], len(outputs))
    system = assemble_system(circuit)
    rest = find_circuit_rest(system, drive)
    error = rest.voltages[:, outputs] - reference.target[:1]
    own = differentiate_parameters(system, rest.voltages, linearise_circuit(system, rest).solve_adjoint(error))[key][0]
    values = circuit.conductors.g if kind == "conductors" else circuit.transistors.gate

    def cost(element, factor):
        found = find_ngspice_rest(perturb(circuit, kind, element, factor), drive)[:, outputs]
        return 0.5 * ((found - reference.target[:1]) ** 2).sum()

    step, differences = 1e-3, []
    for e, value in enumerate(values):
        near, far = (cost(e, 1 + k * step) - cost(e, 1 - k * step) for k in (1, 2))
        differences.append((8 * near - far) / (12 * step * value))
    assert np.linalg.norm(own - differences) < 1e-8 * np.linalg.norm(own)


def test_ngspice_follows_the_same_path():
    name = "3-exponential-diodes"
    system, drive, start = prepare(name)
    end, switch = RUNS[name]["tend"], RUNS[name]["t1"]
    asked = DeckTimes(start[0], end / 1000, end, switch)
    time, found = follow_ngspice_transient(system.circuit, drive, asked)
    own = follow_transient(system, drive, start, time, switch).voltages[0]
    assert np.abs(found - own).max() < 1e-3 * np.abs(own).max()
    assert np.abs(found - own)[-1].max() < 1e-6 * np.abs(own).max()
    nudged = find_circuit_rest(system, drive).voltages[0]
    assert np.abs(found[-1] - nudged).max() < 1e-4 * np.abs(own).max()


def test_names_that_ngspice_reads_as_something_else():
    words = [
        "1e3",
        "10k",
        "time",
        "TIME",
        "value",
        "Table",
        "null",
        "poly",
        "temper",
        "in[0]",
        "In",
        "in",
        "v(x)",
        "é",
        "a b",
    ]
    nodes = ("gnd", "source", *words)
    count = len(words)
    chain = np.arange(1, count + 2, dtype=np.int64)
    circuit = CircuitGraph(
        nodes,
        np.array([0, 1]),
        np.array([2]),
        Conductors(chain, np.r_[chain[1:], 0], np.full(count + 1, 1e-3)),
        diodes=Diodes(chain[1:], np.zeros(count, dtype=np.int64), np.full(count, 1e-9), np.full(count, 0.05)),
        amplifiers=Amplifiers(chain[3:4], chain[9:10], np.array([0.5]), np.array([0.25]), np.array([0.1])),
    )
    drive = apply_nothing(np.array([[0.0, 1.0]]), 1)
    own = find_circuit_rest(assemble_system(circuit), drive)
    assert np.abs(find_ngspice_rest(circuit, drive) - own.voltages).max() < 1e-11


def test_failures_are_told():
    singular = "* two sources\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n"
    for deck in (singular, "* no card\nQ\n.end\n", "* no analysis\nR1 a 0 1\n.end\n"):
        with pytest.raises(RuntimeError, match="found no solution"):
            run_deck(deck)
    with pytest.raises(RuntimeError, match="did not end within"):
        run_deck("* long\nV1 a 0 1\nR1 a 0 1\nC1 a 0 1\n.tran 1e-9 1 0 1e-9\n.end\n", timeout=0.2)
