"""The loss of Jacobian homeostasis against the reference vectors, dense Jacobians and finite differences."""

from pathlib import Path

import numpy as np
import pytest

from learning.homeostasis_exact import homeostasis
from substrate.topology import Topology
from tests.networks import LAYERS, WIRINGS, random_blocks

DATA = Path(__file__).parent.parent / "data"
REFERENCE = {"reciprocal_sigmoid_xent": "reciprocal", "loop_sigmoid_xent": "loop", "reciprocal_dsilu_mse": "reciprocal"}


@pytest.mark.parametrize("name", REFERENCE)
def test_loss_and_gradient_are_those_of_the_reference(name):
    topology = Topology({"in": 12, "l1": 8, "l2": 7, "out": 5}, WIRINGS[REFERENCE[name]])
    expected = np.load(DATA / name / "expected.npz")
    found = homeostasis(topology, np.load(DATA / name / "parameters.npz"), per_unit=True)
    np.testing.assert_allclose(found.loss, expected["homeostasis/loss_over_n"], rtol=1e-9)
    for block, gradient in found.gradient.items():
        wanted = expected[f"homeostasis/gradient/{block}"]
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max(), err_msg=block)


def loss_of(topology, blocks):
    """Return ``|J|^2 - tr J^2`` of a Jacobian with an arbitrary diagonal."""
    jacobian = topology.coupling(blocks) - np.diag(np.linspace(1.0, 3.0, topology.units))
    return np.sum(jacobian**2) - np.trace(jacobian @ jacobian)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_loss_and_gradient_by_jacobian_and_finite_differences(wiring):
    topology = Topology(LAYERS, WIRINGS[wiring])
    blocks = random_blocks(topology, 0)
    found = homeostasis(topology, blocks)
    assert found.loss == pytest.approx(loss_of(topology, blocks), rel=1e-12)
    assert homeostasis(topology, blocks, per_unit=True).loss == pytest.approx(found.loss / topology.units)
    assert found.gradient.keys() == {c.block for c in topology.recurrent()}
    rng = np.random.default_rng(1)
    for name, gradient in found.gradient.items():
        assert gradient.shape == blocks[name].shape
        for _ in range(3):
            index, ends = tuple(rng.integers(0, n) for n in gradient.shape), []
            for step in (1e-4, -1e-4):
                moved = blocks | {name: blocks[name].copy()}
                moved[name][index] += step
                ends.append(loss_of(topology, moved))
            assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-9), name


def test_symmetric_couplings_are_at_rest_and_a_lone_connection_shrinks():
    topology = Topology(LAYERS, WIRINGS["reciprocal"])
    blocks = random_blocks(topology, 0)
    for forward, back in topology.pairs():
        blocks[back.block] = blocks[forward.block].T
    assert homeostasis(topology, blocks).loss == 0.0
    lone = Topology(LAYERS, WIRINGS["forward"])
    blocks = random_blocks(lone, 0)
    np.testing.assert_allclose(homeostasis(lone, blocks).gradient["weight/l1-l2"], 2.0 * blocks["weight/l1-l2"])
