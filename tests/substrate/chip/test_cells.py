"""The cells of a chip: storage of feedback weights, gains of paths, and writes of cells with limits."""

import numpy as np
import pytest

from devices.parameters import Parameters
from devices.programming.laws import ConstantStep, SoftBounds
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.retention import Retention
from devices.synapse.twin import Twin
from learning.estimator import estimate_error_vectors, measure_free
from learning.schemes.nodes import OneSided
from scenarios.experiments.device_tables import make_cell_variables
from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication
from substrate.protocol import Nudge
from substrate.units import conversion
from substrate.units.physical import Physical
from tests.networks import random_batch, random_chip

FORWARD, BACK = "weight/l1-l2", "weight/l2-l1"


def chip_with(feedback=FeedbackDevices(), weights=WeightDevices(), instance=0, **parts):  # noqa: B008  immutable
    plain = random_chip(symmetric=True)
    design = plain.design.replace(feedback=feedback, weights=weights, **parts)
    return Chip(design, plain.programmed, Fabrication(0, instance))


def errors(chip, block):
    return chip.effective[block] / chip.programmed[block] - 1.0


def test_every_weight_has_cells_of_its_own():
    chip = chip_with(weights=WeightDevices(mismatch_sigma=0.1))
    assert min(errors(chip, c.block).std() for c in chip.topology.connections) > 0.05
    assert np.abs(errors(chip, FORWARD) - errors(chip, BACK).T).max() > 0.1
    for block in chip.programmed:
        if not block.startswith("weight/"):
            np.testing.assert_array_equal(chip.effective[block], chip.programmed[block])


def test_feedback_cells_differ_field_by_field():
    chip = chip_with(FeedbackDevices(mismatch_sigma=0.0), WeightDevices(mismatch_sigma=0.1))
    assert (errors(chip, BACK) == 0.0).all()
    assert errors(chip, FORWARD).std() > 0.05


def test_one_seed_and_instance_is_one_chip():
    weights = WeightDevices(mismatch_sigma=0.1, gain_sigma=0.1, stuck_fraction=0.1, cell="pair", window=[0.1, 2.0])
    first, again, other = (chip_with(weights=weights, instance=k) for k in (3, 3, 4))
    np.testing.assert_array_equal(first.effective[BACK], again.effective[BACK])
    assert (first.effective[BACK] != other.effective[BACK]).any()


def test_a_shared_device_is_read_in_both_directions():
    shared = FeedbackDevices(storage="shared-device")
    weights = WeightDevices(mismatch_sigma=0.2, stuck_fraction=0.1, stuck_at=0.3)
    chip = chip_with(shared, weights)
    np.testing.assert_array_equal(chip.effective[BACK], chip.effective[FORWARD].T)
    assert errors(chip, FORWARD).std() > 0.1
    paired = chip_with(shared, WeightDevices(mismatch_sigma=0.2, cell="pair", window=[0.1, 2.0]))
    np.testing.assert_array_equal(paired.effective[BACK], paired.effective[FORWARD].T)
    found = compute_weight_spreads(paired.design, paired.programmed)
    for block in (FORWARD, BACK):
        assert (found[block].shift == 0.0).all()
        assert (found[block].variance == 0.0).all()


def test_only_gains_of_paths_break_the_symmetry_of_a_shared_device():
    """``W_back = diag(g_back) W_fwd^T diag(1/g_fwd)``: one gain per unit that is driven."""
    chip = chip_with(FeedbackDevices(storage="shared-device", gain_sigma=0.3), WeightDevices(gain_sigma=0.1))
    forward, back = errors(chip, FORWARD), errors(chip, BACK)
    assert np.ptp(forward, axis=0).max() < 1e-14
    assert np.ptp(back, axis=0).max() < 1e-14
    assert forward[0].std() > 0.02
    assert back[0].std() > 0.1


def test_copied_cells_have_a_mismatch_of_their_own():
    chip = chip_with(FeedbackDevices(storage="copied", mismatch_sigma=0.1), WeightDevices(mismatch_sigma=0.1))
    assert np.abs(errors(chip, FORWARD) - errors(chip, BACK).T).max() > 0.1


@pytest.mark.parametrize(("storage", "cells"), [("shared-device", 1), ("copied", 2)])
def test_one_number_gets_the_sum_of_both_directions(storage, cells):
    chip = chip_with(FeedbackDevices(storage=storage), WeightDevices(mismatch_sigma=0.1), update=ConstantStep(step=0.1))
    gains = chip.effective[FORWARD] / chip.programmed[FORWARD], chip.effective[BACK] / chip.programmed[BACK]
    before = chip.programmed[FORWARD].copy()
    # Neither request alone is worth a pulse.
    chip.write({FORWARD: np.full((7, 5), 0.04), BACK: np.full((5, 7), 0.04), "weight/in-l1": np.full((6, 7), 0.1)})
    np.testing.assert_allclose(chip.programmed[FORWARD], before + 0.1, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(chip.programmed[BACK], chip.programmed[FORWARD].T)
    np.testing.assert_allclose(chip.effective[FORWARD], chip.programmed[FORWARD] * gains[0], rtol=1e-12)
    np.testing.assert_allclose(chip.effective[BACK], chip.programmed[BACK] * gains[1], rtol=1e-12)
    assert chip.budget.pulses == 35 * cells + 42
    chip.write({BACK: np.full((5, 7), 0.2)})
    np.testing.assert_allclose(chip.programmed[FORWARD], before + 0.3, rtol=0, atol=1e-15)


@pytest.mark.parametrize("storage", ["shared-device", "copied"])
def test_one_number_is_forgotten_in_both_directions(storage):
    """Cells without limits that differ in their leak: both directions age and are written together."""
    leak = Retention(interval=1.0, leak_tau=2.0, leak_tau_sigma=0.3)
    chip = chip_with(FeedbackDevices(storage=storage), retention=leak)
    before = chip.effective[FORWARD].copy()
    request = np.zeros((5, 7))
    request[0] = 0.1
    chip.write({BACK: request})
    np.testing.assert_array_equal(chip.effective[BACK], chip.effective[FORWARD].T)
    left = before * np.exp(-chip.writer.forgetting[FORWARD].rate)
    np.testing.assert_allclose(chip.effective[FORWARD], left + request.T, rtol=0, atol=1e-12)


def test_independent_cells_are_written_on_their_own():
    chip = chip_with()
    before = chip.programmed[FORWARD].copy()
    chip.write({BACK: np.full((5, 7), 0.2)})
    np.testing.assert_array_equal(chip.programmed[FORWARD], before)


@pytest.mark.parametrize("storage", ["shared-device", "copied"])
def test_one_number_cannot_stand_for_two_weights(storage):
    plain = random_chip()
    with pytest.raises(ValueError, match=r"'weight/l2-l1' is not the transpose of 'weight/l1-l2'.*independent"):
        plain.variant(feedback=FeedbackDevices(storage=storage))


# Limits


def test_cells_with_levels_move_from_what_they_hold():
    """Requests below half a step are lost; one that is not made leaves a cell and its request alone."""
    cells = WeightDevices(window=[-1.0, 1.0], levels=21)
    chip = chip_with(weights=cells)
    held, requested = chip.effective[FORWARD].copy(), chip.programmed[FORWARD].copy()
    np.testing.assert_allclose(held, 0.1 * np.rint(10.0 * chip.programmed[FORWARD]), rtol=0, atol=1e-12)
    request = np.zeros((7, 5))
    request[0], request[1] = 0.04, 0.06
    for _ in range(5):
        chip.write({FORWARD: request})
    moved = chip.effective[FORWARD] - held
    np.testing.assert_allclose(moved[0], 0.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(moved[1], 0.5, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(chip.effective[FORWARD][2:], held[2:])
    np.testing.assert_array_equal(chip.programmed[FORWARD][2:], requested[2:])
    assert chip.tally.lost.sum() == 25
    anew = Chip(chip.design, chip.programmed, chip.fabrication)
    np.testing.assert_array_equal(anew.effective[FORWARD], chip.effective[FORWARD])


def test_a_window_does_not_wind_up():
    chip = chip_with(weights=WeightDevices(window=[-1.0, 1.0]))
    for _ in range(3):
        chip.write({FORWARD: np.full((7, 5), 5.0)})
    chip.write({FORWARD: np.full((7, 5), -0.25)})
    np.testing.assert_array_equal(chip.effective[FORWARD], 0.75)


# Units


class Block(Parameters):
    cells: WeightDevices


def test_siemens_become_weights_and_a_missing_scale_is_told():
    block = Block(cells=WeightDevices(cell="pair", window=["1 uS", "100 uS"], stuck_at="1 mS"))
    physical = Physical(volt_scale=0.2, activity_volts=0.5, tau=1e-6, capacitance=1e-11)
    plain = conversion.convert_to_plain(block, physical).cells
    # G = W g_L V_u/V_A with g_L = 10 uS.
    np.testing.assert_allclose(plain.window, [0.25, 25.0], rtol=1e-12)
    assert plain.stuck_at == pytest.approx(250.0)
    assert conversion.find_unit_faults(block, physical) == []
    (fault, *more) = conversion.find_unit_faults(block, Physical(volt_scale=0.2))
    assert fault.path == ("cells", "window")
    assert fault.message == "is in S, which needs [physical] leak, activity_volts"
    assert len(more) == 2
    with pytest.raises(ValueError, match="'1 uS' needs"):
        conversion.convert_to_plain(block, None)


# A second copy of the cells


def test_a_twin_without_spread_is_the_chip_itself():
    plain, twin = random_chip(), random_chip(twin=Twin())
    x, y = random_batch(plain)
    for chip in (plain, twin):
        chip.set_input(x)
        chip.settle()
        chip.settle(Nudge(0.2, y), "free")
    np.testing.assert_array_equal(plain.state, twin.state)


def test_nudged_settlings_run_on_the_twin_and_free_ones_do_not():
    plain, chip = random_chip(), random_chip(twin=Twin(mismatch_sigma=0.1))
    x, y = random_batch(plain)
    for bench in (plain, chip):
        bench.set_input(x)
        bench.settle()
    np.testing.assert_array_equal(chip.state, plain.state)
    chip.settle(Nudge(1e-9, y), "free")
    drawn = chip.topology.blocks(chip._fabric._second.copy_cells(chip.effective))
    assert all((drawn[b] != v).any() == b.startswith("weight/") for b, v in chip.effective.items())
    copy = Chip(plain.design, drawn, plain.fabrication)
    copy.set_input(x)
    copy.settle()
    np.testing.assert_allclose(chip.state, copy.state, rtol=0, atol=1e-8)


@pytest.mark.parametrize("beta", [0.01, 0.02])
def test_the_error_of_a_twin_is_its_shift_over_beta(beta):
    """One-sided: the rest point of the second copy differs by `shift`, so the error vector by ``-shift/beta``."""
    plain, chip = random_chip(), random_chip(twin=Twin(mismatch_sigma=1e-4))
    x, y = random_batch(plain)
    found = [estimate_error_vectors(c, measure_free(c, x), y, OneSided(beta=beta)).flat for c in (chip, plain)]
    chip.settle(Nudge(0.0, y), "free")
    shift = chip.activity_of(chip.state) - np.concatenate(list(measure_free(plain, x).activity.values())[1:], axis=1)
    expected = -shift / beta
    np.testing.assert_allclose(found[0] - found[1], expected, rtol=0, atol=0.03 * np.abs(expected).max())


def test_the_twin_follows_what_is_written():
    chip = random_chip(twin=Twin(mismatch_sigma=0.1))
    before = chip._fabric.twin(chip._machine, np.zeros((1, 16)), np.zeros((1, 6)))[0].weights
    chip.write({FORWARD: np.full((7, 5), 0.3)})
    moved = chip._fabric.twin(chip._machine, np.zeros((1, 16)), np.zeros((1, 6)))[0].weights - before
    assert np.count_nonzero(moved) == 35


def test_one_number_is_kept_once():
    """Only the forward cells of a pair have draws; the list of the feedback cells shows the same ones."""
    law, leak = SoftBounds(step=0.1, step_sigma=0.3, write_noise=1.0), Retention(leak_tau=2.0, leak_tau_sigma=0.3)
    chip = chip_with(FeedbackDevices(storage="copied"), update=law, retention=leak)
    assert BACK not in chip.writer.cells
    assert BACK not in chip.writer.forgetting
    assert not any(name.endswith(BACK) for name in chip.writer.kept)
    chip.write({BACK: np.full((5, 7), 0.2)})
    forward, back = (make_cell_variables(chip, block, ("pre", "post")) for block in (FORWARD, BACK))
    assert forward.keys() == back.keys() > {"step_up", "nominal_step_up", "leak_rate", "write_noise"}
    for name, variable in forward.items():
        np.testing.assert_array_equal(back[name].data, np.transpose(variable.data))
