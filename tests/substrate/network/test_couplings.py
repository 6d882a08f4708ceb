"""Products and parts of the couplings against one dense matrix."""

import numpy as np
import pytest

from substrate.network.couplings import make_couplings
from substrate.network.topology import Topology
from tests.networks import LAYERS, WIRINGS, one_block, random_blocks


def couplings_and_matrix(wiring):
    topology = Topology(LAYERS, WIRINGS[wiring])
    blocks = random_blocks(topology, 0)
    return make_couplings(topology, blocks), topology.coupling(blocks)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_products_and_parts_are_those_of_the_matrix(wiring):
    couplings, matrix = couplings_and_matrix(wiring)
    v = np.random.default_rng(1).normal(size=(3, couplings.units))
    parts = {
        "W": (couplings, matrix),
        "transposed": (couplings.transposed(), matrix.T),
        "S": (couplings.symmetric(), 0.5 * (matrix + matrix.T)),
        "A": (couplings.antisymmetric(), 0.5 * (matrix - matrix.T)),
        "W - 2A": (couplings.plus(couplings.antisymmetric(), -2.0), matrix.T),
    }
    for name, (part, expected) in parts.items():
        np.testing.assert_allclose(part.dense(), expected, rtol=0, atol=1e-15, err_msg=name)
        np.testing.assert_allclose(part.product(v), v @ expected.T, rtol=0, atol=1e-14, err_msg=name)
        assert part.square() == pytest.approx(np.sum(expected**2), rel=1e-13), name
        assert part.trace() == pytest.approx(np.trace(expected), rel=1e-12, abs=1e-15), name


def test_blocks_are_not_copied():
    topology = Topology(LAYERS, WIRINGS["reciprocal"])
    blocks = random_blocks(topology, 0)
    couplings = make_couplings(topology, blocks)
    assert couplings.weights["l1", "l2"] is blocks["weight/l1-l2"]
    assert ("in", "l1") not in couplings.weights
    assert couplings.transposed().weights["l2", "l1"].base is blocks["weight/l1-l2"]


def test_a_matrix_is_one_layer():
    matrix = np.random.default_rng(0).normal(size=(4, 4))
    np.testing.assert_array_equal(one_block(matrix).dense(), matrix)
    np.testing.assert_allclose(one_block(matrix).product(np.eye(4)[:1])[0], matrix[:, 0], rtol=0, atol=0)
