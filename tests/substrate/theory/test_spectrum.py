"""Eigenvalues of the motion against dense ones."""

import numpy as np
import pytest
import scipy.sparse.linalg

from devices.neuron.membrane import NeuronDevices
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Phase
from substrate.laws.law import LAWS
from substrate.network.topology import Topology
from substrate.protocol import Status
from substrate.theory import spectrum as module
from substrate.theory.linearisation import find_equilibrium, linearise
from substrate.theory.spectrum import compute_spectrum, find_rightmost, find_unstable
from tests.networks import dynamics, random_batch, random_chip


def rested(law="additive"):
    chip = random_chip("lateral", law=law, neurons=NeuronDevices(tau_sigma=0.3))
    chip.set_input(random_batch(chip, 3)[0])
    chip.settle()
    return chip, find_equilibrium(chip).state


@pytest.mark.parametrize("law", LAWS)
def test_the_spectrum_is_that_of_the_motion(law):
    chip, state = rested(law)
    found = compute_spectrum(chip, state)
    assert found.shape == state.shape
    assert (np.diff(found.real, axis=1) <= 1e-12).all()
    for i in range(len(state)):
        motion = linearise(chip, state).jacobian(i) / chip.membranes.tau[:, None]
        for power in (1, 2, 3):
            trace = np.trace(np.linalg.matrix_power(motion, power))
            assert np.sum(found[i] ** power) == pytest.approx(trace, rel=1e-10)
    np.testing.assert_array_equal(find_rightmost(chip, state), found.real[:, 0])


@pytest.mark.parametrize("law", LAWS)
def test_products_alone_find_the_rightmost_one(law, monkeypatch):
    chip, state = rested(law)
    expected = find_rightmost(chip, state)
    monkeypatch.setattr(module, "DENSE", 0)
    np.testing.assert_allclose(find_rightmost(chip, state), expected, rtol=1e-8)
    with pytest.raises(ValueError, match="use rightmost"):
        compute_spectrum(chip, state)


def test_an_eigenvalue_that_is_not_found_is_nan(monkeypatch):
    chip, state = rested()

    def fails(*args, **options):
        raise scipy.sparse.linalg.ArpackNoConvergence("no convergence", np.zeros(0), np.zeros((0, 0)))

    monkeypatch.setattr(module, "DENSE", 0)
    monkeypatch.setattr(scipy.sparse.linalg, "eigs", fails)
    assert np.isnan(find_rightmost(chip, state)).all()


@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
def test_a_saddle_is_told_from_a_rest_point_in_both_modes(mode, monkeypatch):
    """Units that feed themselves threefold settle at 0 from 0, which they leave at the rate 2; a bias moves them on."""
    topology = Topology({"in": 1, "out": 2}, ["in-out", "out-out"])
    blocks = {"weight/in-out": np.ones((1, 2)), "weight/out-out": 3.0 * np.eye(2), "bias/out": np.zeros(2)}
    chip = Chip(Design(topology, "tanh", "mse", dynamics(mode=mode, phase=Phase(tolerance=1e-9))), blocks)
    chip.set_input(np.array([[0.0], [0.5]]))
    assert (chip.settle().status == Status.SETTLED).all()
    state = find_equilibrium(chip).state
    linear = linearise(chip, state)
    for limit in (module.LAST_RESORT, 0):
        monkeypatch.setattr(module, "LAST_RESORT", limit)
        np.testing.assert_array_equal(find_unstable(linear, chip.membranes.tau), [True, False])
    np.testing.assert_allclose(find_rightmost(chip, state)[0], 2.0)


def test_what_leaves_is_what_the_spectrum_says():
    chip = random_chip("lateral", scale=2.0, activation="tanh", neurons=NeuronDevices(tau_sigma=0.3))
    chip.set_input(random_batch(chip, 40)[0])
    points = 1.0 * np.random.default_rng(0).normal(size=(40, chip.topology.units))
    expected = find_rightmost(chip, points) > 0.0
    assert 3 < expected.sum() < 37
    np.testing.assert_array_equal(find_unstable(linearise(chip, points), chip.membranes.tau), expected)
