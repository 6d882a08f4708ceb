"""Passive synapses that load their membranes, and the thermal noise of conductances."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.synapse.cell import WeightDevices
from devices.synapse.twin import Twin
from devices.synapse.wires import Wires
from learning.oracle.fluctuations import compute_state_covariance
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.topology import Topology
from substrate.protocol import Nudge
from substrate.theory.linearisation import find_equilibrium, linearise
from substrate.units.physical import Physical, compute_thermal_noise
from tests.networks import random_batch, random_chip
from tests.statistics import assert_normal_variance

RATIO = 0.3
PAIR = WeightDevices(cell="pair", window=[0.05, 2.0], mismatch_sigma=0.1)


def passive(**changes):
    return random_chip(**{"synapse": "passive", "volt_ratio": RATIO, "cost": "mse"} | changes)


def load_of(chip):
    """Return the load of every unit of a chip with single devices, written again."""
    total = np.zeros(chip.topology.units)
    for c in chip.topology.connections:
        total[chip.topology.columns[c.post]] += np.abs(chip.effective[c.block]).sum(axis=0)
    return RATIO * total


def test_a_chip_without_load_keeps_its_membranes():
    chip = random_chip(neurons=NeuronDevices(tau_sigma=0.1), volt_ratio=RATIO)
    assert chip.membranes.transfer.gain.shape == (0,)
    assert (chip.membranes.thermal == 1.0).all()
    assert (chip.membranes.common == 1.0).all()


def test_passive_synapses_follow_kirchhoff():
    """The circuit in volts and siemens, integrated by SciPy, against the chip in units of the model."""
    chip = passive(wiring="loop", activation="tanh", dt=0.01, dynamics={"method": "rk4"}, phase=Phase(duration=1.5))
    x, _ = random_batch(chip, 1)
    chip.set_input(x)
    chip.settle()
    capacitance, leak, activity_volts = 2.0, 0.5, 1.6
    volt_scale = RATIO * activity_volts
    unit = leak * volt_scale / activity_volts
    coupling, bias = chip.topology.coupling(chip.effective), chip.constant_drive[0] * leak * volt_scale
    total = leak * (1.0 + load_of(chip))

    def current(_, v):
        return (-total * v + unit * coupling @ (activity_volts * np.tanh(v / volt_scale)) + bias) / capacitance

    end = 1.5 * capacitance / leak
    volts = solve_ivp(current, (0.0, end), np.zeros(chip.topology.units), rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(chip.state[0] / (1.0 + load_of(chip)), volts / volt_scale, rtol=0, atol=1e-8)
    np.testing.assert_allclose(chip.activity_of(chip.state)[0], np.tanh(volts / volt_scale), rtol=0, atol=1e-8)


def test_a_write_changes_time_constant_slope_and_row():
    chip = passive()
    before = chip.membranes.tau.copy()
    np.testing.assert_allclose(before, 1.0 / (1.0 + load_of(chip)), rtol=1e-14)
    chip.write({"weight/l1-l2": np.full((7, 5), 0.5)})
    after = 1.0 / (1.0 + load_of(chip))
    np.testing.assert_allclose(chip.membranes.tau, after, rtol=1e-14)
    np.testing.assert_allclose(chip.membranes.transfer.steep, after, rtol=1e-14)
    assert (chip.membranes.tau == chip.membranes.tau).all()
    changed = chip.membranes.tau != before
    np.testing.assert_array_equal(changed, np.isin(np.arange(16), range(7, 12)))
    fresh = chip.variant()
    x, _ = random_batch(chip)
    for one in (chip, fresh):
        one.set_input(x)
        one.settle()
    np.testing.assert_array_equal(chip.state, fresh.state)


def test_both_devices_of_a_pair_load_and_so_does_what_is_behind_wires():
    chip = passive(weights=PAIR)
    assert (1.0 / chip.membranes.tau > 1.0 + load_of(chip)).all()
    rest = random_chip(weights=PAIR.model_copy(update={"mismatch_sigma": 0.0}), synapse="passive", volt_ratio=RATIO)
    fan_in = np.concatenate([np.full(7, 6 + 5), np.full(5, 7 + 4), np.full(4, 5)])
    # G+ + G- = |W| + twice the conductance at rest.
    np.testing.assert_allclose(1.0 / rest.membranes.tau, 1.0 + load_of(rest) + RATIO * 0.1 * fan_in, rtol=1e-12)
    wired = passive(weights=PAIR, wires=Wires(segment=0.05))
    assert (wired.membranes.tau > chip.membranes.tau).all()


def test_the_second_copy_of_the_cells_loads_by_itself():
    chip = passive(twin=Twin(mismatch_sigma=0.2))
    x, _ = random_batch(chip)
    chip.set_input(x)
    machine, _ = chip._fabric.twin(chip._machine, chip.constant_drive, x)
    blocks = chip.topology.blocks(machine.weights)
    expected = np.zeros(16)
    for c in chip.topology.connections:
        expected[chip.topology.columns[c.post]] += RATIO * np.abs(blocks[c.block]).sum(axis=0)
    np.testing.assert_allclose(1.0 / machine.tau, 1.0 + expected, rtol=1e-12)
    assert (machine.tau != chip.membranes.tau).all()


@pytest.mark.parametrize("neurons", [NeuronDevices(), NeuronDevices(synapse_tau=0.3)])
def test_states_on_the_second_copy_are_read_and_continued_as_what_the_membranes_are(neurons):
    """A read at rest is the mean over a window there, and a settling begins where the membranes are."""
    found = []
    for window in (0.0, 5.0):
        phase = Phase(duration=80.0, window=window)
        chip = passive(twin=Twin(mismatch_sigma=0.2), phase=phase, dt=0.1, neurons=neurons)
        x, y = random_batch(chip)
        chip.set_input(x)
        chip.settle()
        states = []
        chip.settle(Nudge(0.1, y), "free", (1, lambda state, kept=states: kept.append(state.copy())))
        found.append(np.concatenate([chip.read()[name] for name in chip.topology.names], axis=1))
        np.testing.assert_allclose(states[0], chip._free[:, :16], rtol=1e-15)
        np.testing.assert_array_equal(states[-1], chip.state)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-10)


def test_the_exact_side_knows_the_load():
    chip = passive(wiring="loop", neurons=NeuronDevices(gain_sigma=0.1, slope_sigma=0.1))
    x, y = random_batch(chip, 3)
    chip.set_input(x)
    chip.settle()
    rest, output, step, ends = find_equilibrium(chip), chip.topology.columns["out"], 1e-4, []
    force = np.zeros_like(rest.state)
    force[:, output] = rest.activity[:, output] - y
    for beta in (step, -step):
        chip.settle(Nudge(beta, y), "free")
        ends.append(chip.activity_of(chip.state))
    response = linearise(chip, rest.state).response(force)
    np.testing.assert_allclose(response, (ends[1] - ends[0]) / (2.0 * step), rtol=0, atol=3e-8)


def test_a_limited_speed_is_that_of_the_voltage():
    chip = passive(neurons=NeuronDevices(slew=0.02), dt=0.01, dynamics={"method": "euler"}, phase=Phase(duration=0.5))
    x, _ = random_batch(chip, 2)
    chip.set_input(x)
    states = []
    chip.settle(record=(1, states.append))
    speed = np.abs(np.diff(np.array(states) / (1.0 + load_of(chip)), axis=0)) / 0.01
    assert speed.max() == pytest.approx(0.02, rel=1e-9)


# Thermal noise


def leaky(synapse, samples, noise):
    """Return 16 units behind an input of 0, so that the conductances of the input make noise and no signal."""
    topology = Topology({"in": 3, "out": 16}, ["in-out"])
    phase = Phase(duration=8.0)
    dynamics = Dynamics(method="exponential", dt=0.25, free=phase, nudged=phase)
    weights = np.random.default_rng(0).normal(size=(3, 16))
    design = Design(topology, "identity", "mse", dynamics, synapse=synapse, volt_ratio=0.5).replace(noise=noise)
    chip = Chip(design, {"weight/in-out": weights, "bias/out": np.zeros(16)})
    chip.set_input(np.zeros((samples, 3)))
    chip.settle()
    return chip, 1.0 + 0.5 * np.abs(weights).sum(axis=0)


@pytest.mark.parametrize(("synapse", "power"), [("virtual-ground", 0), ("transconductor", 1), ("passive", 2)])
def test_every_conductance_adds_its_thermal_noise(synapse, power):
    """Variance of the state ``sigma^2 (1 + L)^power``; passive: that of the voltage is kT/C. 16 alarms of 1e-6."""
    chip, total = leaky(synapse, 2000, Noise(thermal=0.1))
    for state, factor in zip(chip.state.T, total, strict=True):
        assert_normal_variance(state, 0.01 * factor**power)
    expected = compute_state_covariance(chip, linearise(chip, chip.state[:1]), 0)
    np.testing.assert_allclose(np.diag(expected), 0.01 * total**power, rtol=1e-9)


def test_common_noise_enters_with_the_drive():
    chip, total = leaky("passive", 2000, Noise(common=0.1))
    for state, factor in zip(chip.state.T, total, strict=True):
        assert_normal_variance(state, 0.01 * factor)
    np.testing.assert_allclose(
        np.diag(compute_state_covariance(chip, linearise(chip, chip.state[:1]), 0)), 0.01 * total, rtol=1e-9
    )


def test_thermal_noise_goes_with_the_root_of_temperature_over_capacitance():
    sizes = [
        compute_thermal_noise(Physical(volt_scale=0.1, capacitance=c, temperature=t, excess_noise=g))
        for c, t, g in ((1e-12, 300.0, 1.0), (1e-12, 1200.0, 1.0), (4e-12, 300.0, 1.0), (1e-12, 300.0, 4.0))
    ]
    np.testing.assert_allclose(np.array(sizes) / sizes[0], [1.0, 2.0, 0.5, 2.0], rtol=1e-12)
    assert sizes[0] == pytest.approx(64.36e-6 / 0.1, rel=1e-3)


def test_passive_synapses_need_additive_units():
    with pytest.raises(ValueError, match=r"physical\.synapse.*additive"):
        passive(law="hopfield")
