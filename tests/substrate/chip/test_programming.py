"""Pulses on the cells of a chip: closed forms, a NumPy twin, golden numbers, moments, and what cells keep."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from devices.programming.laws import (
    ConstantStep,
    ExponentialStep,
    LinearStep,
    PiecewiseStep,
    PowerStep,
    SoftBounds,
    Verified,
)
from devices.programming.sampled import CellConstants, compute_symmetry_point, make_nominal_cells, sample_cells
from devices.random import Stream, philox
from devices.synapse.retention import Retention
from substrate.chip.programming import NOISE, Writer
from tests.devices.programming.steps_twin import pulsed
from tests.statistics import assert_distribution, assert_mean, assert_normal_variance, assert_variance_ratio

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "pulsed-steps" / "aihwkit.json").read_text(encoding="utf-8"))
EXPONENTIAL = {
    "a": 0.244,
    "b": 0.2425,
    "amplitude_up": 0.00081,
    "amplitude_down": 0.36833,
    "gamma_up": 12.44625,
    "gamma_down": 12.78785,
}
LAWS = {
    "constant-step": ConstantStep(step=0.01, w_max=1.0, w_min=-0.8),
    "linear-step": LinearStep(step=0.01, slope_up=0.4, slope_down=0.7, w_min=-0.8),
    "soft-bounds": SoftBounds(step=0.01, w_min=-0.8),
    "exponential-step": ExponentialStep(step=0.01, w_min=-0.8, **EXPONENTIAL),
    "power-step": PowerStep(step=0.01, exponent_up=2.0, exponent_down=2.0, w_min=-0.8),
    "piecewise-step": PiecewiseStep(step=0.01, up=[1.2, 1.0, 0.6, 0.1], down=[0.2, 0.8, 1.0, 1.3], w_min=-0.8),
}
SPREAD = {"step_sigma": 0.2, "up_down_sigma": 0.05, "w_max_sigma": 0.1, "w_min_sigma": 0.1}


def stream(purpose):
    return Stream(0, purpose)


KEY = stream("write/weight/0").key()
"""Of the first write of `written`."""


def writer(law, shape=(3, 7), retention=Retention(), kept=None, measured=None):  # noqa: B008  immutable
    return Writer(law, retention, {"weight": shape}, stream, kept or {}, measured)


def written(law, w, pulses, name="0", **more):
    """Return the weights after a request of so many steps, from weights `w`."""
    cells = writer(law, w.shape, **more)
    return cells.write("weight", w, np.full(w.shape, pulses * law.step), name).weight


# Laws without noise


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("pulses", [1, -1, 3, -9])
def test_pulses_are_those_of_the_numpy_twin(kind, pulses):
    law = LAWS[kind].model_copy(update=SPREAD)
    w = np.linspace(-0.6, 0.7, 21).reshape(3, 7)
    cells = writer(law)
    expected = w
    for _ in range(abs(pulses)):
        expected = pulsed(law, cells.cells["weight"], expected, pulses > 0)
    np.testing.assert_allclose(written(law, w, pulses), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", LAWS)
def test_golden_trajectories_with_the_same_hidden_parameters(kind):
    """Single precision there: each pulse is right to 6e-8, so 125 of them to 1e-6 or so."""
    golden = GOLDEN["laws"][kind]
    hidden = {name: np.array([values]) for name, values in golden["hidden"].items()}
    up, down = hidden["dwmin_up"], hidden["dwmin_down"]
    bends = {"bend_up": np.zeros_like(up), "bend_down": np.zeros_like(up)}
    if "slope_up" in hidden:
        bends = {"bend_up": -hidden["slope_up"] / up, "bend_down": -hidden["slope_down"] / down}
    if "gamma_up" in hidden:
        bends = {"bend_up": hidden["gamma_up"], "bend_down": -hidden["gamma_down"]}
    constants = {"step_up": up, "step_down": down, "low": hidden["min_bound"], "high": hidden["max_bound"], **bends}
    cells = writer(LAWS[kind], (1, 6), measured={f"weight/{name}": array for name, array in constants.items()})
    w = np.array([golden["weights"][0]])
    signs, found = [1] * 40 + [-1] * 70 + [1] * 15, [w]
    for sign in signs:
        found.append(cells.write("weight", found[-1], np.full((1, 6), sign * 0.01), "0").weight)
    for after, expected in zip(golden["after"], golden["weights"], strict=True):
        np.testing.assert_allclose(found[after][0], expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("pulses", [1, 7, 200])
def test_soft_bounds_are_a_geometric_approach(pulses):
    w = np.linspace(-0.7, 0.9, 21).reshape(3, 7)
    law = LAWS["soft-bounds"]
    np.testing.assert_allclose(1.0 - written(law, w, pulses), (1.0 - w) * 0.99**pulses, rtol=1e-12)
    shrink = (1.0 - 0.01 / 0.8) ** pulses
    np.testing.assert_allclose(written(law, w, -pulses) + 0.8, (w + 0.8) * shrink, rtol=1e-12)


def test_published_single_pulses():
    """Changes of a cell at 0.3 between -1 and 1 by one pulse of 0.01, from the published equations by hand."""
    expected = {
        "soft-bounds": (0.007, -0.013),
        "linear-step": (0.0088, -0.0112),
        "exponential-step": (0.00958795, -0.009935),
        "power-step": (0.001225, -0.004225),
    }
    for kind, (up, down) in expected.items():
        law = LAWS[kind].model_copy(update={"w_min": -1.0, **({"slope_down": 0.4} if kind == "linear-step" else {})})
        w = np.full((1, 1), 0.3)
        found = [float(written(law, w, sign)[0, 0]) - 0.3 for sign in (1, -1)]
        np.testing.assert_allclose(found, (up, down), rtol=0, atol=5e-9)


@given(st.sampled_from(list(LAWS)), st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6))
def test_weights_stay_within_the_bounds_of_their_cells(kind, requests):
    law = LAWS[kind].model_copy(update={**SPREAD, "cycle_sigma": 2.0, "rounding": "stochastic"})
    cells, w = writer(law), np.zeros((3, 7))
    own = cells.cells["weight"]
    for k, request in enumerate(requests):
        w = cells.write("weight", w, np.full(w.shape, request), str(k)).weight
        assert ((own.low <= w) & (w <= own.high)).all()


def test_alternating_pulses_lead_to_the_symmetry_point():
    law = SoftBounds(step=0.01, up_down=0.3, w_min=-0.8)
    cells = writer(law)
    target, w = float(compute_symmetry_point(make_nominal_cells(law))), np.linspace(-0.7, 0.9, 21).reshape(3, 7)
    for k in range(2000):
        w = cells.write("weight", w, np.full(w.shape, 0.01 if k % 2 else -0.01), str(k)).weight
    np.testing.assert_allclose(w, target, rtol=0, atol=0.01)


SKEWED = SoftBounds(step=0.02, step_sigma=0.3, up_down=0.3, up_down_sigma=0.1, w_min=-0.6, w_max_sigma=0.2)


def test_a_reference_at_the_symmetry_point_leaves_pulses_that_cancel_at_zero():
    """Every cell has a point of its own, and near it up and down steps are equal."""
    plain, cells = writer(SKEWED), writer(SKEWED.model_copy(update={"subtract": "symmetry-point"}))
    np.testing.assert_array_equal(cells.cells["weight"].low, plain.cells["weight"].low)
    zero = np.zeros((3, 7))
    up, down = (cells.write("weight", zero, np.full((3, 7), sign * SKEWED.step), "0").weight for sign in (1, -1))
    np.testing.assert_allclose(up, -down, rtol=1e-12)
    plain_up, plain_down = (plain.write("weight", zero, np.full((3, 7), s * SKEWED.step), "0").weight for s in (1, -1))
    assert (np.abs(plain_up + plain_down) > 1e-4).all()


def test_the_difference_to_a_reference_moves_as_the_cell_does():
    """`Cell - reference` after pulses equals the plain cell, pulsed from `weight + reference`, less the reference."""
    law = SKEWED.model_copy(update={"cycle_sigma": 0.5, "cycle_noise": "additive", "rounding": "stochastic"})
    cells = writer(law.model_copy(update={"subtract": "symmetry-point", "subtract_sigma": 0.1}))
    reference, request_ = cells.cells["weight"].reference, np.linspace(-0.1, 0.1, 21).reshape(3, 7)
    assert np.ptp(reference - compute_symmetry_point(cells.cells["weight"])) > 0.1
    w = 0.1 - reference
    found = cells.write("weight", w, request_, "0").weight
    expected = writer(law).write("weight", w + reference, request_, "0").weight - reference
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    low, high = cells.cells["weight"].low - reference, cells.cells["weight"].high - reference
    far = cells.write("weight", w, np.full((3, 7), 90.0), "0").weight
    assert ((low <= far) & (far <= high)).all()
    np.testing.assert_array_equal(cells.write("weight", w, 0.0 * w, "0").weight, w)


def test_what_is_subtracted_has_its_spread():
    law = SoftBounds(step=0.01, subtract_sigma=0.05)
    assert_distribution(writer(law, (200, 300)).cells["weight"].reference / 0.05, "norm")
    even = writer(LinearStep(step=0.01, subtract="symmetry-point"))
    np.testing.assert_array_equal(even.cells["weight"].reference, 0.0)


# Requests


@given(st.floats(1e-3, 1.0), st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=20).map(np.array))
def test_a_change_is_the_nearest_whole_number_of_pulses(step, request_):
    law = ConstantStep(step=step)
    done, opposite = (writer(law, request_.shape).write("weight", 0.0 * request_, s * request_, "0") for s in (1, -1))
    pulses = done.weight / step
    np.testing.assert_allclose(pulses, np.rint(pulses), rtol=0, atol=1e-8)
    assert np.abs(done.weight - request_).max() <= 0.5 * step * (1.0 + 1e-8)
    assert done.pulses == int(np.abs(np.rint(pulses)).sum())
    np.testing.assert_array_equal(opposite.weight, -done.weight)


def test_requests_below_half_a_step_are_lost_and_counted():
    request_ = np.array([0.04, -0.04, 0.0, 0.06, -0.26])
    done = writer(ConstantStep(step=0.1), (5,)).write("weight", np.zeros(5), request_, "0")
    np.testing.assert_allclose(done.weight, [0.0, 0.0, 0.0, 0.1, -0.3], rtol=0, atol=1e-15)
    assert (done.pulses, done.lost) == (4, 2)


@pytest.mark.parametrize("share", [0.03, 0.5, 2.7, -0.2])
def test_stochastic_rounding_is_right_in_the_mean(share):
    """Pulses are whole and Bernoulli around the request: variance f (1 - f) of a squared step; false alarms 1e-6."""
    pulses = written(ConstantStep(step=0.01, rounding="stochastic"), np.zeros((300, 300)), share) / 0.01
    fraction = share - np.floor(share)
    assert_mean(pulses, share, np.sqrt(fraction * (1.0 - fraction)))
    assert set(np.rint(pulses).ravel()) <= {np.floor(share), np.floor(share) + 1.0}


@pytest.mark.parametrize("wanted", [0.4, -2.5, 12.0, 20.0, 30.9])
def test_coincidences_have_the_moments_of_a_binomial_number(wanted):
    """Mean n p and variance n p (1 - p) for trains of 31, as published; false alarms 1e-6."""
    pulses = np.rint(written(ConstantStep(step=0.01, rounding="coincidences"), np.zeros((300, 300)), wanted) / 0.01)
    variance = abs(wanted) * (1.0 - abs(wanted) / 31)
    assert_mean(pulses, wanted, np.sqrt(variance))
    assert pulses.var() == pytest.approx(variance, rel=0.1)
    assert np.abs(pulses).max() <= 31


@pytest.mark.parametrize("share", [0.0, 0.013, 0.3, 0.5, 0.9, 2.0])
def test_coincidences_are_the_quantiles_of_a_binomial_number(share):
    """Word ``k`` of counter ``c`` of a row is that of column ``c + 6 k``; where most meet, the others are counted."""
    found = np.rint(written(ConstantStep(step=0.01, rounding="coincidences"), np.zeros((3, 23)), 31 * share) / 0.01)
    row, counter = np.ogrid[:3, :6]
    zero = np.zeros((3, 6), dtype=np.uint64)
    words = philox(zero, zero, zero + row.astype(np.uint64), zero + counter.astype(np.uint64), *KEY)
    uniform = (np.concatenate(words, axis=1)[:, :23].astype(np.float64) + 0.5) * 2.0**-32
    rare = binom.ppf(uniform, 31, min(share, 1.0 - min(share, 1.0)))
    np.testing.assert_array_equal(found, rare if share <= 0.5 else 31 - rare)


def test_coincidences_agree_with_the_published_simulator_and_saturate():
    for wanted, mean, variance in GOLDEN["coincidences"]:
        pulses = written(ConstantStep(step=0.01, rounding="coincidences"), np.zeros((300, 300)), wanted) / 0.01
        assert pulses.mean() == pytest.approx(mean, rel=0.04)
        assert np.rint(pulses).var() == pytest.approx(variance, rel=0.08)


def test_an_offset_of_the_writing_circuit_is_added_to_every_request():
    law = ConstantStep(step=0.01, offset=0.02)
    np.testing.assert_allclose(written(law, np.zeros((3, 7)), 1), 0.03, rtol=1e-12)
    np.testing.assert_allclose(written(law, np.zeros((3, 7)), 0), 0.02, rtol=1e-12)


# Noise


@pytest.mark.parametrize("kind", ["constant-step", "soft-bounds", "linear-step", "exponential-step"])
def test_noise_from_pulse_to_pulse_has_the_published_moments(kind):
    """200 000 cells there and 90 000 here: the means differ by less than 5 of their joint standard errors."""
    noise = {
        "constant-step": {"cycle_sigma": 0.3},
        "soft-bounds": {"cycle_sigma": 0.5, "cycle_noise": "additive"},
        "linear-step": {"cycle_sigma": 0.5},
        "exponential-step": {"cycle_sigma": 0.6, "cycle_add": 0.042, "cycle_slope": 0.108},
    }
    law = LAWS[kind].model_copy(update={"w_min": -1.0, **noise[kind]})
    for pulses, (mean, spread) in enumerate(GOLDEN["moments"][kind], 1):
        moved = written(law, np.full((300, 300), 0.3), pulses) - 0.3
        assert abs(moved.mean() - mean) < 5.0 * spread * np.sqrt(1 / 90_000 + 1 / 200_000)
        assert_variance_ratio(moved.var(), spread**2, 1.0, 20_000)


def test_every_pulse_of_every_cell_has_noise_of_its_own():
    """Nine pulses of constant steps: a normal sum of variance 9 sigma^2; false alarms 1e-6 each."""
    moved = written(ConstantStep(step=0.01, cycle_sigma=0.3), np.zeros((300, 301)), 9) / 0.01 - 9.0
    assert_distribution(moved / 0.9, "norm")
    assert_normal_variance(moved, 0.81)
    assert abs(np.corrcoef(moved[:-1].ravel(), moved[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(moved[:, :-1].ravel(), moved[:, 1:].ravel())[0, 1]) < 0.02


def test_what_a_cell_draws_does_not_depend_on_the_other_cells():
    law = SoftBounds(step=0.01, cycle_sigma=0.5, rounding="stochastic")
    cells, w = writer(law, (30, 70)), np.zeros((30, 70))
    request_ = np.linspace(-0.09, 0.09, 2100).reshape(30, 70)
    together = cells.write("weight", w, request_, "0").weight
    for column in (5, 18, 35, 36, 54, 69):  # of every quarter, and first or last of one
        alone = np.where(np.arange(70) == column, request_, 0.0)
        found = cells.write("weight", w, alone, "0").weight[:, column]
        np.testing.assert_array_equal(found, together[:, column])
    assert (cells.write("weight", w, request_, "1").weight[:, 5] != together[:, 5]).any()


def test_write_noise_is_felt_but_not_kept_and_only_where_a_cell_was_written():
    law = ConstantStep(step=0.01, write_noise=5.0)
    cells, w = writer(law, (300, 300)), np.zeros((300, 300))
    request_ = np.where(np.arange(300) < 150, 0.01, 0.0)
    kept = cells.write("weight", w, np.broadcast_to(request_, w.shape), "0").weight
    felt = cells.compute_effective("weight", kept)
    np.testing.assert_array_equal(kept[:, :150], 0.01)
    np.testing.assert_array_equal(felt[:, 150:], 0.0)
    assert_distribution((felt[:, :150] - 0.01) / 0.05, "norm")
    mean, spread = GOLDEN["write_noise"]
    np.testing.assert_allclose((mean, spread), (0.01, 0.05), rtol=0, atol=5e-4)
    other = cells.write("weight", kept, 0.0 * w, "1").weight
    np.testing.assert_array_equal(cells.compute_effective("weight", other), felt)


def test_verified_cells_reach_their_target_with_the_published_spread():
    """Phase-change memory at half the largest conductance: 0.9527 of 25 microsiemens; false alarms 1e-6."""
    law = Verified(error=[0.2635 / 25, 1.9650 / 25, -1.1731 / 25])
    cells, w = writer(law, (300, 300)), np.zeros((300, 300))
    done = cells.write("weight", w, np.full(w.shape, 0.5), "0")
    assert_mean(done.weight, 0.5, 0.9527 / 25)
    assert_normal_variance(done.weight, (0.952725 / 25) ** 2)
    assert (done.pulses, done.lost) == (90_000, 0)
    np.testing.assert_array_equal(cells.write("weight", w, w, "0").weight, w)


@pytest.mark.parametrize(("x", "mean", "spread"), [row[:3] for row in GOLDEN["pcm"]])
def test_phase_change_memory_agrees_with_the_published_simulator(x, mean, spread):
    law = Verified(error=[0.2635 / 25, 1.9650 / 25, -1.1731 / 25])
    reached = writer(law, (300, 300)).write("weight", np.zeros((300, 300)), np.full((300, 300), x), "0").weight
    assert abs(25.0 * reached.mean() - mean) < 5.0 * spread * np.sqrt(1 / 90_000 + 1 / 400_000)
    assert_variance_ratio((25.0 * reached).var(), spread**2, 1.0, 20_000)


# What cells keep


def test_a_written_cell_begins_to_forget_anew():
    law, retention = ConstantStep(step=0.1), Retention(age=5.0, interval=10.0, leak_tau=100.0)
    cells, w = writer(law, retention=retention), np.ones((3, 7))
    np.testing.assert_allclose(cells.compute_effective("weight", w), np.exp(-0.05), rtol=1e-15)
    cells.wait()
    request_ = np.where(np.arange(7) == 2, 0.1, 0.0) * np.ones((3, 1))
    after = cells.write("weight", w, request_, "0").weight
    np.testing.assert_allclose(after[:, 2], np.exp(-0.15) + 0.1, rtol=1e-14)
    np.testing.assert_array_equal(np.delete(after, 2, axis=1), 1.0)
    cells.wait()
    felt = cells.compute_effective("weight", after)
    np.testing.assert_allclose(felt[:, 2], (np.exp(-0.15) + 0.1) * np.exp(-0.1), rtol=1e-14)
    np.testing.assert_allclose(np.delete(felt, 2, axis=1), np.exp(-0.25), rtol=1e-14)


def test_a_writer_made_anew_goes_on_with_what_cells_kept():
    law, retention = ConstantStep(step=0.1, write_noise=1.0), Retention(drift=0.1)
    cells, w = writer(law, retention=retention), np.ones((3, 7))
    cells.wait()
    w = cells.write("weight", w, np.full((3, 7), 0.1), "0").weight
    anew = writer(law, retention=retention, kept=cells.kept)
    np.testing.assert_array_equal(anew.compute_effective("weight", w), cells.compute_effective("weight", w))
    assert set(cells.kept) == {NOISE + "weight", "elapsed/weight"}


def test_measured_constants_replace_drawn_ones():
    law = SoftBounds(step=0.01, **SPREAD)
    up = np.linspace(0.01, 0.02, 21).reshape(3, 7)
    cells = writer(law, measured={"weight/step_up": up}).cells["weight"]
    np.testing.assert_array_equal(cells.step_up, up)
    drawn = sample_cells(law, (3, 7), lambda name: stream(f"cell/{name}/weight"))
    assert isinstance(cells, CellConstants)
    np.testing.assert_array_equal(cells.step_down, drawn.step_down)
    with pytest.raises(ValueError, match=r"measured weight/low has shape \(2,\): must be \(3, 7\)"):
        writer(law, measured={"weight/low": np.zeros(2)})
