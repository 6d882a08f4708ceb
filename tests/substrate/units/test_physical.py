import math

import numpy as np
import pytest
from pydantic import ValidationError

from substrate.units.physical import (
    Physical,
    compute_thermal_noise,
    convert_activity_to_volts,
    convert_state_to_volts,
    convert_weight_to_siemens,
)

CHIP = Physical(volt_scale="150 mV", activity_volts="1 V", tau="1 us", capacitance="1 pF", temperature="300 K")


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("volt_scale", "150 mV", 0.15),
        ("volt_scale", "2e5 uV", 0.2),
        ("tau", "50 ns", 5e-8),
        ("tau", "3 µs", 3e-6),
        ("tau", "1 hour", 3600.0),
        ("leak", "2 uS", 2e-6),
        ("leak", "0.5 1/Mohm", None),
        ("capacitance", "20 fF", 2e-14),
        ("temperature", "77 K", 77.0),
        ("temperature", "27 degC", None),
        ("tau", "3 mS", None),
        ("leak", "3 ms", None),
        ("volt_scale", "0 V", None),
        ("volt_scale", -1.0, None),
        ("tau", 1e-30, None),
    ],
)
def test_quantities_are_read_in_their_unit(key, text, value):
    if value is None:
        with pytest.raises(ValidationError, match=key):
            Physical(**{key: text})
    else:
        assert getattr(Physical(**{key: text}), key) == value


@pytest.mark.parametrize("left_out", ["tau", "capacitance", "leak"])
def test_two_of_three_give_the_third(left_out):
    values = {"tau": 2e-6, "capacitance": 3e-12, "leak": 1.5e-6}
    given = {key: value for key, value in values.items() if key != left_out}
    resolved = Physical(**given).resolved()
    np.testing.assert_allclose([getattr(resolved, key) for key in values], list(values.values()), rtol=1e-15)
    assert getattr(Physical(**given), left_out) is None
    assert Physical(**values).resolved() == Physical(**values)


@pytest.mark.parametrize("key", ["tau", "capacitance", "leak"])
def test_a_contradiction_is_refused(key):
    values = {"tau": 2e-6, "capacitance": 3e-12, "leak": 1.5e-6}
    with pytest.raises(ValidationError, match="contradict each other"):
        Physical(**values | {key: 1.001 * values[key]})


def test_the_membrane_in_volts_follows_the_additive_law():
    rng = np.random.default_rng(0)
    u, a, weight = rng.normal(size=5), rng.random(4), rng.normal(size=(4, 5))
    drift = -u + a @ weight
    chip = CHIP.resolved()
    current = -chip.leak * convert_state_to_volts(chip, u) + convert_activity_to_volts(
        chip, a
    ) @ convert_weight_to_siemens(chip, weight)
    np.testing.assert_allclose(current / chip.capacitance * chip.tau / chip.volt_scale, drift, rtol=1e-12)


def test_thermal_noise_is_that_of_a_capacitor():
    volts = math.sqrt(1.380649e-23 * 300 / 1e-12)
    assert compute_thermal_noise(CHIP) == pytest.approx(volts / 0.15, rel=1e-12)
    quadrupled = CHIP.model_copy(update={"excess_noise": 4.0})
    assert compute_thermal_noise(quadrupled) == pytest.approx(2 * compute_thermal_noise(CHIP), rel=1e-12)


@pytest.mark.parametrize(
    ("convert", "name"),
    [
        (lambda chip: convert_state_to_volts(chip, 1.0), "volt_scale"),
        (lambda chip: convert_activity_to_volts(chip, 1.0), "activity_volts"),
        (lambda chip: convert_weight_to_siemens(chip, 1.0), "leak.*two of tau, capacitance and leak"),
        (compute_thermal_noise, "capacitance"),
    ],
)
def test_what_is_unknown_is_named(convert, name):
    with pytest.raises(ValueError, match=rf"physical\.{name}"):
        convert(Physical(tau=1e-6))
