"""One-sided pairs: closed forms of n pulses, what a refresh keeps and costs, spread, noise, and what a chip counts."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from devices.programming.laws import (
    ConstantStep,
    ExponentialStep,
    LinearStep,
    OneSidedCells,
    PowerStep,
    SoftBounds,
    Update,
)
from devices.programming.one_sided import apply_reset, find_full_pairs
from devices.random import Stream
from devices.synapse.cell import FeedbackDevices
from devices.synapse.retention import Retention
from substrate.chip.programming import COMMON, Writer
from substrate.protocol import Budget
from tests.devices.programming.steps_twin import pulsed
from tests.networks import random_chip
from tests.statistics import assert_distribution, assert_normal_variance

PCM = {"a": -1.0, "b": 0.0, "amplitude_up": -27.235, "amplitude_down": -2.235, "gamma_up": 2.5, "gamma_down": 2.5}
LAWS = {
    "constant-step": ConstantStep(step=0.01, w_max=1.0, one_sided=OneSidedCells()),
    "linear-step": LinearStep(step=0.01, slope_up=0.6, one_sided=OneSidedCells(reset=0.03)),
    "soft-bounds": SoftBounds(step=0.01, one_sided=OneSidedCells()),
    "power-step": PowerStep(step=0.02, exponent_up=1.5, one_sided=OneSidedCells()),
    "exponential-step": ExponentialStep(step=0.01, w_max=2.0, **PCM, one_sided=OneSidedCells(reset=0.01)),
}
SPREAD = {"step_sigma": 0.2, "up_down_sigma": 0.05, "w_max_sigma": 0.05}
SHAPE = (3, 7)


def writer(law, shape=SHAPE, kept=None, retention=Retention()):  # noqa: B008  immutable
    return Writer(law, retention, {"weight": shape}, lambda name: Stream(0, name), kept or {})


def stepped(cells, w, pulses, name="0"):
    return cells.write("weight", w, np.broadcast_to(pulses * cells.pairs._law.step, w.shape), name)


def full_by(common):
    return np.full(SHAPE, common)


def conductances(cells, w):
    common = cells.kept[COMMON + "weight"]
    return common + np.maximum(w, 0.0), common + np.maximum(-w, 0.0)


# Pulses


def test_an_up_request_steps_one_device_and_a_down_request_the_other():
    cells = writer(LAWS["constant-step"])
    up = stepped(cells, np.zeros(SHAPE), 30)
    down = stepped(cells, up.weight, -10)
    np.testing.assert_allclose(up.weight, 0.3, rtol=1e-12)
    np.testing.assert_allclose(down.weight, 0.2, rtol=1e-12)
    np.testing.assert_allclose(conductances(cells, down.weight), [np.full(SHAPE, 0.3), np.full(SHAPE, 0.1)], rtol=1e-12)
    assert (up.pulses, down.pulses, down.refreshes) == (30 * 21, 10 * 21, 0)


@pytest.mark.parametrize(("ups", "downs"), [(1, 0), (40, 7), (5, 60)])
def test_pulses_of_soft_devices_are_two_geometric_approaches(ups, downs):
    """``w = high (1 - q^ups) - high (1 - q^downs)`` with ``q = 1 - step/high``: no pulse ever lowers a device."""
    cells = writer(LAWS["soft-bounds"])
    w = stepped(cells, stepped(cells, np.zeros(SHAPE), ups).weight, -downs, "1").weight
    np.testing.assert_allclose(w, 0.99**downs - 0.99**ups, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", LAWS)
def test_each_device_takes_the_pulses_of_its_own_law(kind):
    """The NumPy twin of a single device, with the constants of each."""
    cells = writer(LAWS[kind].model_copy(update=SPREAD))
    plus, minus = cells.pairs.drawn["weight"]
    assert (plus.cells.step_up != minus.cells.step_up).all()
    w, rest = np.zeros(SHAPE), cells.kept[COMMON + "weight"]
    expected = [rest, rest]
    for k, pulses in enumerate((4, -2)):
        w = stepped(cells, w, pulses, str(k)).weight
        for _ in range(abs(pulses)):
            expected[k] = pulsed(cells.pairs._law, (plus, minus)[k].cells, expected[k], up=True)
    np.testing.assert_allclose(conductances(cells, w), expected, rtol=0, atol=1e-14)


def test_opposite_requests_make_opposite_weights():
    cells, other = writer(LAWS["exponential-step"]), writer(LAWS["exponential-step"])
    pulses = np.linspace(-9.0, 9.0, 21).reshape(SHAPE)
    w = stepped(cells, np.zeros(SHAPE), pulses).weight
    np.testing.assert_array_equal(stepped(other, np.zeros(SHAPE), -pulses).weight, -w)


def test_requests_below_half_a_step_are_lost_and_leave_every_bit():
    cells, w = writer(LAWS["constant-step"], kept={COMMON + "weight": full_by(0.38)}), full_by(1.0 / 3.0)
    request = np.where(np.arange(7) < 3, 0.4, 0.0)
    done = stepped(cells, w, request)
    assert (done.pulses, done.lost) == (0, 9)
    np.testing.assert_array_equal(done.weight, w)
    np.testing.assert_array_equal(cells.kept[COMMON + "weight"], 0.38)


def test_an_offset_chooses_the_device_too():
    cells = writer(LAWS["constant-step"].model_copy(update={"offset": -0.03}))
    np.testing.assert_allclose(stepped(cells, np.zeros(SHAPE), 1).weight, -0.02, rtol=1e-12)


def test_a_request_in_the_other_order_of_memory_is_the_same():
    w, request = np.zeros(SHAPE), np.linspace(-0.2, 0.2, 21).reshape(SHAPE)
    found = [writer(LAWS["soft-bounds"]).write("weight", w, some, "0").weight for some in (request, request.copy("F"))]
    np.testing.assert_array_equal(*found)


# Refresh


def test_a_pair_is_full_when_both_shares_are_exceeded():
    plus, minus = np.array([0.8, 0.8, 0.7, 0.3, 1.0]), np.array([0.3, 0.2, 0.7, 0.8, 0.0])
    np.testing.assert_array_equal(find_full_pairs(OneSidedCells(), 1.0, plus, minus), [True, False, False, True, False])


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("noise", [{}, {**SPREAD, "cycle_sigma": 0.3, "rounding": "stochastic"}])
def test_a_refresh_keeps_the_weight_within_one_step_and_frees_both_devices(kind, noise):
    """Rewritten weights end within half a nominal step, or one pulse beyond; `most` is the largest of all pulses."""
    law = LAWS[kind].model_copy(update=noise)
    cells, largest = writer(law), law.w_max
    low, high = 0.4 * largest, 0.78 * largest
    w = np.linspace(low - high, high - low, 21).reshape(SHAPE)
    cells.kept[COMMON + "weight"] = high - np.abs(w)
    done = stepped(cells, w, np.where(np.arange(7) < 6, 1.0, 0.0))
    assert done.refreshes == 18
    untouched = stepped(writer(law, kept={COMMON + "weight": high - np.abs(w)}), w, 0.0).weight
    first = pulsed(law, cells.pairs.drawn["weight"].plus.cells, np.zeros(SHAPE), up=True).max()
    most = first * (1.0 + 5.0 * law.cycle_sigma)
    # One pulse before the refresh, and one beyond the target after it.
    assert (np.abs(done.weight - untouched) < 2.0 * most + 0.5 * law.step).all()
    assert (cells.kept[COMMON + "weight"][:, :6] <= OneSidedCells().refresh_spare * largest).all()
    np.testing.assert_array_equal(done.weight[:, 6], w[:, 6])


def test_a_refresh_of_even_steps_is_counted_and_exact():
    """0.78 - 0.38 as 40 pulses from rest, after two resets; the pulse that filled the pair comes first."""
    cells = writer(LAWS["constant-step"], kept={COMMON + "weight": full_by(0.38)})
    done = stepped(cells, np.full(SHAPE, 0.4), 1.0)
    np.testing.assert_allclose(done.weight, 0.41, rtol=1e-12)
    np.testing.assert_array_equal(cells.kept[COMMON + "weight"], 0.0)
    assert (done.refreshes, done.refresh_pulses, done.pulses) == (21, 43 * 21, 44 * 21)
    down = stepped(writer(LAWS["constant-step"], kept={COMMON + "weight": full_by(0.38)}), -done.weight, -1.0)
    np.testing.assert_allclose(down.weight, -0.42, rtol=1e-12)


def test_a_rewrite_stops_at_the_bound_and_after_the_longest_train():
    short = LAWS["constant-step"].model_copy(update={"one_sided": OneSidedCells(longest=5)})
    done = stepped(writer(short, kept={COMMON + "weight": full_by(0.38)}), np.full(SHAPE, 0.4), 1.0)
    np.testing.assert_allclose(done.weight, 0.05, rtol=1e-12)
    # Resets leave 0.09 here, so that g+ would have to end at 1.02, above its bound.
    pair = OneSidedCells(refresh_spare=0.05, reset=0.04, reset_sigma=0.04)
    cells = writer(
        LAWS["constant-step"].model_copy(update={"one_sided": pair}), kept={COMMON + "weight": full_by(0.07)}
    )
    cells.pairs.drawn["weight"].minus.reset[...] = 0.09
    done = stepped(cells, np.full(SHAPE, 0.93), 1.0)
    np.testing.assert_allclose(done.weight, 1.0 - 0.09, rtol=1e-12)
    # From the own reset of every g+, drawn around 0.04.
    left = apply_reset(pair, cells.pairs.drawn["weight"].plus, None)
    assert done.refresh_pulses == (2 + np.ceil((1.0 - left) / 0.01)).sum()


def test_devices_of_pairs_lie_between_zero_and_their_bound():
    for law in LAWS.values():
        for device in writer(law.model_copy(update=SPREAD)).pairs.drawn["weight"]:
            np.testing.assert_array_equal(device.cells.low, 0.0)
            assert (device.cells.high > 0.5 * law.w_max).all()


def test_a_reset_ends_between_zero_and_the_bound():
    cells, xi = writer(LAWS["constant-step"]), np.linspace(-2.0, 2.0, 21)
    left = apply_reset(OneSidedCells(reset_cycle_sigma=1.0), cells.pairs.drawn["weight"].plus, xi.reshape(SHAPE))
    np.testing.assert_allclose(left.ravel(), np.clip(xi, 0.0, 1.0), rtol=0, atol=1e-15)


# Spread and noise


def test_resets_have_their_spread_between_devices_and_from_time_to_time():
    """Normal, one draw per device and one per reset; false alarms 1e-6 each."""
    pair = OneSidedCells(reset=0.2, reset_sigma=0.02, reset_cycle_sigma=0.03)
    law = ConstantStep(step=0.01, w_max=1.0, one_sided=pair)
    cells = writer(law, (300, 300), {COMMON + "weight": np.full((300, 300), 0.9)})
    plus, minus = cells.pairs.drawn["weight"]
    for device in (plus, minus):
        assert_distribution((device.reset - 0.2) / 0.02, "norm")
    assert abs(np.corrcoef(plus.reset.ravel(), minus.reset.ravel())[0, 1]) < 0.02
    done = stepped(cells, np.zeros((300, 300)), 1.0)
    assert done.refreshes == 90_000
    # No device is below what its own reset left, and one of every pair is still there: the smaller of two normals.
    resets = [cells._stream(f"reset/{sign}weight/0").normal((300, 300)) for sign in ("", "minus/")]
    left = [apply_reset(pair, device, xi) for device, xi in zip((plus, minus), resets, strict=True)]
    assert_distribution((left[0] - plus.reset) / 0.03, "norm")
    stayed = np.isclose(conductances(cells, done.weight), left, rtol=0, atol=1e-12)
    assert stayed.any(axis=0).all()
    assert 0.5 < stayed.mean() < 0.7


def test_noise_of_the_pulses_of_both_devices_adds_up():
    """Nine up and four down pulses of constant steps: variance 13 sigma^2; false alarms 1e-6 each."""
    cells = writer(ConstantStep(step=0.01, w_max=10.0, cycle_sigma=0.3, one_sided=OneSidedCells()), (300, 301))
    cells.kept[COMMON + "weight"][...] = 1.0
    w = stepped(cells, stepped(cells, np.zeros((300, 301)), 9).weight, -4, "0").weight / 0.01 - 5.0
    assert_distribution(w / (0.3 * np.sqrt(13.0)), "norm")
    assert_normal_variance(w, 0.09 * 13.0)


def test_what_a_pair_draws_does_not_depend_on_the_other_pairs():
    """Also while it is rewritten, when few pairs are left or many."""
    pair = OneSidedCells(reset=0.02, reset_sigma=0.01, reset_cycle_sigma=0.01)
    law = SoftBounds(step=0.01, cycle_sigma=0.5, rounding="stochastic", one_sided=pair)
    w, request, kept = np.full((30, 70), 0.3), np.linspace(-9.0, 9.0, 2100).reshape(30, 70), {}
    kept[COMMON + "weight"] = np.full((30, 70), 0.5)
    whole = stepped(writer(law, (30, 70), kept), w, request)
    assert whole.refreshes > 1000
    for column in (5, 18, 35, 36, 54, 69):
        alone = stepped(writer(law, (30, 70), kept), w, np.where(np.arange(70) == column, request, 0.0))
        np.testing.assert_array_equal(alone.weight[:, column], whole.weight[:, column])


def test_a_writer_made_anew_goes_on_with_its_pairs():
    law = LAWS["exponential-step"].model_copy(update={**SPREAD, "cycle_sigma": 0.6})
    cells = writer(law)
    w = stepped(cells, stepped(cells, np.zeros(SHAPE), 9.0).weight, -5.0, "1").weight
    found = [stepped(some, w, -30.0, "2") for some in (writer(law, kept=cells.kept), cells)]
    np.testing.assert_array_equal(found[0].weight, found[1].weight)
    assert found[0][1:] == found[1][1:]
    assert not np.array_equal(stepped(writer(law), w, -30.0, "2").weight, found[0].weight)


# On a chip


def test_a_chip_counts_what_its_pairs_took_by_block():
    chip = random_chip(update=LAWS["constant-step"])
    start = {name: block.copy() for name, block in chip.programmed.items()}
    block = "weight/l2-l1"
    chip.write({block: np.full((5, 7), 0.1), "bias/l1": np.full(7, 0.003), "readout/bias": np.full(3, 0.04)})
    for change in (-0.1, 0.1, -0.1, 0.1, -0.1):
        chip.write({block: np.full((5, 7), change)})
    again = chip.variant()
    for some in (chip, again):
        some.write({block: np.full((5, 7), 0.1)})
    np.testing.assert_array_equal(again.programmed[block], chip.programmed[block])
    tally, places = chip.tally, list(chip.topology.shapes)
    place = places.index(block)
    assert tally.lost.sum() == chip.tally.lost.sum() == tally.lost[places.index("bias/l1")] == 7
    assert tally.refreshes.sum() == tally.refreshes[place] > 0
    assert again.tally.refreshes[place] < tally.refreshes[place]
    assert chip.budget == Budget(writes=7, pulses=7 * 10 * 35 + tally.refresh_pulses[place])
    np.testing.assert_allclose(chip.programmed[block], start[block] + 0.1, rtol=0, atol=0.0051)


def test_one_pair_of_devices_can_stand_for_both_directions():
    """A copied number is written, and refreshed, into two pairs of devices."""
    for storage, copies in (("shared-device", 1), ("copied", 2)):
        chip = random_chip(update=LAWS["constant-step"], symmetric=True)
        chip = chip.variant(feedback=FeedbackDevices(storage=storage))
        back, forward = next(iter(chip.writer.partners.items()))
        change = np.full(chip.programmed[forward].shape, 0.8)
        for sign in (1.0, -1.0):
            chip.write({forward: sign * change})
        np.testing.assert_array_equal(chip.programmed[back], chip.programmed[forward].T)
        place = list(chip.topology.shapes).index(forward)
        assert COMMON + back not in chip.writer.kept
        assert chip.budget.pulses == copies * 160 * change.size + chip.tally.refresh_pulses[place]
        assert chip.tally.refresh_pulses[place] >= 2 * copies * chip.tally.refreshes[place] > 0


# Nonsense


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"kind": "constant-step", "one_sided": {}}, "need an upper bound"),
        ({"kind": "soft-bounds", "one_sided": {"reset": 0.25}}, "must be below refresh_spare w_max = 0.25"),
        ({"kind": "soft-bounds", "w_min": -0.5, "one_sided": {}}, "have no w_min: leave it out"),
        ({"kind": "soft-bounds", "subtract": "symmetry-point", "one_sided": {}}, "have no subtract: leave it out"),
        ({"kind": "soft-bounds", "measured": "cells.npz", "one_sided": {}}, "have no measured: leave it out"),
        ({"kind": "soft-bounds", "one_sided": {"refresh_above": 0.0}}, "refresh_above"),
        ({"kind": "soft-bounds", "one_sided": {"reset": -1.0}}, "reset"),
        ({"kind": "soft-bounds", "one_sided": {"longest": 0}}, "longest"),
    ],
)
def test_nonsense_is_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(Update).validate_python({"step": 0.1, **keys})


def test_pairs_do_not_forget_yet():
    with pytest.raises(ValueError, match=r"leave out devices\.retention"):
        writer(LAWS["constant-step"], retention=Retention(drift=0.1))


def test_resets_that_differ_make_a_law_random():
    assert not LAWS["exponential-step"].random
    assert ConstantStep(step=0.1, w_max=1.0, one_sided=OneSidedCells(reset_cycle_sigma=0.1)).random
