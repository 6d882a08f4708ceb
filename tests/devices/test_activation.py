import numpy as np
import pytest

from devices.activation import CODES, activity, activity_planes, logistic_planes, slope

ORACLES = {
    "sigmoid": lambda z: 1.0 / (1.0 + np.exp(-(4.0 * z - 2.0))),
    "dsilu": lambda z: 0.5 * z / (1.0 + np.exp(-z)) + (1.0 - 0.5 * z) / (1.0 + np.exp(-(z - 2.0))),
}
X = np.linspace(-8.0, 8.0, 81)


@pytest.mark.parametrize("name", CODES)
def test_activity_is_the_published_formula(name):
    np.testing.assert_allclose(activity(CODES[name], X), ORACLES[name](X), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", CODES)
def test_slope_is_the_derivative(name):
    step = 1e-30
    derivative = ORACLES[name](X + 1j * step).imag / step
    np.testing.assert_allclose(slope(CODES[name], X), derivative, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", CODES)
def test_planes_are_the_complex_function_and_its_conjugate(name):
    for x in np.linspace(-3.0, 3.0, 25):
        for y in (-0.6, -0.1, 0.0, 0.25, 0.7):
            real, imaginary = activity_planes(CODES[name], x, y)
            expected = ORACLES[name](complex(x, y))
            assert complex(real, imaginary) == pytest.approx(expected, rel=1e-12, abs=1e-13)
            assert activity_planes(CODES[name], x, -y) == (real, -imaginary)


@pytest.mark.parametrize("x", [-1e4, -700.0, 700.0, 1e4])
def test_no_overflow_far_from_the_origin(x):
    limit = 1.0 if x > 0 else 0.0
    for name, code in CODES.items():
        assert activity(code, x) == pytest.approx(limit, abs=1e-12), name
        assert activity_planes(code, x, 0.3) == pytest.approx((limit, 0.0), abs=1e-12), name
    assert logistic_planes(x, 1.0) == pytest.approx((limit, 0.0), abs=1e-12)
