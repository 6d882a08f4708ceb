"""Reads, realised weights, transfer curves, converters and currents against what was planted."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import nudgelab
from scenarios.fitting.columns import Columns
from scenarios.fitting.converter import fit_converter

from .planted import save, slow_noise


def fit_arrays(tmp_path, kind, **arrays):
    return nudgelab.fit(save(tmp_path / f"{kind}.npz", **arrays), kind)


# Repeated reads


@pytest.mark.parametrize("kind", ["white", "ou", "flicker"])
def test_the_noise_of_repeated_reads_is_found(tmp_path, kind):
    """Four devices of 3000 reads each; their mean values are no noise. Limits: four standard errors."""
    rng = np.random.default_rng(2)
    white = 0.5 * rng.normal(size=(4, 3000)) + np.arange(4.0)[:, None]
    slow = 0.0 if kind == "white" else np.array([slow_noise(kind, 3000, rng) for _ in range(4)])
    found = fit_arrays(tmp_path, "reads", value=white + slow)
    assert found.values["noise.read"].value == pytest.approx(0.5, rel=0.1)
    assert found.alternatives[0] == (kind, 0.0)
    if kind == "white":
        assert found.values.keys() == {"noise.read"}
        return
    assert found.values["reads.slow"].value == pytest.approx(1.0, rel=0.2)
    if kind == "ou":
        tau = found.values["reads.tau_c"]
        assert tau.value == pytest.approx(12.0, rel=0.4)
        assert tau.low < tau.value < tau.high
    else:
        assert found.values["noise.flicker_octaves"].value == pytest.approx(9, abs=1)


def test_times_and_volts_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    slow = [slow_noise("flicker", 2000, rng) for _ in range(4)]
    path = tmp_path / "r.csv"
    rows = [f"{d},{2e-6 * k:.9g},{2.0 * x + rng.normal():.6f}" for d in range(4) for k, x in enumerate(slow[d])]
    path.write_text("\n".join(["device,time (s),value (mV)", *rows]))
    values = nudgelab.fit(path, "reads").values
    assert values["noise.flicker_shortest"].value == "2e-06 s"
    assert values["noise.read"].unit == "V"
    assert float(values["noise.read"].value.removesuffix(" V")) == pytest.approx(1e-3, rel=0.2)


def test_slow_noise_of_conductances_is_that_of_cells(tmp_path):
    """Four devices of 2000 reads in microsiemens; limits: four standard errors."""
    rng = np.random.default_rng(3)
    slow = [slow_noise("ou", 2000, rng) for _ in range(4)]
    rows = [f"{d},{1e-3 * k:g},{20.0 + x + 0.3 * rng.normal():.6f}" for d in range(4) for k, x in enumerate(slow[d])]
    path = tmp_path / "g.csv"
    path.write_text("\n".join(["device,time (s),Conductance (uS)", *rows]))
    with pytest.raises(nudgelab.FitError, match="say what a weight of 1 is"):
        nudgelab.fit(path, "reads")
    found = nudgelab.fit(path, "reads", weight="25 uS")
    assert found.values["weights.noise.absolute"].value == pytest.approx(1.0 / 25.0, rel=0.2)
    assert found.values["reads.white"].value == pytest.approx(0.3 / 25.0, rel=0.1)
    found.write_preset(tmp_path / "cells.toml")
    chip = nudgelab.load("ledger", {"devices.weights.preset": str(tmp_path / "cells.toml"), "physical.tau": "1 us"})
    noise = chip.loaded.spec.devices.weights.noise
    assert (noise.spectrum, noise.absolute) == ("ou", found.values["weights.noise.absolute"].value)
    # What no key takes is no table of a scenario.
    assert tomllib.loads(found.to_toml())["devices"].keys() == {"weights"}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"value": np.arange(20.0)}, "a device has 20 reads; give 32 or more"),
        ({"value": np.ones(100)}, "all reads of a device are equal"),
        ({"value": np.arange(50.0) ** 2, "time": np.arange(50.0) ** 2}, "times are not evenly spaced"),
        (
            {
                "value": np.arange(100.0),
                "time": np.r_[0:50, 0:100:2].astype(float),
                "device": np.repeat([0.0, 1.0], 50),
            },
            "devices were read at different distances in time",
        ),
    ],
)
def test_reads_that_tell_nothing_are_refused(tmp_path, arrays, words):
    with pytest.raises(nudgelab.FitError, match=words):
        fit_arrays(tmp_path, "reads", **arrays)


# Realised weights


def realised(rng, count=2000, absolute=0.02, relative=0.1):
    target = rng.uniform(-1.0, 1.0, count)
    return target, target * (1.0 + relative * rng.normal(size=count)) + absolute * rng.normal(size=count)


def test_absolute_and_relative_error_are_told_apart(tmp_path):
    """Fisher: standard errors of .0009 and .0025; limits are four of them."""
    target, measured = realised(np.random.default_rng(1))
    values = fit_arrays(tmp_path, "weights", target=target, measured=measured).values
    assert values["realised.absolute"].value == pytest.approx(0.02, abs=0.004)
    assert values["realised.relative"].value == pytest.approx(0.1, abs=0.01)
    assert values["realised.gain"].low < 1.0 < values["realised.gain"].high
    top = values["update.w_max"].value
    sigma = np.polynomial.polynomial.polyval(0.5 / top, values["update.error"].value) * top
    assert sigma == pytest.approx(np.hypot(0.02, 0.05), rel=0.1)


@pytest.mark.parametrize(("absolute", "relative", "law"), [(0.05, 0.0, "additive"), (0.0, 0.1, "relative")])
def test_the_law_of_the_spread_is_chosen(tmp_path, absolute, relative, law):
    target, measured = realised(np.random.default_rng(0), absolute=absolute, relative=relative)
    values = fit_arrays(tmp_path, "weights", target=target, measured=measured).values
    assert values["weights.mismatch"].value == law
    assert values["weights.mismatch_sigma"].value == pytest.approx(absolute + relative, rel=0.07)


def test_stuck_cells_are_counted_and_left_out(tmp_path):
    target, measured = realised(np.random.default_rng(1))
    measured[::40] = 0.4  # 50 of 2000, of which some are near their target
    found = fit_arrays(tmp_path, "weights", target=target, measured=measured)
    share = found.values["weights.stuck_fraction"]
    assert 0.015 < share.value < 0.025
    assert found.values["weights.stuck_at"].value == pytest.approx(0.4, abs=1e-6)
    assert found.values["realised.relative"].value == pytest.approx(0.1, abs=0.01)


def test_cells_that_tell_nothing_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    with pytest.raises(nudgelab.FitError, match="all targets have one size"):
        fit_arrays(tmp_path, "weights", target=np.full(20, 0.5), measured=rng.normal(size=20))


# Transfer curves


def curves(rng, units=40):
    u = np.linspace(-3.0, 3.0, 61)
    gain, slope = 1.0 + 0.05 * rng.normal(size=units), 1.0 + 0.03 * rng.normal(size=units)
    offset = 0.1 * rng.normal(size=units)
    a = gain[:, None] * np.tanh(slope[:, None] * (u + offset[:, None])) + 0.003 * rng.normal(size=(units, 61))
    return np.broadcast_to(u, a.shape), a, [part.std(ddof=1) for part in (gain, slope, offset)]


def test_spreads_of_transfer_curves_are_found(tmp_path):
    u, a, planted = curves(np.random.default_rng(1))
    found = fit_arrays(tmp_path, "transfer", input=u, output=a)
    for key, spread in zip(("gain_sigma", "slope_sigma", "offset_sigma"), planted, strict=True):
        value = found.values[f"neurons.{key}"]
        # Against the spread of these very units, so only noise of 61 points is between them.
        assert value.value == pytest.approx(spread, rel=0.1)
        assert value.low < spread < value.high
    preset, table = found.write_preset(tmp_path / "my.toml")
    assert (preset.name, table.name) == ("my.toml", "my-curve.csv")
    x, y = np.loadtxt(table, delimiter=",", skiprows=1).T
    assert (np.diff(x) > 0.0).all()
    assert (np.diff(y) >= 0.0).all()
    # The mean unit of these 40 has an offset of a sixth of 0.1 or less.
    np.testing.assert_allclose(y, np.tanh(x), atol=0.07)


def test_one_unit_gives_a_table_alone_and_dead_ones_are_named(tmp_path):
    u, a, _ = curves(np.random.default_rng(0), units=5)
    assert fit_arrays(tmp_path, "transfer", input=u[0], output=a[0]).values == {}
    a[3] = 0.2
    assert any("hardly moves: [4]" in note for note in fit_arrays(tmp_path, "transfer", input=u, output=a).notes)
    with pytest.raises(nudgelab.FitError, match="the output of unit 1 falls with its input"):
        fit_arrays(tmp_path, "transfer", input=u, output=-a)
    with pytest.raises(nudgelab.FitError, match="unit 1 has 6 points"):
        fit_arrays(tmp_path, "transfer", input=u[:2, :6], output=a[:2, :6])


# Converters


def test_a_ramp_and_its_histogram_tell_the_transitions(tmp_path):
    """An even ramp of 320 samples per code with noise of a tenth of a step: 0.05 LSB."""
    rng = np.random.default_rng(1)
    real = np.sort(np.arange(63) + 0.5 + 0.2 * rng.normal(size=63))
    ramp = np.linspace(-1.0, 65.0, 21_120)
    code = np.searchsorted(real, ramp + 0.1 * rng.normal(size=ramp.shape))
    wanted = (real - real[0]) / (real[-1] - real[0]) * 62.0 + 0.5
    for arrays in (
        {"input": 0.01 * ramp, "code": code},
        {"code": np.arange(64.0), "count": np.bincount(code, minlength=64)},
    ):
        found = fit_arrays(tmp_path, "adc", **arrays)
        assert found.values["converters.readout.bits"].value == 6
        _, table = found.write_preset(tmp_path / "adc.toml")
        np.testing.assert_allclose(np.loadtxt(table, delimiter=",", skiprows=1)[:, 1], wanted, atol=0.1)
    low, high = fit_arrays(tmp_path, "adc", input=0.01 * ramp, code=code).values["converters.readout.range"].value
    step = (real[-1] - real[0]) / 62.0
    np.testing.assert_allclose([low, high], 0.01 * (real[0] - 0.5 * step + np.array([0.0, 64.0]) * step), atol=1e-3)


@pytest.mark.parametrize("spread", [0.0, 0.2])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_intervals_of_a_converter_hold_how_far_it_is_from_a_straight_line(spread, noise):
    """In at least 90 %: 30 of 40 or more, but for a false alarm in 700, if both of a converter lie outside together."""
    inside = []
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        real = np.sort(np.arange(15) + 0.5 + spread * rng.normal(size=15))
        ramp = np.linspace(-1.0, 17.0, 720) + rng.uniform(0.0, 0.025)
        code = np.searchsorted(real, ramp + noise * rng.normal(size=720)).astype(float)
        columns = Columns(Path("ramp"), {"input": ramp, "code": code}, {"input": "", "code": ""})
        found = fit_converter(columns).tables["adc"]
        levels = (real - real[0]) / (real[-1] - real[0]) * 14.0
        true = {"inl": np.abs(levels - np.arange(15)).max(), "dnl": np.abs(np.diff(levels) - 1.0).max()}
        inside += [found[name].low - 1e-9 <= true[name] <= found[name].high for name in true]
        assert all(found[name].high - found[name].low < 0.9 for name in true)
    assert sum(inside) >= 60


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"code": np.arange(16.0)}, "has codes alone"),
        ({"code": np.arange(16.0) + 0.5, "input": np.arange(16.0)}, "codes must be whole numbers"),
        ({"code": np.arange(1.0, 16.0), "input": np.arange(1.0, 16.0)}, "the ramp must reach codes 0 and 15"),
        ({"code": np.arange(16.0), "count": -np.ones(16)}, "counts must be 0 or more"),
    ],
)
def test_codes_that_tell_no_transitions_are_refused(tmp_path, arrays, words):
    with pytest.raises(nudgelab.FitError, match=words):
        fit_arrays(tmp_path, "adc", **arrays)


def test_codes_beyond_the_bits_are_refused(tmp_path):
    path = save(tmp_path / "a.npz", code=np.arange(16.0), input=np.arange(16.0))
    with pytest.raises(nudgelab.FitError, match="the largest code is 15, beyond 3 bits"):
        nudgelab.fit(path, "adc", bits=3)


# Currents


@pytest.mark.parametrize("law", ["linear", "cubic", "sinh"])
def test_the_law_of_a_current_is_found(tmp_path, law):
    rng = np.random.default_rng(1)
    v, g = np.linspace(-1.0, 1.0, 41), 1e-5 * (1.0 + 0.1 * rng.normal(size=30))
    shape = {"linear": v, "cubic": v + 0.2 * v**3, "sinh": 0.4 * np.sinh(v / 0.4)}[law]
    current = g[:, None] * shape + 1e-8 * rng.normal(size=(30, 41))
    values = fit_arrays(tmp_path, "iv", voltage=np.broadcast_to(v, current.shape), current=current).values
    assert values["iv.law"].value == law
    assert values["iv.conductance"].value == pytest.approx(g.mean(), rel=0.01)
    assert values["weights.mismatch_sigma"].value == pytest.approx(g.std(ddof=1) / g.mean(), rel=0.02)
    if law == "cubic":
        assert values["iv.cubic"].value == pytest.approx(0.2, rel=0.05)
    if law == "sinh":
        assert values["iv.scale"].value == pytest.approx(0.4, rel=0.02)


def test_currents_that_tell_nothing_are_refused_and_open_devices_named(tmp_path):
    v = np.broadcast_to(np.linspace(-1.0, 1.0, 11), (4, 11))
    with pytest.raises(nudgelab.FitError, match="does not vary"):
        fit_arrays(tmp_path, "iv", voltage=np.ones(20), current=np.ones(20))
    with pytest.raises(nudgelab.FitError, match="the current of device 1 does not grow"):
        fit_arrays(tmp_path, "iv", voltage=v, current=-v)
    scale = np.array([1.0, 1.1, 0.9, 1e-4])[:, None]
    noise = 1e-3 * np.random.default_rng(0).normal(size=v.shape) * scale
    found = fit_arrays(tmp_path, "iv", voltage=v, current=scale * v + noise)
    assert any("100 times off: [4]" in note for note in found.notes)
