"""The slowest mode of a circuit is what a settling ends with."""

import numpy as np
import pytest

from scenarios.circuits.setup import make_circuit_setup
from scenarios.language.load import load_scenario
from substrate.circuits.chip import CircuitChip
from substrate.circuits.motion import modes
from substrate.circuits.motion.modes import compute_slowest_time
from substrate.circuits.motion.transient import follow_transient
from substrate.circuits.system import apply_nothing
from tests.scenarios.circuits.scenarios_of_circuits import LATTICE, LAYERS, change


def settle(tables):
    loaded = load_scenario(tables)
    setup = make_circuit_setup(loaded, loaded.spec)
    chip = CircuitChip(setup.graph, setup.programmed)
    chip.set_input(np.asarray(setup.data.x[:1]))
    chip.settle()
    return chip


@pytest.mark.parametrize("most", [modes._SMALL, 0], ids=["all modes", "the slowest alone"])
@pytest.mark.parametrize("capacitance", ["1 pF", "3 pF"])
def test_what_is_missing_of_the_voltages_decays_with_it(capacitance, most, monkeypatch):
    monkeypatch.setattr(modes, "_SMALL", most)
    chip = settle(change(LATTICE, ("physical.capacitance", capacitance)))
    system, end = chip.system(), chip.rest
    slowest = compute_slowest_time(system, end.voltages[0], end.clamped[0])
    drive = apply_nothing(end.voltages[:, system.circuit.held], len(system.circuit.outputs))
    start = end.unknowns + 1e-4 * np.random.default_rng(1).standard_normal(end.unknowns.shape)
    path = follow_transient(system, drive, start, slowest * np.array([8.0, 10.0]), tolerance=1e-11)
    fall = np.abs(path.voltages[0] - end.voltages[0]).max(axis=1)
    assert np.log(fall[0] / fall[1]) == pytest.approx(2.0, rel=0.02)


def test_nodes_of_one_capacitor_each_are_as_slow_as_their_conductances_are_small():
    """Around held neighbours ``tau = C / sum g``; layers that hang together are slower than the slowest of these."""
    chip = settle(change(LAYERS, ("physical.capacitance", "1 pF")))
    system, end = chip.system(), chip.rest
    alone = 1e-12 / system.linear.diagonal()[~end.clamped[0]]
    assert compute_slowest_time(system, end.voltages[0], end.clamped[0]) > alone.max()
    others = np.ones(system.nodes.unknowns, dtype=bool)
    others[0] = False
    assert compute_slowest_time(system, end.voltages[0], others) == pytest.approx(1e-12 / system.linear.diagonal()[0])


def test_without_capacitors_there_is_none():
    chip = settle(LAYERS)
    assert compute_slowest_time(chip.system(), chip.rest.voltages[0], chip.rest.clamped[0]) == 0.0
