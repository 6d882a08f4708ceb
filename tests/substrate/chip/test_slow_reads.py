"""1/f and telegraph noise of reads: sizes, memory between reads, and what a difference of two reads keeps of it."""

import numpy as np
import pytest
from pydantic import ValidationError

from devices.neuron.noise import Noise, Telegraph, jumps, later, switched
from devices.random import Stream
from substrate.chip.design import Fabrication
from substrate.chip.slow_reads import SlowReads
from substrate.dynamics.methods import Phase
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip
from tests.statistics import assert_mean, assert_normal_variance

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
    after = later(x, np.full((400, 1), 0.7), xi)
    assert_normal_variance(after.ravel(), 1.0)
    assert_mean(x * after, 0.7, np.sqrt(1.0 + 0.49))
    s = np.where(Stream(0, "s").uniform(SHAPE) < 0.5, -0.5, 0.5)
    after = switched(s, np.full((400, 1), 0.7), Stream(0, "u").uniform(SHAPE))
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
    drawn = jumps(telegraph, 40_000, Stream(0, "h"), Stream(0, "t"))
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
