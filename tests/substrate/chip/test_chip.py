"""A chip in operation: what stays, its inputs and probes, and what it counts."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters
from devices.interface.energy import Energy
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep, SoftBounds
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.wires import Wires
from learning.estimator import estimate_error_vectors, measure_free
from learning.schemes.nodes import Centred
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Dynamics, Phase
from substrate.dynamics.phases import Phases
from substrate.laws.law import LAWS
from substrate.protocol import Budget, Nudge, Status
from substrate.theory.linearisation import linearise
from tests.networks import random_batch, random_chip
from tests.substrate.imperfect_chips import EVERYTHING, chip_with


def test_an_ideal_chip_is_its_programme_bit_for_bit():
    ideal, spread = random_chip(sigma=0.0), random_chip(sigma=0.1)
    for name, block in ideal.programmed.items():
        np.testing.assert_array_equal(ideal.effective[name], block)
        np.testing.assert_array_equal(spread.ideal().effective[name], block)


def test_only_feedback_is_mismatched_and_the_chip_keeps_its_draw():
    chip, same, other = (random_chip(sigma=0.1, instance=i) for i in (0, 0, 1))
    changed = {name for name in chip.programmed if (chip.effective[name] != chip.programmed[name]).any()}
    assert changed == {"weight/l2-l1", "weight/out-l2"}
    for name in changed:
        np.testing.assert_array_equal(chip.effective[name], same.effective[name])
        assert (chip.effective[name] != other.effective[name]).all()


def test_a_variant_is_the_same_silicon():
    chip = random_chip(sigma=0.1)
    slower = chip.variant(dynamics=Dynamics(dt=0.1))
    np.testing.assert_array_equal(slower.effective["weight/l2-l1"], chip.effective["weight/l2-l1"])
    assert slower.design.dynamics.dt == 0.1
    wider = chip.variant(feedback=FeedbackDevices(mismatch_sigma=0.2))
    error, twice = (c.effective["weight/l2-l1"] - c.programmed["weight/l2-l1"] for c in (chip, wider))
    np.testing.assert_allclose(2.0 * error, twice, rtol=0, atol=1e-15)


def test_programmed_parameters_are_copied_and_checked():
    chip = random_chip()
    blocks = {name: block.copy() for name, block in chip.programmed.items()}
    made = Chip(chip.design, blocks)
    blocks["bias/l1"] += 1.0
    np.testing.assert_array_equal(made.programmed["bias/l1"], chip.programmed["bias/l1"])
    with pytest.raises(ValueError, match="lack 'bias/l1'"):
        Chip(chip.design, {k: v for k, v in blocks.items() if k != "bias/l1"})
    with pytest.raises(ValueError, match="'bias/l1' has shape"):
        Chip(chip.design, blocks | {"bias/l1": np.zeros(3)})


@pytest.mark.parametrize("x", [np.zeros(6), np.zeros((2, 5)), np.full((2, 6), np.nan)])
def test_wrong_inputs_are_refused(x):
    with pytest.raises(ValueError, match="must be finite and of shape"):
        random_chip().set_input(x)


def test_the_free_phase_starts_from_zero_and_the_nudged_one_from_the_free_state():
    chip = random_chip(phase=Phase(steps=1))
    x, _ = random_batch(chip, 2)
    chip.set_input(x)
    chip.settle()
    first = chip.state
    half = random_chip().activity_of(np.zeros_like(first)) @ chip.topology.coupling(chip.effective).T
    np.testing.assert_allclose(first, 0.5 * (half + chip.constant_drive), rtol=0, atol=1e-15)
    chip.settle(start="free")
    assert (chip.state != first).any()
    chip.settle()
    np.testing.assert_array_equal(chip.state, first)


def test_offsets_of_units_are_a_constant_drive():
    plain = random_chip()
    x, _ = random_batch(plain)
    chips = [plain.variant(neurons=NeuronDevices(offset_sigma=s)) for s in (0.1, 0.2)]
    for chip in (plain, *chips):
        chip.set_input(x)
        chip.settle()
    small, large = (chip.constant_drive - plain.constant_drive for chip in chips)
    assert np.ptp(small, axis=0).max() < 1e-15
    np.testing.assert_allclose(large, 2.0 * small, rtol=0, atol=1e-14)
    assert 0.03 < small[0].std() < 0.3
    blocks = {name: block.copy() for name, block in plain.programmed.items()}
    for name, columns in plain.topology.columns.items():
        blocks[f"bias/{name}"] += small[0, columns]
    biased = Chip(plain.design, blocks, plain.fabrication)
    biased.set_input(x)
    biased.settle()
    np.testing.assert_allclose(chips[0].state, biased.state, rtol=0, atol=1e-12)


def test_the_circuits_beside_the_cells_multiply_activity_and_error():
    chip, rng = random_chip("skip"), np.random.default_rng(0)
    a = {layer: rng.normal(size=(5, units)) for layer, units in chip.layers.items()}
    d = {layer: rng.normal(size=(5, units)) + 1j for layer, units in chip.layers.items() if layer != "in"}
    found = chip.correlate(d, a)
    assert found.keys() == {name for name in chip.programmed if not name.startswith("readout/")}
    for pre, post in chip.connections:
        np.testing.assert_allclose(found[f"weight/{pre}-{post}"], np.einsum("ri,rj->ij", a[pre], d[post]), rtol=1e-13)
    np.testing.assert_allclose(found["bias/l1"], d["l1"].sum(axis=0), rtol=1e-14)


def test_what_lacks_a_factor_has_no_product():
    chip = random_chip("reciprocal")
    assert chip.correlate({"l2": np.ones((1, 5))}, {"l1": np.ones((1, 7))}).keys() == {"weight/l1-l2", "bias/l2"}


def test_a_request_is_turned_round_for_the_reverse_connection():
    chip = random_chip("reciprocal")
    request = np.arange(35.0).reshape(chip.programmed["weight/l1-l2"].shape)
    np.testing.assert_array_equal(chip.mirror("weight/l1-l2", request), request.T)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "coincidences"])
def test_a_chip_made_anew_goes_on_as_the_one_it_replaces(rounding):
    """What a batch reads and writes depends on its names and what cells kept, so that a training can be resumed."""
    law = SoftBounds(step=0.01, rounding=rounding, step_sigma=0.3, cycle_sigma=0.3, write_noise=3.0)
    parts = EVERYTHING | {"update": law}
    chip = chip_with(**parts)
    x, y = random_batch(chip, 6)

    def batch(chip, ids, epoch):
        free = measure_free(chip, x[ids], ids, epoch)
        found = estimate_error_vectors(chip, free, y[ids], Centred(beta=0.2))
        chip.write({"bias/l1": -found.delta["l1"].mean(axis=0)})
        return found.delta["l1"]

    first, second = np.arange(3), np.arange(3, 6)
    batch(chip, first, 0)
    anew = type(chip)(chip.design, chip.kept, chip.fabrication)
    np.testing.assert_array_equal(batch(anew, second, 1), batch(chip, second, 1))
    np.testing.assert_array_equal(anew.programmed["bias/l1"], chip.programmed["bias/l1"])


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


# Writes


def test_some_layers_are_read_as_all_would_be_and_counted_apart():
    parts = {"noise": Noise(read=0.01), "converters": Converters(readout=Adc(bits=3, full_scale=0.5))}
    one, other = random_chip(**parts, energy=Energy(per_read=1.0)), random_chip(**parts)
    for chip in (one, other):
        chip.set_input(random_batch(chip)[0])
        chip.settle()
    before, found, whole = one.budget, one.read_layers(["out"]), other.read()
    assert list(found) == ["out"]
    np.testing.assert_array_equal(found["out"], whole["out"])
    assert one.budget.plus(before, -1) == Budget(outputs_read=5, energy=20.0)
    assert one.clipped.conversions == 20
    assert one.clipped.outside <= other.clipped.outside
    with pytest.raises(ValueError, match="a read of 'in': must be an unclamped layer"):
        one.read_layers(["in"])


def test_multiply_adds_of_the_controller_take_energy():
    chip = random_chip(energy=Energy(per_mac=0.5))
    chip.count_macs(7)
    assert chip.budget == Budget(macs=7, energy=3.5)


def test_a_write_moves_cells_by_whole_pulses_and_counts_them():
    chip = random_chip(update=ConstantStep(step=0.1), sigma=0.1)
    before = {name: block.copy() for name, block in chip.programmed.items()}
    gain = chip.effective["weight/l2-l1"] / chip.programmed["weight/l2-l1"]
    change = {"weight/l2-l1": np.full((5, 7), 0.26), "bias/l1": np.full(7, 0.04), "readout/bias": np.full(3, 0.04)}
    chip.write(change)
    np.testing.assert_allclose(chip.programmed["weight/l2-l1"], before["weight/l2-l1"] + 0.3, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(chip.programmed["bias/l1"], before["bias/l1"])
    np.testing.assert_array_equal(chip.programmed["readout/bias"], before["readout/bias"] + 0.04)
    assert chip.budget == Budget(writes=1, pulses=3 * 35)
    assert chip.tally.lost.sum() == 7
    np.testing.assert_allclose(chip.effective["weight/l2-l1"] / chip.programmed["weight/l2-l1"], gain, rtol=1e-12)


def test_stochastic_writes_are_named_by_batch_and_count():
    def written(epoch, ids, times=1):
        chip = random_chip(update=ConstantStep(step=0.1, rounding="stochastic"))
        chip.set_input(np.zeros((3, 6)), ids, epoch)
        before = chip.programmed["weight/in-l1"].copy()
        for _ in range(times):
            last = chip.programmed["weight/in-l1"].copy()
            chip.write({"weight/in-l1": np.full((6, 7), 0.05)})
        return chip.programmed["weight/in-l1"] - (last if times > 1 else before)

    ids = np.arange(3)
    first = written(0, ids)
    np.testing.assert_array_equal(written(0, ids), first)
    for other in (written(1, ids), written(0, ids + 3), written(0, ids, times=2)):
        assert (np.abs(other - first) > 0.05).any()


# Energy


def test_energy_is_counted_with_what_it_was_spent_on():
    energy = Energy(per_read=1e-12, per_pulse=1e-9, static=1e-6)
    chip = random_chip(phase=Phase(steps=10), energy=energy, tau=1e-6, update=ConstantStep(step=0.1))
    x, y = random_batch(chip, 3)
    chip.set_input(x)
    chip.settle()
    spent = 3 * 5.0 * 1e-6 * 1e-6
    assert chip.budget.energy == pytest.approx(spent)
    chip.read()
    spent += 3 * 16 * 1e-12
    chip.settle(Nudge(0.1j, y), "free")
    chip.read()
    spent += 3 * 5.0e-12 + 2 * 3 * 16 * 1e-12
    chip.write({"bias/l1": np.full(7, 0.2)})
    spent += 14e-9
    assert chip.budget.energy == pytest.approx(spent)
    assert (chip.budget.reads, chip.budget.pulses, chip.budget.writes) == (9, 14, 1)
    dark = chip.variant(tau=None)
    dark.set_input(x)
    with pytest.raises(ValueError, match="needs tau in seconds"):
        dark.settle()
