"""Swinging nudges: on activities known in closed form, and on chips that can swing."""

import itertools

import numpy as np
import pytest

from devices.neuron.membrane import NeuronDevices
from learning.estimator import estimate_error_vectors, measure_free
from learning.schemes.nodes import Backward, OneSided, RandomSign
from learning.schemes.scheme import QuasiStaticSwing, count_demand
from learning.schemes.wave import LockIn, Rotation
from substrate.dynamics.methods import Phase
from substrate.protocol import Budget, Nudge, Status
from tests.benches import FunctionBench, SignedBench
from tests.networks import random_batch, random_chip, slope_of

PERIODS = [20.0, 40.0, 80.0, 160.0, 320.0]
WAVES = [LockIn, Rotation]


def delta_of(bench, scheme, samples=2):
    x = np.zeros((samples, 1))
    return estimate_error_vectors(bench, measure_free(bench, x), np.zeros((samples, 1)), scheme).delta["out"]


@pytest.mark.parametrize(
    ("harmonics", "betas"),
    [(1, [0.4, 0.2, 0.1, 0.05, 0.025]), (2, [0.8, 0.4, 0.2, 0.1, 0.05]), (3, [1.2, 1.0, 0.8, 0.6, 0.4])],
)
def test_a_slow_lock_in_has_twice_its_harmonics_as_order(harmonics, betas):
    errors = [
        float(np.abs(delta_of(FunctionBench(), LockIn(beta=b, period=9.0, harmonics=harmonics)) + 1.0).max())
        for b in betas
    ]
    slope = slope_of(betas, errors)
    assert abs(slope - 2 * harmonics) < 0.15, (slope, errors)


def test_a_slow_rotation_has_its_points_as_order():
    betas = [1.2, 1.0, 0.8, 0.6, 0.4]
    errors = [float(np.abs(delta_of(FunctionBench(points=8), Rotation(beta=b, period=9.0)) + 1.0).max()) for b in betas]
    assert abs(slope_of(betas, errors) - 8.0) < 0.15, errors
    assert np.abs(delta_of(FunctionBench(points=32), Rotation(beta=1.0, period=9.0)) + 1.0).max() < 1e-14


@pytest.mark.parametrize("kind", WAVES)
def test_a_lag_is_an_error_of_second_order(kind):
    """A first-order lag divides harmonic j by ``1 + i j omega tau``: what is in phase falls by ``(j omega tau)^2``."""
    quiet = delta_of(FunctionBench(), kind(beta=0.4, period=9.0))
    errors = [float(np.abs(delta_of(FunctionBench(lag=1.0), kind(beta=0.4, period=p)) - quiet).max()) for p in PERIODS]
    assert abs(slope_of([1.0 / p for p in PERIODS], errors) - 2.0) < 0.15, errors


def test_the_lag_of_a_rotation_is_known():
    omega = 2.0 * np.pi / 20.0
    lagging = delta_of(FunctionBench(lag=1.0), Rotation(beta=0.4, period=20.0))
    np.testing.assert_allclose(lagging, -1.0 / (1.0 + omega**2), rtol=1e-12)


def test_the_running_mean_is_the_presynaptic_factor():
    bench, x = FunctionBench(), np.full((2, 1), 0.3)
    measured = estimate_error_vectors(bench, measure_free(bench, x), x, Rotation(beta=0.4, period=9.0))
    np.testing.assert_allclose(measured.presynaptic["out"], np.tile(1.0 / bench.gains, (2, 1)), rtol=1e-14)
    np.testing.assert_allclose(measured.presynaptic["in"], x, rtol=1e-14)


@pytest.mark.parametrize(
    ("scheme", "points"), [(LockIn(beta=0.1, period=9.0, harmonics=2), 4), (Rotation(beta=0.1, period=9.0), 2)]
)
def test_too_few_points_are_refused(scheme, points):
    with pytest.raises(ValueError, match=r"learning\.scheme\.period: the cycle has . points"):
        delta_of(FunctionBench(points=points), scheme)


def test_one_cycle_is_one_settling():
    bench, x = FunctionBench(), np.zeros((2, 1))
    measured = estimate_error_vectors(bench, measure_free(bench, x), x, LockIn(beta=0.1, period=9.0))
    np.testing.assert_array_equal(measured.steps, [1, 1])


def swinging_chip(**changes):
    return random_chip("reciprocal", seed=2, dt=0.25, dynamics={"method": "exponential"}, **changes)


@pytest.mark.parametrize("kind", WAVES)
def test_on_a_chip_the_lag_falls_with_the_square_of_the_period(kind):
    chip = swinging_chip()
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    limit = estimate_error_vectors(chip, free, y, QuasiStaticSwing(kind(beta=0.2, period=1.0))).flat
    errors = [
        float(np.linalg.norm(estimate_error_vectors(chip, free, y, kind(beta=0.2, period=p)).flat - limit))
        for p in PERIODS
    ]
    slope = slope_of([1.0 / p for p in PERIODS], errors)
    assert abs(slope - 2.0) < 0.15, (slope, errors)
    assert errors[-1] < 0.01 * np.linalg.norm(limit)


@pytest.mark.parametrize(("kind", "planes"), [("cosine", 1), ("rotation", 2)])
def test_a_chip_charges_every_point_of_the_cycle(kind, planes):
    chip = swinging_chip()
    x, y = random_batch(chip, 3)
    scheme = {"cosine": LockIn, "rotation": Rotation}[kind](beta=0.1, period=8.0, cycles=1)
    estimate_error_vectors(chip, measure_free(chip, x), y, scheme)
    cycle = chip.read_cycle()
    assert {layer: a.shape for layer, a in cycle.items()} == {"in": (32, 3, 6)} | {
        layer: (32, 3, chip.topology.layers[layer]) for layer in chip.topology.names
    }
    assert all(np.iscomplexobj(a) == (planes == 2) for layer, a in cycle.items() if layer != "in")
    asked = count_demand(scheme, points=32)
    assert chip.budget.settlings == 3 * asked.settlings
    assert chip.budget.reads == 3 * (asked.reads + 32 * planes)  # the cycle was read twice


def test_a_swing_repeats_itself_once_the_start_is_forgotten():
    chip = swinging_chip(phase=Phase(max_steps=4000, tolerance=1e-13))
    x, y = random_batch(chip)
    deltas = []
    for cycles in (2, 3):
        free = measure_free(chip, x)
        deltas.append(estimate_error_vectors(chip, free, y, LockIn(beta=0.2, period=80.0, cycles=cycles)).flat)
    np.testing.assert_allclose(*deltas, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", WAVES)
@pytest.mark.parametrize(("cycles", "status"), [(0, Status.STEP_LIMIT), (4, Status.SETTLED)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_swing_has_settled_when_its_last_cycle_closes(kind, cycles, status, threads):
    chip = swinging_chip(phase=Phase(max_steps=4000, tolerance=1e-9), threads=threads)
    x, y = random_batch(chip)
    found = estimate_error_vectors(chip, measure_free(chip, x), y, kind(beta=0.2, period=40.0, cycles=cycles))
    np.testing.assert_array_equal(found.status, status)


@pytest.mark.parametrize("kind", WAVES)
def test_the_residual_of_a_swing_is_what_its_last_cycle_lacks_to_close(kind):
    chip = swinging_chip()
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    ends, settled = [chip.state], []
    for cycles in (0, 1, 2):
        scheme = kind(beta=0.1, period=8.0, cycles=cycles)
        settled.append(chip.settle(Nudge(scheme.beta, y, wave=scheme.wave()), start="free"))
        ends.append(chip.state)
    gaps = [np.abs(after - before).max(axis=1) for before, after in itertools.pairwise(ends)]
    np.testing.assert_allclose([one.residual for one in settled], gaps, rtol=1e-12)
    assert np.all(gaps[2] < gaps[1])


@pytest.mark.parametrize("kind", WAVES)
@pytest.mark.parametrize("synapse_tau", [0.0, 0.5])
def test_a_swing_that_runs_away_has_diverged(kind, synapse_tau):
    chip = random_chip(activation="identity", cost="mse", dt=1.0, neurons=NeuronDevices(synapse_tau=synapse_tau))
    x, y = random_batch(chip)
    chip.set_input(x)
    chip.settle()
    scheme = kind(beta=50.0, period=400.0, cycles=2)
    settled = chip.settle(Nudge(scheme.beta, y, wave=scheme.wave()), start="free")
    np.testing.assert_array_equal(settled.status, Status.DIVERGED)


def test_a_chip_takes_the_sign_of_every_sample():
    chip = swinging_chip()
    x, y = random_batch(chip)
    scheme = RandomSign(beta=0.3)
    seen, by_hand = (estimate_error_vectors(b, measure_free(b, x), y, scheme).flat for b in (chip, SignedBench(chip)))
    np.testing.assert_allclose(seen, by_hand, rtol=0, atol=1e-12)
    ends = [
        estimate_error_vectors(chip, measure_free(chip, x), y, kind(beta=0.3)).flat for kind in (OneSided, Backward)
    ]
    assert all(not np.allclose(seen, end) for end in ends)


def test_the_budget_counts_the_time_of_every_cycle():
    chip = swinging_chip(phase=Phase(steps=100))
    x, y = random_batch(chip, 3)
    free = measure_free(chip, x)
    before = chip.budget
    estimate_error_vectors(chip, free, y, LockIn(beta=0.1, period=8.0, cycles=2))
    spent = chip.budget.plus(before, -1)
    assert spent == Budget(settlings=3, settled_time=3 * 3 * 8.0, reads=3 * 32, elapsed=3 * 3 * 8.0)
