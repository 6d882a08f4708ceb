"""Trims of rows: what is common to a row is found and taken away, and nothing else is."""

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.synapse.cell import WeightDevices
from learning.copying.trims import add_row_errors, measure_row_trims, remove_row_errors
from learning.identification.reads import FreeReads, get_wiring, read_free_states
from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication
from substrate.theory.inverse_curve import InverseCurve
from tests.networks import random_chip

SAMPLES = np.random.default_rng(3).uniform(-1.0, 1.0, size=(60, 6))


def make_chip(**parts):
    return random_chip(activation="tanh", cost="mse", scale=0.5, dynamics={"mode": "equilibrium"}, **parts)


def measure(chip, asked, samples=SAMPLES):
    reads = read_free_states(chip, samples)
    return measure_row_trims(get_wiring(chip), reads, InverseCurve(chip.design.law, chip.design.activation), asked)


@pytest.mark.parametrize("law", ["additive", "hopfield"])
def test_gains_and_offsets_of_rows_are_found_and_taken_away(law):
    chip = make_chip(law=law, weights=WeightDevices(gain_sigma=0.1), neurons=NeuronDevices(offset_sigma=0.1))
    trims = measure(chip, chip.programmed)
    assert trims.untold == 0
    for block, gain in trims.gains.items():
        felt = chip.effective[block] / chip.programmed[block] - 1.0
        np.testing.assert_allclose(np.broadcast_to(gain, felt.shape), felt, rtol=0.0, atol=2e-3, err_msg=block)
    wanted = add_row_errors(chip.programmed, trims)
    for block in trims.gains:
        np.testing.assert_allclose(wanted[block], chip.effective[block], rtol=0.0, atol=5e-3)
    trimmed = chip.reprogrammed(remove_row_errors(chip.programmed, trims))
    plain = Chip(chip.design, chip.programmed, Fabrication()).ideal()
    rests = [read_free_states(one, SAMPLES).activity["out"] for one in (trimmed, plain, chip)]
    assert np.abs(rests[0] - rests[1]).max() < 0.02 * np.abs(rests[2] - rests[1]).max()


def test_of_independent_errors_the_mean_drive_is_taken_away_and_the_weights_stay_wrong():
    chip = make_chip(weights=WeightDevices(mismatch_sigma=0.1))
    trims = measure(chip, chip.programmed)
    asked = remove_row_errors(chip.programmed, trims)
    trimmed = chip.reprogrammed(asked)
    block = "weight/in-l1"
    before, after = (np.abs(one.effective[block] - chip.programmed[block]).mean() for one in (chip, trimmed))
    assert after > 0.8 * before
    plain = chip.ideal()
    rests = [read_free_states(one, SAMPLES).activity["out"] for one in (trimmed, plain, chip)]
    left, error = rests[0] - rests[1], rests[2] - rests[1]
    assert np.abs(left.mean(axis=0)).max() < 0.5 * np.abs(error.mean(axis=0)).max()


def test_a_perfect_chip_needs_no_trims():
    chip = make_chip()
    trims = measure(chip, chip.programmed)
    assert max(np.abs(part).max() for part in (*trims.gains.values(), *trims.offsets.values())) < 1e-6


def test_units_that_tell_too_little_stay_as_they_are():
    chip = make_chip()
    few = measure(chip, chip.programmed, SAMPLES[:5])
    assert few.untold == chip.topology.units
    asked = remove_row_errors(chip.programmed, few)
    for name, block in chip.programmed.items():
        np.testing.assert_array_equal(asked[name], block)
    curve, wiring = InverseCurve("additive", "tanh"), get_wiring(chip)
    ends = {name: np.full((60, units), 1.0 - 1e-9) for name, units in chip.layers.items()}
    assert measure_row_trims(wiring, FreeReads(ends, 0), curve, chip.programmed).untold == chip.topology.units
