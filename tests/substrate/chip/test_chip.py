import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from devices.synapse.cell import FeedbackDevices
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Dynamics, Phase
from tests.networks import random_batch, random_chip


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
