"""Errors, gradients and homeostasis of chips with kernels, whose couplings may depend on the state."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning import cost
from learning.draws import draw_unit_normals
from learning.estimator import estimate_error_vectors, measure_free
from learning.homeostasis.measured import OpenLoop, add_homeostasis, correlate_antisymmetrically
from learning.optimisers.optimiser import Sgd
from learning.oracle.exact import compute_exact_errors, compute_exact_gradients, make_exact_rule
from learning.oracle.homeostasis import (
    ExactPull,
    SampledPull,
    compute_homeostatic_loss,
    compute_local_loss,
    estimate_local_loss,
)
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred, Circle
from learning.training import Samples, TrainingState, train
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath
from substrate.settling.coupling import find_couplings
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, slope_of
from tests.substrate.kernel_chips import FEEDBACK, POOLS, differentiate, make_dense_twin, make_kernel_chip, settle

pytestmark = pytest.mark.jax

DATA = Path(__file__).parents[2] / "data" / "conv_dsilu_xent"
FORMS = {"in": (32, 32, 3), "conv1": (16, 16, 4), "conv2": (8, 8, 5), "conv3": (4, 4, 6), "out": (1, 1, 6)}
PATHS = ["in-conv1", "conv1-conv2", "conv2-conv1", "conv2-conv3", "conv3-conv2", "conv3-out", "out-conv3"]


def assert_reference(found, wanted, name):
    found = found.reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max(), err_msg=name)


def test_states_errors_and_gradients_are_those_of_an_independent_program():
    given, batch, expected = (np.load(DATA / f"{name}.npz") for name in ("parameters", "batch", "expected"))
    paths = [ConvolutionPath(kind="conv", path=p, padding="valid" if "out" in p else None) for p in PATHS]
    end = Phase(max_steps=2000, tolerance=1e-14)
    how = Dynamics(engine="jax", dt=1.0, free=end, nudged=end)
    chip = Chip(Design(Topology(FORMS, paths, 4), "dsilu", "cross-entropy", how), given)
    x, y, keep = batch["x"].reshape(3, -1), batch["y"], np.ones(3, dtype=bool)
    free = measure_free(chip, x)
    assert (free.settled.status == 0).all()
    split = chip.topology.split
    for name, state in split(chip.state).items():
        assert_reference(state, expected[f"free/state/{name}"], name)
    exact = compute_exact_errors(chip, y)
    assert exact.equilibrium.reached.all()
    circle = estimate_error_vectors(chip, measure_free(chip, x), y, Circle(beta=0.5, points=2)).delta
    vectors = {"exact": split(exact.delta), "ep": split(exact.ep), "circle/beta_0.5/N_2": circle}
    for kind, layers in vectors.items():
        for name, delta in layers.items():
            assert_reference(delta, expected[f"delta/{kind}/{name}"], f"{kind} {name}")
    for kind in ("exact", "ep"):
        blocks = compute_exact_gradients(chip, free.activity, vectors[kind], keep)
        blocks |= cost.compute_readout_gradients(chip.readout, free.activity["out"], y, keep)
        assert blocks.keys() == chip.topology.shapes.keys()
        for name, block in blocks.items():
            assert_reference(block, expected[f"gradient/{kind}/{name}"], f"{kind} {name}")


COPIED = {
    "cells": "per-position",
    "weights": WeightDevices(mismatch="additive", mismatch_sigma=0.05),
    "feedback": FeedbackDevices(mismatch_sigma=0.1),
}
"""Copies whose errors do not depend on the weight, so a change of the kernel is that of all its cells."""


@pytest.mark.parametrize("devices", [{}, COPIED], ids=["shared", "copied"])
def test_average_pooling_is_a_dense_network_whose_entries_repeat(devices):
    """Exact errors and their gradients, EP limits and the loss of homeostasis, on both engines."""
    chip = make_kernel_chip("average", **devices)
    x, y = settle(chip)
    errors, loss = compute_exact_errors(chip, y), compute_local_loss(chip)
    for engine in ("jax", "cpu"):
        twin = make_dense_twin(chip, engine)
        measure_free(twin, x)
        dense, known = compute_exact_errors(twin, y), compute_homeostatic_loss(twin.topology, twin.effective)
        for name in ("delta", "ep", "first_order"):
            np.testing.assert_allclose(getattr(errors, name), getattr(dense, name), rtol=0, atol=1e-12)
        assert loss.loss == pytest.approx(known.loss, rel=1e-12)
        blocks, exact = (make_exact_rule(which)(Samples(x, y)).blocks for which in (chip, twin))
        for gradient, repeated in ((loss.gradient, known.gradient), (blocks, exact)):
            for c in chip.topology.recurrent():
                wanted = sum_repeated(c.kind, repeated[c.block])
                np.testing.assert_allclose(gradient[c.block], wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


def sum_repeated(kind, gradient):
    """Return the gradient of a block from that of the matrix (pre, post) it stands for."""
    found = np.zeros(kind.shape)
    for index in np.ndindex(kind.shape):
        unit = np.zeros(kind.shape)
        unit[index] = 1.0
        found[index] = np.vdot(kind.matrix(unit).T, gradient)
    return found


@pytest.mark.parametrize("pool", POOLS)
def test_equal_kernels_make_ep_exact(pool):
    chip = make_kernel_chip(pool, symmetric=True)
    _, y = settle(chip)
    found = compute_exact_errors(chip, y)
    np.testing.assert_allclose(found.ep, found.delta, rtol=0, atol=1e-14)
    assert np.abs(found.delta).max() > 0.01
    assert abs(compute_local_loss(chip).loss) < 1e-12


@pytest.mark.parametrize("pool", POOLS)
def test_the_error_of_ep_is_made_of_the_antisymmetric_part(pool):
    """``ep = delta + 2 R (1 - W R)^-1 A delta``, from matrices made of products."""
    chip = make_kernel_chip(pool)
    _, y = settle(chip)
    found = compute_exact_errors(chip, y)
    assert np.linalg.norm(found.ep - found.delta) > 0.1 * np.linalg.norm(found.delta)
    for sample in range(4):
        w, r = found.linear.couplings.dense(sample), np.diag(found.linear.slopes[sample])
        delta, one = found.delta[sample], np.eye(len(r))
        wanted = delta + r @ np.linalg.solve(one - w @ r, (w - w.T) @ delta)
        np.testing.assert_allclose(found.ep[sample], wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.linear.identity(found.delta), found.ep, rtol=0, atol=1e-12)


def measure_errors(chip, scheme):
    """Return error vectors (batch, units) of settlings to rest, and the exact side."""
    x, y = random_batch(chip, 4)
    found = estimate_error_vectors(chip, measure_free(chip, x), y, scheme)
    assert (found.status == 0).all()
    measure_free(chip, x)
    return found.flat, compute_exact_errors(chip, y)


@pytest.mark.parametrize("scheme", [Centred(beta=1e-3), Circle(beta=0.05, points=4)], ids=["real", "complex"])
@pytest.mark.parametrize("cells", ["shared", "per-position"])
@pytest.mark.parametrize("pool", POOLS)
def test_a_correction_that_knows_the_kernels_makes_ep_exact_for_a_small_nudge(pool, cells, scheme):
    chip = make_kernel_chip(pool, cells=cells, feedback=FeedbackDevices(mismatch_sigma=0.2)).variant(correction="exact")
    found, exact = measure_errors(chip, scheme)
    cosine = np.vdot(found, exact.delta) / np.linalg.norm(found) / np.linalg.norm(exact.delta)
    assert 1.0 - cosine < 1e-8
    np.testing.assert_allclose(found, exact.delta, rtol=0, atol=1e-5 * np.abs(exact.delta).max())
    np.testing.assert_allclose(exact.ep, exact.delta, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cells", ["shared", "per-position"])
@pytest.mark.parametrize("pool", POOLS)
def test_a_correction_leaves_what_it_does_not_know(pool, cells):
    """The limit of a chip whose feedback devices spread, and its part of first order in the spread."""
    devices = {"cells": cells, "feedback": FeedbackDevices(mismatch_sigma=0.1)}
    chip = make_kernel_chip(pool, **devices).variant(correction="programmed")
    found, exact = measure_errors(chip, Centred(beta=1e-3))
    np.testing.assert_allclose(found, exact.ep, rtol=0, atol=1e-5 * np.abs(exact.ep).max())
    left = exact.ep - exact.delta
    assert np.linalg.norm(left) > 0.01 * np.linalg.norm(exact.delta)
    assert np.linalg.norm(left - exact.first_order) < 0.3 * np.linalg.norm(left)


@pytest.mark.parametrize("pool", POOLS)
def test_a_correction_of_equal_kernels_changes_nothing(pool):
    plain = make_kernel_chip(pool, symmetric=True)
    (found, _), (wanted, _) = (measure_errors(c, Centred(beta=0.3)) for c in (plain.variant(correction="exact"), plain))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pool", POOLS)
def test_the_adjoint_state_settles_to_the_exact_errors(pool):
    """On the couplings around the free state, which the transposed kernels of the chip know."""
    chip = make_kernel_chip(pool)
    _, y = settle(chip)
    assert (chip.settle_errors(y).status == 0).all()
    found = np.concatenate([chip.read_errors()[name] for name in chip.topology.names], axis=1)
    np.testing.assert_allclose(found, compute_exact_errors(chip, y).delta, rtol=0, atol=1e-12)


def loss_at_rest(chip, x, y):
    free = measure_free(chip, x)
    assert (free.settled.status == 0).all()
    return cost.compute_loss(chip.readout, free.activity["out"], y).mean()


@pytest.mark.parametrize("devices", [{}, COPIED], ids=["shared", "copied"])
@pytest.mark.parametrize("pool", POOLS)
def test_exact_gradients_are_differences_of_the_loss_at_rest(pool, devices):
    chip = make_kernel_chip(pool, **devices)
    x, y = settle(chip)
    blocks, rng = make_exact_rule(chip)(Samples(x, y)).blocks, np.random.default_rng(3)
    assert blocks.keys() == chip.programmed.keys()
    for name, block in blocks.items():
        unit = np.zeros(block.shape)
        index = tuple(rng.integers(0, n) for n in block.shape)
        unit[index] = 1.0

        def loss(t, name=name, unit=unit):
            return loss_at_rest(chip.reprogrammed({name: chip.programmed[name] + t * unit}), x, y)

        assert block[index] == pytest.approx(differentiate(loss), rel=1e-7, abs=1e-10), name


@pytest.mark.parametrize("pool", POOLS)
def test_a_training_of_copies_lowers_the_loss_and_keeps_one_kernel(pool):
    """The requests are measured; every write goes to all copies, whose errors stay."""
    chip = make_kernel_chip(pool, **COPIED)
    x, y = settle(chip)
    errors = {name: chip.effective[name] - block for name, block in chip.programmed.items() if name != FEEDBACK}
    before, programmed = loss_at_rest(chip, x, y), chip.programmed["weight/l1-l2"].copy()
    rule = make_rule(ErrorVector(), OnlyBench(chip), RuleContext(Centred(beta=0.05), "mean"))
    list(train(chip, rule, Sgd(rate=0.2, momentum=0.0), lambda epoch: [Samples(x, y, epoch=epoch)], 8, TrainingState()))
    assert loss_at_rest(chip, x, y) < 0.8 * before
    assert np.abs(chip.programmed["weight/l1-l2"] - programmed).max() > 1e-3
    assert errors["weight/l1-l2"].shape == (4, 4, *programmed.shape)
    for name, error in errors.items():
        np.testing.assert_allclose(chip.effective[name] - chip.programmed[name], error, rtol=0, atol=1e-14)


def loss_around(chip, activity):
    """Return the mean of ``2 |A|^2`` from the matrix of every sample around its activity."""
    couplings = find_couplings(chip.machine, chip.topology, activity)
    matrices = [couplings.dense(sample) for sample in range(len(activity))]
    return np.mean([0.5 * np.sum((w - w.T) ** 2) for w in matrices])


@pytest.mark.parametrize("devices", [{}, COPIED], ids=["shared", "copied"])
@pytest.mark.parametrize("pool", POOLS)
def test_the_gradient_of_homeostasis_is_that_of_its_loss_at_fixed_activities(pool, devices):
    chip = make_kernel_chip(pool, **devices)
    settle(chip)
    activity, found, rng = chip.free_activity(), compute_local_loss(chip), np.random.default_rng(3)
    assert found.loss == pytest.approx(loss_around(chip, activity), rel=1e-12)
    assert found.gradient.keys() == {c.block for c in chip.topology.recurrent()}
    for name, block in found.gradient.items():
        unit = np.zeros(block.shape)
        index = tuple(rng.integers(0, n) for n in block.shape)
        unit[index] = 1.0

        def loss(t, name=name, unit=unit):
            return loss_around(chip.reprogrammed({name: chip.programmed[name] + t * unit}), activity)

        assert block[index] == pytest.approx(differentiate(loss), rel=1e-6, abs=1e-8), name


def test_sampled_losses_and_gradients_have_the_exact_ones_as_their_mean():
    """Of the loss and 20 entries, each within 4 standard errors; false alarms 1e-3 in all."""
    chip = make_kernel_chip()
    settle(chip)
    exact, every = compute_local_loss(chip), np.arange(4)
    drawn = [draw_unit_normals(0, every, 0, k, chip.topology.units) for k in range(300)]
    found = [estimate_local_loss(chip, eps, every) for eps in drawn]
    rng = np.random.default_rng(0)
    pairs = [([one.loss / 4.0 for one in found], exact.loss)]
    for name in list(exact.gradient) * 5:
        index = tuple(rng.integers(0, n) for n in exact.gradient[name].shape)
        pairs.append(([one.gradient[name][index] / 4.0 for one in found], exact.gradient[name][index]))
    assert len(pairs) == 21
    for values, wanted in pairs:
        assert abs(np.mean(values) - wanted) < 4.0 * np.std(values, ddof=1) / np.sqrt(len(values))
    pull = SampledPull(strength=2.0, draws=300).pull(chip, Samples(*[np.zeros((4, 1))] * 2))
    for name, block in pull.items():
        wanted = np.mean([one.gradient[name] for one in found], axis=0) / 4.0 * 2.0 / chip.topology.units
        np.testing.assert_allclose(block, wanted, rtol=0, atol=1e-12)


@pytest.fixture
def basis(monkeypatch):
    """Return a function that probes a chip over a full basis, all at one free state, with the pull times n."""

    def pull(chip, how):
        units = chip.topology.units
        x = np.tile(np.random.default_rng(1).uniform(size=chip.topology.layers["in"]), (units, 1))
        chip.set_input(x)
        chip.settle()
        signs = np.sqrt(units) * np.eye(units)
        monkeypatch.setattr("learning.homeostasis.measured.draw_unit_signs", lambda *_: signs)
        return {name: units * block for name, block in how.pull(OnlyBench(chip), Samples(x, x)).items()}

    return pull


def flatten(blocks):
    return np.concatenate([blocks[name].ravel() for name in sorted(blocks)])


@pytest.mark.parametrize("size", [0.01, 1.0])
def test_under_average_pooling_the_open_loop_is_exact_in_the_mean_whatever_its_size(basis, size):
    chip = make_kernel_chip("average")
    found = flatten(basis(chip, OpenLoop(size=size, draws=1)))
    wanted = flatten(ExactPull(strength=chip.topology.units).pull(chip, None))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


def test_under_softmax_pooling_the_error_of_the_open_loop_falls_as_the_square_of_its_size(basis):
    """Towards the products of ends with the couplings around the free state."""
    chip, sizes = make_kernel_chip(), [0.2 / 2**k for k in range(5)]
    found = [flatten(basis(chip, OpenLoop(size=size, draws=1))) for size in sizes]
    units, split = chip.topology.units, chip.topology.split
    eps = np.sqrt(units) * np.eye(units)
    answer = find_couplings(chip.machine, chip.topology, chip.free_activity()).product(eps)
    wanted = flatten(
        correlate_antisymmetrically(chip, OpenLoop().pulled(chip), split(eps), split(answer), np.arange(units))
    )
    errors = [np.linalg.norm(one - wanted) for one in found]
    assert slope_of(sizes, errors) == pytest.approx(2.0, abs=0.15), errors
    assert errors[-1] < 1e-3 * np.linalg.norm(wanted)
    exact = flatten(ExactPull(strength=units).pull(chip, None))
    assert 0.01 < np.linalg.norm(wanted - exact) / np.linalg.norm(exact) < 0.5


@pytest.mark.parametrize("how", [ExactPull(strength=5.0), SampledPull(strength=5.0), OpenLoop(strength=5.0)])
def test_a_few_steps_of_training_with_homeostasis_lower_its_loss(how):
    chip = make_kernel_chip()
    x, y = settle(chip)
    context = RuleContext(Centred(beta=0.05), "mean")
    bench = chip if isinstance(how, ExactPull | SampledPull) else OnlyBench(chip)
    rule = add_homeostasis(make_rule(ErrorVector(), chip, context), partial(how.pull, bench))
    before = compute_local_loss(chip).loss
    list(train(chip, rule, Sgd(rate=0.2, momentum=0.0), lambda epoch: [Samples(x, y, epoch=epoch)], 8, TrainingState()))
    settle(chip)
    assert compute_local_loss(chip).loss < 0.6 * before
    assert np.abs(chip.programmed[FEEDBACK]).max() > 0.1
