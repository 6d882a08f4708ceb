"""Nudge circuit, writes, energy, and the causes of error by name."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.energy import Energy
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep, SoftBounds
from devices.synapse.cell import Twin, WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.wires import Wires
from learning.estimator import estimate, measure_free
from learning.oracle.exact import exact
from learning.schemes.nodes import Centred, Circle, OneSided
from substrate.chip.causes import CAUSES, of_weights
from substrate.chip.nudging import nudged, output_force
from substrate.dynamics.machine import Drive
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Budget, Nudge
from tests.networks import random_batch, random_chip

FIXED = Phase(duration=30.0)
IMPERFECT = {
    "mismatch": {"sigma": 0.1},
    "stuck": {"weights": WeightDevices(stuck_fraction=0.1)},
    "window": {"weights": WeightDevices(window=[-0.2, 0.2], levels=64)},
    "path-gain": {"weights": WeightDevices(gain_sigma=0.1)},
    "wires": {"weights": WeightDevices(cell="pair"), "wires": Wires(segment=0.01)},
    "loading": {"synapse": "passive", "volt_ratio": 0.1},
    "twin": {"twin": Twin(mismatch_sigma=0.1)},
    "neurons": {"neurons": NeuronDevices(tau_sigma=0.1)},
    "noise": {"noise": Noise(thermal=0.01)},
    "read-noise": {"noise": Noise(read=0.01)},
    "adc": {"converters": Converters(readout=Adc(bits=6))},
    "hold": {"hold": Hold(pedestal=0.01)},
    "nudge-circuit": {"converters": Converters(nudge=NudgeCircuit(gain=1.1))},
    "write": {"update": ConstantStep(step=0.01)},
    "retention": {"retention": Retention(age=10.0, drift=0.1)},
    "correction-knowledge": {"correction": "programmed", "sigma": 0.1},
}
EVERYTHING = {
    "synapse": "passive",
    "volt_ratio": 0.1,
    "sigma": 0.1,
    "wires": Wires(segment=0.01),
    "twin": Twin(mismatch_sigma=0.1),
    "weights": WeightDevices(cell="pair", window=[0.01, 0.2], levels=64, stuck_fraction=0.1, gain_sigma=0.1),
    "neurons": NeuronDevices(tau_sigma=0.1),
    "noise": Noise(thermal=0.01, read=0.01),
    "converters": Converters(readout=Adc(bits=6), nudge=NudgeCircuit(gain=1.1, offset=0.01)),
    "hold": Hold(pedestal=0.01, pedestal_sigma=0.001, droop_tau=100.0, droop=1e-4),
    "phases": Phases(hold_time=1.0),
    "update": ConstantStep(step=0.01),
    "retention": Retention(age=10.0, leak_tau=100.0, drift=0.1, drift_sigma=0.01),
    "correction": "programmed",
}


def chip_with(**parts):
    return random_chip(phase=FIXED, dt=0.25, dynamics={"method": "exponential"}, **parts)


def experiment(chip, scheme=OneSided(beta=0.2)):  # noqa: B008  immutable
    """Return everything that can be seen of a chip that is measured and written."""
    x, y = random_batch(chip, 6)
    free = measure_free(chip, x)
    found = estimate(chip, free, y, scheme)
    change = {"weight/l1-l2": np.linspace(-0.05, 0.05, 35).reshape(7, 5)}
    chip.write(change)
    return [*free.activity.values(), *found.delta.values(), chip.state, chip.programmed["weight/l1-l2"].copy()]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


# Nudge circuit


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("beta", [0.2, -0.2, 0.1 + 0.1j])
def test_a_gain_of_the_circuit_is_another_beta(beta, nudge):
    circuit = NudgeCircuit(gain=1.25, gain_negative=0.75)
    plain = random_chip(phases=Phases(nudge=nudge))
    real = plain.variant(converters=Converters(nudge=circuit))
    x, y = random_batch(plain)
    for chip, size in ((real, beta), (plain, circuit.applied(beta))):
        chip.set_input(x)
        chip.settle()
        chip.settle(Nudge(size, y), "free")
    np.testing.assert_allclose(real.state, plain.state, rtol=0, atol=1e-13)


def test_unequal_polarities_act_as_their_mean():
    """Centred with gains g+ and g-: the mean gain times the error vector, all else of order beta."""
    circuit = NudgeCircuit(gain=1.1, gain_negative=0.7)
    chip = random_chip(converters=Converters(nudge=circuit))
    x, y = random_batch(chip)
    found = estimate(chip, measure_free(chip, x), y, Centred(beta=1e-4)).flat
    limit = exact(chip, y).ep
    np.testing.assert_allclose(found, 0.9 * limit, rtol=0, atol=1e-4 * np.abs(limit).max())


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("scheme", [OneSided(beta=0.01), OneSided(beta=0.02)])
def test_an_offset_while_nudging_is_a_bias_over_beta(scheme, nudge):
    """The offset `d` acts as a force ``-d/beta`` on the outputs: bias ``M (-d/beta)`` to first order."""
    plain = random_chip(phases=Phases(nudge=nudge))
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(offset=1e-5)))
    x, y = random_batch(plain)
    found, without = (estimate(c, measure_free(c, x), y, scheme).flat for c in (chip, plain))
    force = np.zeros_like(found)
    force[:, chip.topology.columns["out"]] = -1e-5 / scheme.beta
    expected = exact(plain, y).linear.response(force)
    np.testing.assert_allclose(found - without, expected, rtol=0, atol=0.03 * np.abs(expected).max())


def test_an_offset_is_there_for_all_nudges_but_not_freely():
    plain = random_chip()
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(offset=0.01)))
    x, y = random_batch(plain)
    np.testing.assert_array_equal(measure_free(chip, x).activity["l1"], measure_free(plain, x).activity["l1"])
    symmetric = [estimate(c, measure_free(c, x), y, Centred(beta=0.01)).flat for c in (chip, plain)]
    # It cancels in the difference of two nudges, but for the curvature of the response.
    np.testing.assert_allclose(*symmetric, rtol=0, atol=0.05 * np.abs(symmetric[1]).max())
    circle = estimate(chip, measure_free(chip, x), y, Circle(beta=0.1, points=4))
    assert np.isfinite(circle.flat).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_held_nudge_of_limited_drive_and_resolution(sign):
    """The drive of the outputs is that of the ideal nudge, rounded to steps of 0.025 and cut at 0.1."""
    plain = random_chip(phases=Phases(nudge="held"))
    chip = plain.variant(converters=Converters(nudge=NudgeCircuit(full_scale=0.1, bits=3)))
    x, y = random_batch(plain, 200)
    plain.set_input(x)
    plain.settle()
    force = output_force(plain._machine, plain._free_activity(), y)
    drive = Drive(plain.constant_drive, 0.0, y)
    real = nudged(drive, Nudge(sign * 0.3, y), chip.design, chip._machine, plain._free_activity())
    added = (real.constant - plain.constant_drive)[:, -4:]
    expected = np.clip(0.025 * np.rint(-sign * 0.3 * force / 0.025), -0.1, 0.1)
    np.testing.assert_allclose(added, expected, rtol=0, atol=1e-14)
    assert np.abs(added).max() == pytest.approx(0.1)


@pytest.mark.parametrize(("mode", "beta"), [("continuous", 0.1), ("held", 0.1j)])
@pytest.mark.parametrize("keys", [{"full_scale": 0.1}, {"gain_sigma": 0.1}])
def test_a_drive_that_is_cut_or_spreads_needs_a_held_real_nudge(mode, beta, keys):
    chip = random_chip(phases=Phases(nudge=mode), converters=Converters(nudge=NudgeCircuit(**keys)))
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    with pytest.raises(ValueError, match=r"need phases\.nudge = \"held\" and a scheme with real nudges"):
        chip.settle(Nudge(beta, y), "free")


# Writes


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
    assert chip.lost == 7
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


# Causes


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_named_and_taking_it_away_leaves_the_rest(cause):
    parts = IMPERFECT[cause]
    chip = chip_with(**parts)
    others = ["mismatch"] if cause == "correction-knowledge" else []
    assert chip.causes == [*others, cause]
    gone = chip.without(cause)
    assert gone.causes == others
    good = chip_with() if not others else chip_with(sigma=0.1, correction="exact")
    # A chip whose noise is gone goes on with the steps that the noise asked for.
    assert same(experiment(gone), experiment(good.variant(paced_by=gone.design.paced_by)))
    assert not same(experiment(chip), experiment(chip_with() if not others else good))


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_that_is_off_is_an_identity_bit_for_bit(cause):
    parts = {k: v for name in ("mismatch", "adc", "hold", "read-noise") for k, v in IMPERFECT[name].items()}
    chip = chip_with(**parts)
    off = cause not in chip.causes
    assert same(experiment(chip.without(cause)), experiment(chip_with(**parts))) == off


def test_causes_can_be_taken_away_together_and_from_the_full_chip():
    full = chip_with(**EVERYTHING)
    assert full.causes == list(CAUSES)
    for cause in CAUSES:
        assert full.without(cause).causes == [name for name in CAUSES if name != cause]
    assert full.without(*of_weights()).causes == [n for n in CAUSES if n not in {*of_weights(), "correction-knowledge"}]
    assert full.without("adc", "noise").causes == [name for name in CAUSES if name not in {"adc", "noise"}]
    ideal = full.ideal()
    assert ideal.causes == []
    plain = chip_with(correction="exact").variant(paced_by=ideal.design.paced_by)
    assert same(experiment(ideal), experiment(plain))
    np.testing.assert_array_equal(full.without("adc").effective["weight/l2-l1"], full.effective["weight/l2-l1"])


def test_an_unknown_cause_is_refused_with_the_names():
    with pytest.raises(ValueError, match="'adcs' is no cause of error: take one of mismatch, stuck, window, path-"):
        random_chip().without("adcs")


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "coincidences"])
def test_a_chip_made_anew_goes_on_as_the_one_it_replaces(rounding):
    """What a batch reads and writes depends on its names and what cells kept, so that a training can be resumed."""
    law = SoftBounds(step=0.01, rounding=rounding, step_sigma=0.3, cycle_sigma=0.3, write_noise=3.0)
    parts = EVERYTHING | {"update": law}
    chip = chip_with(**parts)
    x, y = random_batch(chip, 6)

    def batch(chip, ids, epoch):
        free = measure_free(chip, x[ids], ids, epoch)
        found = estimate(chip, free, y[ids], Centred(beta=0.2))
        chip.write({"bias/l1": -found.delta["l1"].mean(axis=0)})
        return found.delta["l1"]

    first, second = np.arange(3), np.arange(3, 6)
    batch(chip, first, 0)
    anew = type(chip)(chip.design, chip.programmed | chip.writer.kept, chip.fabrication)
    np.testing.assert_array_equal(batch(anew, second, 1), batch(chip, second, 1))
    np.testing.assert_array_equal(anew.programmed["bias/l1"], chip.programmed["bias/l1"])
