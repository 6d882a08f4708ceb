"""A chip whose connections are kernels: one set of cells per kernel, which all places share."""

import numpy as np
import pytest

from devices.hardware import Devices
from devices.neuron.membrane import NeuronDevices
from devices.programming.laws import ConstantStep
from devices.synapse.cell import FeedbackDevices, WeightDevices
from scenarios.initial import sample_initial_parameters
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.network.topology import Topology
from tests.networks import dynamics
from tests.statistics import assert_normal_variance

from .test_wiring import LAYERS, PATHS, conv

FORWARD, BACK = "weight/conv1-conv2", "weight/conv2-conv1"


def make_chip(angle=90.0, paths=PATHS, **devices):
    topology = Topology(LAYERS, paths, 3)
    design = Design(topology, "dsilu", "cross-entropy", dynamics(), Devices(**devices))
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


@pytest.mark.parametrize("storage", ["copied", "shared-device"])
def test_one_number_stands_for_both_directions_as_it_is(storage):
    chip = make_chip(0.0, weights=WeightDevices(mismatch_sigma=0.1), feedback=FeedbackDevices(storage=storage))
    assert np.array_equal(chip.effective[FORWARD], chip.effective[BACK]) == (storage == "shared-device")
    change = np.random.default_rng(0).normal(size=chip.programmed[BACK].shape)
    before = chip.programmed[FORWARD].copy()
    chip.write({BACK: change})
    for block in (FORWARD, BACK):
        np.testing.assert_allclose(chip.programmed[block], before + change, rtol=0, atol=1e-14)


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
