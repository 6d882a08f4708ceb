"""What a read makes of an activity: hold, noise that is new or still there, converter."""

import numpy as np
import pytest
from pydantic import ValidationError

from devices.interface.converter import Adc, ClipCounts, Converters
from devices.interface.hold import Hold, apply_droop, sample_hold_leaks
from devices.neuron.noise import Noise, Telegraph, advance_ornstein_uhlenbeck, advance_telegraph, sample_jumps
from devices.random import Stream
from learning.estimator import estimate_error_vectors, measure_free
from learning.schemes.nodes import Centred, Circle, OneSided
from learning.training import evaluate
from substrate.chip.design import Fabrication
from substrate.chip.readout import SlowReads
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip, slope_of
from tests.statistics import assert_distribution, assert_mean, assert_normal_variance

SIGMA = 0.02


def reads(chip, x, ids=None, waits=False, **names):
    chip.set_input(x, ids, **names)
    chip.settle()
    return np.concatenate(list(chip.read(waits).values())[1:], axis=1)


def estimated(chip, scheme, x, y):
    return estimate_error_vectors(chip, measure_free(chip, x), y, scheme, mirror=False).flat


def test_read_noise_is_normal_and_drawn_for_every_read():
    """Of 5 reads of 400 samples of 16 units: false alarms 1e-6 each."""
    quiet, noisy = random_chip(), random_chip(noise=Noise(read=SIGMA))
    x, _ = random_batch(quiet, 400)
    true = reads(quiet, x)
    first = reads(noisy, x) - true
    errors = [first] + [np.concatenate(list(noisy.read().values())[1:], axis=1) - true for _ in range(4)]
    for error in errors:
        assert_mean(error, 0.0, SIGMA)
        assert_normal_variance(error.ravel(), SIGMA**2)
        assert_distribution(error / SIGMA, "norm")
    for other in errors[1:]:
        assert_mean(first * other, 0.0, SIGMA**2)
    np.testing.assert_array_equal(noisy.state, quiet.state)


def test_read_noise_belongs_to_the_sample_not_to_its_place_in_the_batch():
    chip = random_chip(noise=Noise(read=SIGMA))
    x, _ = random_batch(chip, 12)
    whole = reads(chip, x)
    np.testing.assert_array_equal(reads(chip, x), whole)
    order = np.random.default_rng(0).permutation(12)
    np.testing.assert_allclose(reads(chip, x[order], order), whole[order], rtol=0, atol=1e-12)
    for names in ({"epoch": 1}, {"repeat": 1}, {"ids": np.arange(12) + 12}):
        assert np.abs(reads(chip, x, **names) - whole).min(axis=0).max() > 0.0
    other = random_chip(noise=Noise(read=SIGMA), instance=1)
    assert np.abs(reads(other, x) - whole).min(axis=0).max() > 0.0


@pytest.mark.parametrize(
    ("scheme", "gain"), [(OneSided(beta=0.1), 2.0), (Centred(beta=0.1), 0.5), (Circle(beta=0.1, points=4), 0.25)]
)
def test_read_noise_becomes_variance_of_the_estimate(scheme, gain):
    """``G sigma^2 / beta^2`` with G = 2, 1/2 and 1/N, every node settled; false alarms 1e-6."""
    quiet, noisy = random_chip(), random_chip(noise=Noise(read=SIGMA))
    x, y = random_batch(quiet, 400)
    error = estimated(noisy, scheme, x, y) - estimated(quiet, scheme, x, y)
    assert_normal_variance(error.ravel(), gain * SIGMA**2 / 0.01)


def test_the_planes_of_a_complex_read_are_read_apart():
    quiet, noisy = random_chip(), random_chip(noise=Noise(read=SIGMA))
    x, y = random_batch(quiet, 300)
    found = []
    for chip in (quiet, noisy):
        measure_free(chip, x)
        chip.settle(Nudge(0.1 + 0.1j, y), "free")
        before = chip.budget.reads
        found.append(chip.read()["l1"])
        assert chip.budget.reads - before == 2 * 300
    error = found[1] - found[0]
    for plane in (error.real, error.imag):
        assert_normal_variance(plane.ravel(), SIGMA**2)
    assert_mean(error.real * error.imag, 0.0, SIGMA**2)


def test_a_converter_rounds_what_is_read_and_counts_what_it_cuts():
    plain = random_chip()
    x, y = random_batch(plain, 20)
    true = reads(plain, x)
    chip = plain.variant(converters=Converters(readout=Adc(bits=6)))
    coarse = reads(chip, x)
    np.testing.assert_array_equal(coarse * 64.0, np.rint(coarse * 64.0))
    assert 0.0 < np.abs(coarse - true).max() <= 1.0 / 128.0 + 1e-12
    assert chip.clipped == ClipCounts(true.size, 0)
    narrow = plain.variant(converters=Converters(readout=Adc(bits=6, range=[0.2, 0.5])))
    cut = reads(narrow, x)
    assert narrow.clipped.conversions == true.size
    step = 0.3 / 64.0
    assert narrow.clipped.outside == np.count_nonzero((true < 0.2 - 0.5 * step) | (true > 0.5 - 0.5 * step)) > 0
    assert cut.min() == 0.2
    narrow.settle(Nudge(0.1 + 0.1j, y), "free")
    narrow.read()
    assert narrow.clipped.conversions == 3 * true.size


def test_the_imaginary_plane_is_converted_around_zero():
    plain = random_chip()
    chip = plain.variant(converters=Converters(readout=Adc(bits=10)))
    x, y = random_batch(plain, 20)
    found = []
    for c in (plain, chip):
        measure_free(c, x)
        c.settle(Nudge(0.3j, y), "free")
        found.append(c.read()["out"])
    assert found[0].imag.min() < -0.01 < 0.01 < found[0].imag.max()
    for plane in (np.real, np.imag):
        np.testing.assert_allclose(plane(found[1]), plane(found[0]), rtol=0, atol=0.5 / 1024 + 1e-12)
    assert chip.clipped.outside == 0


def test_stochastic_rounding_belongs_to_the_sample():
    chip = random_chip(converters=Converters(readout=Adc(bits=4, stochastic=True)))
    x, _ = random_batch(chip, 30)
    whole = reads(chip, x)
    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(reads(chip, x[order], order), whole[order])
    again = np.concatenate(list(chip.read().values())[1:], axis=1)
    assert (again != whole).any()


@pytest.mark.parametrize("sigma", [0.0, 0.003])
def test_a_pedestal_of_the_held_free_read_is_a_bias_over_beta(sigma):
    """One-sided: ``delta = (a(0) - a(beta)) / beta``, so the free read's error is divided by beta."""
    plain = random_chip()
    chip = plain.variant(hold=Hold(pedestal=0.01, pedestal_sigma=sigma))
    x, y = random_batch(plain, 4)
    betas, sizes = [0.4, 0.2, 0.1, 0.05], []
    pedestal = reads(chip, x, waits=True) - reads(plain, x)
    np.testing.assert_allclose(pedestal, np.tile(pedestal[0], (4, 1)), rtol=0, atol=1e-12)
    assert (np.ptp(pedestal[0]) > 1e-3) == (sigma > 0.0)
    for beta in betas:
        error = estimated(chip, OneSided(beta=beta), x, y) - estimated(plain, OneSided(beta=beta), x, y)
        np.testing.assert_allclose(error, pedestal / beta, rtol=1e-9, atol=1e-12)
        sizes.append(np.abs(error).max())
    assert abs(slope_of(betas, sizes) + 1.0) < 1e-6


def test_droop_of_the_held_free_read_is_a_bias_in_proportion_to_the_activity():
    plain = random_chip()
    chip = plain.variant(hold=Hold(droop_tau=1000.0), phases=Phases(hold_time=20.0))
    x, y = random_batch(plain, 4)
    scheme, activity = OneSided(beta=0.1), reads(plain, x)
    error = estimated(chip, scheme, x, y) - estimated(plain, scheme, x, y)
    np.testing.assert_allclose(error, activity * np.expm1(-0.02) / 0.1, rtol=1e-9, atol=1e-12)
    at_once = plain.variant(hold=Hold(droop_tau=1000.0))
    np.testing.assert_array_equal(reads(at_once, x), activity)


def test_a_droop_by_a_constant_current_is_a_bias_whatever_the_activity():
    plain = random_chip()
    chip = plain.variant(hold=Hold(droop=2e-4), phases=Phases(hold_time=20.0))
    x, y = random_batch(plain, 4)
    error = estimated(chip, OneSided(beta=0.1), x, y) - estimated(plain, OneSided(beta=0.1), x, y)
    np.testing.assert_allclose(error, -2e-4 * 20.0 / 0.1, rtol=1e-9)


def test_both_leaks_of_a_capacitor_together_solve_its_equation():
    """``dv/dt = -v/droop_tau - droop``, both times the spread of the unit, against steps of Runge-Kutta."""
    hold = Hold(droop_tau=5.0, droop=0.03, droop_sigma=0.4)
    leak, value, time = (
        sample_hold_leaks(hold, 3, Stream(0, "droop")),
        np.array([[0.2, 0.7, -0.3]]),
        np.array([4.0, 1.0, 9.0]),
    )
    found = apply_droop(value, np.full(3, 0.01), leak, time)
    v, dt = value + 0.01, time / 400.0

    def slope(v):
        return -leak.share * v - leak.current

    for _ in range(400):
        a = slope(v)
        b = slope(v + 0.5 * dt * a)
        c = slope(v + 0.5 * dt * b)
        v = v + dt * (a + 2.0 * b + 2.0 * c + slope(v + dt * c)) / 6.0
    np.testing.assert_allclose(found, v, rtol=0, atol=1e-10)
    np.testing.assert_allclose(leak.current / leak.share, 0.15, rtol=1e-12)


def test_every_read_of_an_estimate_waits_but_the_last():
    """Centred: ``delta = (a(-beta) - a(beta)) / 2 beta``, and the first of both is held."""
    plain = random_chip()
    chip = plain.variant(hold=Hold(pedestal=0.01))
    x, y = random_batch(plain, 4)
    error = estimated(chip, Centred(beta=0.1), x, y) - estimated(plain, Centred(beta=0.1), x, y)
    np.testing.assert_allclose(error, -0.01 / 0.2, rtol=1e-9)
    now, waiting = chip.read()["l1"], chip.read(waits=True)["l1"]
    np.testing.assert_allclose(waiting, now + 0.01, rtol=0, atol=1e-15)


def test_a_read_that_nothing_follows_is_converted_at_once():
    plain = random_chip()
    chip = plain.variant(hold=Hold(pedestal=0.01))
    x, y = random_batch(plain, 4)
    assert evaluate(chip, x, y) == evaluate(plain, x, y)


def test_units_of_a_shared_converter_wait_for_each_other():
    """Both reads wait, the free one for the hold time more: ``exp(-(T + k skew)/tau_k)``."""
    plain = random_chip()
    hold = Hold(droop_tau=100.0, droop_sigma=0.3, read_skew=0.5, pedestal=0.01)
    chip = plain.variant(hold=hold, phases=Phases(hold_time=20.0))
    x, _ = random_batch(plain)
    for bench in (plain, chip):
        bench.set_input(x)
        bench.settle()
    ideal, leak = plain.read(), sample_hold_leaks(hold, 16, Stream(0, "droop/0")).share
    for waits, time in ((True, 20.0), (False, 0.0)):
        left = plain.topology.split(np.exp(-leak * (time + 0.5 * np.arange(16))))
        for name, value in chip.read(waits).items():
            if name != "in":
                np.testing.assert_allclose(value, (ideal[name] + 0.01) * left[name], rtol=1e-12)


def test_every_sample_of_the_hold_has_thermal_noise_of_its_own():
    plain = random_chip()
    chip = plain.variant(hold=Hold(noise=0.03))
    x, _ = random_batch(plain, 500)
    for bench in (plain, chip):
        bench.set_input(x)
        bench.settle()
    at_once = chip.read()["l1"]
    np.testing.assert_array_equal(at_once, plain.read()["l1"])
    first, second = (chip.read(waits=True)["l1"] - at_once for _ in range(2))
    assert_normal_variance(np.r_[first, second].ravel(), 9e-4)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


def test_a_converter_has_the_errors_it_was_made_with_in_all_reads():
    chip = random_chip(converters=Converters(readout=Adc(bits=8, gain_sigma=0.1, unit_sigma=0.02)))
    x, _ = random_batch(chip, 20)
    chip.set_input(x)
    chip.settle()
    np.testing.assert_array_equal(chip.read()["l2"], chip.read(waits=True)["l2"])
    other = random_chip(converters=chip.design.devices.converters, instance=1)
    other.set_input(x)
    other.settle()
    assert (chip.read()["l2"] != other.read()["l2"]).any()


IDS = np.arange(400)
UNITS = 50
SHAPE = (400, 50)


def two_reads(noise, time):
    slow = SlowReads(noise, UNITS, Fabrication(), 0)
    slow.restart(IDS)
    first = slow.now("1")
    slow.elapse(np.full(len(IDS), time))
    return first, slow.now("2")


def test_one_step_of_each_process_keeps_its_distribution():
    """Stationary, with the correlation of its memory; false alarms 1e-6 each."""
    x, xi = (Stream(0, name).normal(SHAPE) for name in "xy")
    after = advance_ornstein_uhlenbeck(x, np.full((400, 1), 0.7), xi)
    assert_normal_variance(after.ravel(), 1.0)
    assert_mean(x * after, 0.7, np.sqrt(1.0 + 0.49))
    s = np.where(Stream(0, "s").uniform(SHAPE) < 0.5, -0.5, 0.5)
    after = advance_telegraph(s, np.full((400, 1), 0.7), Stream(0, "u").uniform(SHAPE))
    assert set(after.ravel()) == {-0.5, 0.5}
    assert_mean(after, 0.0, 0.5)
    assert_mean(4.0 * s * after, 0.7, np.sqrt(1.0 - 0.49))


@pytest.mark.parametrize("time", [0.0, 3.0, 1e9])
def test_a_difference_of_reads_keeps_what_has_changed_in_between(time):
    """``2 sigma^2 (1 - exp(-T/tau_c))``, summed over octaves: correlated double sampling."""
    noise = Noise(read_flicker=0.1, flicker_octaves=3, flicker_shortest=2.0)
    first, second = two_reads(noise, time)
    assert_normal_variance(first.ravel(), 0.01)
    expected = 2.0 * 0.01 * np.mean(1.0 - np.exp(-time / np.array([2.0, 4.0, 8.0])))
    if time == 0.0:
        np.testing.assert_array_equal(first, second)
    else:
        assert_normal_variance((second - first).ravel(), expected)


@pytest.mark.parametrize("time", [0.0, 3.0, 1e9])
def test_telegraph_noise_jumps_by_its_height(time):
    first, second = two_reads(Noise(telegraph=Telegraph(amplitude=0.2, time=5.0)), time)
    assert set(np.round(first.ravel(), 12)) == {-0.1, 0.1}
    jumped = (first != second).astype(float)
    p = 0.5 * (1.0 - np.exp(-time / 5.0))
    assert_mean(jumped, p, np.sqrt(max(p * (1.0 - p), 1e-12)))


def test_traps_and_their_heights_belong_to_the_silicon():
    telegraph = Telegraph(amplitude=0.02, amplitude_sigma=0.5, fraction=0.12, time=1.0)
    drawn = sample_jumps(telegraph, 40_000, Stream(0, "h"), Stream(0, "t"))
    assert_mean((drawn > 0.0).astype(float), 0.12, np.sqrt(0.12 * 0.88))
    logarithm = np.log(drawn[drawn > 0.0] / 0.02)
    assert_mean(logarithm, 0.0, 0.5)
    assert_normal_variance(logarithm, 0.25)


def test_a_batch_has_the_same_noise_whenever_it_comes_and_whatever_it_rides_in():
    chip = random_chip(noise=Noise(read_flicker=0.1, telegraph=Telegraph(amplitude=0.1, time=5.0)))
    x, y = random_batch(chip, 8)

    def reads(rows):
        chip.set_input(x[rows], rows)
        chip.settle()
        free = chip.read()["l1"]
        chip.settle(Nudge(0.1, y[rows]), "free")
        return free, chip.read()["l1"]

    whole, part = reads(np.arange(8)), reads(np.arange(3, 6))
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_allclose(a[3:6], b, rtol=0, atol=1e-12)


def test_reads_of_a_chip_are_apart_by_the_time_of_the_settling():
    """Free read, ten tau, nudged read, of 500 samples of 16 units."""
    noise = Noise(read_flicker=0.2, flicker_octaves=1, flicker_shortest=10.0)
    plain, chip = (random_chip(noise=n, phase=Phase(duration=10.0)) for n in (Noise(), noise))
    x, y = random_batch(chip, 500)
    found = []
    for bench in (plain, chip):
        bench.set_input(x)
        bench.settle()
        free = bench.read()
        bench.settle(Nudge(0.1, y), "free")
        found.append(np.concatenate([bench.read()[n] - free[n] for n in bench.topology.names], axis=1))
    assert_normal_variance((found[1] - found[0]).ravel(), 2.0 * 0.04 * (1.0 - np.exp(-1.0)))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"read_flicker": -0.1}, "read_flicker"),
        ({"telegraph": {"amplitude": 0.1}}, "time"),
        ({"telegraph": {"amplitude": 0.1, "time": 0.0}}, "time"),
        ({"telegraph": {"amplitude": 0.1, "time": 1.0, "fraction": 1.1}}, "fraction"),
        ({"telegraph": {"amplitude": -0.1, "time": 1.0}}, "amplitude"),
        ({"flicker_octaves": 3}, "drop its octaves"),
    ],
)
def test_nonsense_is_refused(keys, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Noise(**keys)


@pytest.mark.parametrize("noise", [Noise(read_flicker=0.1), Noise(telegraph=Telegraph(amplitude=0.1, time=5.0))])
def test_slow_reads_need_the_time_of_a_trajectory(noise):
    """In equilibrium mode no time passes, and nothing of them would be left in a difference."""
    chip = random_chip(noise=noise, dynamics={"mode": "equilibrium"})
    chip.set_input(random_batch(chip, 2)[0])
    with pytest.raises(ValueError, match=r'set dynamics.mode = "trajectory"'):
        chip.settle()
    white = chip.variant(noise=Noise(read=0.1))
    white.set_input(random_batch(chip, 2)[0])
    white.settle()
    assert np.abs(white.read()["l1"] - white.read()["l1"]).max() > 0.0
