"""Probes of every unit: overridden outputs with an open loop, and drives injected while the chip settles."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.synapse.cell import WeightDevices
from devices.synapse.wires import Wires
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.protocol import Status
from substrate.theory.linearisation import linearise
from tests.networks import random_batch, random_chip


def clamped(chip, samples=4):
    chip.set_input(random_batch(chip, samples)[0])
    chip.settle()
    return np.random.default_rng(5).normal(size=(samples, chip.topology.units))


def whole(parts):
    return np.concatenate(list(parts.values()), axis=1)


@pytest.mark.parametrize("law", LAWS)
def test_a_held_chip_answers_with_its_effective_couplings(law):
    """Mismatch of all cells, gains of paths, wires and offsets of units: whatever the units feel."""
    devices = {
        "weights": WeightDevices(cell="pair", mismatch_sigma=0.1, gain_sigma=0.1),
        "neurons": NeuronDevices(offset_sigma=0.1),
    }
    chip = random_chip("lateral", sigma=0.1, law=law, **devices, wires=Wires(segment=1e-3))
    offsets = clamped(chip)
    coupling = chip.topology.coupling(chip.effective)
    assert np.abs(coupling - chip.topology.coupling(chip.programmed)).max() > 1e-3
    found = chip.read_drives(chip.topology.split(offsets))
    assert list(found) == list(chip.topology.names)
    np.testing.assert_allclose(whole(found), offsets @ coupling.T, rtol=0, atol=1e-14)


def test_drives_pass_the_noise_of_reads_and_the_converter():
    noise, converters = Noise(read=0.01), Converters(readout=Adc(bits=6, full_scale=4.0))
    ideal, noisy, coarse = random_chip(), random_chip(noise=noise), random_chip(converters=converters)
    parts = ideal.topology.split(clamped(ideal, 40))
    for chip in (noisy, coarse):
        clamped(chip, 40)
    exact, first, second = whole(ideal.read_drives(parts)), *(whole(noisy.read_drives(parts)) for _ in range(2))
    for error in (first - exact, (first - second) / np.sqrt(2.0)):
        assert 0.009 < error.std() < 0.011
    levels = whole(coarse.read_drives(parts)) * 64 / 4.0
    np.testing.assert_array_equal(levels, np.rint(levels))
    assert levels.min() >= -32.0
    assert levels.max() <= 31.0
    assert coarse.clipped.outside == np.count_nonzero((exact < -2.0 - 1 / 32) | (exact > 2.0 - 1 / 32))


@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
def test_an_injected_drive_acts_like_a_bias(mode):
    chip = random_chip(sigma=0.1, dynamics={"mode": mode})
    drive = clamped(chip)
    drive[:] = drive[0]
    settled = chip.settle_injected(chip.topology.split(drive))
    assert (settled.status == 0).all()
    biases = {f"bias/{n}": chip.programmed[f"bias/{n}"] + drive[0, c] for n, c in chip.topology.columns.items()}
    biased = Chip(chip.design, chip.programmed | biases, chip.fabrication)
    clamped(biased)
    np.testing.assert_allclose(chip.state, biased.state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_the_response_to_a_small_drive_is_that_of_the_linearised_chip(law):
    chip = random_chip(sigma=0.1, law=law)
    drive = clamped(chip)
    inverse = linearise(chip, chip.state)
    ends = []
    for size in (1e-4, -1e-4):
        chip.settle_injected(chip.topology.split(size * drive))
        ends.append(whole({name: a for name, a in chip.read().items() if name != "in"}))
    for k in range(len(drive)):
        response = (ends[0][k] - ends[1][k]) / 2e-4
        np.testing.assert_allclose(response, inverse.inverse(k) @ drive[k], rtol=0, atol=1e-6)


def test_probes_start_from_the_last_free_state_and_leave_it():
    """However often the chip is probed, and at a layer that is not named nothing is injected."""
    chip = random_chip(phase=Phase(steps=3))
    clamped(chip)
    free = chip.state.copy()
    for _ in range(2):
        chip.settle_injected({"out": np.full((4, 4), 0.3)})
        ends = chip.state.copy()
        chip.settle_injected({"out": np.full((4, 4), 0.3)})
        np.testing.assert_array_equal(chip.state, ends)
    chip.settle_injected({})
    probed = chip.state.copy()
    chip.settle(start="free")
    np.testing.assert_array_equal(chip.state, probed)
    assert (probed != free).any()


@pytest.mark.parametrize("noise", ["independent", "common"])
def test_every_injection_has_noise_of_its_own_unless_all_phases_share_theirs(noise):
    phase = Phase(duration=2.0)
    chip = random_chip(noise=Noise(thermal=0.05), phases=Phases(noise=noise), dt=0.05, phase=phase)
    ends = []
    for _ in range(2):
        clamped(chip)
        for _ in range(2):
            chip.settle_injected({})
            ends.append(chip.state.copy())
    assert (ends[0] == ends[1]).all() == (noise == "common")
    np.testing.assert_array_equal(ends[:2], ends[2:])


def test_probes_are_counted():
    chip = random_chip()
    parts = chip.topology.split(clamped(chip))
    before = chip.budget
    chip.read_drives(parts)
    spent = chip.budget.plus(before, -1)
    assert (spent.settlings, spent.settled_time, spent.reads) == (0, 0.0, 4)
    settled = chip.settle_injected(parts)
    spent = chip.budget.plus(before, -1)
    assert (spent.settlings, spent.settled_time, spent.reads) == (4, settled.time.sum(), 4)
    assert (spent.probes, spent.probes_unsettled) == (4, 0)


def test_probes_that_do_not_settle_are_counted():
    chip = random_chip(phase=Phase(max_steps=1, tolerance=1e-12))
    parts = chip.topology.split(clamped(chip))
    assert (chip.budget.probes, chip.budget.probes_unsettled) == (0, 0)
    settled = chip.settle_injected(parts)
    assert np.all(settled.status == Status.STEP_LIMIT)
    assert (chip.budget.probes, chip.budget.probes_unsettled) == (4, 4)


@pytest.mark.parametrize("port", ["read_drives", "settle_injected"])
@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"in": np.zeros((4, 6))}, "a probe of 'in': must be an unclamped layer"),
        ({"l1": np.zeros((3, 7))}, r"a probe of 'l1' has shape \(3, 7\): must be finite and of shape \(4, 7\)"),
        ({"l1": np.full((4, 7), np.nan)}, "must be finite"),
    ],
)
def test_probes_that_do_not_fit_are_refused(port, probe, words):
    chip = random_chip()
    clamped(chip)
    with pytest.raises(ValueError, match=words):
        getattr(chip, port)(probe)
