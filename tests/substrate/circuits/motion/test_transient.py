"""Paths of circuits against ngspice's and those of an independent solver, and what is known of every path."""

import json

import numpy as np
import pytest

from substrate.circuits.circuit import Amplifiers, Capacitors, CircuitGraph, Conductors, IdealDiodes, compute_energy
from substrate.circuits.linear import linearise_circuit
from substrate.circuits.motion.transient import compute_capacitance, follow_transient, invert_capacitance
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import CircuitDrive, apply_nothing, assemble_system
from substrate.protocol import Status
from tests.substrate.circuits.references import FOLDER, load_reference

RUNS = json.loads((FOLDER / "transients.json").read_text())["runs"]


def prepare(name):
    """Return system, drive and start of a stored run."""
    reference, run = load_reference(name), RUNS[name]
    circuit = reference.circuit
    charged = np.array([circuit.nodes.index(node) for node in run["capacitance"]])
    ground = np.zeros(len(charged), dtype=np.int64)
    circuit = circuit._replace(capacitors=Capacitors(charged, ground, np.array([*run["capacitance"].values()])))
    drive = CircuitDrive(reference.held[:1], np.array([run["beta"]]), reference.target[:1])
    start = np.array([[run["start"][circuit.nodes[node]] for node in circuit.free]])
    return assemble_system(circuit), drive, start


@pytest.mark.parametrize("name", RUNS)
def test_paths_are_those_of_both_solvers(name):
    system, drive, start = prepare(name)
    run = RUNS[name]
    path = follow_transient(system, drive, start, np.array(run["time"]), run["t1"])
    own = path.voltages[0][:, [system.circuit.nodes.index(node) for node in run["nodes"]]]
    size = np.abs(run["radau"]).max()
    assert path.status.tolist() == [Status.SETTLED]
    assert np.abs(own - run["radau"]).max() < 1e-7 * size
    assert np.abs(own - run["ngspice"]).max() < 1e-3 * size
    rest = find_circuit_rest(system, drive).voltages[0, [system.circuit.nodes.index(node) for node in run["nodes"]]]
    for solver in ("radau", "ngspice"):
        assert np.abs(own - run[solver])[-1].max() < 1e-6 * size
    assert np.abs(own[-1] - rest).max() < 1e-4 * size  # e^-12 of the slowest part is left


@pytest.mark.parametrize("name", ["1-linear-graph", "3-exponential-diodes"])
def test_the_energy_of_reciprocal_circuits_falls_along_the_way(name):
    system, drive, start = prepare(name)
    times = np.linspace(0.0, RUNS[name]["t1"], 50)
    path = follow_transient(system, drive, start, times, times[-1])
    energy = compute_energy(system.circuit, path.voltages[0])
    assert energy[0] - energy[-1] > 1e-9 * abs(energy[-1])
    assert (np.diff(energy) < 1e-9 * np.ptp(energy)).all()


def charge(resistance=1e3, capacitance=1e-6, **more):
    """Return a circuit of one resistor from a source of 1 V to the output, and its capacitor."""
    return CircuitGraph(
        ("0", "in", "out"),
        np.array([0, 1]),
        np.array([2]),
        Conductors(np.array([1]), np.array([2]), np.array([1.0 / resistance])),
        capacitors=Capacitors(np.array([2]), np.array([0]), np.array([capacitance])),
        **more,
    )


def test_a_capacitor_charges_as_the_exponential_function_says():
    system = assemble_system(charge())
    times = np.linspace(0.0, 3e-3, 7)
    held, quiet = np.array([[0.0, 1.0], [0.0, -2.0]]), np.zeros((2, 1))
    path = follow_transient(system, CircuitDrive(held, np.zeros(2), quiet), np.zeros((2, 1)), times)
    assert np.abs(path.voltages[:, :, 2] - held[:, 1:] * -np.expm1(-times / 1e-3)).max() < 1e-8
    assert path.status.tolist() == [Status.STEP_LIMIT] * 2


def test_a_held_nudge_acts_from_its_time_on():
    system = assemble_system(charge())
    drive = CircuitDrive(np.array([[0.0, 1.0]]), np.zeros(1), np.zeros((1, 1)), np.array([[1e-4]]))
    path = follow_transient(system, drive, np.ones((1, 1)), np.array([0.0, 1e-3, 2e-3, 40e-3]), 1e-3)
    expected = 1.0 + 0.1 * np.expm1(-np.array([0.0, 0.0, 1.0, 39.0]))
    assert np.abs(path.voltages[0, :, 2] - expected).max() < 1e-8
    assert path.status.tolist() == [Status.SETTLED]


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_a_nudge_beyond_the_critical_one_runs_away(share):
    system, drive, start = prepare("1-linear-graph")
    quiet = apply_nothing(drive.held, 2)
    limit = linearise_circuit(system, find_circuit_rest(system, quiet)).find_critical_nudge()
    times = np.array([0.0, 1.0])
    path = follow_transient(system, drive._replace(beta=-share * limit), start, times)
    assert path.status.tolist() == [Status.SETTLED if share < 1.0 else Status.DIVERGED]
    assert np.isfinite(path.voltages[0, 1]).all() == (share < 1.0)


def test_an_amplifier_shows_its_entry_what_hangs_on_its_exit():
    circuit = CircuitGraph(
        ("0", "entry", "exit", "next"),
        np.array([0]),
        np.array([1]),
        amplifiers=Amplifiers(np.array([1]), np.array([2]), np.array([4.0]), np.array([0.5]), np.ones(1)),
        capacitors=Capacitors(np.array([1, 2]), np.array([0, 3]), np.array([1e-9, 3e-9])),
    )
    expected = np.array([[1e-9 + 0.5 * 3e-9 * 4.0, -0.5 * 3e-9], [-3e-9 * 4.0, 3e-9]])
    system = assemble_system(circuit)
    assert compute_capacitance(system).toarray() == pytest.approx(expected)
    assert (invert_capacitance(system) @ expected) == pytest.approx(np.eye(2))


@pytest.mark.parametrize("ends", [((), ()), ((2,), (3,))])
def test_nodes_without_a_capacitor_to_a_held_one_are_named(ends):
    more = Capacitors(*(np.array(end, dtype=np.int64) for end in ends), np.full(len(ends[0]), 1e-9))
    circuit = CircuitGraph(("0", "in", "left", "right"), np.array([0, 1]), np.array([2]), capacitors=more)
    with pytest.raises(ValueError, match="no capacitor holds the voltage of left, right"):
        invert_capacitance(assemble_system(circuit))


def test_what_has_no_transient_is_refused():
    quiet = apply_nothing(np.zeros((1, 2)), 1)
    ideal = assemble_system(charge(ideal=IdealDiodes(np.array([2]), np.array([0]))))
    with pytest.raises(ValueError, match="an ideal diode makes voltages jump"):
        follow_transient(ideal, quiet, np.zeros((1, 1)), np.array([1.0]))
    with pytest.raises(ValueError, match="a clamp makes voltages jump"):
        follow_transient(
            assemble_system(charge()), quiet._replace(clamped=np.ones((1, 1))), np.zeros((1, 1)), np.array([1.0])
        )
    for times in ([], [-1.0, 1.0], [1.0, 1.0]):
        with pytest.raises(ValueError, match="must increase"):
            follow_transient(assemble_system(charge()), quiet, np.zeros((1, 1)), np.array(times))
