"""The goal of finite nudges: an estimate on a symmetric chip is its exact gradient, on every chip it is a gradient."""

import numpy as np
import pytest

from devices.synapse.cell import FeedbackDevices
from learning.cost import compute_cost_force, compute_loss
from learning.estimator import combine_readings, iterate_readings, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.goal import count_goal_points, integrate_goal
from learning.oracle.ledger.connections import TrialWrite, make_connection_ledgers
from learning.oracle.ledger.runs import Trial, make_settling_complete, run_without_causes
from learning.oracle.ledger.vectors import make_ledger
from learning.rules.asym_ep import AsymEP
from learning.rules.contrastive import Contrastive
from learning.rules.dyadic import Dyadic
from learning.rules.error_vector import ErrorVector
from learning.schemes.nodes import Centred, Chebyshev, Circle, OneSided, RandomSign
from learning.schemes.scheme import QuasiStaticSwing
from learning.schemes.wave import LockIn, Rotation
from substrate.dynamics.phases import Phases
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip

MOST = 24
SCHEMES = [OneSided(beta=0.3), Centred(beta=0.3), Chebyshev(beta=0.3, points=4), Circle(beta=0.3, points=4)]


def settle(chip, scheme, samples=4):
    """Return the complete chip, its batch, its free rest points and the estimate of a scheme."""
    chip = make_settling_complete(chip)
    x, y = random_batch(chip, samples)
    free = measure_free(chip, x)
    reference = compute_exact_errors(chip, y)
    readings = list(iterate_readings(chip, free, y, scheme))
    found = combine_readings(chip, free, readings).flat
    settled = [np.concatenate([one.activity[name] for name in chip.topology.names], axis=1) for one in readings]
    return chip, y, reference, found, settled


def ledgers_of(chip, scheme, rule=None, presynaptic="mean", samples=5):
    x, y = random_batch(chip, samples)
    trial = Trial(x, y, [scheme], rule or ErrorVector(), presynaptic)
    runs = run_without_causes(chip, trial)
    vectors = make_ledger(runs, trial, 0)
    return vectors, make_connection_ledgers(chip, runs, trial, 0, vectors.keep, TrialWrite(0.1, 1))


def size(a):
    return float(np.abs(a).max())


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("cost", ["mse", "cross-entropy"])
@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.kind)
def test_on_a_symmetric_chip_an_estimate_is_the_gradient_of_the_goal(law, cost, nudge, scheme):
    chip = random_chip(symmetric=True, law=law, cost=cost, phases=Phases(nudge=nudge))
    chip, y, reference, found, settled = settle(chip, scheme)
    goal = integrate_goal(chip, reference.equilibrium.state, y, scheme.nodes(), settled, points=MOST)
    assert not goal.jumped.any()
    assert size(goal.delta - found) < 1e-10 * size(found)
    if scheme.kind in ("one-sided", "centred"):
        assert size(reference.delta - found) > 1e-4 * size(found)


@pytest.mark.parametrize("nudge", ["continuous", "held"])
@pytest.mark.parametrize("law", ["additive", "hopfield"])
def test_on_any_chip_it_is_the_derivative_of_the_goal(law, nudge):
    """Central differences, in one bias of every layer, of costs that the chip settles to itself."""
    scheme = OneSided(beta=0.4)
    chip = make_settling_complete(random_chip(law=law, sigma=0.3, phases=Phases(nudge=nudge), cost="mse"))
    x, y = random_batch(chip, 3)
    measure_free(chip, x)
    rest = compute_exact_errors(chip, y).equilibrium
    output = chip.topology.columns["out"]
    force = compute_cost_force(None, rest.activity[:, output], y)
    goal = integrate_goal(chip, rest.state, y, scheme.nodes(), points=MOST).delta
    at, share = np.polynomial.legendre.leggauss(MOST)
    step = 1e-5
    for name, columns in chip.topology.columns.items():
        values = []
        for sign in (1.0, -1.0):
            block = chip.programmed[f"bias/{name}"].copy()
            block[0] += sign * step
            other, value = chip.reprogrammed({f"bias/{name}": block}), 0.0
            for u, w in zip(0.5 * scheme.beta * (1.0 + at), 0.5 * share, strict=True):
                measure_free(other, x)
                if nudge == "held":
                    # The force does not move with the bias.
                    a = free_activity_under(other, -u * force)[:, output]
                    value = value + w * np.sum(force * a, axis=1)
                else:
                    other.settle(Nudge(u, y), start="free")
                    value = value + w * compute_loss(None, other.activity_of(other.state)[:, output], y)
            values.append(value)
        np.testing.assert_allclose((values[0] - values[1]) / (2.0 * step), goal[:, columns.start], rtol=0, atol=1e-8)


def free_activity_under(chip, drive):
    """Return the activities under a constant drive of the outputs."""
    chip.settle_injected({"out": drive})
    return chip.activity_of(chip.state)


def test_without_symmetry_the_rest_is_what_asymmetry_makes_of_the_nudge():
    book, _ = ledgers_of(random_chip(sigma=0.3), Centred(beta=0.5))
    finite = book.terms()["finite_nudge"]
    np.testing.assert_allclose(book.parts["goal"] + book.parts["nudge_bias"], finite, rtol=0, atol=1e-15)
    assert size(book.parts["goal"]) > 0.3 * size(finite)
    assert size(book.parts["nudge_bias"]) > 0.01 * size(finite)


@pytest.mark.parametrize(
    "scheme",
    [
        RandomSign(beta=0.4),
        QuasiStaticSwing(LockIn(beta=0.4, period=50.0, harmonics=2)),
        QuasiStaticSwing(Rotation(beta=0.4, period=50.0), 8),
    ],
    ids=["random-sign", "lock-in", "rotation"],
)
def test_drawn_signs_and_stopped_swings_have_a_goal(scheme):
    book, _ = ledgers_of(random_chip(symmetric=True), scheme, samples=3)
    finite = size(book.terms()["finite_nudge"])
    assert size(book.parts["nudge_bias"]) < 1e-5 * size(book.steps[0])
    assert not book.jumped.any()
    if isinstance(scheme, RandomSign):
        assert finite > 1e-3 * size(book.steps[0])


@pytest.mark.parametrize("scheme", [Centred(beta=0.4), OneSided(beta=0.4), Chebyshev(beta=0.4, points=4)])
def test_products_of_both_phases_are_gradients_of_the_goal_where_cells_are_shared(scheme):
    chip = random_chip(symmetric=True, feedback=FeedbackDevices(storage="shared-device"))
    two = scheme.kind != "chebyshev"
    for rule, presynaptic, exact in (
        (Contrastive(), "mean", True),
        (ErrorVector(), "mean", two),
        (ErrorVector(), "free", False),
    ):
        _, books = ledgers_of(chip, scheme, rule, presynaptic)
        bias = max(size(book.parts["nudge_bias"]) for book in books.values())
        unit = max(size(book.steps[0]) for book in books.values())
        assert (bias < 2e-6 * unit) is exact, (rule.kind, presynaptic, bias / unit)
        for book in books.values():
            whole = book.parts["goal"] + book.parts["nudge_bias"]
            np.testing.assert_allclose(whole, book.terms()["finite_nudge"], rtol=0, atol=1e-14)


def test_one_direction_of_a_pair_alone_measures_no_gradient():
    _, books = ledgers_of(random_chip(symmetric=True, activation="tanh", cost="mse"), Centred(beta=0.4))
    pair = books["weight/l1-l2"], books["weight/l2-l1"]
    bias = [book.parts["nudge_bias"] for book in pair]
    assert size(bias[0]) > 1e-4 * size(pair[0].steps[0])
    assert size(bias[0] + bias[1].T) < 1e-6 * size(pair[0].steps[0])


def test_a_sample_that_jumps_is_flagged_and_all_of_its_finite_nudge_is_bias():
    """A steep sigmoid whose outputs have two rest points: for one sample the nudge of one sign leads to the other."""
    chip = random_chip(symmetric=True, scale=3.0, seed=3)
    scheme = Centred(beta=0.4)
    book, _ = ledgers_of(chip, scheme, samples=12)
    jumped = book.keep & book.jumped
    assert 0 < np.count_nonzero(jumped) < np.count_nonzero(book.keep)
    finite = book.terms()["finite_nudge"]
    assert (book.parts["goal"][jumped] == 0.0).all()
    np.testing.assert_array_equal(book.parts["nudge_bias"][jumped], finite[jumped])
    assert size(book.parts["nudge_bias"][book.keep & ~jumped]) < 1e-3 * size(book.steps[0])


def test_steep_paths_get_more_points():
    chip = random_chip(symmetric=True, scale=2.0, seed=3)
    book, _ = ledgers_of(chip, Centred(beta=0.4), samples=12)
    assert not book.jumped.any()
    assert size(book.terms()["finite_nudge"]) > 0.01
    assert size(book.parts["nudge_bias"]) < 2e-4


def test_a_rule_without_a_goal_says_so():
    chip = random_chip(correction="exact", sigma=0.2)
    book, books = ledgers_of(chip, Centred(beta=0.3), AsymEP())
    assert book.jumped is None
    for one in (book, *books.values()):
        assert np.isnan(one.parts["goal"]).all()
        assert np.isnan(one.parts["nudge_bias"]).all()
    book, books = ledgers_of(random_chip(), Centred(beta=0.3), Dyadic())
    assert all((one.parts[name] == 0.0).all() for one in (book, *books.values()) for name in ("goal", "nudge_bias"))


@pytest.mark.parametrize(
    ("scheme", "real", "complex_ones"),
    [
        (OneSided(beta=0.3), 7, 0),
        (Centred(beta=0.3), 14, 0),
        (Circle(beta=0.3, points=4), 14, 7),
        (Chebyshev(beta=0.3, points=4), 16, 0),
    ],
)
def test_points_are_counted(scheme, real, complex_ones):
    assert count_goal_points(scheme.nodes()) == (real, complex_ones)
