"""Two hundred random chips: cells, exact gradients, the ledger, interactions and statuses against plain NumPy.

Derivatives are four-point differences of the settled cost. Their error is ``h^4 f'''''/30 + 2e-15/h``: with h = 5e-4,
slopes that change over a tenth of a unit and responses of ten, 1e-9 of the largest entry and 4e-12. With pieces of
straight lines, where h = 1e-5 keeps kinks out of reach, the second part is 2e-10.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from learning.oracle.exact import make_exact_rule
from learning.oracle.ledger.interactions import measure_interactions
from learning.oracle.ledger.runs import LedgerRuns, Trial, list_noise_causes, run_without_causes
from learning.oracle.ledger.vectors import make_ledger
from learning.schemes.scheme import SCHEMES
from learning.training import Samples
from substrate.chip.causes import CAUSES
from substrate.protocol import Status
from tests.plain_chip import PlainChip
from tests.random_chips import Case, random_case
from tests.watched import measured, membranes

CHIPS, LEAST = 200, 150
"""How many chips there are, and of how many at least every sample must be judged."""

STEP = 5e-4
PLACES, WEIGHTS = np.array([1.0, -1.0, 2.0, -2.0]), np.array([8.0, -8.0, -1.0, 1.0]) / 12.0
"""Of the differences, in units of the step and of 1 over it."""

NUMBERS = pytest.mark.parametrize("number", range(CHIPS))
pytestmark = pytest.mark.slow


class Study(NamedTuple):
    """A chip, its NumPy twin, and its runs."""

    case: Case
    plain: PlainChip
    trial: Trial
    runs: LedgerRuns


@cache
def study(number):
    case = random_case(number)
    trial = Trial(case.x, case.target, [case.scheme])
    plain = PlainChip(case.chip.design, case.chip.programmed, case.chip.fabrication, case.x)
    return Study(case, plain, trial, run_without_causes(case.chip, trial, case.repeats))


def assert_close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0.0)))


def test_every_cause_and_every_scheme_is_there():
    cases = [study(number).case for number in range(CHIPS)]
    # Noise of cells is in none: it has laws of its own, in `tests/substrate/chip/boards`.
    assert {cause for case in cases for cause in case.chip.causes} == CAUSES.keys() - {"cell-noise"}
    assert {type(case.scheme) for case in cases} == set(SCHEMES)


# The chip


@NUMBERS
def test_units_feel_what_the_devices_make_of_the_programmed_weights(number):
    chip, plain = study(number).case.chip, study(number).plain
    for block, felt in plain.felt.items():
        np.testing.assert_allclose(chip.effective[block], felt, rtol=0, atol=1e-12, err_msg=block)
    np.testing.assert_allclose(chip.membranes.tau, plain.tau / (1.0 + plain.free.load), rtol=1e-12)
    chip.set_input(plain.x)
    np.testing.assert_allclose(chip.constant_drive, plain.free.constant, rtol=0, atol=1e-12)


# Exact gradients


def step_of(plain):
    """Return the step of the differences; small where a kink of the curve must not come within reach."""
    return 1e-5 if len(plain.cut) else 5e-4


def differences(plain, u, target, acting):
    """Return the derivative of the settled cost (batch,) by a number that `acting` adds to a parameter, at 0."""
    out, total, h = plain.columns[plain.topology.output], np.zeros(len(u)), step_of(plain)
    for place, weight in zip(PLACES, WEIGHTS, strict=True):
        rest = plain.rest(u, acting(h * place))
        left, size = plain.drift(rest, acting(h * place)), max(1.0, np.abs(u).max(initial=0.0))
        assert np.abs(left).max(initial=0.0) < 1e-12 * size
        total += weight / h * plain.loss(plain.activity(rest)[:, out], target)
    return total


def tolerance_of(plain, exact):
    """Return how far differences may be from exact derivatives: see the docstring of the module."""
    return 1e-8 * np.abs(exact).max(axis=-1, keepdims=True, initial=0.0) + 2e-15 / step_of(plain)


@cache
def judged(number):
    """Return the samples (batch,) whose rest is one of the chip too, stable, and has no kink of a curve within reach.

    Wherever the programs under test say that a sample rests, its drift in NumPy must vanish.
    """
    plain, rest = study(number).plain, study(number).runs.reference.equilibrium
    u = rest.state / (1.0 + plain.free.load)
    drift = np.abs(plain.drift(u, plain.free)).max(axis=1)
    assert (drift[rest.reached] < 1e-10 * np.maximum(1.0, np.abs(rest.state).max(axis=1))[rest.reached]).all()
    flow = plain.jacobian(u, plain.free) / plain.tau[:, None]
    stable = np.linalg.eigvals(flow).real.max(axis=1) < 0.0
    nearest = np.abs((plain.steep * u)[:, :, None] - plain.cut).min(axis=(1, 2), initial=np.inf)
    return rest.reached & stable & (nearest > 20.0 * step_of(plain))


@NUMBERS
def test_exact_error_vectors_are_differences_of_the_settled_cost(number):
    plain, runs, target = study(number).plain, study(number).runs, study(number).case.target
    keep, units = judged(number), plain.topology.units
    u, target = (runs.reference.equilibrium.state / (1.0 + plain.free.load))[keep], target[keep]
    acting = plain.free._replace(constant=np.repeat(plain.free.constant[keep], units, axis=0))
    pushes = np.tile(np.eye(units), (len(u), 1))
    found = differences(
        plain,
        np.repeat(u, units, axis=0),
        np.repeat(target, units, axis=0),
        lambda size: acting._replace(constant=acting.constant + size * pushes),
    )
    exact = runs.reference.delta[keep]
    assert (np.abs(found.reshape(exact.shape) - exact) < tolerance_of(plain, exact)).all()


@NUMBERS
def test_exact_gradients_are_differences_of_the_mean_cost(number):
    """One weight of every connection, by name and number."""
    (case, plain, _, runs), rng = study(number), np.random.default_rng(number)
    if not judged(number).all():
        return
    u, chip = runs.reference.equilibrium.state / (1.0 + plain.free.load), case.chip.without(*list_noise_causes())
    blocks = make_exact_rule(chip)(Samples(case.x, case.target)).blocks
    for c in plain.topology.connections:
        pre, post = (int(rng.integers(size)) for size in plain.topology.shapes[c.block])

        def heavier(size, c=c, pre=pre, post=post):
            felt = plain.felt[c.block].copy()
            felt[pre, post] += size
            return plain.wired(plain.felt | {c.block: felt}, plain.loads)

        found = differences(plain, u, case.target, heavier).mean()
        exact = blocks[c.block]
        assert abs(found - exact[pre, post]) < tolerance_of(plain, exact.ravel())[0], c.block


def test_most_chips_were_judged():
    assert sum(judged(number).all() for number in range(CHIPS)) >= LEAST
    assert sum(make_ledger(study(n).runs, study(n).trial, 0).keep.all() for n in range(CHIPS)) >= LEAST


# The ledger


@cache
def by_hand(number):
    """Return all measurements of a chip, settling by settling."""
    case, plain, trial, runs = study(number)
    return [measured(case.chip, plain, trial, case.scheme, r) for r in range(len(runs.repeats))]


@NUMBERS
def test_terms_of_the_ledger_add_up_to_what_was_measured(number):
    _, _, trial, runs = study(number)
    book = make_ledger(runs, trial, 0)
    total = np.mean([one.delta for one in by_hand(number)], axis=0) - runs.reference.delta
    with np.errstate(invalid="ignore"):
        parts = sum(book.terms().values())
    np.testing.assert_allclose(parts[book.keep], total[book.keep], rtol=0, atol=1e-12)


@NUMBERS
def test_all_causes_together_are_the_total_of_the_ledger(number):
    case, _, trial, runs = study(number)
    book = make_ledger(runs, trial, 0)
    if not book.keep.any():
        return
    found = measure_interactions(case.chip, trial, case.repeats)[0]
    keep = found.keep & book.keep
    total = (book.steps[-1] - book.steps[0])[keep]
    np.testing.assert_allclose(found.full.value[keep], total, rtol=0, atol=1e-12)


# Statuses


def drift_of(plain, ending):
    """Return the largest drift of every sample, and what rounding may make of it, (batch,)."""
    u = membranes(plain, ending)
    with np.errstate(invalid="ignore", over="ignore"):  # of samples that diverged
        drift = plain.drift(u, ending.acting)
        size = 1.0 + np.abs(ending.state).max(axis=1) + np.abs(plain.activity(u)).max(axis=1)
    rounding = {"double": 2.0**-52, "single": 2.0**-23}[plain.design.dynamics.precision]
    return np.maximum(np.abs(drift.real), np.abs(drift.imag)).max(axis=1), 64.0 * rounding * size


@NUMBERS
def test_states_are_read_as_activities_of_their_membranes(number):
    plain = study(number).plain
    for ending in by_hand(number)[0].endings:
        there = np.isfinite(ending.state).all(axis=1) & (ending.settled.status != Status.DIVERGED)
        expected = plain.activity(membranes(plain, ending)[there])
        np.testing.assert_allclose(ending.activity[there], expected, rtol=1e-12, atol=1e-12)


@NUMBERS
def test_a_sample_has_settled_if_and_only_if_its_drift_vanishes(number):
    plain = study(number).plain
    if plain.design.devices.noise.on:
        return
    # Drive and membrane both rest where there is a pole between them.
    shares = 2.0 + plain.steepest() if plain.design.devices.neurons.synapse_tau else 1.0
    for ending in by_hand(number)[0].endings:
        drift, rounding = drift_of(plain, ending)
        settled, gone = ending.settled.status == Status.SETTLED, ending.settled.status == Status.DIVERGED
        assert (drift < shares * (ending.tolerance + rounding))[settled].all()
        # A sample has run away when the root of all its squared drifts passes 1e8.
        assert (~(drift < 1e8 / np.sqrt(2.0 * plain.topology.units)))[gone].all()
        if shares == 1.0:
            assert (drift > ending.tolerance - rounding)[~settled & ~gone].all()
            assert (np.abs(drift - ending.settled.residual) < rounding)[~gone].all()
        short = ending.settled.status == Status.STEP_LIMIT
        assert (ending.settled.steps[short] == ending.limit).all() or plain.design.dynamics.method == "rk45"


@NUMBERS
def test_a_swing_has_settled_if_and_only_if_its_last_cycle_closes(number):
    for settled, gap, tolerance in by_hand(number)[0].gaps:
        there = settled.status != Status.DIVERGED
        np.testing.assert_allclose(settled.residual[there], gap[there], rtol=1e-12, atol=1e-14)
        if not study(number).plain.design.devices.noise.on:
            np.testing.assert_array_equal(settled.status == Status.SETTLED, there & (gap < tolerance))


@NUMBERS
def test_a_cycle_comes_back_and_no_sample_that_was_given_up_would_have_settled(number):
    """Steps of one stage go on in NumPy from where they ended: a cycle returns, and none settles in as many again."""
    plain, neurons = study(number).plain, study(number).plain.design.devices.neurons
    dynamics = plain.design.dynamics
    if plain.design.devices.noise.on or neurons.synapse_tau or neurons.slew or dynamics.mode == "equilibrium":
        return
    for ending in by_hand(number)[0].endings if dynamics.method in ("euler", "exponential") else []:
        load = 1.0 + ending.acting.load
        ratio = dynamics.dt / plain.tau * (load if dynamics.method == "euler" else 1.0)
        gain = ratio if dynamics.method == "euler" else -np.expm1(-ratio * load)
        status = ending.settled.status
        v = membranes(plain, ending) * load
        begin, back, reach = v.copy(), np.full(len(v), np.inf), np.zeros(len(v))
        looping = np.isin(status, [Status.PERIOD_2, Status.CYCLE])
        for k in range(1, 3000 if looping.any() or (status == Status.STALLED).any() else 0):
            drift = plain.drift(v / load, ending.acting)
            assert (np.abs(drift).max(axis=1) > ending.tolerance)[looping | (status == Status.STALLED)].all()
            v = np.where(np.isfinite(v), v + gain * drift, 0.0)
            away = np.abs(v - begin).max(axis=1)
            reach = np.maximum(reach, away)
            back = np.where((k % 2 == 0) | (status != Status.PERIOD_2), np.minimum(back, away), back)
        assert (back < 0.02 * reach)[looping].all()
