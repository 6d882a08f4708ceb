"""The batched solver against factorisation; what it cannot solve it must say."""

import numpy as np
import pytest

from substrate.theory import krylov


def systems(scale, batch=5, units=40, seed=0):
    rng = np.random.default_rng(seed)
    matrices = np.eye(units) - scale * rng.normal(size=(batch, units, units)) / np.sqrt(units)
    return matrices, rng.normal(size=(batch, units))


def product_of(matrices):
    return lambda v, rows: np.einsum("bij,bj->bi", matrices[rows], v)


@pytest.mark.parametrize("scale", [0.0, 0.3, 0.9])
def test_solutions_are_those_of_factorisation(scale):
    matrices, right = systems(scale)
    expected = np.linalg.solve(matrices, right[..., None])[..., 0]
    found = krylov.solve_krylov(product_of(matrices), right)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    one = krylov.solve_by_factorisation(matrices[0], right[0])
    np.testing.assert_allclose(one, expected[0], rtol=0, atol=1e-12 * np.abs(expected[0]).max())


def test_a_batch_solved_in_parts_has_the_same_solutions(monkeypatch):
    matrices, right = systems(0.5)
    whole = krylov.solve_krylov(product_of(matrices), right)
    monkeypatch.setattr(krylov, "_STORE", 2 * 2 * 40 * 40)
    np.testing.assert_allclose(krylov.solve_krylov(product_of(matrices), right), whole, rtol=0, atol=1e-12)


def test_more_than_one_cycle_restarts_from_the_true_residual(monkeypatch):
    matrices, right = systems(0.7)
    monkeypatch.setattr(krylov, "_DEPTH", 8)
    expected = np.linalg.solve(matrices, right[..., None])[..., 0]
    np.testing.assert_allclose(krylov.solve_krylov(product_of(matrices), right), expected, rtol=0, atol=1e-11)


def test_no_right_hand_side_has_the_solution_zero():
    matrices, right = systems(0.5)
    right[2] = 0.0
    found = krylov.solve_krylov(product_of(matrices), right)
    assert (found[2] == 0.0).all()
    assert np.isfinite(found).all()


def test_a_sample_that_cannot_be_solved_is_nan_and_spoils_no_other():
    matrices, right = systems(0.5)
    # A rotation by a right angle: every direction's image is at right angles to the residual.
    matrices[1] = np.kron(np.eye(20), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    matrices[3] = 0.0
    found = krylov.solve_krylov(product_of(matrices), right)
    assert np.isnan(found[[1, 3]]).all()
    np.testing.assert_allclose(
        found[[0, 2, 4]], krylov.solve_krylov(product_of(matrices), right)[[0, 2, 4]], atol=0, rtol=0
    )
    rest = np.array([0, 2, 4])
    residual = right[rest] - product_of(matrices)(found[rest], rest)
    assert np.linalg.norm(residual, axis=1).max() < 1e-11


def test_factorisation_refuses_singular_and_lost_systems():
    assert np.isnan(krylov.solve_by_factorisation(np.zeros((3, 3)), np.ones(3))).all()
    assert np.isnan(krylov.solve_by_factorisation(np.full((3, 3), np.nan), np.ones(3))).all()
    nearly = np.eye(3) + 1e10 * np.ones((3, 3))
    x = krylov.solve_by_factorisation(nearly, np.array([1.0, 2.0, 4.0]))
    assert np.isfinite(x).all()
