"""Laws of layer-local nudges."""

import numpy as np
import pytest

from devices.interface.hold import Hold
from learning.cost import compute_cost_force, compute_logits, compute_loss
from learning.draws import draw_matrix
from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.goal import integrate_goal
from learning.oracle.ledger.connections import TrialWrite, make_connection_ledgers
from learning.oracle.ledger.runs import Trial, make_settling_complete, run_without_causes
from learning.oracle.ledger.vectors import make_ledger
from learning.rules.error_vector import ErrorVector
from learning.rules.layer_nudges import LayerNudges
from learning.rules.rule import RuleContext
from learning.schemes.nodes import Centred, Chebyshev, Circle, OneSided, RandomSign
from learning.schemes.wave import LockIn
from substrate.dynamics.phases import Phases
from substrate.protocol import Readout
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip

RULE = LayerNudges(weight=0.7)


def estimate(chip, rule, scheme, samples=4):
    """Return the chip that settles completely, its batch, its exact errors and the estimate of a rule."""
    chip = make_settling_complete(chip)
    batch = random_batch(chip, samples)
    free = measure_free(OnlyBench(chip), batch[0])
    reference = compute_exact_errors(chip, batch[1])
    return chip, batch, reference, rule.estimate(OnlyBench(chip), free, batch[1], RuleContext(scheme)).flat


def join_forces(chip, batch, reference, rule):
    rest = {"in": batch[0]} | chip.topology.split(reference.equilibrium.activity)
    forces = rule.forces(rest, batch[1], chip.readout)
    return np.concatenate([forces[name] for name in chip.topology.names], axis=1)


@pytest.mark.parametrize("cost", ["mse", "cross-entropy"])
def test_the_forces_are_the_gradient_of_the_costs(cost):
    """Of every hidden layer that of its own readout, by central differences; of the outputs that of the chip."""
    chip = random_chip(cost=cost)
    x, y = random_batch(chip, 2)
    rng = np.random.default_rng(0)
    a = {"in": x} | {name: rng.uniform(size=(2, chip.topology.layers[name])) for name in chip.topology.names}
    forces = RULE.forces(a, y, chip.readout)
    *hidden, output = chip.topology.names
    np.testing.assert_array_equal(forces[output], compute_cost_force(chip.readout, a[output], y))
    for k, name in enumerate(hidden):
        local = Readout(draw_matrix(0, k, (y.shape[1], a[name].shape[1])).T, np.zeros(y.shape[1]))

        def loss(values, local=local):
            if cost == "mse":
                return compute_loss(None, compute_logits(local, values), y)
            return compute_loss(local, values, y)

        for unit in range(a[name].shape[1]):
            step = 1e-6 * np.eye(a[name].shape[1])[unit]
            slope = (loss(a[name] + step) - loss(a[name] - step)) / 2e-6
            np.testing.assert_allclose(forces[name][:, unit], 0.7 * slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("scheme", [OneSided(beta=0.3), Centred(beta=0.3), Chebyshev(beta=0.3, points=4)])
def test_on_a_symmetric_chip_it_is_the_gradient_of_its_goal_at_any_nudge(law, scheme):
    chip, batch, reference, found = estimate(random_chip(symmetric=True, law=law), RULE, scheme)
    forces = join_forces(chip, batch, reference, RULE)
    goal = integrate_goal(chip, reference.equilibrium.state, batch[1], scheme.nodes(), points=24, forces=forces)
    assert not goal.jumped.any()
    np.testing.assert_allclose(found, goal.delta, rtol=0, atol=1e-10)
    assert np.abs(found - reference.linear.adjoint(forces)).max() > 1e-5  # and not that of the costs


def test_small_nudges_tend_to_the_response_of_all_forces_whatever_the_couplings():
    chip, batch, reference, found = estimate(random_chip("loop", sigma=0.5), RULE, Centred(beta=1e-3))
    limit = reference.linear.response(join_forces(chip, batch, reference, RULE))
    np.testing.assert_allclose(found, limit, rtol=0, atol=1e-6 * np.abs(limit).max())


def test_without_local_costs_it_is_a_nudge_of_the_outputs_that_is_held():
    chip = random_chip(sigma=0.3, phases=Phases(nudge="held"))
    found = [estimate(chip, rule, Centred(beta=0.2))[-1] for rule in (LayerNudges(weight=0.0), ErrorVector())]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("scheme", [OneSided(beta=0.2), Centred(beta=0.2), Chebyshev(beta=0.2, points=4)])
def test_reads_wait_and_phases_are_averaged_as_by_the_rule_of_the_outputs(scheme):
    """Without local costs: all reads but the last wait in a hold that loses much; the mean is that of all phases."""
    chip = random_chip(phases=Phases(nudge="held", hold_time=2.0), hold=Hold(droop_tau=20.0))
    x, y = random_batch(chip, 3)
    free = measure_free(chip, x)
    rules = (LayerNudges(weight=0.0), ErrorVector())
    ours, theirs = (rule.estimate(OnlyBench(chip), free, y, RuleContext(scheme, presynaptic="mean")) for rule in rules)
    np.testing.assert_allclose(ours.flat, theirs.flat, rtol=0, atol=1e-10)
    for name, mean in theirs.presynaptic.items():
        np.testing.assert_allclose(ours.presynaptic[name], mean, rtol=0, atol=1e-10)


def test_early_layers_answer_as_strongly_as_late_ones():
    """Weak couplings divide a signal from the outputs at every layer; that of a local cost has no way to go."""
    shares = []
    for weight in (0.0, 1.0):
        chip, _, _, found = estimate(random_chip(scale=0.1), LayerNudges(weight=weight), Centred(beta=0.1))
        first, *_, last = (np.linalg.norm(delta) for delta in chip.topology.split(found).values())
        shares.append(first / last)
    assert shares[0] < 0.02
    assert shares[1] > 0.3


def test_the_ledger_splits_costs_of_layers_asymmetry_and_finite_nudge():
    chip = random_chip(sigma=0.2)
    x, y = random_batch(chip, 4)
    trial = Trial(x, y, [Centred(beta=0.3)], RULE)
    runs = run_without_causes(chip, trial)
    book = make_ledger(runs, trial, 0)
    reference, forces = runs.reference, join_forces(chip, (x, y), runs.reference, RULE)
    terms = book.terms()
    assert book.names[:3] == ("layer_costs", "asymmetry", "finite_nudge")
    adjoint, response = reference.linear.adjoint(forces), reference.linear.response(forces)
    np.testing.assert_allclose(terms["layer_costs"], adjoint - reference.delta, rtol=0, atol=1e-14)
    np.testing.assert_allclose(terms["asymmetry"], response - adjoint, rtol=0, atol=1e-14)
    assert 1e-5 < np.abs(terms["finite_nudge"]).max() < 0.1
    np.testing.assert_allclose(book.parts["goal"] + book.parts["nudge_bias"], terms["finite_nudge"], rtol=0, atol=1e-14)
    books = make_connection_ledgers(chip, runs, trial, 0, book.keep, TrialWrite(0.1, 1))
    for one in books.values():
        np.testing.assert_allclose(sum(one.terms().values()), one.steps[-1] - one.steps[0], rtol=0, atol=1e-12)
        assert np.abs(one.terms()["layer_costs"]).max() > 1e-4


def test_on_a_symmetric_chip_all_of_the_finite_nudge_is_a_change_of_goal():
    chip = random_chip(symmetric=True)
    x, y = random_batch(chip, 4)
    trial = Trial(x, y, [Centred(beta=0.3)], RULE)
    book = make_ledger(run_without_causes(chip, trial), trial, 0)
    assert np.abs(book.parts["nudge_bias"]).max() < 1e-6 * np.abs(book.steps[0]).max()
    assert np.abs(book.parts["goal"]).max() > 1e-4 * np.abs(book.steps[0]).max()


def test_the_account_has_the_settlings_of_the_scheme_and_the_digital_readouts():
    chip = random_chip()
    batch = random_batch(chip, 3)
    free = measure_free(chip, batch[0])
    before = chip.budget
    RULE.estimate(chip, free, batch[1], RuleContext(Centred(beta=0.1)))
    spent = chip.budget.plus(before, -1)
    hidden = sum(chip.topology.layers[name] for name in chip.topology.names[:-1])
    assert (spent.settlings, spent.probes, spent.reads) == (6, 6, 6)
    assert spent.macs == 3 * 2 * hidden * batch[1].shape[1]


def test_only_constant_real_nudges_can_be_injected():
    assert all(not RULE.find_scheme_fault(scheme) for scheme in (OneSided(beta=0.1), Centred(beta=0.1)))
    for scheme in (Circle(beta=0.1, points=4), RandomSign(beta=0.1), LockIn(beta=0.1, period=10.0)):
        assert RULE.find_scheme_fault(scheme)
