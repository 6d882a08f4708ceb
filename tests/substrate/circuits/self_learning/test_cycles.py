"""Learning in continuous time: its laws, and an integration of the same equations by SciPy."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from substrate.circuits.circuit import Conductors
from substrate.circuits.contrast import contrast_drops, differentiate_parameters
from substrate.circuits.linear import linearise_circuit
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.self_learning.cycles import CLOSED, compute_errors, find_cycles, follow_learning
from substrate.circuits.self_learning.learner import LearningTask
from substrate.circuits.system import CircuitDrive, apply_nothing, assemble_system

from .learners import BIAS, LEAK, OFFSET, RATE, THRESHOLD, A, B, S, make_lattice, make_learner, make_resistors


def test_a_pair_of_tasks_that_can_be_solved_is_solved_without_imperfections():
    periods = np.array([1e-3, 0.03, 0.5])
    found = find_cycles(make_learner(), np.array([3.0, 3.0]), periods)
    assert found.gap.max() <= CLOSED
    assert found.span.max() < 1e-20
    assert found.error.max() < 1e-20
    assert find_cycles(make_learner(bias=BIAS), np.array([3.0, 3.0]), periods).span.min() > 1e-7


def test_steps_have_order_four():
    learner = make_learner(bias=BIAS, offset=OFFSET, leak=LEAK)
    start, turn = np.array([[2.5, 3.5]]), np.array([0.02])

    def end(steps):
        return follow_learning(learner, start, turn, longest=turn[0] / steps).values[0, -1]

    counts = 2 ** np.arange(3, 8)
    errors = [np.abs(end(n) - end(2048)).max() for n in counts]
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert abs(order - 4.0) < 0.15, (order, errors)
    assert errors[-1] < 1e-9


def test_learning_follows_its_equation():
    """One node has a closed form: a quadratic equation, put into SciPy's integrator."""
    learner = make_learner(bias=BIAS, offset=OFFSET, leak=LEAK)

    def slope(_, gates, drawn):
        low, high, given, wanted = *drawn.held[0], drawn.target[0, 0]
        over = gates - THRESHOLD
        b = S * over.sum() + 2e-3
        c = S * (over[0] * low - low**2 / 2 + over[1] * high - high**2 / 2) + 2e-3 * given
        out = c / (0.5 * b + np.sqrt(0.25 * b * b - S * c))
        free, clamped = np.array([low, high]) - out, np.array([low, high]) - wanted
        return RATE * (free - clamped + OFFSET) * (free + clamped) + BIAS - LEAK * gates

    gates = np.array([2.5, 3.5])
    for drawn in (A, B):
        gates = solve_ivp(slope, (0.0, 0.01), gates, args=(drawn,), rtol=1e-10, atol=1e-12).y[:, -1]
    found = follow_learning(learner, np.array([[2.5, 3.5]]), np.array([0.01]), longest=1e-4)
    np.testing.assert_allclose(found.values[0, -1], gates, rtol=0.0, atol=1e-8)


@pytest.mark.parametrize("eta", [1e-4, 1.0])
def test_a_little_clamping_learns_as_equilibrium_propagation(eta):
    """With one output both perturb the circuit by a current into one node."""
    learner, values = make_lattice()
    learner = learner._replace(rule=learner.rule._replace(eta=eta))
    short = np.array([1e-9])
    moved = follow_learning(learner, values[None], short).values[0, -1] - values
    system, shown = assemble_system(learner.circuit), learner.tasks[0]
    free = find_circuit_rest(system, apply_nothing(shown.held, 1))
    nudged = find_circuit_rest(system, CircuitDrive(shown.held, np.array([1e-7]), shown.target))
    parts = contrast_drops(learner.circuit, nudged.voltages, free.voltages)
    wanted = -np.concatenate([parts["gate"][0], parts["conductance"][0]])
    cosine = moved @ wanted / np.linalg.norm(moved) / np.linalg.norm(wanted)
    assert (cosine > 1.0 - 1e-6) == (eta < 1e-3), cosine


def test_resistors_that_are_clamped_a_little_descend_the_cost():
    """With one output and linear elements the clamping current is the error times one positive conductance."""
    learner, g = make_resistors()
    turn = np.array([0.5])
    path = follow_learning(learner, g[None], turn, records=20, longest=5e-3).values[0]
    cost = 0.5 * compute_errors(learner, path).mean(axis=1)
    assert (np.diff(cost) < 0.0).all()
    assert cost[-1] < 0.5 * cost[0]
    system, shown = assemble_system(learner.circuit), learner.tasks[0]
    rest = find_circuit_rest(system, apply_nothing(shown.held, 1))
    error = rest.voltages[:, learner.circuit.outputs] - shown.target
    adjoint = linearise_circuit(system, rest).solve_adjoint(error)
    exact = differentiate_parameters(system, rest.voltages, adjoint)["conductance"].mean(axis=0)
    moved = follow_learning(learner, g[None], np.array([1e-6])).values[0, -1] - g
    assert -(moved @ exact) / np.linalg.norm(moved) / np.linalg.norm(exact) > 1.0 - 1e-6


def test_resistors_without_bias_forget_nothing_where_tasks_agree():
    learner, g = make_resistors(eta=1.0, rate=2.0)
    wanted = find_circuit_rest(assemble_system(learner.circuit), apply_nothing(learner.tasks[0].held, 1)).voltages[
        :, learner.circuit.outputs
    ]
    parts = [LearningTask(learner.tasks[0].held[rows], wanted[rows], wanted[rows]) for rows in ([0], [1], [2])]
    agreed = learner._replace(tasks=parts)
    near, periods = g * np.random.default_rng(0).uniform(0.95, 1.05, len(g)), np.array([0.01, 0.1])
    found = find_cycles(agreed, near, periods)
    assert found.gap.max() <= CLOSED
    assert found.span.max() < 1e-24
    assert found.error.max() < 1e-16
    biased = agreed._replace(rule=agreed.rule._replace(bias=np.full(len(g), 1e-2)))
    moved = follow_learning(biased, found.values[:1, 0], np.array([0.01])).values[0]
    assert np.abs(moved[-1] - moved[0]).max() > 1e-5, "a bias moves them on"


def test_resistors_stop_at_the_ends_of_their_window_and_are_counted():
    learner, g = make_resistors()
    up, twice = np.where(np.arange(len(g)) % 2, 1.0, -1.0), [learner.tasks[0]] * 2
    pushed = learner._replace(rule=learner.rule._replace(bias=10.0 * up), tasks=twice)
    found = find_cycles(pushed, g, np.array([0.1]), records=3)
    np.testing.assert_array_equal(found.values[0], np.broadcast_to(np.where(up > 0, 2e-3, 5e-5), found.values[0].shape))
    assert found.limited.tolist() == [len(g)]
    assert find_cycles(learner._replace(tasks=twice), g, np.array([1e-3])).limited[0] < len(g)


def test_answers_are_those_of_the_circuit():
    learner, values = make_lattice()
    shown = learner.tasks[0]
    rest = find_circuit_rest(assemble_system(learner.circuit), apply_nothing(shown.held, 1))
    expected = (rest.voltages[:, learner.circuit.outputs] - shown.target) ** 2
    np.testing.assert_allclose(compute_errors(learner, values[None]), expected.T, rtol=1e-12, atol=0.0)


def test_cycles_are_where_many_rounds_lead():
    learner, period = make_learner(bias=BIAS, offset=OFFSET), np.array([0.05])
    found = find_cycles(learner, np.array([3.0, 3.0]), period, records=4)
    assert found.gap[0] <= CLOSED
    many = follow_learning(learner, np.array([[3.0, 3.0]]), period / 2.0, rounds=400, records=4)
    np.testing.assert_allclose(found.values, many.values, rtol=0.0, atol=1e-7)
    np.testing.assert_allclose(found.span[0], np.sum((many.values[0, 4] - many.values[0, 0]) ** 2), rtol=1e-6)


def test_parameters_stay_in_their_range():
    learner = make_learner(tasks=(A,), bias=np.array([1000.0, -1000.0]))
    gates = follow_learning(learner, np.array([[3.0, 3.0]]), np.array([0.5]), records=50).values[0]
    assert gates[-1].tolist() == [5.0, 1.0]
    assert gates.max() == 5.0
    assert gates.min() == 1.0


def test_rest_points_that_are_not_found_are_counted():
    """Below the threshold nothing but the input would conduct; without it nothing does."""
    learner = make_learner(low=0.0)
    lone = learner.circuit._replace(conductors=Conductors())
    shut = np.array([[0.5, 0.5]])
    assert follow_learning(learner, shut, np.array([1e-3])).unsettled[0] == 0
    found = follow_learning(learner._replace(circuit=lone), shut, np.array([1e-3]))
    assert found.unsettled[0] > 0
    assert np.isnan(compute_errors(learner._replace(circuit=lone), shut)).all()
    cycle = find_cycles(learner._replace(circuit=lone), shut, np.array([1e-3]))
    assert cycle.unsettled[0] > 0
    assert np.isnan([cycle.gap[0], cycle.error[0]]).all()
