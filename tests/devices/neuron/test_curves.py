"""Activations of the user's own: what is taken, what is refused, and that the curve is the user's."""

import math
from functools import partial

import numpy as np
import pytest

from devices.neuron import activation, curves

U = np.linspace(-4.0, 4.0, 33)


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(curves, "_registered", [])


def softsign(u):
    return u / (1.0 + abs(u))


def softsign_slope(u):
    return 1.0 / (1.0 + abs(u)) ** 2


def bounded(u):
    return 0.0 if u < 0.0 else 1.0 - math.exp(-u)


def bounded_slope(u):
    return 0.0 if u < 0.0 else math.exp(-u)


def register(name, value, slope):
    law = curves.examine_activation(name, value, slope)
    curves.add_activation(law)
    return law


@pytest.mark.parametrize(
    ("value", "slope"), [(softsign, softsign_slope), (bounded, bounded_slope)], ids=["arrays", "one number"]
)
def test_a_registered_curve_is_evaluated_entry_by_entry(value, slope):
    register("mine", value, slope)
    code = curves.find_activation_code("mine")
    states = U.reshape(3, 11)
    np.testing.assert_array_equal(curves.compute_activity(code, states), np.vectorize(value)(states))
    np.testing.assert_array_equal(curves.compute_slope(code, states), np.vectorize(slope)(states))


def test_the_curvature_is_the_derivative_of_the_slope():
    register("mine", np.tanh, lambda u: 1.0 - np.tanh(u) ** 2)
    exact = activation.curvature(activation.TANH, U)
    np.testing.assert_allclose(
        curves.compute_curvature(curves.find_activation_code("mine"), U), exact, rtol=0, atol=1e-10
    )


def test_our_own_laws_pass_the_examination_and_are_holomorphic_where_they_say_so():
    for name, code in activation.CODES.items():
        if name != "hard-sigmoid":
            value, slope = partial(activation.activity, code), partial(activation.slope, code)
            register(f"my-{name}", value, slope)
    register("analytic", np.tanh, lambda u: 1.0 - np.tanh(u) ** 2)
    register("conjugate", lambda u: np.tanh(np.real(u)), lambda u: 1.0 - np.tanh(np.real(u)) ** 2)
    assert curves.is_holomorphic("analytic")
    assert not curves.is_holomorphic("conjugate")


def test_a_name_means_what_was_registered_last_and_old_codes_stay():
    register("mine", softsign, softsign_slope)
    before = curves.find_activation_code("mine")
    register("mine", np.tanh, lambda u: 1.0 - np.tanh(u) ** 2)
    assert curves.compute_activity(before, 1.0) == 0.5
    assert curves.compute_activity(curves.find_activation_code("mine"), 1.0) == pytest.approx(math.tanh(1.0))
    assert curves.list_activations() == [*activation.CODES, "mine"]


def test_the_digest_tells_curves_apart_and_not_how_they_are_written():
    first = register("a", softsign, softsign_slope)
    again = register("b", lambda u: np.divide(u, 1.0 + np.abs(u)), softsign_slope)
    other = register("c", np.tanh, lambda u: 1.0 - np.tanh(u) ** 2)
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("name", "value", "slope", "words"),
    [
        ("Mine", softsign, softsign_slope, "lower-case"),
        ("tanh", softsign, softsign_slope, "take another"),
        ("mine", softsign, softsign, "differences of value give"),
        ("mine", lambda _: math.nan, softsign_slope, "finite real number"),
        ("mine", lambda _: "1", softsign_slope, "finite real number"),
        ("mine", softsign, lambda _: None, "finite real number"),
    ],
)
def test_what_is_no_activation_is_refused_and_not_registered(name, value, slope, words):
    with pytest.raises(ValueError, match=words):
        register(name, value, slope)
    assert curves.list_activations() == [*activation.CODES]


def test_an_exception_of_the_users_shows_the_users_line():
    def broken(u):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        register("mine", broken, softsign_slope)
    assert caught.traceback[-1].name == "broken"
