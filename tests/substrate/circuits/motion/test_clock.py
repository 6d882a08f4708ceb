"""Phases that the clock ends: what is missing of the rest point decays as the modes of the circuit do."""

import numpy as np
import pytest
from scipy import linalg

from substrate.circuits.circuit import Capacitors
from substrate.circuits.motion.clock import follow_phase
from substrate.circuits.motion.transient import compute_capacitance, follow_transient
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import apply_nothing, assemble_system
from substrate.protocol import Nudge, Status
from tests.substrate.circuits.circuits import draw_batch, make_chip, make_design


def add_capacitors(design, seed=7):
    """Return a design with capacitors of different sizes to ground, and one between two nodes."""
    free, rng = design.circuit.free, np.random.default_rng(seed)
    a, b = np.r_[free, free[0]], np.r_[np.zeros(len(free), dtype=np.int64), free[-1]]
    values = rng.uniform(0.3e-12, 3e-12, len(a))
    return design._replace(circuit=design.circuit._replace(capacitors=Capacitors(a, b, values)))


def prepare(kind):
    design = add_capacitors(make_design(kind))
    x, target = draw_batch(kind)
    system = assemble_system(design.circuit)
    drive = apply_nothing(design.feeds.apply(x), 2)._replace(beta=np.array([1e-5, -1e-5, 1e-5, 0.0]), target=target)
    start = np.random.default_rng(3).uniform(-1.0, 1.0, (len(x), system.nodes.unknowns))
    return system, drive, start


def find_modes(system, beta):
    """Return rates and modes of ``C du/dt = -J u``, for a reciprocal circuit."""
    matrix = system.linear.toarray()
    matrix[system.outputs, system.outputs] += beta
    return linalg.eigh(matrix, compute_capacitance(system).toarray())


def test_what_is_missing_decays_in_every_mode():
    system, drive, start = prepare("linear")
    rest = find_circuit_rest(system, drive).unknowns
    capacitance = compute_capacitance(system).toarray()
    for duration in (1e-9, 1e-8, 1e-7):
        end = follow_phase(system, drive, start, duration)
        for k, beta in enumerate(drive.beta):
            rates, modes = find_modes(system, beta)
            before, after = (modes.T @ capacitance @ (u[k] - rest[k]) for u in (start, end.unknowns))
            np.testing.assert_allclose(
                after, np.exp(-rates * duration) * before, rtol=1e-9, atol=1e-12 * np.abs(before).max()
            )


@pytest.mark.parametrize("kind", ["linear", "exponential"])
def test_a_phase_ends_where_the_path_is_then(kind):
    system, drive, start = prepare(kind)
    if kind == "exponential":  # one sample, from where the diodes are off: they take long
        drive, start = drive.select(np.array([0])), 0.0 * start[:1]
    duration = 2e-8
    end = follow_phase(system, drive, start, duration)
    path = follow_transient(system, drive, start, np.array([0.5 * duration, duration]))
    assert np.abs(end.voltages - path.voltages[:, -1]).max() < 1e-6
    half = follow_phase(system, drive, start, 0.5 * duration)
    twice = follow_phase(system, drive, half.unknowns, 0.5 * duration)
    assert np.abs(twice.unknowns - end.unknowns).max() < 1e-8
    assert (end.status == Status.STEP_LIMIT).all()
    assert (follow_phase(system, drive, start, 1e-5).status == Status.SETTLED).all()


def test_a_nudge_beyond_the_critical_one_runs_away():
    system, drive, start = prepare("linear")
    assert (follow_phase(system, drive._replace(beta=np.full(4, -1e-2)), start, 1e-6).status == Status.DIVERGED).all()


@pytest.mark.parametrize("nudge", ["continuous", "held"])
def test_a_chip_reads_what_the_clock_lets_it(nudge):
    design = add_capacitors(make_design("linear", nudge=nudge))
    x, target = draw_batch("linear")
    chip = type(make_chip("linear"))(design, {"conductance/elements": design.circuit.conductors.g})
    short = chip.variant(clock=design.clock._replace(free=1e-8, nudged=5e-9))
    system = chip.system()
    short.set_input(x)
    settled = short.settle()
    free = follow_phase(system, apply_nothing(design.feeds.apply(x), 2), np.zeros((4, 6)), 1e-8)
    np.testing.assert_array_equal(short.read()["out"], free.voltages[:, design.circuit.outputs])
    assert (settled.time == 1e-8).all()
    short.settle(Nudge(1e-5, target), start="free")
    drive = apply_nothing(design.feeds.apply(x), 2)
    if nudge == "held":
        drive = drive._replace(current=1e-5 * (free.voltages[:, design.circuit.outputs] - target))
    else:
        drive = drive._replace(beta=np.full(4, 1e-5), target=target)
    nudged = follow_phase(system, drive, free.unknowns, 5e-9)
    np.testing.assert_array_equal(short.read()["out"], nudged.voltages[:, design.circuit.outputs])
    assert short.ends_by_clock
    assert not short.make_complete().ends_by_clock
