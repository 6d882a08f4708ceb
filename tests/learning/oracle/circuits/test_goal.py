"""The goal that a finite nudge has: its gradient is what is measured, diodes that switch on the way or not."""

import numpy as np
import pytest

from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.goal import compute_goal_gradient
from learning.oracle.circuits.kinks import find_pieces
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.schemes.nodes import Backward, Centred, Chebyshev, OneSided, RandomSign
from substrate.circuits.forms import make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign, draw_parameters
from tests.substrate.circuits.circuits import draw_batch, make_chip

SCHEMES = [OneSided, Backward, RandomSign, Centred, Chebyshev]


def make_case(form):
    """Return a circuit with ideal diodes, a batch, and a nudge that is close to the critical one."""
    if form == "graph":
        chip, (x, target) = make_chip("ideal", 4), draw_batch("ideal", 4)
    else:
        design = LayeredDesign(
            {"in": 5, "h1": 12, "h2": 8, "out": 3}, diodes=("h1", "h2"), tolerance=1e-12, precision="double"
        )
        chip = LayeredChip(design, draw_parameters(design, 1e-5, 3), 1)
        rng = np.random.default_rng(1)
        x, target = rng.uniform(-10.0, 10.0, (4, 5)), np.eye(3)[[0, 1, 2, 0]]
    oracle = make_oracle(chip)
    return chip, oracle, x, target, 0.4 * float(oracle.find_point(x, target).critical.min())


def count_kinks(oracle, x, target, beta):
    pieces = find_pieces(oracle, x, target, np.full(len(x), beta))
    return len(pieces.sample) - 2 * len(x)


@pytest.mark.parametrize("form", ["graph", "layers"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_finite_nudge_measures_its_goal_exactly_over_kinks(form, scheme):
    chip, oracle, x, target, beta = make_case(form)
    assert count_kinks(oracle, x, target, beta) + count_kinks(oracle, x, target, -beta) >= 2
    trial = CircuitTrial(x, target, SquaredDrops(), [scheme.model_construct(beta=beta)], True, {})
    found = measure_circuit(chip, trial, 1, lambda _: None)
    assert found.keep.all()
    for book in [found.vectors[0], *found.blocks[0].values()]:
        scale = np.linalg.norm(book.steps[0])
        assert np.linalg.norm(book.parts["nudge_bias"]) < 1e-10 * scale
        assert np.linalg.norm(book.parts["goal"]) > 1e-3 * scale


def test_pieces_end_where_a_diode_switches():
    _, oracle, x, target, beta = make_case("graph")
    pieces = find_pieces(oracle, x, target, np.full(len(x), beta))
    for k in range(len(x)):
        own = pieces.sample == k
        assert pieces.low[own][0] == 0.0
        assert pieces.high[own][-1] == 1.0
        np.testing.assert_array_equal(pieces.low[own][1:], pieces.high[own][:-1])
        for cut in pieces.low[own][1:]:
            before, after = (oracle.find_held(x[k : k + 1], target[k : k + 1], beta * (cut + d)) for d in (-1e-9, 1e-9))
            assert (before != after).sum() == (cut != 0.5)


def test_a_goal_is_the_mean_cost_over_the_nudges():
    """Of a one-sided nudge: its gradient against differences of the integral of the cost."""
    chip, oracle, x, target, beta = make_case("graph")
    keep = np.ones(len(x), dtype=bool)
    _, blocks = compute_goal_gradient(oracle, x, target, OneSided.model_construct(beta=beta).nodes(), keep)

    def compute_goal(g):
        other = make_oracle(type(chip)(chip.design, {name: g}))
        points, weights = np.polynomial.legendre.leggauss(400)  # over the kinks: good to 1e-6
        costs = [0.5 * (other.find_point(x, target, 0.5 * beta * (1.0 + p)).error ** 2).sum(axis=1) for p in points]
        return 0.5 * float(weights @ np.array(costs).mean(axis=1))

    (name, g), step = next(iter(chip.programmed.items())), np.zeros(len(chip.programmed["conductance/elements"]))
    step[5] = 1e-4 * g[5]
    slope = (compute_goal(g + step) - compute_goal(g - step)) / (2.0 * step[5])
    assert blocks[name][5] == pytest.approx(slope, rel=1e-3)
