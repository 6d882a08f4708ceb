"""Converters of measured steps."""

import numpy as np
import pytest
from pydantic import ValidationError

from devices.interface.converter import Adc, FabricatedAdc, NudgeCircuit, convert_nudge, convert_readout, sample_adc
from devices.interface.linearity import look_up_codes
from devices.random import Stream
from tests.statistics import assert_mean

RNG = np.random.default_rng(0)
BITS = 5
LAST = 2**BITS - 1
IDEAL = (np.arange(LAST) + 0.5)[:, None]
BENT = np.sort(IDEAL + 0.4 * RNG.normal(size=(LAST, 3)), axis=0)
VALUES = RNG.uniform(-0.1, 1.1, size=(2000, 3))
ADC = Adc(bits=BITS)


def made(transitions):
    return sample_adc(ADC, 3, Stream(0, "adc"), transitions)


def test_an_ideal_table_is_no_table():
    for got, expected in zip(convert_readout(ADC, VALUES, made=made(IDEAL)), convert_readout(ADC, VALUES), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_error_of_a_table_is_its_integral_nonlinearity():
    """Where the input passes a transition the code changes: INL = measured minus ideal transition."""
    ramp = np.repeat(np.linspace(-1.0, LAST + 1.0, 64_001)[:, None], 3, axis=1)
    codes = look_up_codes(ramp, BENT)
    assert (np.diff(codes, axis=0) >= 0.0).all()
    for unit in range(3):
        first = ramp[np.searchsorted(codes[:, unit], np.arange(1, LAST + 1)), unit]
        np.testing.assert_allclose(first - IDEAL[:, 0], (BENT - IDEAL)[:, unit], rtol=0, atol=6e-4)


def test_a_uniform_input_finds_every_code_as_often_as_its_step_is_wide():
    """Histogram test: DNL = counts over the mean minus 1. Normal bound of every count, 29 alarms of 1e-6."""
    place = RNG.uniform(0.0, 2.0**BITS, size=(200_000, 1))
    counts = np.bincount(look_up_codes(place, BENT[:, :1]).astype(int).ravel(), minlength=LAST + 1)[1:LAST]
    expected = np.diff(BENT[:, 0]) / 2.0**BITS
    spread = np.sqrt(expected * (1.0 - expected) * len(place))
    assert (np.abs(counts - expected * len(place)) <= 5.0 * spread).all()


def test_quantisation_error_of_equal_steps_has_a_twelfth_of_a_square_step():
    error = convert_readout(ADC, VALUES[(VALUES > 0.0).all(1) & (VALUES < 0.96).all(1)], made=made(IDEAL))[0]
    inside = VALUES[(VALUES > 0.0).all(1) & (VALUES < 0.96).all(1)]
    square = (error - inside) ** 2 * 12.0 / ADC.step**2
    # The square of a uniform number has the variance 4/5 of the square of its mean.
    assert_mean(square, 1.0, np.sqrt(0.8))


def test_gains_and_offsets_of_the_converter_stand_before_its_table():
    one = FabricatedAdc(np.array([2.0]), np.array([0.1]), None, BENT[:, :1])
    place = (2.0 * 0.3 + 0.1) / ADC.step
    assert (
        convert_readout(ADC, np.array([[0.3]]), made=one)[0][0, 0]
        == look_up_codes(np.array([[place]]), BENT[:, :1])[0, 0] * ADC.step
    )
    assert np.isnan(convert_readout(ADC, np.array([[np.nan]]), made=one)[0]).all()


def test_stochastic_rounding_is_right_in_the_mean_over_equal_steps():
    adc, value = Adc(bits=BITS, stochastic=True), np.full((40_000, 3), 10.3 * ADC.step)
    draw = Stream(0, "d").uniform(value.shape)
    got = convert_readout(adc, value, draw, made=sample_adc(adc, 3, Stream(0, "adc"), IDEAL))[0] / adc.step
    assert_mean(got, 10.3, np.sqrt(0.3 * 0.7))


def test_a_nudge_of_measured_levels_is_its_table():
    circuit, stream = NudgeCircuit(full_scale=1.0, bits=2, measured="dac.csv"), Stream(0, "n")
    levels = np.array([[-2.1], [-0.9], [0.05], [1.2], [1.9]])
    drive = np.array([[-9.0, -1.0, -0.4, 0.1, 0.5, 3.0]])
    np.testing.assert_allclose(
        convert_nudge(circuit, drive, stream, levels), 0.5 * np.array([[-2.1, -2.1, -0.9, 0.05, 1.2, 1.9]]), rtol=1e-14
    )
    whole = np.arange(-2.0, 3.0)[:, None]
    np.testing.assert_array_equal(convert_nudge(circuit, drive, stream, whole), convert_nudge(circuit, drive, stream))


@pytest.mark.parametrize(
    ("law", "keys", "words"),
    [
        (Adc, {"bits": 4, "measured": "a.csv", "unit_sigma": 0.01}, "exclude each other"),
        (NudgeCircuit, {"measured": "a.csv"}, "give `bits`"),
    ],
)
def test_contradictions_are_told(law, keys, words):
    with pytest.raises(ValidationError, match=words):
        law(**keys)
