import numpy as np
import pytest

from learning import cost
from learning.estimator import measure_free
from learning.optimisers.optimiser import Sgd, compute_requested_changes
from learning.oracle.exact import make_exact_rule
from learning.oracle.ledger.statistics import compute_cosines
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import EpochTally, Samples, TrainingState, evaluate, train
from substrate.dynamics.methods import Phase
from substrate.protocol import Budget, Status
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip

EP = Centred(beta=0.05)


def ep_rule(bench, scheme, presynaptic):
    return make_rule(ErrorVector(), bench, RuleContext(scheme, presynaptic))


def halves(chip, samples=8):
    x, y = random_batch(chip, samples)
    return lambda epoch: [Samples(x[k::2], y[k::2]) for k in ((epoch % 2), 1 - (epoch % 2))]


def flat(chip):
    return np.concatenate([block.ravel() for block in chip.programmed.values()])


def test_momentum_is_the_published_recursion():
    memory, position, gradients = {}, 0.0, [1.0, -2.0, 0.5]
    for g in gradients:
        position += compute_requested_changes(Sgd(rate=0.1, momentum=0.5), {"w": np.array([g])}, memory)["w"][0]
    velocities = [1.0, -1.5, -0.25]
    assert position == pytest.approx(-0.1 * sum(velocities))


def test_a_step_goes_down_the_measured_gradient():
    chip = random_chip(symmetric=True)
    batches = halves(chip)
    gradient = ep_rule(chip, EP, "mean")(batches(0)[0])
    before = flat(chip)
    next(train(chip, ep_rule(chip, EP, "mean"), Sgd(rate=0.1, momentum=0.0), batches, 1, TrainingState()))
    moved = np.concatenate([gradient.blocks[name].ravel() for name in chip.programmed])
    np.testing.assert_allclose(flat(chip) - before, -0.1 * moved, rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", ["mse", "cross-entropy"])
def test_training_lowers_the_loss(kind):
    chip = random_chip(symmetric=True, sigma=0.1, cost=kind)
    x, y = random_batch(chip, 8)
    if kind == "cross-entropy":
        x = x + 2.0 * np.repeat(y, 2, axis=1)
    steps = list(train(chip, ep_rule(chip, EP, "mean"), Sgd(rate=0.3), lambda _: [Samples(x, y)], 40, TrainingState()))
    means = [step.finished["loss"] for step in steps if step.finished]
    assert len(steps) == len(means) == 40
    assert means[-1] < 0.7 * means[0]
    assert all(step.failure == "" for step in steps)


def test_the_exact_rule_is_the_gradient_that_ep_tends_to():
    chip = random_chip(symmetric=True)
    x, y = random_batch(chip)
    measured, true = ep_rule(chip, Centred(beta=1e-3), "free")(Samples(x, y)), make_exact_rule(chip)(Samples(x, y))
    assert set(measured.blocks) == set(true.blocks) == set(chip.topology.shapes)
    for name, block in true.blocks.items():
        np.testing.assert_allclose(measured.blocks[name], block, rtol=0, atol=1e-5 * np.abs(block).max())
    np.testing.assert_array_equal(measured.wrong, true.wrong)
    np.testing.assert_allclose(measured.loss, true.loss, rtol=1e-12)


def test_training_needs_only_the_bench():
    chip, twin = random_chip(sigma=0.1), random_chip(sigma=0.1)
    for bench, batches in ((OnlyBench(chip), halves(chip)), (twin, halves(twin))):
        list(train(bench, ep_rule(bench, EP, "mean"), Sgd(), batches, 2, TrainingState()))
    np.testing.assert_array_equal(flat(chip), flat(twin))


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_a_resumed_training_is_the_undisturbed_one_bit_for_bit(stop_after):
    whole, part = random_chip(sigma=0.1), random_chip(sigma=0.1)
    undisturbed = TrainingState()
    steps = list(train(whole, ep_rule(whole, EP, "mean"), Sgd(), halves(whole), 4, undisturbed))
    first = TrainingState()
    run = train(part, ep_rule(part, EP, "mean"), Sgd(), halves(part), 4, first)
    early = [next(run) for _ in range(stop_after)]
    fresh = type(part)(part.design, part.programmed, part.fabrication)
    second = TrainingState(first.epoch, first.batch, EpochTally(**vars(first.tally)), dict(first.memory), first.budget)
    late = list(train(fresh, ep_rule(fresh, EP, "mean"), Sgd(), halves(fresh), 4, second))
    np.testing.assert_array_equal(flat(fresh), flat(whole))
    assert [step.finished for step in early + late] == [step.finished for step in steps]
    assert second.budget == undisturbed.budget


def test_a_write_moves_the_programme_and_every_cell_keeps_its_mismatch():
    chip = random_chip(sigma=0.1)
    gains = chip.effective["weight/l2-l1"] / chip.programmed["weight/l2-l1"]
    change = np.full((5, 7), 0.25)
    chip.write({"weight/l2-l1": change})
    np.testing.assert_allclose(chip.effective["weight/l2-l1"] / chip.programmed["weight/l2-l1"], gains, rtol=1e-12)
    rebuilt = type(chip)(chip.design, chip.programmed, chip.fabrication)
    x, _ = random_batch(chip)
    for bench in (chip, rebuilt):
        bench.set_input(x)
        bench.settle()
    np.testing.assert_array_equal(chip.state, rebuilt.state)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"weight/none": np.zeros(3)}, "no block"),
        ({"bias/l1": np.zeros(3)}, "no block"),
        ({"bias/l2": np.ones(5), "bias/l1": np.full(7, np.nan)}, "not finite"),
    ],
)
def test_a_wrong_write_is_refused_as_a_whole(changes, text):
    chip = random_chip()
    before = flat(chip)
    with pytest.raises(ValueError, match=text):
        chip.write(changes)
    np.testing.assert_array_equal(flat(chip), before)


def test_the_budget_counts_settlings_reads_and_writes_per_sample():
    chip = random_chip(phase=Phase(steps=10))
    x, y = random_batch(chip, 3)
    assert chip.budget == Budget()
    gradient = ep_rule(chip, EP, "mean")(Samples(x, y))
    chip.write(compute_requested_changes(Sgd(), gradient.blocks, {}))
    assert chip.budget == Budget(settlings=9, settled_time=9 * 10 * 0.5, reads=9, writes=1, elapsed=9 * 10 * 0.5)


def test_a_diverging_chip_ends_the_training_with_a_reason():
    chip = random_chip(dt=3.0, phase=Phase(max_steps=500))
    before = flat(chip)
    steps = list(train(chip, ep_rule(chip, EP, "mean"), Sgd(), halves(chip), 4, TrainingState()))
    assert [step.failure for step in steps] == ["every sample of a batch diverged"]
    assert np.isnan(steps[0].finished["loss"])
    assert steps[0].finished["unsettled"] == 1.0
    np.testing.assert_array_equal(flat(chip), before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e7])
def test_a_runaway_gradient_is_not_written(value):
    chip = random_chip()
    before = flat(chip)
    usual = ep_rule(chip, EP, "mean")

    def runaway(samples):
        gradient = usual(samples)
        gradient.blocks["bias/l1"][2] = value
        return gradient

    (step,) = train(chip, runaway, Sgd(), halves(chip), 4, TrainingState())
    assert "not finite or beyond" in step.failure
    np.testing.assert_array_equal(flat(chip), before)


def test_a_tally_counts_what_did_not_settle_and_averages_what_did_not_diverge():
    chip = random_chip(phase=Phase(max_steps=20, tolerance=1e-4))
    x, y = random_batch(chip)
    gradient = ep_rule(chip, EP, "mean")(Samples(x, y))
    status = np.array([Status.SETTLED, Status.STEP_LIMIT, Status.DIVERGED, Status.SETTLED, Status.SETTLED])
    loss = np.array([1.0, 2.0, np.nan, 3.0, 4.0])
    tally = EpochTally()
    tally.add(gradient._replace(status=status, loss=loss, wrong=np.array([1.0, 1.0, 0.0, 0.0, 0.0])))
    assert tally.means() == pytest.approx({"loss": 2.5, "error": 0.6, "unsettled": 0.4})


def test_evaluation_does_not_depend_on_its_chunks():
    chip = random_chip()
    x, y = random_batch(chip, 20)
    whole, parts = evaluate(chip, x, y, rows=20), evaluate(chip, x, y, rows=7)
    assert whole == pytest.approx(parts)
    free = measure_free(chip, x)
    assert whole["loss"] == pytest.approx(cost.compute_loss(chip.readout, free.activity["out"], y).mean())
    assert np.isnan(evaluate(chip, x[:0], y[:0])["loss"])


def test_ep_on_a_mismatched_chip_stays_close_to_its_exact_gradient():
    chip = random_chip(symmetric=True, sigma=0.1)
    x, y = random_batch(chip)
    measured, true = ep_rule(chip, EP, "free")(Samples(x, y)).blocks, make_exact_rule(chip)(Samples(x, y)).blocks
    for name, block in true.items():
        assert compute_cosines(measured[name].reshape(1, -1), block.reshape(1, -1))[0] > 0.95, name
