"""Eigenvalues of the motion against dense ones."""

import numpy as np
import pytest
import scipy.sparse.linalg

from devices.neurons import NeuronDevices
from substrate import spectrum as module
from substrate.linearisation import equilibrium, linearise
from substrate.spectrum import rightmost, spectrum
from tests.networks import random_batch, random_chip


def rested(law="additive"):
    chip = random_chip("lateral", law=law, neurons=NeuronDevices(tau_sigma=0.3))
    chip.set_input(random_batch(chip, 3)[0])
    chip.settle()
    return chip, equilibrium(chip).state


@pytest.mark.parametrize("law", ["additive", "hopfield"])
def test_the_spectrum_is_that_of_the_motion(law):
    chip, state = rested(law)
    found = spectrum(chip, state)
    assert found.shape == state.shape
    assert (np.diff(found.real, axis=1) <= 1e-12).all()
    for i in range(len(state)):
        motion = linearise(chip, state).jacobian(i) / chip.time_constants[:, None]
        for power in (1, 2, 3):
            trace = np.trace(np.linalg.matrix_power(motion, power))
            assert np.sum(found[i] ** power) == pytest.approx(trace, rel=1e-10)
    np.testing.assert_array_equal(rightmost(chip, state), found.real[:, 0])


@pytest.mark.parametrize("law", ["additive", "hopfield"])
def test_products_alone_find_the_rightmost_one(law, monkeypatch):
    chip, state = rested(law)
    expected = rightmost(chip, state)
    monkeypatch.setattr(module, "DENSE", 0)
    np.testing.assert_allclose(rightmost(chip, state), expected, rtol=1e-8)
    with pytest.raises(ValueError, match="use rightmost"):
        spectrum(chip, state)


def test_an_eigenvalue_that_is_not_found_is_nan(monkeypatch):
    chip, state = rested()

    def fails(*args, **options):
        raise scipy.sparse.linalg.ArpackNoConvergence("no convergence", np.zeros(0), np.zeros((0, 0)))

    monkeypatch.setattr(module, "DENSE", 0)
    monkeypatch.setattr(scipy.sparse.linalg, "eigs", fails)
    assert np.isnan(rightmost(chip, state)).all()
