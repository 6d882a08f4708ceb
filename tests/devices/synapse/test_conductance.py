"""Window, levels, pairs, spread and stuck devices of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.quantities import Component
from devices.random import Stream
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices, find_feedback_fault, sample_path_gains
from devices.synapse.conductance import (
    compute_conductances,
    compute_effective_weight,
    compute_weight_moments,
    program_weight,
    sample_polarity_devices,
)
from tests.statistics import assert_mean, assert_normal_variance, assert_variance_ratio

SHAPE = (200, 200)
WEIGHT = np.linspace(-1.5, 1.5, 40_000).reshape(SHAPE)
WINDOWS = {"single": [-1.0, 0.5], "pair": [0.1, 1.1]}
CELLS = st.builds(
    lambda kind, low, span, levels: WeightDevices(
        cell=kind, window=[-low if kind == "single" else low, span - (kind == "single") * low], levels=levels
    ),
    st.sampled_from(["single", "pair"]),
    st.floats(0.0, 0.4),
    st.floats(0.5, 2.0),
    st.none() | st.integers(2, 4096),
)


def devices(cells, instance=0, sign=""):
    return sample_polarity_devices(
        SHAPE, cells, Stream(0, f"spread{sign}", instance), Stream(0, f"stuck{sign}", instance)
    )


def real(cells, weight=WEIGHT, instance=0):
    minus = devices(cells, instance, "-") if cells.cell == "pair" else None
    return compute_effective_weight(cells, program_weight(cells, weight), devices(cells, instance), minus)


# Window and levels


def test_cells_without_any_error_hold_what_is_requested_bit_for_bit():
    for cells in (WeightDevices(), WeightDevices(cell="pair"), WeightDevices(cell="pair", window=[0.1, 5.0])):
        np.testing.assert_array_equal(real(cells), WEIGHT)


@given(CELLS)
def test_programming_is_monotone_bounded_and_idempotent(cells):
    out = program_weight(cells, WEIGHT)
    low, high = cells.window
    low, high = (low, high) if cells.cell == "single" else (low - high, high - low)
    assert (np.diff(out.ravel()) >= 0.0).all()
    assert low - 1e-12 <= out.min() <= out.max() <= high + 1e-12
    np.testing.assert_allclose(program_weight(cells, out), out, rtol=0, atol=1e-12)


def test_levels_are_evenly_spaced_and_the_nearest_is_taken():
    single = program_weight(WeightDevices(window=[-1.0, 0.5], levels=4), np.array([-3.0, -0.76, -0.74, 0.2, 0.3, 2.0]))
    np.testing.assert_array_equal(single, [-1.0, -1.0, -0.5, 0.0, 0.5, 0.5])
    pair = program_weight(
        WeightDevices(cell="pair", window=[1.0, 3.0], levels=5), np.array([-9.0, -0.3, -0.2, 0.2, 0.3, 9.0])
    )
    np.testing.assert_array_equal(pair, [-2.0, -0.5, 0.0, 0.0, 0.5, 2.0])


def test_the_error_of_levels_has_a_twelfth_of_a_squared_step():
    """Error uniform over a step: variance 1/12, of its estimate (1/80 - 1/144)/n; false alarms 1e-6."""
    cells = WeightDevices(window=[-1.0, 1.0], levels=65)
    weight = 1.9 * (Stream(0, "w").uniform(SHAPE) - 0.5)
    error = (program_weight(cells, weight) - weight) * 32.0
    assert_mean(error, 0.0, np.sqrt(1.0 / 12.0))
    assert_mean(error**2, 1.0 / 12.0, np.sqrt(1.0 / 80.0 - 1.0 / 144.0))


# Spread


@pytest.mark.parametrize(("law", "error"), [("relative", lambda w: w - 1.0), ("lognormal", np.log)])
def test_relative_spread_has_its_moments(law, error):
    xi = error(real(WeightDevices(mismatch=law, mismatch_sigma=0.2)) / WEIGHT)
    assert_mean(xi, 0.0, 0.2)
    assert_normal_variance(xi.ravel(), 0.04)


def test_additive_spread_has_its_moments_whatever_the_weight():
    for cell, power in (("single", 1.0), ("pair", 2.0)):
        cells = WeightDevices(mismatch="additive", mismatch_sigma=0.02, cell=cell, window=[0.0, 9.0])
        away = 2.0 + 0.5 * WEIGHT
        if cell == "pair":
            # Far from 0 on both sides, where no conductance is cut.
            cells = cells.model_copy(update={"window": [1.0, 9.0]})
        error = real(cells, away) - away
        assert_mean(error, 0.0, 0.02 * np.sqrt(power))
        assert_normal_variance(error.ravel(), 4e-4 * power)
        np.testing.assert_allclose(compute_weight_moments(cells, away)[1], 4e-4 * power)


def test_both_devices_of_a_pair_spread():
    """``sigma^2 (G+^2 + G-^2)``, also at weight 0, where both rest at the lower end of the window."""
    cells = WeightDevices(cell="pair", window=[0.5, 2.0], mismatch_sigma=0.1)
    for weight, expected in ((0.0, 0.01 * 0.5), (1.0, 0.01 * (2.25 + 0.25)), (-1.0, 0.01 * 2.5)):
        drawn = real(cells, np.full(SHAPE, weight))
        assert_normal_variance(drawn.ravel(), expected)
        assert_mean(drawn, weight, np.sqrt(expected))
        np.testing.assert_allclose(compute_weight_moments(cells, np.array([weight]))[1], expected)
    plus, minus = compute_conductances(cells, WEIGHT, devices(cells), devices(cells, sign="-"))
    np.testing.assert_array_equal(plus - minus, real(cells, np.clip(WEIGHT, -1.5, 1.5)))
    assert min(plus.min(), minus.min()) >= 0.0


@pytest.mark.parametrize("cell", ["single", "pair"])
@pytest.mark.parametrize("low", [0.0, 0.03])
@pytest.mark.parametrize(
    "spread",
    [
        {"mismatch": "additive", "mismatch_sigma": 0.05},
        {"mismatch_sigma": 0.05},
        {"mismatch": "additive", "mismatch_sigma": 0.05, "stuck_fraction": 0.1, "stuck_at": 0.4},
        {"stuck_fraction": 0.1, "stuck_at": 0.4},
    ],
)
def test_moments_are_those_of_drawn_cells(cell, low, spread):
    """Where devices rest at 0 or near it they are cut there: mean and variance, false alarms 1e-6 each."""
    cells = WeightDevices(cell=cell, **({"window": [low, 2.0]} if cell == "pair" else {}), **spread)
    for weight in (-0.3, 0.0, 0.02, 0.3):
        drawn = real(cells, np.full(SHAPE, weight))
        mean, variance = (float(value[0]) for value in compute_weight_moments(cells, np.array([weight])))
        assert_mean(drawn, mean, np.sqrt(variance) + 1e-15)
        squares = (drawn - mean) ** 2
        assert_mean(squares, variance, squares.std() + 1e-15)


def test_conductances_are_never_negative():
    cells = WeightDevices(cell="pair", mismatch_sigma=2.0)
    plus, minus = compute_conductances(cells, WEIGHT, devices(cells), devices(cells, sign="-"))
    assert min(plus.min(), minus.min()) == 0.0


def test_one_chip_keeps_its_draw_while_its_spread_grows_and_others_have_their_own():
    small, large = (real(WeightDevices(mismatch_sigma=s)) - WEIGHT for s in (0.01, 0.3))
    np.testing.assert_allclose(30.0 * small, large, rtol=0, atol=1e-13)
    other = real(WeightDevices(mismatch_sigma=0.3), instance=1) - WEIGHT
    assert abs(np.corrcoef(other.ravel(), large.ravel())[0, 1]) < 0.03


def test_the_spread_falls_with_the_root_of_the_area():
    square = {"coefficient": 0.039, "width": "1 um", "length": "1 um"}
    assert Pelgrom(**square).sigma == pytest.approx(0.039)
    assert Pelgrom(**square | {"width": "4 um"}).sigma == pytest.approx(0.0195)
    assert Pelgrom(**square | {"width": "500 nm", "length": 0.5}).sigma == pytest.approx(0.078)
    one, two = (
        (real(WeightDevices(pelgrom=Pelgrom(**square | {"width": w})), instance=k) / WEIGHT - 1.0).var()
        for k, w in enumerate((1.0, 2.0))
    )
    assert_variance_ratio(one, two, 2.0, WEIGHT.size - 1)


def test_paths_into_units_spread():
    gains = sample_path_gains(40_000, 0.05, Stream(0, "path"))
    assert_mean(gains, 1.0, 0.05)
    assert_normal_variance(gains, 0.0025)
    assert (sample_path_gains(5, 0.0, Stream(0, "path")) == 1.0).all()


# Stuck devices


def test_stuck_devices_hold_what_they_hold_and_grow_in_number():
    few, many = (real(WeightDevices(stuck_fraction=p, stuck_at=9.0)) == 9.0 for p in (0.05, 0.2))
    assert_mean(few.astype(float), 0.05, np.sqrt(0.05 * 0.95))
    assert_mean(many.astype(float), 0.2, np.sqrt(0.2 * 0.8))
    assert (many[few]).all()
    rest = real(WeightDevices(stuck_fraction=0.2, stuck_at=9.0))[~many]
    np.testing.assert_array_equal(rest, WEIGHT[~many])


def test_devices_of_a_pair_are_stuck_one_by_one():
    cells = WeightDevices(cell="pair", window=[0.0, 2.0], stuck_fraction=0.1, stuck_at=0.7)
    drawn = real(cells, np.full(SHAPE, 0.3))
    values, counts = np.unique(np.round(drawn, 12), return_counts=True)
    np.testing.assert_allclose(values, [-0.4, 0.0, 0.3, 0.7], atol=1e-12)
    for count, p in zip(counts, (0.09, 0.01, 0.81, 0.09), strict=True):
        assert_mean(np.r_[np.ones(count), np.zeros(drawn.size - count)], p, np.sqrt(p * (1 - p)))


# What is refused


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"mismatch_sigma": -0.1}, "mismatch_sigma"),
        ({"window": [1.0, -1.0]}, "must rise"),
        ({"window": [0.0]}, "window"),
        ({"window": ["-1 uS", 1.0]}, "both plain numbers or both in siemens"),
        ({"window": ["-1 uS", "1 V"]}, "window"),
        ({"window": [0.1, 1.0]}, 'set cell = "pair"'),
        ({"window": [-0.1, 1.0], "cell": "pair"}, "lower end must be >= 0"),
        ({"levels": 1, "window": [-1.0, 1.0]}, "levels"),
        ({"levels": 8}, "give `window`"),
        ({"stuck_fraction": 1.1}, "stuck_fraction"),
        ({"stuck_at": -0.1, "cell": "pair"}, "stuck_at"),
        ({"gain_sigma": -0.1}, "gain_sigma"),
        ({"mismatch": "gaussian"}, "mismatch"),
        ({"pelgrom": {"coefficient": 0.1, "width": 0.0, "length": 1.0}}, "width"),
        ({"pelgrom": {"coefficient": -0.1, "width": 1.0, "length": 1.0}}, "coefficient"),
        ({"pelgrom": {"coefficient": 0.1, "width": 1.0, "length": 1.0}, "mismatch_sigma": 0.1}, "exclude each other"),
        ({"pelgrom": {"coefficient": 0.1, "width": 1.0, "length": 1.0}, "mismatch": "additive"}, "is relative"),
    ],
)
def test_nonsense_cells_are_refused(keys, complaint):
    with pytest.raises(ValidationError, match=complaint):
        WeightDevices(**keys)


# Feedback over weights


def test_feedback_cells_are_those_of_the_weights_but_for_what_is_given():
    weights = WeightDevices(mismatch_sigma=0.05, window=[-1.0, 1.0], levels=64, stuck_fraction=0.001)
    assert FeedbackDevices().over(weights) == weights
    over = FeedbackDevices(mismatch_sigma=0.0, levels=8).over(weights)
    assert over == weights.model_copy(update={"mismatch_sigma": 0.0, "levels": 8})
    pelgrom = Pelgrom(coefficient=0.1, width=1.0, length=1.0)
    assert FeedbackDevices(pelgrom=pelgrom).over(weights).sigma == 0.1
    back = FeedbackDevices(mismatch_sigma=0.2).over(FeedbackDevices(pelgrom=pelgrom).over(weights))
    assert (back.sigma, back.pelgrom) == (0.2, None)
    assert WeightDevices.model_fields.keys() | {"storage"} == FeedbackDevices.model_fields.keys()


def test_feedback_that_cannot_stand_over_the_weights_is_told():
    assert find_feedback_fault(WeightDevices(), FeedbackDevices(mismatch_sigma=0.1)) is None
    assert "give `window`" in find_feedback_fault(WeightDevices(), FeedbackDevices(levels=8))
    shared = FeedbackDevices(storage="shared-device", mismatch_sigma=0.1, levels=8)
    assert "levels, mismatch_sigma belongs into devices.weights" in find_feedback_fault(WeightDevices(), shared)
    assert find_feedback_fault(WeightDevices(), FeedbackDevices(storage="shared-device", gain_sigma=0.1)) is None


def test_conductances_may_be_written_in_siemens():
    cells = WeightDevices(cell="pair", window=["1 uS", "100 uS"], stuck_at="2 mS")
    assert cells.window == [Component(1e-6, "1 uS", "S"), Component(1e-4, "100 uS", "S")]
    assert cells.model_dump()["window"] == ["1 uS", "100 uS"]
    assert WeightDevices(**cells.model_dump()) == cells
