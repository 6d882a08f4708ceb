"""What squared drops measure: exact gradients, or those of a goal that is known."""

import numpy as np
import pytest

from learning.circuits.coupled import Coupled
from learning.circuits.rule import combine_contrasts, make_imprinting_rule
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.goal import compute_goal_gradient
from learning.schemes.nodes import Backward, Centred, Chebyshev, OneSided, RandomSign
from learning.training import Samples
from substrate.circuits.circuit import compute_energy
from substrate.circuits.exact import GraphOracle
from tests.substrate.circuits.circuits import KINDS, draw_batch, make_chip

EVERYTHING = np.ones(4, dtype=bool)
RECIPROCAL = tuple(kind for kind in KINDS if kind != "mos")


def relative(found, expected):
    one, two = (np.concatenate([block.ravel() for block in part.values()]) for part in (found, expected))
    return np.linalg.norm(one - two) / np.linalg.norm(two)


def measure(chip, scheme, seed=0, rule=None):
    x, target = draw_batch("mos" if "gate/elements" in chip.design.blocks else "linear", seed)
    reading = (rule or SquaredDrops()).measure(chip, Samples(x, target), scheme)
    assert (reading.status == 0).all()
    return combine_contrasts(chip, reading, EVERYTHING), GraphOracle(chip).find_point(x, target)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", [Centred, Chebyshev])
def test_a_vanishing_nudge_measures_the_limit(kind, scheme):
    chip = make_chip(kind)
    found, point = measure(chip, scheme(beta=1e-8))
    assert relative(found, GraphOracle(chip).compute_limits(point, point.response, EVERYTHING)) < 1e-5
    if kind != "mos":
        assert relative(found, GraphOracle(chip).compute_gradients(point, EVERYTHING)) < 1e-5


@pytest.mark.parametrize("kind", RECIPROCAL)
@pytest.mark.parametrize("scheme", [Centred(beta=3e-5), OneSided(beta=3e-5), Backward(beta=1e-5), Chebyshev(beta=3e-5)])
def test_a_finite_nudge_measures_the_gradient_of_another_goal(kind, scheme):
    chip = make_chip(kind, seed=3)
    found, point = measure(chip, scheme, seed=3)
    x, target = draw_batch(kind, 3)
    vectors, goal = compute_goal_gradient(GraphOracle(chip), x, target, scheme.nodes(), EVERYTHING)
    assert relative(found, goal) < 1e-10
    assert relative(found, GraphOracle(chip).compute_gradients(point, EVERYTHING)) > 1e-6
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("scheme", [Centred(beta=5e-5), OneSided(beta=2e-4), Backward(beta=2e-5)])
def test_a_held_nudge_is_exact_on_linear_circuits(scheme):
    chip = make_chip("linear", nudge="held")
    found, point = measure(chip, scheme)
    exact = GraphOracle(chip).compute_gradients(point, EVERYTHING)
    # Centred nudges cancel the square of the change; one-sided ones keep it.
    assert relative(found, exact) < 1e-12 if isinstance(scheme, Centred) else relative(found, exact) > 1e-3


def test_a_held_nudge_is_exact_with_ideal_diodes_that_do_not_switch():
    chip = make_chip("ideal", nudge="held")
    found, point = measure(chip, Centred(beta=1e-5))
    assert point.clamped.any()
    assert relative(found, GraphOracle(chip).compute_gradients(point, EVERYTHING)) < 1e-11


def test_transistors_are_not_reciprocal():
    chip = make_chip("mos")
    found, point = measure(chip, Centred(beta=1e-8))
    assert 1e-4 < relative(found, GraphOracle(chip).compute_gradients(point, EVERYTHING)) < 5e-2


def test_drawn_signs_measure_one_sided_nudges_both_ways():
    chip, nothing = make_chip("linear"), 1e-9
    found, point = measure(chip, RandomSign(beta=nothing))
    assert relative(found, GraphOracle(chip).compute_gradients(point, EVERYTHING)) < 1e-4


def test_scaling_all_conductances_changes_no_answer():
    """``sum g dL/dg = 0`` where sources are voltages and diodes ideal (Euler's theorem)."""
    for kind in ("linear", "ideal"):
        chip = make_chip(kind)
        _, point = measure(chip, Centred(beta=1e-6))
        gradient = GraphOracle(chip).compute_gradients(point, EVERYTHING)["conductance/elements"]
        g = chip.programmed["conductance/elements"]
        assert abs((g * gradient).sum()) < 1e-13 * np.abs(g * gradient).sum()


def test_a_step_along_the_gradient_lengthens_the_conductances_by_its_square():
    chip = make_chip("ideal")
    _, point = measure(chip, Centred(beta=1e-6))
    gradient = GraphOracle(chip).compute_gradients(point, EVERYTHING)
    before, rate = chip.programmed["conductance/elements"], 1e-12
    chip.write({name: -rate * block for name, block in gradient.items()})
    after = chip.programmed["conductance/elements"]
    added = rate**2 * (gradient["conductance/elements"] ** 2).sum()
    assert (after**2).sum() - (before**2).sum() == pytest.approx(added, abs=1e-14 * (before**2).sum())


def test_full_clamping_is_the_gradient_of_the_energy_that_it_costs():
    """At eta = 1 the rule is ``d(E_C - E_F)/dg`` without the 1/S, for any number of outputs."""
    chip, step = make_chip("exponential"), 1e-10
    x, target = draw_batch("exponential")

    def cost(moved):
        other = make_chip("exponential")
        other.write({"conductance/elements": moved})
        other.set_input(x)
        other.settle()
        free = compute_energy(other.effective, other.rest.voltages)
        other.clamp(1.0, target)
        return (compute_energy(other.effective, other.rest.voltages) - free).mean()

    found, _ = measure(chip, None, rule=Coupled(clamp=1.0))
    g = chip.programmed["conductance/elements"]
    for k in range(0, len(g), 4):
        moved = step * (np.arange(len(g)) == k)
        assert found["conductance/elements"][k] == pytest.approx((cost(moved) - cost(-moved)) / (2 * step), rel=2e-5)


def test_clamping_a_little_is_a_nudge_through_the_conductance_of_the_outputs():
    chip = make_chip("linear")
    found, point = measure(chip, None, rule=Coupled(clamp=1e-6))
    limit = GraphOracle(chip).compute_limits(point, point.clamped_response, EVERYTHING)
    assert relative(found, limit) < 1e-5


def test_elements_that_change_themselves_do_what_a_controller_asks_for():
    scheme, rates = Centred(beta=1e-6), {"conductance/elements": 1e-12}
    x, target = draw_batch("linear")
    one, two = make_chip("linear"), make_chip("linear")
    make_imprinting_rule(SquaredDrops(), one, scheme, True, lambda: rates)(Samples(x, target))
    found, _ = measure(two, scheme)
    two.write({name: -rates[name] * block for name, block in found.items()})
    assert one.programmed["conductance/elements"] == pytest.approx(two.programmed["conductance/elements"], rel=1e-15)
    assert not np.array_equal(
        one.programmed["conductance/elements"], make_chip("linear").programmed["conductance/elements"]
    )
