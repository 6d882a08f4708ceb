import numpy as np
import pytest

from devices.neuron.noise import Noise
from learning.draws import draw_sample_signs
from learning.estimator import FreeReading, estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.schemes.nodes import Backward, Centred, Chebyshev, Circle, OneSided, RandomSign
from learning.schemes.scheme import (
    Demand,
    QuasiStaticSwing,
    Swing,
    compute_noise_gain,
    count_demand,
    find_truncation_order,
    unfold_mirrored_nodes,
)
from learning.schemes.wave import LockIn, Rotation
from substrate.dynamics.methods import Phase
from substrate.protocol import Budget
from tests.benches import FunctionBench, SignedBench
from tests.networks import random_batch, random_chip, slope_of
from tests.statistics import assert_mean, assert_normal_variance

ORDERS = [
    (OneSided, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
    (Backward, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
    (Centred, {}, 2, [0.2, 0.1, 0.05, 0.025, 0.0125]),
    (Circle, {"points": 3}, 3, [0.2, 0.1, 0.05, 0.025, 0.0125]),
    (Circle, {"points": 4}, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
    (Circle, {"points": 6}, 6, [0.4, 0.3, 0.2, 0.15, 0.1]),
    (RandomSign, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
    (Chebyshev, {"points": 2}, 2, [0.2, 0.1, 0.05, 0.025, 0.0125]),
    (Chebyshev, {"points": 4}, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
    (Chebyshev, {"points": 6}, 6, [0.6, 0.5, 0.4, 0.3, 0.2]),
    (LockIn, {"period": 1.0, "harmonics": 2}, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
]
GAINS = [
    (OneSided(beta=0.3), 2.0),
    (Backward(beta=0.3), 2.0),
    (RandomSign(beta=0.3), 2.0),
    (Centred(beta=0.3), 0.5),
    *((Circle(beta=0.3, points=n), (2 * n - 2) / n**2) for n in (2, 4, 6, 8)),
    (Chebyshev(beta=0.3, points=2), 0.5),
    (Chebyshev(beta=0.3, points=4), 3.61),
    (Chebyshev(beta=0.3, points=6), 8.98),
]
"""The table of noise gains."""

EVERY = [*(scheme for scheme, _ in GAINS), LockIn(beta=0.3, period=9.0), Rotation(beta=0.3, period=9.0)]


def all_nodes(scheme):
    for node in scheme.nodes():
        yield complex(node.beta), complex(node.weight)
        if node.mirrored:
            yield complex(node.beta).conjugate(), complex(node.weight).conjugate()


@pytest.mark.parametrize(
    "scheme",
    [
        OneSided(beta=0.3),
        Backward(beta=0.3),
        RandomSign(beta=0.3),
        Centred(beta=0.3),
        *(Circle(beta=0.3, points=n) for n in range(2, 9)),
        *(Chebyshev(beta=0.3, points=n) for n in range(2, 17, 2)),
        *(QuasiStaticSwing(LockIn(beta=0.3, period=1.0, harmonics=m), 33) for m in range(1, 9)),
        QuasiStaticSwing(Rotation(beta=0.3, period=1.0), 16),
    ],
)
def test_weights_differentiate(scheme):
    """A constant gives zero, the identity gives one, higher powers vanish up to the order."""
    order = find_truncation_order(scheme.nodes())
    for power in range(order + 1):
        value = sum(weight * beta**power for beta, weight in all_nodes(scheme))
        assert value == pytest.approx(1.0 if power == 1 else 0.0, abs=1e-13), power


@pytest.mark.parametrize(
    ("nodes", "order"),
    [
        (OneSided(beta=0.3).nodes(), 1),
        (Backward(beta=0.3).nodes(), 1),
        (RandomSign(beta=0.3).nodes(), 1),
        (Centred(beta=0.3).nodes(), 2),
        *((Circle(beta=0.3, points=n).nodes(), n) for n in (2, 3, 4, 6, 64)),
        *((unfold_mirrored_nodes(Circle(beta=0.3, points=n).nodes()), n) for n in (3, 6)),
        *((Chebyshev(beta=20.0, points=n).nodes(), n) for n in range(2, 17, 2)),
        *((LockIn(beta=0.3, period=1.0, harmonics=m).cycle(40), 2 * m) for m in range(1, 9)),
        (Rotation(beta=0.3, period=1.0).cycle(24), 24),
    ],
)
def test_orders_of_the_table(nodes, order):
    assert find_truncation_order(nodes) == order


@pytest.mark.parametrize("points", [2, 4, 6, 8])
def test_the_constant_of_chebyshev_points(points):
    """Truncation is ``2^(2-N)`` of that of the circle of as many points."""

    def first_seen(scheme):
        return abs(sum(weight * beta ** (points + 1) for beta, weight in all_nodes(scheme)))

    ratio = first_seen(Chebyshev(beta=0.3, points=points)) / first_seen(Circle(beta=0.3, points=points))
    assert ratio == pytest.approx(2.0 ** (2 - points), rel=1e-9)


@pytest.mark.parametrize(("scheme", "gain"), GAINS)
def test_noise_gains_of_the_table(scheme, gain):
    assert compute_noise_gain(scheme.nodes()) == pytest.approx(gain, rel=2e-3)


@pytest.mark.parametrize("points", [3, 4, 6, 7])
def test_a_circle_that_is_measured_whole_has_the_lowest_gain(points):
    assert compute_noise_gain(unfold_mirrored_nodes(Circle(beta=0.3, points=points).nodes())) == pytest.approx(
        1.0 / points
    )
    assert compute_noise_gain(Rotation(beta=0.3, period=1.0).cycle(points + 1)) == pytest.approx(1.0 / (points + 1))


@pytest.mark.parametrize("harmonics", [1, 2, 3])
def test_the_noise_gain_of_lock_in_detection(harmonics):
    """Amplitudes have the variance ``2 / points``, and the odd numbers their squares as factors."""
    nodes = LockIn(beta=0.3, period=1.0, harmonics=harmonics).cycle(40)
    expected = 2.0 / 40 * sum(j**2 for j in range(1, 2 * harmonics, 2))
    assert compute_noise_gain(nodes) == pytest.approx(expected)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("scheme", EVERY)
def test_read_noise_is_amplified_by_the_gain(scheme, mirror):
    """``Var = G sigma^2 / beta^2`` over 5,000 independent estimates of every unit; false alarms: 1e-6 each."""
    bench = FunctionBench(sigma=0.2, points=16)
    waves = isinstance(scheme, Swing)
    nodes = scheme.cycle(16) if waves else scheme.nodes()
    free = measure_free(bench, np.zeros((5_000, 1)))
    measured = estimate_error_vectors(bench, free, np.zeros((5_000, 1)), scheme, mirror=mirror).delta["out"]
    variance = compute_noise_gain(nodes if mirror else unfold_mirrored_nodes(nodes)) * 0.2**2 / 0.3**2
    signs = free_signs(scheme, 5_000)
    for unit, gain in enumerate(bench.gains):
        # Without noise every sample of one sign has the same estimate.
        quiet = -np.real(sum(weight * np.exp(gain * beta) / gain for beta, weight in signed(nodes, 1.0)))
        other = -np.real(sum(weight * np.exp(gain * beta) / gain for beta, weight in signed(nodes, -1.0)))
        noise = measured[:, unit] - np.where(signs > 0.0, quiet, other)
        assert_normal_variance(noise, variance)
        assert_mean(noise, 0.0, np.sqrt(variance))


def signed(nodes, sign):
    return [(sign * complex(n.beta), sign * complex(n.weight)) for n in unfold_mirrored_nodes(nodes)]


def free_signs(scheme, count):
    return draw_sample_signs(scheme.seed, np.arange(count), 0) if isinstance(scheme, RandomSign) else np.ones(count)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("scheme", EVERY)
def test_the_bench_charges_what_the_scheme_says(scheme, mirror):
    bench = FunctionBench(points=16)
    free = measure_free(bench, np.zeros((3, 1)))
    estimate_error_vectors(bench, free, np.zeros((3, 1)), scheme, mirror=mirror)
    asked = count_demand(scheme, mirror, points=16)
    assert bench.budget == Budget(settlings=3 * asked.settlings, reads=3 * asked.reads)


def test_a_chip_charges_the_same():
    chip = random_chip()
    x, y = random_batch(chip, 3)
    estimate_error_vectors(chip, measure_free(chip, x), y, Circle(beta=0.3, points=6))
    assert count_demand(Circle(beta=0.3, points=6)) == Demand(5, 7)
    assert (chip.budget.settlings, chip.budget.reads) == (3 * 5, 3 * 7)


@pytest.mark.parametrize("points", range(2, 9))
def test_circle_has_its_points(points):
    betas = [beta for beta, _ in all_nodes(Circle(beta=0.5, points=points))]
    expected = 0.5 * np.exp(2j * np.pi * np.arange(points) / points)
    np.testing.assert_allclose(
        np.sort_complex(np.round(betas, 12)), np.sort_complex(np.round(expected, 12)), atol=1e-11
    )


def test_circle_of_two_is_the_centred_scheme():
    assert Circle(beta=0.3, points=2).nodes() == Centred(beta=0.3).nodes()


@pytest.mark.parametrize(("kind", "fields", "order", "betas"), ORDERS)
def test_truncation_order(kind, fields, order, betas):
    chip = random_chip("reciprocal", seed=2)
    x, y = random_batch(chip)
    bench = SignedBench(chip)
    free = measure_free(bench, x)
    limit = compute_exact_errors(chip, y).ep
    errors = []
    for beta in betas:
        scheme = kind(beta=beta, **fields)
        measured = estimate_error_vectors(bench, free, y, QuasiStaticSwing(scheme) if kind is LockIn else scheme)
        assert (measured.status == 0).all()
        errors.append(float(np.linalg.norm(measured.flat - limit)))
    slope = slope_of(betas, errors)
    assert abs(slope - order) < 0.15, (slope, errors)
    assert errors[-1] < 0.01 * np.linalg.norm(limit)


def test_the_mean_over_drawn_signs_is_of_second_order():
    """Over both signs of every sample, random sign is the centred scheme."""
    chip = random_chip("reciprocal", seed=2)
    x, y = random_batch(chip)
    bench, limit, betas, errors = SignedBench(chip), None, [0.2, 0.1, 0.05, 0.025, 0.0125], []
    for beta in betas:
        drawn = {}
        for seed in range(20):
            scheme = RandomSign(beta=beta, seed=seed)
            free = measure_free(bench, x)
            delta = estimate_error_vectors(bench, free, y, scheme).flat
            for sample, sign in enumerate(draw_sample_signs(scheme.seed, np.arange(len(x)), 0)):
                drawn[sample, sign] = delta[sample]
        limit = compute_exact_errors(chip, y).ep if limit is None else limit
        assert len(drawn) == 2 * len(x)
        mean = np.array([0.5 * (drawn[sample, 1.0] + drawn[sample, -1.0]) for sample in range(len(x))])
        errors.append(float(np.linalg.norm(mean - limit)))
    assert abs(slope_of(betas, errors) - 2.0) < 0.15, errors


def test_signs_belong_to_sample_epoch_and_seed():
    scheme, ids = RandomSign(beta=0.1, seed=3), np.arange(4000)
    signs = draw_sample_signs(scheme.seed, ids, 1)
    assert set(signs) == {1.0, -1.0}
    assert_mean(signs, 0.0, 1.0)
    np.testing.assert_array_equal(draw_sample_signs(scheme.seed, ids[::-7], 1), signs[::-7])
    others = [
        draw_sample_signs(scheme.seed, ids, 2),
        draw_sample_signs(scheme.seed, ids + 4000, 1),
        draw_sample_signs(scheme.seed, ids + 2**32, 1),
    ]
    for other in [*others, draw_sample_signs(4, ids, 1)]:
        assert_mean(signs * other, 0.0, 1.0)


def test_drawn_signs_follow_the_ids_and_the_epoch():
    chip = random_chip()
    x, y = random_batch(chip)
    scheme, ids = RandomSign(beta=0.4), np.array([11, 3, 8, 2, 40])
    bench = SignedBench(chip)
    measured = estimate_error_vectors(bench, measure_free(bench, x, ids, 2), y, scheme)
    plus, minus = (
        estimate_error_vectors(chip, measure_free(chip, x), y, kind(beta=0.4)) for kind in (OneSided, Backward)
    )
    signs = draw_sample_signs(scheme.seed, ids, 2)
    assert set(signs) == {1.0, -1.0}
    for layer, delta in measured.delta.items():
        expected = np.where(signs[:, None] > 0.0, plus.delta[layer], minus.delta[layer])
        np.testing.assert_allclose(delta, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("points", [3, 18])
def test_odd_and_large_numbers_of_chebyshev_points_are_refused(points):
    with pytest.raises(ValueError, match="points"):
        Chebyshev(beta=0.1, points=points)


def test_complex_nudges_are_known():
    real = [OneSided(beta=0.1), Centred(beta=0.1), Circle(beta=0.1, points=2), LockIn(beta=0.1, period=9.0)]
    assert not any(scheme.needs_complex for scheme in [*real, Chebyshev(beta=0.1), RandomSign(beta=0.1)])
    assert all(scheme.needs_complex for scheme in [Circle(beta=0.1, points=3), Rotation(beta=0.1, period=9.0)])


def test_labels_are_short():
    assert RandomSign(beta=0.2, seed=7).label == "random-sign, beta 0.2"
    assert Chebyshev(beta=0.2, points=6).label == "chebyshev 6, beta 0.2"
    assert LockIn(beta=0.2, period=40.0, harmonics=2).label == "lock-in 2, period 40, beta 0.2"
    assert Rotation(beta=0.2, period=40.0).label == "rotation, period 40, beta 0.2"
    assert Circle(beta=0.2, points=4).label == "circle 4, beta 0.2"
    assert OneSided(beta=0.05).label == "one-sided, beta 0.05"


# Noise of reads on chips; every statistic has a rate of false alarms

SIGMA, BETA, SAMPLES = 0.03, 0.3, 600
POINTS = 16
"""Steps of a cycle."""

SETTLED = [
    OneSided(beta=BETA),
    Backward(beta=BETA),
    RandomSign(beta=BETA),
    Centred(beta=BETA),
    *(Circle(beta=BETA, points=n) for n in (3, 4, 6)),
    *(Chebyshev(beta=BETA, points=n) for n in (2, 4, 6)),
]
SWINGING = [
    *(LockIn(beta=BETA, period=0.5 * POINTS, cycles=0, harmonics=m) for m in (1, 2)),
    Rotation(beta=BETA, period=0.5 * POINTS, cycles=0),
]
CASES = [
    *((scheme, mirror) for scheme in SETTLED for mirror in (True, False)),
    *((scheme, False) for scheme in SWINGING),
]


def nodes_of(scheme, mirror):
    if isinstance(scheme, Swing):
        return scheme.cycle(POINTS)
    return scheme.nodes() if mirror else unfold_mirrored_nodes(scheme.nodes())


def delta_of(chip, x, y, scheme, mirror):
    chip.set_input(x)
    settled = chip.settle()
    return estimate_error_vectors(chip, FreeReading(chip.read(), settled), y, scheme, mirror=mirror).flat


@pytest.mark.parametrize(("scheme", "mirror"), CASES, ids=lambda case: getattr(case, "kind", case))
def test_read_noise_has_the_gain_of_the_scheme(scheme, mirror):
    """Over 9600 components, 7 % of the variance; false alarms 1e-6."""
    chip = random_chip(phase=Phase(steps=10), noise=Noise(read=SIGMA))
    x, y = random_batch(chip, SAMPLES)
    quiet = chip.without("read-noise")
    noise = delta_of(chip, x, y, scheme, mirror) - delta_of(quiet, x, y, scheme, mirror)
    assert_normal_variance(noise.ravel(), compute_noise_gain(nodes_of(scheme, mirror)) * SIGMA**2 / BETA**2)


@pytest.mark.parametrize(
    ("scheme", "mirror", "expected"),
    [
        (OneSided(beta=BETA), True, 2.0),
        (Backward(beta=BETA), True, 2.0),
        (RandomSign(beta=BETA), True, 2.0),
        (Centred(beta=BETA), True, 0.5),
        *((Circle(beta=BETA, points=n), False, 1.0 / n) for n in (3, 4, 6)),
        *((Circle(beta=BETA, points=n), True, (2.0 * n - 2.0) / n**2) for n in (4, 6)),
        (Chebyshev(beta=BETA, points=2), True, 0.5),
        (Chebyshev(beta=BETA, points=4), True, 65.0 / 18.0),
        (SWINGING[0], False, 2.0 / POINTS),
        (SWINGING[1], False, 20.0 / POINTS),
        (SWINGING[2], False, 1.0 / POINTS),
    ],
)
def test_gains_in_closed_form(scheme, mirror, expected):
    assert compute_noise_gain(nodes_of(scheme, mirror)) == pytest.approx(expected, rel=1e-12)
