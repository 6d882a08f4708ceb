"""Agreement with the reference vectors: an independent program, automatic differentiation, double precision."""

from pathlib import Path

import numpy as np
import pytest

from learning import cost
from learning.estimator import estimate, measure_free
from learning.oracle.exact import exact
from learning.schemes.scheme import Backward, Circle
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.network.topology import Topology
from tests.networks import WIRINGS, dynamics

DATA = Path(__file__).parent.parent / "data"
LAYERS = {"in": 12, "l1": 8, "l2": 7, "out": 5}
CASES = {
    "reciprocal_sigmoid_xent": ("reciprocal", "sigmoid", "cross-entropy", 3),
    "loop_sigmoid_xent": ("loop", "sigmoid", "cross-entropy", 3),
    "reciprocal_dsilu_mse": ("reciprocal", "dsilu", "mse", None),
}
RTOL = 1e-9


class Case:
    """One reference folder, settled freely."""

    def __init__(self, name):
        wiring, activation, kind, classes = CASES[name]
        topology = Topology(LAYERS, WIRINGS[wiring], classes)
        batch = np.load(DATA / name / "batch.npz")
        self.expected = dict(np.load(DATA / name / "expected.npz"))
        self.y = batch["y"]
        design = Design(topology, activation, kind, dynamics(dt=0.7))
        self.chip = Chip(design, dict(np.load(DATA / name / "parameters.npz")))
        self.free = measure_free(self.chip, batch["x"])
        self.state = self.chip.state
        self.exact = exact(self.chip, self.y)

    def agree(self, value, key):
        expected = self.expected[key]
        np.testing.assert_allclose(value, expected, rtol=0, atol=RTOL * np.abs(expected).max(), err_msg=key)


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return Case(request.param)


def test_free_state_and_loss(case):
    for layer, state in case.chip.topology.split(case.state).items():
        case.agree(state, f"free/state/{layer}")
    output = case.free.activity["out"]
    case.agree(cost.logits(case.chip.readout, output), "free/logits")
    case.agree(cost.loss(case.chip.readout, output, case.y).mean(), "free/loss_mean")


def test_error_vectors(case):
    for kind, delta in (("exact", case.exact.delta), ("ep", case.exact.ep)):
        for layer, part in case.chip.topology.split(delta).items():
            case.agree(part, f"delta/{kind}/{layer}")


@pytest.mark.parametrize("beta", [0.05, 0.5])
@pytest.mark.parametrize("points", [1, 2, 4, 6])
def test_circle_estimates(case, beta, points):
    scheme = Backward(beta=beta) if points == 1 else Circle(beta=beta, points=points)
    measured = estimate(case.chip, case.free, case.y, scheme)
    assert (measured.status == 0).all()
    for layer, delta in measured.delta.items():
        case.agree(delta, f"delta/circle/beta_{beta}/N_{points}/{layer}")


def test_gradients_of_every_weight_and_bias(case):
    keep = np.ones(len(case.y), dtype=bool)
    topology, readout = case.chip.topology, case.chip.readout
    for kind, delta in (("exact", case.exact.delta), ("ep", case.exact.ep)):
        blocks = cost.gradients(case.chip.connections, case.free.activity, topology.split(delta), keep)
        blocks |= cost.readout_gradients(readout, case.free.activity["out"], case.y, keep)
        assert set(blocks) == set(topology.shapes)
        for name, block in blocks.items():
            case.agree(block, f"gradient/{kind}/{name}")
