import numpy as np
import pytest

from devices.neuron.activation import Curve
from substrate.theory.inverse_curve import InverseCurve
from tests.networks import random_batch, random_chip


@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softplus", "identity"])
def test_the_drive_of_a_unit_at_rest_is_that_of_the_chip(law, activation):
    chip = random_chip(law=law, activation=activation, cost="mse", scale=0.3)
    x, _ = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    activity = chip.activity_of(chip.state)
    drive = activity @ chip.topology.coupling(chip.effective).T + chip.constant_drive
    told = InverseCurve(law, activation).informative(activity)
    np.testing.assert_allclose(InverseCurve(law, activation).drive(activity)[told], drive[told], atol=1e-10)


@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softplus"])
def test_the_sensitivity_is_the_derivative(law, activation):
    curve, a, step = InverseCurve(law, activation), np.linspace(0.2, 0.9, 8), 1e-5
    slope = (curve.drive(a + step) - curve.drive(a - step)) / (2.0 * step)
    np.testing.assert_allclose(curve.sensitivity(a), slope, rtol=1e-6)


@pytest.mark.parametrize(("activation", "low", "high"), [("sigmoid", 0.0, 1.0), ("tanh", -1.0, 1.0)])
def test_activities_within_4_percent_of_an_end_tell_nothing(activation, low, high):
    curve, span = InverseCurve("additive", activation), high - low
    ends = np.array([low + 0.039 * span, low + 0.041 * span, high - 0.041 * span, high - 0.039 * span, high + 0.1, low])
    assert curve.informative(ends).tolist() == [False, True, True, False, False, False]


def test_a_measured_curve_has_an_inverse_and_one_that_falls_has_none():
    curve = InverseCurve("additive", Curve(np.array([-1.0, 0.0, 1.0]), np.array([0.0, 0.4, 1.0])))
    np.testing.assert_allclose(curve.drive(np.array([0.2, 0.7])), [-0.5, 0.5])
    with pytest.raises(ValueError, match="falls somewhere"):
        InverseCurve("additive", "dsilu")
