"""Trims of single units: found exactly where they are the whole asymmetry, and least asymmetry elsewhere."""

import numpy as np
import pytest
import scipy.optimize

from substrate.network.couplings import make_couplings
from substrate.network.topology import Topology
from substrate.theory.trims import find_trims
from tests.networks import LAYERS, WIRINGS, one_block, random_blocks


def couplings(wiring, seed=0):
    topology = Topology(LAYERS, WIRINGS[wiring])
    return make_couplings(topology, random_blocks(topology, seed))


def gained(symmetric, into, out):
    """Return ``D_in S D_out``."""
    weights = {
        (pre, post): out[symmetric.columns[pre], None] * weight * into[symmetric.columns[post]]
        for (pre, post), weight in symmetric.weights.items()
    }
    return symmetric._replace(weights=weights)


@pytest.mark.parametrize("spread", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("wiring", ["reciprocal", "lateral"])
def test_gains_of_units_are_found(wiring, spread):
    symmetric = couplings(wiring).symmetric()
    into, out = np.exp(spread * np.random.default_rng(1).normal(size=(2, symmetric.units)))
    found = find_trims(gained(symmetric, into, out)) * into / out
    np.testing.assert_allclose(found, found[0], rtol=1e-10)


def asymmetry(matrix, x):
    balanced = np.exp(0.5 * x)[:, None] * matrix * np.exp(-0.5 * x)
    return np.sum((balanced - balanced.T) ** 2)


def test_no_other_trims_leave_less_asymmetry():
    """Against a general minimiser, which knows neither balancing nor its gradient."""
    matrix = np.random.default_rng(2).normal(size=(6, 6))
    x = np.log(find_trims(one_block(matrix)))
    least = scipy.optimize.minimize(lambda z: asymmetry(matrix, z), np.zeros(6), tol=1e-12)
    assert asymmetry(matrix, x) <= least.fun * (1.0 + 1e-12)
    np.testing.assert_allclose(x - x[0], least.x - least.x[0], rtol=0, atol=1e-5)
    assert np.abs(x - x[0]).max() > 0.1


@pytest.mark.parametrize("wiring", ["loop", "forward"])
def test_connections_without_a_reverse_move_no_trim(wiring):
    assert (find_trims(couplings(wiring)) == 1.0).all()
    lone = one_block(np.array([[0.0, 2.0, 3.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert (find_trims(lone) == 1.0).all()
