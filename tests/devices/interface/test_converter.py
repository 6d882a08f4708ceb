import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from devices.interface.converter import (
    Adc,
    Converters,
    FabricatedAdc,
    NudgeCircuit,
    convert_nudge,
    convert_readout,
    sample_adc,
)
from devices.parameters import Potential
from devices.random import Stream
from tests.statistics import ALARM, assert_mean, assert_normal_variance

ADCS = st.builds(
    lambda bits, low, span, offset: Adc(bits=bits, range=[low, low + span], offset=offset),
    st.integers(1, 16),
    st.floats(-2.0, 2.0),
    st.floats(0.1, 4.0),
    st.floats(-0.1, 0.1),
)
VALUES = st.lists(st.floats(-10.0, 10.0), min_size=2, max_size=20).map(lambda x: np.sort(np.array(x)))


@given(ADCS, VALUES)
def test_a_converter_is_monotone_and_bounded_and_keeps_its_own_levels(adc, values):
    out, _ = convert_readout(adc, values)
    low, high = adc.ends
    assert (np.diff(out) >= 0.0).all()
    assert out.min() >= low
    assert out.max() <= high - 0.5 * adc.step
    again, outside = convert_readout(adc.model_copy(update={"offset": 0.0}), out)
    np.testing.assert_allclose(again, out, rtol=0, atol=1e-9)
    assert not outside.any()


@given(ADCS, VALUES)
def test_inside_its_range_the_error_is_at_most_half_a_step(adc, values):
    inside = np.clip(values, adc.ends[0] - adc.offset, adc.ends[1] - adc.step - adc.offset)
    out, outside = convert_readout(adc, inside)
    assert np.abs(out - inside - adc.offset).max() <= 0.5 * adc.step * (1.0 + 1e-9)
    assert not outside.any()


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_the_error_of_a_busy_signal_has_a_twelfth_of_a_squared_step(bits):
    """Error uniform over a step: variance 1/12, of its estimate (1/80 - 1/144)/n; false alarms 1e-6."""
    adc = Adc(bits=bits, full_scale=2.0)
    signal = 0.1 + 1.5 * Stream(0, "signal").uniform((100_000,))
    error = (convert_readout(adc, signal)[0] - signal) / adc.step
    assert_mean(error, 0.0, np.sqrt(1.0 / 12.0))
    assert_mean(error**2, 1.0 / 12.0, np.sqrt(1.0 / 80.0 - 1.0 / 144.0))
    assert stats.kstest(error + 0.5, "uniform").pvalue > ALARM


def test_stochastic_rounding_is_right_in_the_mean_and_takes_neighbouring_levels():
    """A constant 0.3 of a step above a level: variance 0.21 of a squared step; false alarms 1e-6."""
    adc = Adc(bits=6, full_scale=1.0, stochastic=True)
    value = np.full(100_000, adc.step * 17.3)
    out, _ = convert_readout(adc, value, Stream(0, "draw").uniform(value.shape))
    assert set(np.rint(out / adc.step)) == {17.0, 18.0}
    assert_mean(out / adc.step, 17.3, np.sqrt(0.21))
    with pytest.raises(ValueError, match="needs uniform numbers"):
        convert_readout(adc, value)


def test_levels_are_mid_tread():
    adc = Adc(bits=2, range=[-1.0, 1.0])
    values = np.array([-5.0, -1.3, -1.2, -0.6, -0.1, 0.2, 0.3, 0.6, 0.8, 3.0, np.nan])
    out, outside = convert_readout(adc, values)
    np.testing.assert_array_equal(out, [-1.0, -1.0, -1.0, -0.5, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, np.nan])
    np.testing.assert_array_equal(outside, [True, True, False, False, False, False, False, False, True, True, True])


def test_a_signal_of_both_signs_has_the_same_span_around_zero():
    adc = Adc(bits=8, full_scale=1.0)
    out, outside = convert_readout(adc, np.array([-0.4, 0.0, 0.4, 0.6]), signed=True)
    np.testing.assert_allclose(out, [-0.3984375, 0.0, 0.3984375, 0.49609375], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(outside, [False, False, False, True])
    assert convert_readout(adc, np.array([-0.4]))[1].all()


def test_an_offset_shifts_what_is_converted():
    plain, shifted = Adc(bits=10), Adc(bits=10, offset=0.125)
    values = np.linspace(0.0, 0.8, 50)
    np.testing.assert_array_equal(convert_readout(shifted, values)[0], convert_readout(plain, values + 0.125)[0])


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 25}, "bits"),
        ({"bits": 8, "full_scale": 0.0}, "full_scale"),
        ({"bits": 8, "full_scale": "-1 V"}, "full_scale"),
        ({"bits": 8, "full_scale": 1.0, "range": [0.0, 1.0]}, "exclude each other"),
        ({"bits": 8, "range": [0.0]}, "range"),
        ({"bits": 8, "range": [1.0, 0.0]}, "must rise"),
        ({"bits": 8, "range": ["1 V", "0 V"]}, "must rise"),
        ({"bits": 8, "range": [0.0, "1 V"]}, "both plain numbers or both in volts"),
        ({}, "bits"),
    ],
)
def test_nonsense_converters_are_refused(keys, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Adc(**keys)


def test_levels_may_be_written_in_volts():
    adc = Adc(bits=8, full_scale="500 mV")
    assert adc.full_scale == Potential(0.5, "500 mV", "activity_volts")
    assert adc.model_dump()["full_scale"] == "500 mV"
    assert Adc(bits=8, full_scale=adc.full_scale) == adc
    assert NudgeCircuit(offset="2 mV").offset.scale == "volt_scale"


@pytest.mark.parametrize("beta", [0.3, -0.2, 0.1 - 0.2j, 0.0])
def test_the_nudge_has_the_gain_of_its_sign(beta):
    assert NudgeCircuit().applied(beta) == complex(beta)
    assert NudgeCircuit(gain=1.1).applied(beta) == pytest.approx(1.1 * beta, rel=1e-15)
    z, both = complex(beta), NudgeCircuit(gain=1.1, gain_negative=0.9).applied(beta)
    assert both.real == z.real * (1.1 if z.real >= 0 else 0.9)
    assert both.imag == z.imag * (1.1 if z.imag >= 0 else 0.9)


def test_converters_are_ideal_unless_told_otherwise():
    assert Converters() == Converters(readout=None, nudge=NudgeCircuit())


# As they are made


def test_converters_without_spread_are_as_designed():
    assert sample_adc(Adc(bits=8), 5, Stream(0, "adc")) is None
    ideal = sample_adc(Adc(bits=8, unit_sigma=1e-15), 5, Stream(0, "adc"))
    values = np.linspace(-0.1, 1.1, 3000).reshape(-1, 5)
    np.testing.assert_array_equal(
        convert_readout(Adc(bits=8), values, made=ideal)[0], convert_readout(Adc(bits=8), values)[0]
    )


def test_gain_and_offset_have_their_spread():
    made = sample_adc(Adc(bits=4, gain_sigma=0.02, offset_sigma=0.005), 40_000, Stream(0, "adc"))
    for drawn, mean, sigma in ((made.gain, 1.0, 0.02), (made.offset, 0.0, 0.005)):
        assert_mean(drawn, mean, sigma)
        assert_normal_variance(drawn, sigma**2)
    adc, values = Adc(bits=24, offset=0.1, gain_sigma=0.02), np.array([[0.2, 0.4]])
    made = FabricatedAdc(np.array([1.0, 1.1]), np.array([0.05, 0.0]), None)
    np.testing.assert_allclose(convert_readout(adc, values, made=made)[0], [[0.35, 0.54]], rtol=0, atol=1e-7)


def test_a_shared_converter_has_one_set_of_errors():
    adc = Adc(bits=6, gain_sigma=0.1, offset_sigma=0.1, unit_sigma=0.1)
    alone, shared = (sample_adc(adc.model_copy(update={"shared": s}), 7, Stream(0, "adc")) for s in (False, True))
    assert all(len(np.unique(part, axis=0)) == 7 for part in alone[:3])
    assert all(len(np.unique(part, axis=0)) == 1 and len(part) == 7 for part in shared[:3])


def test_the_middle_step_has_the_spread_of_all_units():
    """DNL of the middle code, first order: ``2^b - 1`` units switch, and the scale moves with all of them."""
    sigma, bits = 0.004, 6
    made = sample_adc(Adc(bits=bits, unit_sigma=sigma), 40_000, Stream(0, "adc"))
    step = made.capacitors[:, -1] - made.capacitors[:, :-1].sum(axis=1)
    half, scale = 2 ** (bits - 1), 2.0**-bits
    assert_mean(step, 1.0, sigma * np.sqrt(2.0**bits))
    assert_normal_variance(step, sigma**2 * (half * (1 - scale) ** 2 + (half - 1) * (1 + scale) ** 2 + scale**2))


@given(st.integers(0, 1000), st.floats(0.0, 0.2))
def test_successive_approximation_is_monotone_and_uses_its_own_steps(seed, sigma):
    adc = Adc(bits=6, unit_sigma=sigma, full_scale=64.0)
    made = sample_adc(adc, 1, Stream(seed, "adc"))
    values = np.linspace(-2.0, 66.0, 2000)[:, None]
    out = convert_readout(adc, values, made=made)[0]
    assert (np.diff(out, axis=0) >= 0.0).all()
    assert (out.min(), out.max()) == (0.0, 63.0)
    if made is not None:
        # Half a step above what a code subtracts in all, that code or a higher one is found.
        codes = np.arange(64)
        analog = ((codes[:, None] >> np.arange(6)) & 1) @ made.capacitors[0]
        found = convert_readout(adc, analog[:, None] - 0.5 + 1e-9, made=made)[0].ravel()
        assert (found >= codes).all()
    assert np.isnan(convert_readout(adc, np.array([[np.nan]]), made=made)[0]).all()


# Held nudges


def test_a_held_nudge_is_cut_and_rounded():
    drive, stream = np.array([[-9.0, -0.6, -0.3, 0.1, 0.3, 9.0]]), Stream(0, "n")
    assert convert_nudge(NudgeCircuit(), drive, stream) is drive
    cut = convert_nudge(NudgeCircuit(full_scale=0.5), drive, stream)
    np.testing.assert_array_equal(cut, [[-0.5, -0.5, -0.3, 0.1, 0.3, 0.5]])
    rounded = convert_nudge(NudgeCircuit(full_scale=0.5, bits=2), drive, stream)
    np.testing.assert_array_equal(rounded, [[-0.5, -0.5, -0.25, 0.0, 0.25, 0.5]])


def test_the_gain_of_a_held_nudge_has_its_spread_and_stays():
    drive = np.ones((2, 40_000))
    out = convert_nudge(NudgeCircuit(gain_sigma=0.05), drive, Stream(0, "n"))
    np.testing.assert_array_equal(out[0], out[1])
    assert_mean(out[0], 1.0, 0.05)
    assert_normal_variance(out[0], 0.0025)


@pytest.mark.parametrize(
    "keys", [{"full_scale": 0.0}, {"bits": 0, "full_scale": 1.0}, {"gain_sigma": -0.1}, {"bits": 8}]
)
def test_nonsense_nudge_circuits_are_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        NudgeCircuit(**keys)
