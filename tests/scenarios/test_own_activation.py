"""An activation of the user's own in a scenario: the same answers, its own name, and what is refused."""

import numpy as np
import pytest

import nudgelab
from devices.neuron import curves
from scenarios.build import make_setup
from scenarios.front.scenario import find_scenario
from scenarios.language.load import load_scenario
from scenarios.run.identity import compute_run_id
from scenarios.sweeps.dask_engine import make_importable
from scenarios.sweeps.point import PointTask
from substrate.protocol import Nudge

SMALL = {
    "network.layers": {"in": 5, "l1": 6, "out": 3},
    "experiment.samples": 3,
    "task": {"kind": "teacher", "seed": 1},
}


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(curves, "_registered", [])


def mine(u):
    return 1.0 / (1.0 + np.exp(2.0 - 4.0 * u))


def mine_slope(u):
    a = 1.0 / (1.0 + np.exp(2.0 - 4.0 * u))
    return 4.0 * a * (1.0 - a)


CASES = {
    "additive": {},
    "hopfield": {"network.law": "hopfield"},
    "spread units": {"devices.neurons": {"gain_sigma": 0.05, "slope_sigma": 0.05}},
    "equilibrium": {"dynamics": {"mode": "equilibrium"}},
}
CENTRED = {"learning": {"scheme": {"kind": "centred", "beta": 0.1}}, "experiment": {"kind": "measure", "samples": 3}}


def states(name, edits):
    """Return where a chip rests freely, nudged, and, in the plane, nudged along the imaginary axis."""
    chip = nudgelab.load("nudge-size", CENTRED | edits | {"network.activation": name}).chip()
    images, target = np.random.default_rng(0).uniform(size=(3, 784)), np.eye(10)[:3]
    found = []
    chip.set_input(images)
    for beta in (None, 0.1) + (() if "dynamics" in edits else (0.1j,)):
        chip.settle(None if beta is None else Nudge(beta, target))
        found.append(chip.state)
    return found


@pytest.mark.parametrize("edits", CASES.values(), ids=CASES)
def test_a_curve_of_ones_own_gives_the_states_of_the_same_curve_of_ours(edits):
    nudgelab.register_activation("mine", mine, mine_slope)
    for ours, own in zip(states("sigmoid", edits), states("mine", edits), strict=True):
        np.testing.assert_allclose(own, ours, rtol=0, atol=1e-6)
        assert np.iscomplexobj(own) == np.iscomplexobj(ours)


def test_the_id_of_a_run_is_that_of_what_the_functions_compute():
    ids = []
    for steep in (4.0, 4.0, 5.0):
        nudgelab.register_activation(
            "mine", lambda u, s=steep: np.tanh(s * u), lambda u, s=steep: s - s * np.tanh(s * u) ** 2
        )
        loaded = load_scenario(find_scenario("ledger"), {"network.activation": "mine"})
        ids.append(compute_run_id(loaded.scenario, make_setup(loaded).content))
    assert ids[0] == ids[1] != ids[2]


def test_a_name_that_nobody_registered_is_refused_with_what_to_do():
    with pytest.raises(nudgelab.ScenarioError, match="register_activation before"):
        nudgelab.load("ledger", {"network.activation": "mine"})


def test_a_complex_nudge_needs_functions_of_complex_states():
    nudgelab.register_activation("mine", lambda u: u / (1.0 + abs(u)), lambda u: 1.0 / (1.0 + abs(u)) ** 2)
    edits = {"network.activation": "mine", "learning.scheme": {"kind": "circle", "beta": 0.1, "points": 4}}
    with pytest.raises(nudgelab.ScenarioError, match="needs complex states"):
        nudgelab.load("ledger", edits)


def test_what_cannot_be_compiled_is_not_registered():
    table = {"slope": 2.0}
    with pytest.raises(ValueError, match="cannot be compiled"):
        nudgelab.register_activation("mine", lambda u: table["slope"] * u, lambda _: 2.0)
    assert "mine" not in curves.list_activations()


def test_workers_import_the_module_that_registers_it(tmp_path):
    nudgelab.register_activation("mine", mine, mine_slope)
    loaded = load_scenario(find_scenario("ledger"), {"network.activation": "mine"})
    task = PointTask("id", loaded, tmp_path, tmp_path, 1, "summary", "{}")
    assert make_importable(task).modules == (__name__,)


def test_workers_refuse_one_that_a_notebook_registered(tmp_path):
    curves.add_activation(curves.examine_activation("mine", mine, mine_slope, "__main__"))
    loaded = load_scenario(find_scenario("ledger"), {"network.activation": "mine"})
    with pytest.raises(nudgelab.RunError, match="mine is defined in a notebook"):
        make_importable(PointTask("id", loaded, tmp_path, tmp_path, 1, "summary", "{}"))
