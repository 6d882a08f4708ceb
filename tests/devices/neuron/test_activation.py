import numpy as np
import pytest

from devices.neuron.activation import (
    CODES,
    HARD_SIGMOID,
    Curve,
    activity,
    activity_planes,
    curvature,
    get_curve_table,
    interpolate,
    interpolate_slope,
    logistic_planes,
    slope,
    slope_planes,
)
from devices.neuron.curves import find_activation_code, is_holomorphic

ORACLES = {
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-(4.0 * z - 2.0))),
    "tanh": np.tanh,
    "softplus": lambda z: np.log(1.0 + np.exp(z)),
    "identity": lambda z: z + 0.0,
    "dsilu": lambda z: 0.5 * z / (1.0 + np.exp(-z)) + (1.0 - 0.5 * z) / (1.0 + np.exp(-(z - 2.0))),
}
X = np.linspace(-8.0, 8.0, 81)
LIMITS = {"tanh": (-1.0, 1.0), "softplus": (0.0, np.inf), "identity": (-np.inf, np.inf)}


@pytest.mark.parametrize("name", ORACLES)
def test_activity_is_the_published_formula(name):
    np.testing.assert_allclose(activity(CODES[name], X), ORACLES[name](X), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ORACLES)
def test_slope_is_the_derivative(name):
    step = 1e-30
    derivative = ORACLES[name](X + 1j * step).imag / step
    np.testing.assert_allclose(slope(CODES[name], X), derivative, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ORACLES)
def test_planes_are_the_complex_function_and_its_conjugate(name):
    for x in np.linspace(-3.0, 3.0, 25):
        for y in (-0.6, -0.1, 0.0, 0.25, 0.7):
            real, imaginary = activity_planes(CODES[name], x, y)
            expected = ORACLES[name](complex(x, y))
            assert complex(real, imaginary) == pytest.approx(expected, rel=1e-12, abs=1e-13)
            assert activity_planes(CODES[name], x, -y) == (real, -imaginary)


@pytest.mark.parametrize("x", [-1e4, -700.0, 700.0, 1e4])
def test_no_overflow_far_from_the_origin(x):
    for name in ORACLES:
        limit = LIMITS.get(name, (0.0, 1.0))[x > 0]
        limit = x if np.isinf(limit) else limit
        assert activity(CODES[name], x) == pytest.approx(limit, abs=1e-12), name
        assert activity_planes(CODES[name], x, 0.3)[0] == pytest.approx(limit, abs=1e-12), name
    assert logistic_planes(x, 1.0) == pytest.approx((1.0 if x > 0 else 0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize("name", ORACLES)
def test_slope_planes_is_the_derivative_of_the_planes(name):
    step = 1e-6
    for x in np.linspace(-3.0, 3.0, 13):
        for y in (-0.5, 0.0, 0.3):
            ahead, behind = (complex(*activity_planes(CODES[name], x + d, y)) for d in (step, -step))
            found = complex(*slope_planes(CODES[name], x, y))
            assert found == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-6, abs=1e-8)
        assert slope_planes(CODES[name], x, 0.0)[0] == pytest.approx(slope(CODES[name], np.array(x)), abs=1e-12)


@pytest.mark.parametrize("name", CODES)
def test_curvature_is_the_derivative_of_the_slope(name):
    x, step = X + 0.013, 1e-6
    difference = (slope(CODES[name], x + step) - slope(CODES[name], x - step)) / (2.0 * step)
    np.testing.assert_allclose(curvature(CODES[name], x), difference, rtol=0, atol=1e-8)


def test_hard_sigmoid():
    u = np.array([-1.0, 0.0, 0.25, 1.0, 3.0])
    np.testing.assert_array_equal(activity(HARD_SIGMOID, u), [0.0, 0.0, 0.25, 1.0, 1.0])
    np.testing.assert_array_equal(slope(HARD_SIGMOID, u), [0.0, 0.0, 1.0, 0.0, 0.0])


def test_a_measured_curve_is_linear_between_its_points_and_constant_outside():
    curve = Curve(np.array([-1.0, 0.0, 2.0]), np.array([0.1, 0.3, 0.9]))
    code, table = find_activation_code(curve), get_curve_table(curve)
    u = np.array([-5.0, -1.0, -0.5, 0.0, 1.0, 2.0, 7.0])
    expected = [0.1, 0.1, 0.2, 0.3, 0.6, 0.9, 0.9]
    np.testing.assert_allclose(activity(code, u, table), expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose([interpolate(*table, x) for x in u], expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal([interpolate_slope(*table, x) for x in u], slope(code, u, table))
    assert slope(code, np.array([1.0]), table)[0] == pytest.approx(0.3)
    assert not is_holomorphic(curve)
    assert is_holomorphic("tanh")
