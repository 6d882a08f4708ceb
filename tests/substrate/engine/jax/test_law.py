"""What a unit does in JAX against `devices`: activities, slopes and forces, real and complex."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")
import jax.numpy as jnp

from devices.interface import cost_force
from devices.neuron import activation
from substrate.engine.jax.compile import calculate_in_double
from substrate.engine.jax.programs import law

pytestmark = pytest.mark.jax

TABLE = np.array([[-1.0, 0.0, 2.0], [-0.5, 0.1, 0.9]])
HOLOMORPHIC = [activation.CODES[name] for name in activation.HOLOMORPHIC]
FAR = np.array([-1e30, -1e4, -700.0, -40.0, 40.0, 700.0, 1e4, 1e30])
U = np.concatenate([np.linspace(-9.0, 9.0, 901), TABLE[0], [1.0], FAR])


@calculate_in_double
def evaluate(function, *arrays, code=None):
    """Return what a law makes of arrays with their planes first."""
    given = [jnp.asarray(x) for x in arrays]
    if code is None:
        return np.asarray(function(*given))
    one = jnp.ones(1)
    return np.asarray(function(code, law.CurveArrays(jnp.asarray(TABLE), one, one), *given))


@pytest.mark.parametrize("code", [*activation.CODES.values(), activation.TABLE])
def test_real_activities_and_slopes_are_those_of_the_devices(code):
    u = U if code != activation.DSILU else U[np.abs(U) < 1e3]  # there both lose all digits alike
    a = evaluate(law.compute_unit_activity, u[None, None], code=code)[0, 0]
    slope = evaluate(law.compute_unit_slope, u[None, None], code=code)[0, 0]
    np.testing.assert_allclose(a, activation.activity(code, u, TABLE), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(slope, activation.slope(code, u, TABLE), rtol=1e-14, atol=2e-14)


@pytest.mark.parametrize("code", HOLOMORPHIC)
@pytest.mark.parametrize(
    ("function", "expected"),
    [(law.compute_unit_activity, activation.activity_planes), (law.compute_unit_slope, activation.slope_planes)],
)
def test_both_planes_are_those_of_the_devices(code, function, expected):
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(-9.0, 9.0, 91), np.linspace(-0.7, 0.7, 29)))
    x, y = np.append(x, [-700.0, 700.0, 0.0]), np.append(y, [0.3, -0.3, 0.0])
    found = evaluate(function, np.stack([x, y])[:, None], code=code)[:, 0]
    wanted = np.array([expected(code, *z) for z in zip(x.tolist(), y.tolist(), strict=True)]).T
    np.testing.assert_allclose(found, wanted, rtol=2e-14, atol=2e-14)


def test_gain_and_steepness_are_those_of_every_unit():
    u = np.linspace(-1.0, 1.0, 6).reshape(1, 2, 3)
    gain, steep = np.array([1.0, 2.0, 0.5]), np.array([0.5, 1.5, 1.0])

    @calculate_in_double
    def find(function):
        curve = law.CurveArrays(jnp.zeros((2, 0)), jnp.asarray(gain), jnp.asarray(steep))
        return np.asarray(function(activation.TANH, curve, jnp.asarray(u)))

    np.testing.assert_allclose(find(law.compute_unit_activity), gain * np.tanh(steep * u), rtol=0, atol=1e-15)
    slope = gain * steep * (1.0 - np.tanh(steep * u) ** 2)
    np.testing.assert_allclose(find(law.compute_unit_slope), slope, rtol=0, atol=1e-15)


def expected_force(cost, a, target, weight, bias):
    """Return the force of one sample (2, outputs), of both planes (2, outputs)."""
    force = np.zeros_like(a)
    if cost == cost_force.MSE:
        cost_force.compute_mse_force(*a, target, force)
    else:
        probability = np.zeros((2, len(bias)))
        cost_force.compute_cross_entropy_force(*a, target, weight, bias, probability, force)
    return force


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("cost", cost_force.CODES.values())
def test_forces_are_those_of_the_devices(cost, planes):
    rng = np.random.default_rng(cost)
    weight, bias = 3.0 * rng.normal(size=(6, 4)), rng.normal(size=4)
    a = rng.normal(size=(2, 20, 6)) * np.array([1.0, 0.3 * (planes == 2)])[:, None, None]
    a[0, 0] = 300.0  # no exponential overflows
    target = np.eye(4)[rng.integers(0, 4, 20)] if cost == cost_force.CROSS_ENTROPY else rng.normal(size=(20, 6))

    def find(a, target, weight, bias):
        return law.compute_force(cost, law.ReadoutArrays(weight, bias), a, target)

    found = evaluate(find, a[:planes], target, weight, bias)
    for k in range(20):
        wanted = expected_force(cost, a[:, k], target[k], weight, bias)
        np.testing.assert_allclose(found[:, k], wanted[:planes], rtol=0, atol=1e-14 * max(1.0, np.abs(wanted).max()))


def test_a_nudge_turns_both_planes():
    beta, planes = np.array([0.3, -0.7]), np.random.default_rng(0).normal(size=(2, 3, 4))
    found = evaluate(law.rotate, beta, planes)
    product = (beta[0] + 1j * beta[1]) * (planes[0] + 1j * planes[1])
    np.testing.assert_allclose(found[0] + 1j * found[1], product, rtol=0, atol=1e-15)
    np.testing.assert_allclose(evaluate(law.rotate, beta, planes[:1]), 0.3 * planes[:1], rtol=0, atol=0)
