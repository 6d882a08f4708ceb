import numpy as np
import pytest

from learning.cost import compute_gradients
from learning.estimator import measure_free
from learning.optimisers.optimiser import Sgd
from learning.oracle.exact import compute_exact_errors, make_exact_rule
from learning.rules.asym_ep import AsymEP
from learning.rules.contrastive import Contrastive
from learning.rules.dyadic import Dyadic
from learning.rules.error_vector import ErrorVector
from learning.rules.feedback_alignment import FeedbackAlignment
from learning.rules.kolen_pollack import KolenPollack
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred, Circle, OneSided, RandomSign
from learning.training import Samples, TrainingState, train
from substrate.dynamics.methods import Phase
from substrate.protocol import Status
from tests.benches import AdjointBench, SignedBench
from tests.networks import random_batch, random_chip, slope_of

RULES = [ErrorVector(), Contrastive(), AsymEP(), Dyadic(), KolenPollack(decay=0.01), FeedbackAlignment()]
PAIRS = [("l1-l2", "l2-l1"), ("l2-out", "out-l2")]


def method(chip, scheme=Centred(beta=0.05), presynaptic="mean"):  # noqa: B008  immutable
    return RuleContext(scheme, presynaptic, programmed=lambda: chip.programmed)


def by_class(chip, samples=8):
    """Return samples that can be told apart."""
    x, y = random_batch(chip, samples)
    return Samples(x + 2.0 * np.repeat(y, 2, axis=1), y)


def tied(chip, x, y):
    """Return the exact gradient of couplings that both directions share, and of everything else."""
    free = measure_free(chip, x)
    delta = chip.topology.split(compute_exact_errors(chip, y).delta)
    keep = np.ones(len(x), dtype=bool)
    blocks = compute_gradients(chip, free.activity, delta, keep)
    backwards = {
        f"weight/{pre}-{post}": delta[pre].T @ free.activity[post] / len(x)
        for pre, post in chip.connections
        if pre in delta
    }
    return {name: block + backwards.get(name, 0.0) for name, block in blocks.items()}


@pytest.mark.parametrize(
    ("kind", "fields", "order", "betas"),
    [
        (OneSided, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
        (Centred, {}, 2, [0.2, 0.1, 0.05, 0.025, 0.0125]),
        (Circle, {"points": 4}, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
    ],
)
@pytest.mark.parametrize("edges", ["all", "clamped"])
def test_the_contrast_tends_to_the_tied_gradient(edges, kind, fields, order, betas):
    """On symmetric couplings ``delta_i a_j + a_i delta_j``; from the clamped input ``delta_i a_j``."""
    chip = random_chip("reciprocal", symmetric=True, seed=2)
    x, y = random_batch(chip)
    limit = tied(chip, x, y)
    names = list(limit) if edges == "all" else ["weight/in-l1", "bias/l1"]
    errors = []
    for beta in betas:
        blocks = make_rule(Contrastive(), chip, RuleContext(kind(beta=beta, **fields)))(Samples(x, y)).blocks
        errors.append(float(np.sqrt(sum(np.sum((blocks[name] - limit[name]) ** 2) for name in names))))
    slope = slope_of(betas, errors)
    assert abs(slope - order) < 0.15, (slope, errors)
    assert errors[-1] < 0.01 * np.sqrt(sum(np.sum(limit[name] ** 2) for name in names))


def test_the_contrast_is_that_of_the_error_vector_where_nothing_else_moves():
    """Edges from the clamped input and biases: the same readings, the same numbers."""
    chip = random_chip(sigma=0.2)
    samples = Samples(*random_batch(chip))
    contrast, usual = (make_rule(r, chip, method(chip))(samples).blocks for r in (Contrastive(), ErrorVector()))
    for name in ("weight/in-l1", "bias/l1", "bias/out", "readout/weight"):
        np.testing.assert_allclose(contrast[name], usual[name], rtol=0, atol=1e-14)


def test_the_contrast_takes_mirrored_nodes_and_drawn_signs():
    chip = random_chip(symmetric=True)
    samples, bench = Samples(*random_batch(chip)), SignedBench(chip)
    limit = tied(chip, *samples[:2])["weight/l1-l2"]
    for scheme, size in ((Circle(beta=0.1, points=6), 1e-6), (RandomSign(beta=1e-3), 1e-2)):
        found = [
            make_rule(Contrastive(), bench, RuleContext(scheme, mirror=mirror))(samples).blocks["weight/l1-l2"]
            for mirror in (True, False)
        ]
        np.testing.assert_allclose(*found, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[0], limit, rtol=0, atol=size * np.abs(limit).max())


def test_the_contrast_leaves_diverged_samples_out():
    chip = random_chip(dt=3.0, phase=Phase(max_steps=500))
    gradient = make_rule(Contrastive(), chip, method(chip))(Samples(*random_batch(chip)))
    assert (gradient.status == Status.DIVERGED).all()
    assert np.isnan(gradient.blocks["weight/in-l1"]).all()


def test_asym_ep_measures_what_the_error_vector_measures():
    chip = random_chip(sigma=0.2)
    samples = Samples(*random_batch(chip))
    one, two = (make_rule(rule, chip, method(chip))(samples).blocks for rule in (ErrorVector(), AsymEP()))
    for name, block in one.items():
        np.testing.assert_array_equal(two[name], block)


def test_the_dyadic_rule_passes_on_the_adjoint_state():
    chip = random_chip(sigma=0.5)
    samples = Samples(*random_batch(chip))
    found, true = make_rule(Dyadic(), AdjointBench(chip), method(chip))(samples), make_exact_rule(chip)(samples)
    assert set(found.blocks) == set(true.blocks)
    for name, block in true.blocks.items():
        np.testing.assert_allclose(found.blocks[name], block, rtol=0, atol=1e-12 * np.abs(block).max())


def test_a_chip_with_an_adjoint_state_learns_from_the_exact_gradient():
    chip = random_chip(sigma=0.5)
    samples = Samples(*random_batch(chip))
    found, true = make_rule(Dyadic(), chip, method(chip))(samples), make_exact_rule(chip)(samples)
    for name, block in true.blocks.items():
        np.testing.assert_allclose(found.blocks[name], block, rtol=0, atol=1e-6 * np.abs(block).max())


def differences(chip):
    return [chip.programmed[f"weight/{back}"] - chip.programmed[f"weight/{forward}"].T for forward, back in PAIRS]


def test_kolen_pollack_shrinks_the_difference_by_its_decay_at_every_step():
    chip = random_chip()
    samples, rate, decay = by_class(chip), 0.3, 0.2
    rule = make_rule(KolenPollack(decay=decay), chip, method(chip))
    first = differences(chip)
    for _ in train(chip, rule, Sgd(rate=rate, momentum=0.0), lambda _: [samples], 1, TrainingState()):
        for before, after in zip(first, differences(chip), strict=True):
            np.testing.assert_allclose(after, (1.0 - rate * decay) * before, rtol=0, atol=1e-15)
    for _ in train(chip, rule, Sgd(rate=rate, momentum=0.0), lambda _: [samples], 99, TrainingState()):
        pass
    for before, after in zip(first, differences(chip), strict=True):
        np.testing.assert_allclose(after, (1.0 - rate * decay) ** 100 * before, rtol=0, atol=1e-13)


def test_without_decay_kolen_pollack_keeps_the_difference_and_needs_no_record():
    chip = random_chip()
    samples, first = by_class(chip), differences(chip)
    rule = make_rule(KolenPollack(decay=0.0), chip, RuleContext(Centred(beta=0.05)))
    blocks = rule(samples).blocks
    usual = make_rule(ErrorVector(), chip, method(chip))(samples).blocks
    for forward, back in PAIRS:
        np.testing.assert_array_equal(blocks[f"weight/{forward}"], usual[f"weight/{forward}"])
        np.testing.assert_array_equal(blocks[f"weight/{back}"], usual[f"weight/{forward}"].T)
    list(train(chip, rule, Sgd(rate=0.3), lambda _: [samples], 5, TrainingState()))
    for before, after in zip(first, differences(chip), strict=True):
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-14)


def test_a_decay_without_a_record_is_refused():
    chip = random_chip()
    rule = make_rule(KolenPollack(decay=0.1), chip, RuleContext(Centred(beta=0.05)))
    with pytest.raises(ValueError, match="record of programmed weights"):
        rule(by_class(chip))


def test_a_feedback_connection_without_a_partner_learns_as_usual():
    chip = random_chip("loop")
    samples = by_class(chip)
    found, usual = (make_rule(r, chip, method(chip))(samples).blocks for r in (KolenPollack(), ErrorVector()))
    np.testing.assert_array_equal(found["weight/out-l1"], usual["weight/out-l1"])


@pytest.mark.parametrize(("wiring", "fixed"), [("reciprocal", {"l2-l1", "out-l2"}), ("loop", {"out-l1"})])
def test_feedback_alignment_leaves_the_feedback_alone(wiring, fixed):
    chip = random_chip(wiring)
    before = {name: block.copy() for name, block in chip.programmed.items()}
    rule = make_rule(FeedbackAlignment(), chip, method(chip))
    list(train(chip, rule, Sgd(rate=0.3), lambda _: [by_class(chip)], 5, TrainingState()))
    unchanged = {name for name, block in chip.programmed.items() if (block == before[name]).all()}
    assert unchanged == {f"weight/{name}" for name in fixed}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_every_rule_trains(rule):
    chip = random_chip(symmetric=True, sigma=0.1)
    samples = by_class(chip)
    bench = AdjointBench(chip)
    steps = list(
        train(bench, make_rule(rule, bench, method(chip)), Sgd(rate=0.1), lambda _: [samples], 60, TrainingState())
    )
    means = [step.finished["loss"] for step in steps]
    assert means[-1] < 0.7 * means[0], means[:: len(means) - 1]
    assert all(step.failure == "" for step in steps)
