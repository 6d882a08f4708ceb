"""Variance components against dense matrices of all units and samples."""

import numpy as np
import pytest

from learning.identification.components import (
    Equations,
    compute_likelihood,
    find_largest_likelihood,
    invert_covariance,
    predict_constants,
)

UNITS, SAMPLES = 7, 5
THETA = np.array([0.7, 0.3, 1.1, 0.4])


def make_equations(rng, told=0.8, units=UNITS, samples=SAMPLES):
    """Return random equations of two own components, the second with one constant a unit, and two shared ones."""
    which = rng.uniform(size=(units, samples)) < told
    wide, thin = rng.normal(size=(units, samples, 4)), np.where(which, rng.normal(size=(units, samples)), 0.0)
    pairs = which[:, :, None] & which[:, None, :]
    own = {
        "read": np.where(pairs, wide @ wide.transpose(0, 2, 1) + np.eye(samples), 0.0),
        "thin": thin[:, :, None] * thin[:, None, :],
    }
    shared = {name: np.where(which[:, :, None], rng.normal(size=(units, samples, units)), 0.0) for name in "ab"}
    residual = np.where(which, rng.normal(size=(units, samples)), 0.0)
    return Equations(residual, which, own, shared), {"thin": thin}


def list_dense_parts(equations):
    """Return every component among all that is told, and their residual."""
    units, samples = equations.told.shape
    flat = equations.told.ravel()
    parts = []
    for part in equations.own.values():
        whole = np.zeros((units, samples, units, samples))
        for k in range(units):
            whole[k, :, k] = part[k]
        parts.append(whole.reshape(flat.size, flat.size)[np.ix_(flat, flat)])
    columns = [part.reshape(flat.size, -1)[flat] for part in equations.shared.values()]
    return parts + [c @ c.T for c in columns], columns, equations.residual.ravel()[flat]


def test_the_likelihood_is_that_of_dense_matrices():
    equations, _ = make_equations(np.random.default_rng(0))
    parts, _, r = list_dense_parts(equations)
    p = np.linalg.inv(sum(t * part for t, part in zip(THETA, parts, strict=True)))
    found = compute_likelihood(equations, THETA)
    slope = [0.5 * (r @ p @ part @ p @ r - np.trace(p @ part)) for part in parts]
    np.testing.assert_allclose(found.slope, slope, rtol=1e-9)
    wanted = [[0.5 * r @ p @ a @ p @ b @ p @ r for a in parts] for b in parts]
    np.testing.assert_allclose(found.information, wanted, rtol=1e-9)
    assert found.deviance == pytest.approx(r @ p @ r - np.linalg.slogdet(p)[1], rel=1e-10)
    applied = invert_covariance(equations, THETA).apply(equations.residual[:, :, None])
    np.testing.assert_allclose(applied.ravel()[equations.told.ravel()], p @ r, rtol=1e-10)


def test_constants_are_the_best_linear_prediction():
    equations, features = make_equations(np.random.default_rng(1))
    parts, columns, r = list_dense_parts(equations)
    p = np.linalg.inv(sum(t * part for t, part in zip(THETA, parts, strict=True)))
    found = predict_constants(equations, THETA, features)
    for name, t, column in zip("ab", THETA[2:], columns, strict=True):
        np.testing.assert_allclose(found[name], t * column.T @ p @ r, rtol=1e-9)
    flat = np.zeros((UNITS, UNITS, SAMPLES))
    flat[np.arange(UNITS), np.arange(UNITS)] = features["thin"]
    thin = flat.reshape(UNITS, -1).T[equations.told.ravel()]
    np.testing.assert_allclose(found["thin"], THETA[1] * thin.T @ p @ r, rtol=1e-9)


def test_the_likelihood_has_no_slope_where_it_is_largest():
    """There the slope is 0, and where a variance is 0, more of it would explain less."""
    rng = np.random.default_rng(2)
    equations, _ = make_equations(rng, 1.0, 40, 6)
    planted = np.array([0.5, 2.0, 0.0, 1.0])
    parts, _, _ = list_dense_parts(equations)
    total = sum(t * part for t, part in zip(planted, parts, strict=True))
    drawn = np.linalg.cholesky(total) @ rng.normal(size=len(total))
    equations = equations._replace(residual=drawn.reshape(40, 6))
    best = find_largest_likelihood(equations)
    size = np.sqrt(np.diag(best.information))
    inside = best.theta > 0.0
    assert inside.sum() >= 3
    assert np.all(np.abs(best.slope[inside]) < 0.1 * size[inside])
    assert np.all(best.slope[~inside] <= 0.1 * size[~inside])
    error = np.sqrt(np.diag(np.linalg.inv(best.information)))
    assert np.all(np.abs(best.theta - planted) < 5.0 * error)


def test_without_shared_components_units_stand_alone():
    equations, _ = make_equations(np.random.default_rng(3))
    alone = equations._replace(shared={})
    assert compute_likelihood(alone, THETA[:2]).information.shape == (2, 2)
    assert find_largest_likelihood(alone).theta.min() >= 0.0
