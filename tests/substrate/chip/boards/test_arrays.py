"""Arrays of cells beside the first one of a block: their draws, what the units feel, how they are read and kept."""

import numpy as np
import pytest

from devices.hardware import Devices
from devices.interface.converter import Adc, Converters
from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep, SoftBounds
from devices.synapse.cell import FeedbackDevices, WeightDevices
from substrate.chip.chip import Chip
from substrate.protocol import ExtraArrays, name_array_block
from tests.networks import random_chip

BLOCK, BACK = "weight/l1-l2", "weight/l2-l1"
FAST = name_array_block(1, BLOCK)
LAW = SoftBounds(step=0.01, w_max=2.0, w_min=-2.0, step_sigma=0.1, rounding="stochastic")


def make(gains=(0.0,), reference_sigma=0.0, **parts):
    """Return a chip with further arrays, and a batch clamped that names its writes."""
    chip = random_chip(update=LAW, **parts).variant(arrays=ExtraArrays(gains, reference_sigma))
    chip.set_input(np.full((2, chip.layers["in"]), 0.5))
    return chip


def test_without_any_a_chip_is_what_it_was():
    chip = random_chip(update=LAW)
    assert chip.variant(arrays=ExtraArrays()).kept.keys() == chip.kept.keys() == chip.programmed.keys()


def test_an_array_of_gain_zero_changes_no_bit_of_the_weights():
    plain, chip = make(gains=()), make()
    for one in (plain, chip):
        one.write({BLOCK: np.full((7, 5), 0.03)})
    chip.write({FAST: np.full((7, 5), 0.5)})
    for name, block in plain.effective.items():
        assert block.tobytes() == chip.effective[name].tobytes()
    assert plain.programmed.keys() == chip.programmed.keys()


def test_cells_of_an_array_have_draws_of_their_own_from_the_same_law():
    cells = make(gains=(0.0, 0.0)).writer.cells
    steps = [cells[name_array_block(n, BLOCK)].step_up.ravel() for n in range(3)]
    assert len({tuple(one) for one in steps}) == 3
    for one in steps:
        # 35 cells: a mean of 1 +- 0.017, a standard deviation of 0.1 +- 0.012; four standard deviations.
        assert one.mean() == pytest.approx(0.01, rel=0.07)
        assert one.std() == pytest.approx(0.001, rel=0.5)


def test_units_feel_arrays_by_their_gains():
    """Mismatch of every array included; what is requested adds up alike."""
    chip = make(gains=(0.5, 0.25)).variant(weights=WeightDevices(mismatch_sigma=0.2))
    chip.set_input(np.zeros((1, chip.layers["in"])))
    before = {name: block.copy() for name, block in chip.effective.items()}
    asked = [0.1, 0.4]
    for n, size in enumerate(asked, 1):
        chip.write({name_array_block(n, BLOCK): np.full((7, 5), size)})
    held = [chip.stored[name_array_block(n, BLOCK)] for n in (1, 2)]
    ones = np.ones((7, 5), dtype=bool)
    read = [chip.read_cells(name_array_block(n, BLOCK), ones).reshape(7, 5) for n in (1, 2)]
    assert np.abs(read[0] / held[0] - 1).std() > 0.05
    np.testing.assert_allclose(chip.effective[BLOCK] - before[BLOCK], 0.5 * read[0] + 0.25 * read[1], atol=1e-14)
    first = chip.stored[BLOCK]
    np.testing.assert_allclose(chip.programmed[BLOCK], first + 0.5 * held[0] + 0.25 * held[1], atol=1e-15)
    assert chip.effective[BACK].tobytes() == before[BACK].tobytes()


def test_both_directions_feel_the_array_of_one_cell():
    devices = {"feedback": FeedbackDevices(storage="shared-device"), "weights": WeightDevices(mismatch_sigma=0.1)}
    chip = make(gains=(0.5,), symmetric=True).variant(**devices)
    assert name_array_block(1, BACK) not in chip.stored
    chip.set_input(np.zeros((1, chip.layers["in"])))
    chip.write({FAST: np.random.default_rng(0).normal(size=(7, 5))})
    np.testing.assert_allclose(chip.effective[BACK], chip.effective[BLOCK].T, atol=1e-15)
    np.testing.assert_allclose(chip.programmed[BACK], chip.programmed[BLOCK].T, atol=1e-15)
    again = chip.reprogrammed({BLOCK: chip.programmed[BLOCK], BACK: chip.programmed[BACK]})
    np.testing.assert_allclose(again.effective[BLOCK], chip.effective[BLOCK], atol=1e-14)


def test_the_same_silicon_goes_on_from_what_it_keeps():
    """Arrays, and what is felt on top of their cells."""
    chip = make(gains=(0.3,), reference_sigma=0.05).variant(update=LAW.model_copy(update={"write_noise": 2.0}))
    chip.set_input(np.zeros((1, chip.layers["in"])))
    chip.write({FAST: np.full((7, 5), 0.2)})
    assert f"write-noise/{FAST}" in chip.kept
    anew = Chip(chip.design, chip.kept, chip.fabrication)
    assert {k: v.tobytes() for k, v in anew.effective.items()} == {k: v.tobytes() for k, v in chip.effective.items()}


def test_a_reference_that_is_off_is_read_and_felt():
    chip = make(gains=(0.5,), reference_sigma=0.1)
    ones = np.ones((7, 5), dtype=bool)
    read = chip.read_cells(FAST, ones)
    # 35 numbers: their standard deviation is known to 12 %; four standard deviations.
    assert read.std() == pytest.approx(0.1, rel=0.48)
    plain = make(gains=(0.5,))
    np.testing.assert_allclose((chip.effective[BLOCK] - plain.effective[BLOCK]).ravel(), 0.5 * read, atol=1e-15)


def test_reads_pass_the_noise_and_the_converter_of_the_units():
    chosen = np.zeros((7, 5), dtype=bool)
    chosen[[1, 4]] = True
    exact = make()
    exact.write({FAST: np.random.default_rng(0).normal(size=(7, 5))})
    held = exact.read_cells(FAST, chosen)
    noisy = exact.variant(noise=Noise(read=0.01))
    first, second = noisy.read_cells(FAST, chosen), noisy.read_cells(FAST, chosen)
    assert (first != second).all()
    # 20 numbers: the root mean square is known to 16 %; four standard deviations.
    assert np.sqrt(np.mean((np.concatenate([first, second]) - np.tile(held, 2)) ** 2)) == pytest.approx(0.01, rel=0.5)
    coarse = exact.variant(converters=Converters(readout=Adc(bits=4, range=[0.0, 1.0])))
    read = coarse.read_cells(FAST, chosen)
    step = coarse.design.devices.converters.readout.step
    inside = np.abs(held) < 0.5
    assert np.abs(read - held)[inside].max() <= 0.5 * step + 1e-12
    assert coarse.clipped.conversions == 10
    assert coarse.clipped.outside == np.count_nonzero(~((held > -0.5 - step / 2) & (held < 0.5 + step / 2)))


def test_reads_and_pulses_of_arrays_are_counted():
    chip = make()
    before = chip.budget
    chip.write({FAST: np.full((7, 5), 0.02), name_array_block(1, "bias/l1"): np.zeros(7)})
    chip.read_cells(FAST, np.eye(7, 5, dtype=bool))
    chip.read_cells(name_array_block(1, "bias/l1"), np.ones(7, dtype=bool))
    spent = chip.budget.plus(before, -1)
    assert (spent.writes, spent.pulses, spent.cell_reads) == (1, 70, 12)
    for block, mask in ((FAST, np.ones((5, 7), dtype=bool)), (name_array_block(2, BLOCK), np.ones((7, 5), dtype=bool))):
        with pytest.raises(ValueError, match="no cells of shape"):
            chip.read_cells(block, mask)
    with pytest.raises(ValueError, match="is no block of this chip"):
        chip.write({name_array_block(2, BLOCK): np.zeros((7, 5))})


def test_requests_that_move_no_cell_are_counted_with_their_block():
    chip = make().variant(update=ConstantStep(step=0.01))
    chip.set_input(np.zeros((1, chip.layers["in"])))
    chip.write({FAST: np.full((7, 5), 0.004)})
    lost = dict(zip(chip.topology.shapes, chip.tally.lost, strict=True))
    assert {name: count for name, count in lost.items() if count} == {BLOCK: 35}


def test_an_ideal_chip_keeps_its_arrays():
    chip = make(gains=(0.5,), sigma=0.1)
    chip.write({FAST: np.full((7, 5), 0.2)})
    ideal = chip.ideal()
    np.testing.assert_allclose(ideal.effective[BLOCK], chip.programmed[BLOCK], atol=1e-15)


def test_windows_hold_for_every_array():
    devices = Devices(update=LAW, weights=WeightDevices(window=[-0.3, 0.3]))
    chip = make().variant(devices=devices)
    chip.set_input(np.zeros((1, chip.layers["in"])))
    chip.write({FAST: np.full((7, 5), 1.0)})
    assert chip.read_cells(FAST, np.ones((7, 5), dtype=bool)).max() <= 0.3
