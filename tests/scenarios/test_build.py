import math

import numpy as np
import pytest

from scenarios.api import Scenario
from scenarios.build import make_setup
from scenarios.initial import sample_initial_parameters
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from substrate.network.topology import Topology
from substrate.theory.linearisation import compute_weight_angle
from tests.networks import WIRINGS
from tests.scenarios.files import MEASURE, write_scenario
from tests.statistics import assert_mean, assert_normal_variance

WIDE = {"in": 300, "l1": 200, "l2": 150, "out": 100}


def faults_of(path, edits=()):
    with pytest.raises(ScenarioError) as caught:
        make_setup(load_scenario(path, edits))
    return str(caught.value)


def test_a_good_scenario_is_assembled(tmp_path):
    setup = make_setup(load_scenario(write_scenario(tmp_path)))
    assert setup.design.topology.classes == 3
    assert setup.data.x.shape == (4, 12)
    np.testing.assert_array_equal(setup.programmed["bias/l1"], np.load(tmp_path / "parameters.npz")["bias/l1"])


def test_a_check_draws_no_weights(tmp_path, monkeypatch):
    """A network of any size is checked at once; so are all points of a sweep over it."""
    axis = '\n[[sweep.axis]]\npath = "devices.feedback.mismatch_sigma"\nvalues = [0.1, 0.2]\n'
    path = write_scenario(tmp_path, MEASURE.replace('parameters = "parameters.npz"', "") + axis)
    drawn = []
    monkeypatch.setattr(
        "scenarios.build.sample_initial_parameters", lambda *asked: drawn.append(asked) or {"weight/in-l1": 0}
    )
    scenario = Scenario(path)
    assert scenario.check().points == 2
    assert scenario.show()
    assert not drawn
    setup = make_setup(scenario.loaded)
    assert len(setup.programmed) == len(setup.design.topology.shapes)
    assert setup.programmed["weight/in-l1"] is setup.programmed["weight/in-l1"]
    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("edit", "where", "text"),
    [
        ('network.parameters="none.npz"', "network.parameters", "no file"),
        ('task.path="none.npz"', "task.path", "none.npz"),
        ("network.layers.in=13", "network.layers.in", "12 inputs"),
        ("network.layers.l1=9", "network.parameters", "'weight/in-l1' has shape (12, 8)"),
        (
            'network.connections=["in-l1", "l1-l2", "l2-out", "out-l2"]',
            "network.parameters",
            "'weight/l2-l1' belongs to nothing",
        ),
        (
            'network.connections=["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2", "out-l1"]',
            "network.parameters",
            "lacks 'weight/out-l1'",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, edit, where, text):
    report = faults_of(write_scenario(tmp_path), [edit])
    assert where in report
    assert text in report


def test_all_faults_of_the_files_come_together(tmp_path):
    path = write_scenario(tmp_path, MEASURE.replace("in = 12", "in = 13"))
    report = faults_of(path)
    assert "12 inputs" in report
    assert "'weight/in-l1' has shape (12, 8)" in report
    assert "small.toml:5" in report


def test_a_parameter_file_that_is_not_one_is_refused(tmp_path):
    path = write_scenario(tmp_path)
    (tmp_path / "parameters.npz").write_text("weights")
    assert ", not an npz file" in faults_of(path)
    np.savez(tmp_path / "parameters.npz", **{"bias/l1": np.array(["a"] * 8)})
    assert "has the type" in faults_of(path)


def test_targets_of_the_cross_entropy_are_probabilities(tmp_path):
    path = write_scenario(tmp_path)
    batch = dict(np.load(tmp_path / "batch.npz"))
    np.savez(tmp_path / "batch.npz", x=batch["x"], y=2.0 * batch["y"])
    with pytest.raises(ScenarioError, match="class probabilities"):
        make_setup(load_scenario(path))


def test_parameters_that_are_not_finite_are_refused(tmp_path):
    path = write_scenario(tmp_path)
    blocks = dict(np.load(tmp_path / "parameters.npz"))
    blocks["bias/l1"][0] = np.nan
    np.savez(tmp_path / "parameters.npz", **blocks)
    assert "not finite" in faults_of(path)


def test_initial_weights_are_truncated_normals_of_variance_one_over_fan_in():
    blocks = sample_initial_parameters(Topology(WIDE, ["in-l1", "l1-l2", "l2-out"], 10), 0.0, seed=1)
    for name, block in blocks.items():
        if block.ndim == 1:
            assert (block == 0.0).all(), name
            continue
        scaled = block.ravel() * math.sqrt(block.shape[0])
        assert_mean(scaled, 0.0, 1.0)
        assert np.abs(scaled).max() < 2.0 / 0.8796
    # A cut normal has a lighter tail than the normal that the interval assumes, so it is only stricter.
    assert_normal_variance(blocks["weight/in-l1"].ravel() * math.sqrt(300), 1.0)


@pytest.mark.parametrize("nominal", [0.0, 30.0, 90.0, 120.0])
def test_the_nominal_angle_mixes_feedback(nominal):
    topology = Topology({"in": 300, "l1": 200, "out": 200}, ["in-l1", "l1-out", "out-l1"])
    blocks = sample_initial_parameters(topology, nominal, seed=3)
    measured = compute_weight_angle(blocks["weight/l1-out"], blocks["weight/out-l1"].T)
    # Equal fan-in on both sides: the measured angle is the nominal one, up to the overlap of independent draws.
    assert measured == pytest.approx(nominal, abs=2.0)
    if nominal == 0.0:
        np.testing.assert_array_equal(blocks["weight/out-l1"], blocks["weight/l1-out"].T)


def test_seeds_and_blocks_draw_differently():
    topology = Topology({"in": 9, "l1": 9, "l2": 9, "out": 9}, WIRINGS["loop"])
    a, b = (sample_initial_parameters(topology, 0.0, seed) for seed in (0, 1))
    values = [block.tobytes() for blocks in (a, b) for name, block in blocks.items() if name.startswith("weight")]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("edits", "place", "words"),
    [
        (["devices.neurons.tau_sigma=1.0"], "devices.neurons.tau_sigma", "factor of chip 0"),
        (["devices.neurons.gain_sigma=0.9"], "devices.neurons.gain_sigma", "factor of chip 0"),
        (
            ["devices.neurons.slope_sigma=0.3", 'experiment={kind="evaluate",chips=200}'],
            "devices.neurons.slope_sigma",
            "factor of chip",
        ),
        (
            ['devices={weights={cell="pair"},wires={segment=1e-3}}', "network.layers={in=784,l1=800,out=10}"],
            "devices.wires.segment",
            "784 x 800 cells (in-l1)",
        ),
    ],
)
def test_a_chip_that_cannot_be_made_is_told_before(edits, place, words):
    network = ["network.connections=['in-l1','l1-out','out-l1']", "network.layers={in=784,l1=32,out=10}"]
    loaded = load_scenario(CATALOGUE / "first-training.toml", [*network, *edits])
    with pytest.raises(ScenarioError) as error:
        make_setup(loaded)
    (fault,) = error.value.faults
    assert ".".join(fault.path) == place
    assert words in fault.message
