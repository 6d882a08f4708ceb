"""A chip whose connections are kernels: one set of cells per kernel, which all places share."""

import numpy as np
import pytest

from devices.block import DeviceBlock
from devices.hardware import Devices
from devices.neuron.membrane import NeuronDevices
from devices.programming.laws import ConstantStep
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.measured import MeasuredMap, make_cell_sample
from devices.synapse.noise import CellNoise
from devices.synapse.twin import Twin
from scenarios.initial import sample_initial_parameters
from substrate.chip.boards.limits import find_cell_noise_fault
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.topology import Topology
from substrate.settling.coupling import find_couplings
from tests.networks import dynamics
from tests.statistics import assert_mean, assert_normal_variance

from .test_wiring import LAYERS, PATHS, conv

FORWARD, BACK = "weight/conv1-conv2", "weight/conv2-conv1"
COPIES = [conv("in-conv1"), conv("conv1-conv2", kernel=3, padding="valid", cells="per-position"), *PATHS[2:]]
SPREAD = {"weights": WeightDevices(mismatch_sigma=0.1), "feedback": FeedbackDevices(mismatch_sigma=0.2)}


def make_chip(angle=90.0, paths=PATHS, measured=None, **devices):
    topology = Topology(LAYERS, paths, 3)
    design = Design(topology, "dsilu", "cross-entropy", dynamics(), Devices(**devices), measured_weights=measured)
    return Chip(design, sample_initial_parameters(topology, angle, 1), Fabrication(3), threads=1)


def relative(chip, block):
    return chip.effective[block] / chip.programmed[block] - 1.0


def test_initial_kernels_have_the_variance_of_their_fan_in():
    layers = {"in": (2, 2, 90), "conv1": (2, 2, 100), "out": 5}
    topology = Topology(layers, [conv("in-conv1", pool="none"), "conv1-out"])
    blocks = sample_initial_parameters(topology, 0.0, 1)
    # A normal cut at two deviations has fewer large values than a normal: its variance is surer than that of one.
    assert_normal_variance(blocks["weight/in-conv1"], 1.0 / (9 * 90))
    assert (blocks["bias/conv1"] == 0.0).all()


@pytest.mark.parametrize("angle", [0.0, 60.0])
def test_feedback_kernels_start_at_an_angle_to_the_forward_ones_without_a_transpose(angle):
    chip = make_chip(angle)
    forward, back = chip.programmed[FORWARD], chip.programmed[BACK]
    assert chip.mirror(FORWARD, forward) is forward
    cosine = np.vdot(forward, back) / np.linalg.norm(forward) / np.linalg.norm(back)
    assert cosine == pytest.approx(np.cos(np.radians(angle)), abs=1e-12 if angle == 0.0 else 0.15)
    assert (angle == 0.0) == np.array_equal(forward, back)


def test_an_ideal_chip_holds_its_kernels_and_every_device_acts_on_them_once():
    chip = make_chip()
    for block in chip.programmed:
        np.testing.assert_array_equal(chip.effective[block], chip.programmed[block])
    chip = make_chip(weights=WeightDevices(mismatch_sigma=0.1), feedback=FeedbackDevices(mismatch_sigma=0.1))
    for block in (FORWARD, BACK):
        assert chip.effective[block].shape == (3, 3, 3, 4)
        assert_normal_variance(relative(chip, block), 0.1**2)
    assert np.abs(relative(chip, FORWARD) - relative(chip, BACK)).max() > 0.1


def test_the_gain_of_a_path_belongs_to_the_channel_that_it_feeds():
    chip = make_chip(weights=WeightDevices(gain_sigma=0.1), feedback=FeedbackDevices(gain_sigma=0.1))
    forward, back = relative(chip, FORWARD), relative(chip, BACK)
    np.testing.assert_allclose(forward, np.broadcast_to(forward[:1, :1, :1, :], forward.shape), rtol=0, atol=1e-14)
    np.testing.assert_allclose(back, np.broadcast_to(back[:1, :1, :, :1], back.shape), rtol=0, atol=1e-14)
    assert np.ptp(forward[0, 0, 0]) > 0.05
    assert np.ptp(back[0, 0, :, 0]) > 0.05


def test_every_place_has_a_cell_of_its_own():
    """Its spread is that of one cell, and so is, over the root of their number, that of the mean over places."""
    chip = make_chip(paths=COPIES, **SPREAD)
    for block, sigma in ((FORWARD, 0.1), (BACK, 0.2)):
        found = relative(chip, block)
        assert found.shape == (2, 4, 3, 3, 3, 4)
        assert chip.programmed[block].shape == (3, 3, 3, 4)
        assert len(np.unique(found)) == found.size
        assert_mean(found, 0.0, sigma)
        assert_normal_variance(found, sigma**2)
        assert_normal_variance(found.mean(axis=(0, 1)), sigma**2 / 8)
        assert_normal_variance(found.mean(axis=(2, 3, 4, 5)), sigma**2 / 108)


def test_a_cell_keeps_its_error_whatever_is_written_or_stands_beside_it():
    chip, other = (make_chip(paths=paths, **SPREAD) for paths in (COPIES, [*COPIES[1:4], "in-conv1"]))
    for block, sigma in ((FORWARD, 0.1), (BACK, 0.2)):
        drawn = 1.0 + sigma * Fabrication(3).stream(f"mismatch/{block}").normal((2, 4, 3, 3, 3, 4))
        for one in (chip, other):
            np.testing.assert_array_equal(one.effective[block], one.programmed[block] * drawn)
        change = np.random.default_rng(0).normal(size=(3, 3, 3, 4))
        wanted = chip.programmed[block] + change
        chip.write({block: change})
        np.testing.assert_array_equal(chip.programmed[block], wanted)
        np.testing.assert_array_equal(chip.effective[block], wanted * drawn)


def test_every_copy_has_a_path_of_its_own_into_what_it_feeds():
    chip = make_chip(paths=COPIES, weights=WeightDevices(gain_sigma=0.1), feedback=FeedbackDevices(gain_sigma=0.1))
    forward, back = relative(chip, FORWARD), relative(chip, BACK)
    np.testing.assert_allclose(forward, np.broadcast_to(forward[:, :, :1, :1, :1], forward.shape), rtol=0, atol=1e-14)
    assert_normal_variance(forward[:, :, 0, 0, 0], 0.1**2)
    # The kernel at place (i, j) feeds the units (i + p, j + q).
    np.testing.assert_allclose(back[1, :, 0], back[0, :, 1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(back[:, 1:, :, 0], back[:, :3, :, 1], rtol=0, atol=1e-14)
    np.testing.assert_allclose(back, np.broadcast_to(back[..., :1], back.shape), rtol=0, atol=1e-14)
    assert_normal_variance(back[::2, ::3, :, :, :, 0], 0.1**2)


def test_all_copies_are_programmed_to_one_level():
    chip = make_chip(paths=COPIES, weights=WeightDevices(window=[-0.5, 0.5], levels=5))
    copies = chip.effective[FORWARD]
    assert set(np.unique(copies)) <= {-0.5, -0.25, 0.0, 0.25, 0.5}
    np.testing.assert_array_equal(copies, np.broadcast_to(chip.held[FORWARD], copies.shape))


@pytest.mark.parametrize(
    "cells", [{"stuck_fraction": 0.5, "stuck_at": 9.0}, {"cell": "pair", "mismatch_sigma": 0.1}, {"measured": "cells"}]
)
def test_other_errors_are_drawn_for_every_copy_too(cells):
    sample = make_cell_sample(np.zeros(64), np.linspace(-0.1, 0.1, 64))
    chip = make_chip(paths=COPIES, measured={FORWARD: sample}, weights=WeightDevices(**cells))
    assert (np.ptp(chip.effective[FORWARD] - chip.programmed[FORWARD], axis=(0, 1)) > 0.0).mean() > 0.9


def test_copies_that_were_measured_are_as_they_were_measured():
    measured = np.random.default_rng(0).normal(size=(2, 4, 3, 3, 3, 4))
    plain = make_chip(paths=COPIES)
    found = {FORWARD: MeasuredMap(plain.programmed[FORWARD], measured)}
    chip = make_chip(paths=COPIES, measured=found, weights=WeightDevices(measured="chip.npz"))
    np.testing.assert_array_equal(chip.effective[FORWARD], measured)


def test_the_second_copy_of_the_chip_differs_cell_by_cell():
    chip = make_chip(paths=COPIES, twin=Twin(mismatch_sigma=0.1))
    second, _ = chip._fabric.twin(chip.machine, np.zeros((1, 85)), np.zeros((1, 192)))
    ratio = chip.topology.blocks(second.weights)[FORWARD] / chip.effective[FORWARD] - 1.0
    assert ratio.shape == (2, 4, 3, 3, 3, 4)
    assert_normal_variance(ratio, 0.1**2)
    assert_normal_variance(ratio.mean(axis=(0, 1)), 0.1**2 / 8)


def test_a_block_of_your_own_acts_on_every_cell():
    class Rough(DeviceBlock):
        def feel(self, weights, fixed):
            return weights * (1.0 + 0.1 * fixed)

    chip = make_chip(paths=COPIES)
    chip._fabric._feeling = {"rough": Rough()}
    chip.write({FORWARD: np.zeros((3, 3, 3, 4))})
    found = relative(chip, FORWARD)
    assert_normal_variance(found, 0.1**2)
    assert_normal_variance(found.mean(axis=(0, 1)), 0.1**2 / 8)


def test_what_stands_behind_the_copies_of_the_input_acts_as_it_did():
    """All copies lie in one vector of cells, those of the input first."""
    paths = [conv("in-conv1", cells="per-position"), "conv1-conv2", "conv2-conv1", "conv2-out", "out-conv2"]
    chips = [make_chip(paths=made) for made in (paths, [conv("in-conv1"), *paths[1:]])]
    found = []
    for chip in chips:
        chip.set_input(np.random.default_rng(0).normal(size=(3, 192)))
        assert (chip.settle().status == 0).all()
        v = np.random.default_rng(1).normal(size=(3, 85))
        couplings = find_couplings(chip.machine, chip.topology, chip.free_activity())
        found.append((chip.state, couplings.product(v)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("paths", [PATHS, COPIES], ids=["shared", "copied"])
@pytest.mark.parametrize("storage", ["copied", "shared-device"])
def test_one_number_stands_for_both_directions_as_it_is(storage, paths):
    chip = make_chip(
        0.0, paths=paths, weights=WeightDevices(mismatch_sigma=0.1), feedback=FeedbackDevices(storage=storage)
    )
    assert np.array_equal(chip.effective[FORWARD], chip.effective[BACK]) == (storage == "shared-device")
    change = np.random.default_rng(0).normal(size=chip.programmed[BACK].shape)
    before = chip.programmed[FORWARD].copy()
    chip.write({BACK: change})
    for block in (FORWARD, BACK):
        np.testing.assert_allclose(chip.programmed[block], before + change, rtol=0, atol=1e-14)
    assert np.array_equal(chip.effective[FORWARD], chip.effective[BACK]) == (storage == "shared-device")


def test_pulses_move_the_cells_of_a_kernel():
    chip = make_chip(update=ConstantStep(step=0.01))
    change = np.zeros(chip.programmed[FORWARD].shape)
    change[0, 1, 2, 3] = 0.03
    before = chip.programmed[FORWARD].copy()
    chip.write({FORWARD: change})
    np.testing.assert_allclose(chip.programmed[FORWARD], before + change, rtol=0, atol=1e-14)


def test_the_drive_of_the_input_has_a_bias_per_channel_and_an_offset_per_unit():
    x = np.random.default_rng(0).normal(size=(2, 192))
    drives = []
    for offset in (0.0, 0.1):
        chip = make_chip(neurons=NeuronDevices(offset_sigma=offset))
        chip.write({"bias/conv1": np.array([1.0, 2.0, 3.0])})
        drives.append(chip._fabric.constant_drive(x)[:, :72].reshape(2, 4, 6, 3))
    own = chip.topology.connections[0].kind.apply(chip.programmed["weight/in-conv1"], x).reshape(2, 4, 6, 3)
    np.testing.assert_allclose(drives[0], own + np.array([1.0, 2.0, 3.0]), rtol=0, atol=1e-13)
    offsets = drives[1] - drives[0]
    np.testing.assert_allclose(offsets[0], offsets[1], rtol=0, atol=1e-13)
    assert_normal_variance(offsets[0], 0.1**2)


def test_correlate_gives_the_gradient_of_every_block_of_its_shape():
    """Of ``sum h delta`` with the slopes of pooling at the activities that are given."""
    chip = make_chip(paths=[PATHS[0], conv("conv1-conv2", padding="valid"), *PATHS[2:]])
    rng = np.random.default_rng(0)
    activity = {name: rng.normal(size=(2, size)) for name, size in chip.topology.layers.items()}
    delta = {name: rng.normal(size=(2, chip.topology.layers[name])) for name in chip.topology.names}
    found = chip.correlate(delta, activity)
    assert {name: block.shape for name, block in found.items()} == {
        name: shape for name, shape in chip.topology.shapes.items() if not name.startswith("readout/")
    }
    np.testing.assert_allclose(found["bias/conv1"], delta["conv1"].reshape(-1, 3).sum(axis=0), rtol=1e-13)
    for c in chip.topology.connections:
        own = c.kind.gradient(activity[c.pre], delta[c.post], chip.effective[c.block], activity[c.post])
        np.testing.assert_array_equal(found[c.block], own)


def test_what_knows_dense_connections_alone_refuses_kernels():
    chip = make_chip()
    with pytest.raises(ValueError, match="dense connections only, not Convolution"):
        chip.settle()


@pytest.mark.parametrize("paths", [PATHS, COPIES], ids=["shared", "per-position"])
def test_frozen_noise_is_that_of_every_cell_of_a_kernel(paths):
    """Places that share their cells share the noise; copies have their own."""
    chip = make_chip(paths=paths, weights=WeightDevices(noise=CellNoise(relative=0.1)))
    chip._fabric.restart("a batch")
    off = chip.topology.blocks(chip._fabric._off)[FORWARD]
    assert off.shape == chip.effective[FORWARD].shape
    assert_normal_variance((off / (0.1 * np.abs(chip.effective[FORWARD]))).ravel(), 1.0)


def test_noise_of_kernels_that_is_faster_than_a_batch_is_refused():
    clock = {"method": "exponential", "dt": 0.1, "free": Phase(duration=5.0), "nudged": Phase(duration=5.0)}
    weights = WeightDevices(noise=CellNoise(relative=0.1, tau_c=1.0))
    fault = find_cell_noise_fault(make_chip().design.replace(weights=weights, dynamics=Dynamics(**clock)))
    assert "cells of a kernel move many places at once" in fault.words
