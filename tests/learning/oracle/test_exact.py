"""The exact gradient against finite differences of the loss at equilibrium: no shared formula."""

from pathlib import Path

import numpy as np
import pytest

from learning import cost
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors, make_exact_rule
from learning.schemes.nodes import Backward, Circle
from learning.training import Samples
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.laws.law import LAWS
from substrate.network.topology import Topology
from substrate.theory.linearisation import Linearisation
from tests.networks import WIRINGS, dynamics, random_batch, random_blocks, random_chip


def loss_at_rest(chip, blocks, x, y):
    moved = Chip(chip.design, blocks)
    free = measure_free(moved, x)
    assert (free.settled.status == 0).all()
    return cost.compute_loss(moved.readout, free.activity["out"], y).mean()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", ["mse", "cross-entropy"])
@pytest.mark.parametrize("wiring", WIRINGS)
def test_gradients_are_finite_differences_of_the_loss(wiring, kind, law):
    chip = random_chip(wiring, cost=kind, law=law, scale=0.3 if law == "hopfield" else 0.5)
    x, y = random_batch(chip, 3)
    free = measure_free(chip, x)
    delta = chip.topology.split(compute_exact_errors(chip, y).delta)
    keep = np.ones(3, dtype=bool)
    blocks = cost.compute_gradients(chip, free.activity, delta, keep)
    blocks |= cost.compute_readout_gradients(chip.readout, free.activity["out"], y, keep)
    assert blocks.keys() == chip.programmed.keys()
    rng, step = np.random.default_rng(3), 1e-5
    for name, block in blocks.items():
        for _ in range(3):
            index = tuple(rng.integers(0, n) for n in block.shape)
            ends = []
            for sign in (1.0, -1.0):
                moved = {k: v.copy() for k, v in chip.programmed.items()}
                moved[name][index] += sign * step
                ends.append(loss_at_rest(chip, moved, x, y))
            assert block[index] == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-6, abs=2e-9), name


def test_without_feedback_ep_sees_only_the_output_layer():
    chip = random_chip("forward")
    x, y = random_batch(chip)
    measure_free(chip, x)
    reference = compute_exact_errors(chip, y)
    output = chip.topology.columns["out"]
    assert (reference.ep[:, : output.start] == 0.0).all()
    np.testing.assert_allclose(reference.ep[:, output], reference.delta[:, output], rtol=1e-12)
    assert np.abs(reference.delta[:, : output.start]).max() > 1e-3


def test_symmetric_couplings_make_ep_exact():
    chip = random_chip("reciprocal", symmetric=True)
    x, y = random_batch(chip)
    measure_free(chip, x)
    reference = compute_exact_errors(chip, y)
    np.testing.assert_allclose(reference.ep, reference.delta, rtol=0, atol=1e-14)
    assert np.abs(reference.first_order).max() == 0.0


def with_couplings(chip, change):
    """Return the chip with the recurrent blocks that ``change(forward, feedback)`` makes of every pair."""
    blocks = dict(chip.programmed)
    for forward, back in chip.topology.pairs():
        blocks[forward.block], blocks[back.block] = change(blocks[forward.block], blocks[back.block])
    return Chip(chip.design, blocks)


def exact_of(chip):
    x, y = random_batch(chip)
    measure_free(chip, x)
    return compute_exact_errors(chip, y)


@pytest.mark.parametrize("law", LAWS)
def test_gains_of_units_alone_are_cured_by_trims(law):
    """A chip with gains D_in S D_out: nothing of its asymmetry error is irreducible."""
    chip = random_chip("reciprocal", symmetric=True, law=law)
    rng, columns = np.random.default_rng(5), chip.topology.columns
    into, out = np.exp(0.3 * rng.normal(size=(2, chip.topology.units)))
    blocks = {
        c.block: out[columns[c.pre], None] * chip.programmed[c.block] * into[columns[c.post]]
        for c in chip.topology.recurrent()
    }
    found = exact_of(Chip(chip.design, chip.programmed | blocks))
    term = found.ep - found.delta
    assert np.linalg.norm(term) > 0.05 * np.linalg.norm(found.delta)
    assert np.linalg.norm(found.irreducible) < 1e-9 * np.linalg.norm(term)
    np.testing.assert_allclose(found.gains, term, rtol=0, atol=1e-9 * np.abs(term).max())


def wide_chip():
    """Return a symmetric chip whose layers are so wide that gains cannot imitate random devices."""
    topology = Topology({"in": 6, "l1": 60, "l2": 50, "out": 40}, WIRINGS["reciprocal"], 3)
    blocks = random_blocks(topology, 0)
    for forward, back in topology.pairs():
        blocks[back.block] = blocks[forward.block].T.copy()
    return Chip(Design(topology, "sigmoid", "cross-entropy", dynamics()), blocks)


def test_random_devices_are_mostly_irreducible():
    """The share that n trims fit of the squared error of n^2 devices falls with the width; here it is a tenth."""
    rng = np.random.default_rng(6)
    chip = with_couplings(wide_chip(), lambda w, v: (w, v * (1.0 + 0.2 * rng.normal(size=v.shape))))
    found = exact_of(chip)
    term = found.ep - found.delta
    np.testing.assert_allclose(found.gains + found.irreducible, term, rtol=0, atol=1e-15)
    for columns in chip.topology.columns.values():
        whole = np.linalg.norm(term[:, columns])
        assert np.linalg.norm(found.irreducible[:, columns]) > 0.85 * whole
        assert 0.0 < np.linalg.norm(found.gains[:, columns]) < 0.4 * whole


def test_without_reciprocal_pairs_no_trim_helps():
    found = exact_of(random_chip("loop"))
    assert (found.gains == 0.0).all()
    assert np.abs(found.irreducible).max() > 1e-3


@pytest.mark.parametrize("part", ["response", "adjoint"])
def test_a_sample_that_is_not_solved_is_left_out(part, monkeypatch):
    chip = random_chip()
    x, y = random_batch(chip, 3)
    measure_free(chip, x)
    solve = getattr(Linearisation, part)

    def fails(linear, force, *rest):
        solution = solve(linear, force, *rest)
        solution[1] = np.nan
        return solution

    monkeypatch.setattr(Linearisation, part, fails)
    assert compute_exact_errors(chip, y).equilibrium.reached.tolist() == [True, False, True]
    blocks = make_exact_rule(chip)(Samples(x, y)).blocks
    assert all(np.isfinite(block).all() for block in blocks.values())


# Reference vectors: an independent program, automatic differentiation, double precision

DATA = Path(__file__).parents[2] / "data"
LAYERS = {"in": 12, "l1": 8, "l2": 7, "out": 5}
CASES = {
    "reciprocal_sigmoid_xent": ("reciprocal", "sigmoid", "cross-entropy", 3),
    "loop_sigmoid_xent": ("loop", "sigmoid", "cross-entropy", 3),
    "reciprocal_dsilu_mse": ("reciprocal", "dsilu", "mse", None),
}
RTOL = 1e-9


class Case:
    """One reference folder, settled freely."""

    def __init__(self, name):
        wiring, activation, kind, classes = CASES[name]
        topology = Topology(LAYERS, WIRINGS[wiring], classes)
        batch = np.load(DATA / name / "batch.npz")
        self.expected = dict(np.load(DATA / name / "expected.npz"))
        self.y = batch["y"]
        design = Design(topology, activation, kind, dynamics(dt=0.7))
        self.chip = Chip(design, dict(np.load(DATA / name / "parameters.npz")))
        self.free = measure_free(self.chip, batch["x"])
        self.state = self.chip.state
        self.exact = compute_exact_errors(self.chip, self.y)

    def agree(self, value, key):
        expected = self.expected[key]
        np.testing.assert_allclose(value, expected, rtol=0, atol=RTOL * np.abs(expected).max(), err_msg=key)


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return Case(request.param)


def test_free_state_and_loss(case):
    for layer, state in case.chip.topology.split(case.state).items():
        case.agree(state, f"free/state/{layer}")
    output = case.free.activity["out"]
    case.agree(cost.compute_logits(case.chip.readout, output), "free/logits")
    case.agree(cost.compute_loss(case.chip.readout, output, case.y).mean(), "free/loss_mean")


def test_error_vectors(case):
    for kind, delta in (("exact", case.exact.delta), ("ep", case.exact.ep)):
        for layer, part in case.chip.topology.split(delta).items():
            case.agree(part, f"delta/{kind}/{layer}")


@pytest.mark.parametrize("beta", [0.05, 0.5])
@pytest.mark.parametrize("points", [1, 2, 4, 6])
def test_circle_estimates(case, beta, points):
    scheme = Backward(beta=beta) if points == 1 else Circle(beta=beta, points=points)
    measured = estimate_error_vectors(case.chip, case.free, case.y, scheme)
    assert (measured.status == 0).all()
    for layer, delta in measured.delta.items():
        case.agree(delta, f"delta/circle/beta_{beta}/N_{points}/{layer}")


def test_gradients_of_every_weight_and_bias(case):
    keep = np.ones(len(case.y), dtype=bool)
    topology, readout = case.chip.topology, case.chip.readout
    for kind, delta in (("exact", case.exact.delta), ("ep", case.exact.ep)):
        blocks = cost.compute_gradients(case.chip, case.free.activity, topology.split(delta), keep)
        blocks |= cost.compute_readout_gradients(readout, case.free.activity["out"], case.y, keep)
        assert set(blocks) == set(topology.shapes)
        for name, block in blocks.items():
            case.agree(block, f"gradient/{kind}/{name}")
