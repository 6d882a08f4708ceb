"""A circuit that learns by itself from a scenario does what the twin of the measured machine does."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import nudgelab
from benchmarks.transistor_learner.comparison import simulate_cycles
from benchmarks.transistor_learner.machine import make_learner as make_twin
from benchmarks.transistor_learner.measured import load_fitted, load_measured
from scenarios.build import make_any_setup
from scenarios.data.measured_learner import load_measured_cycles
from scenarios.experiments.circuits.self_learning import make_learner
from substrate.circuits.self_learning.cycles import follow_learning
from tests.scenarios.circuits.scenarios_of_circuits import LEARNER, RHEOSTATS, change

NAME = "circuits/transistor-learner"
BOTH = [
    ("network.elements.2.learn", True),
    ("devices.weights.window", ["0.5 mS", "5 mS"]),
    ("devices.update.sensitivity", "100 uS/V"),
]
"""The resistor of the transistor learner learns, too."""


def make(*edits, base=NAME):
    return make_learner(make_any_setup(nudgelab.load(base, list(edits)).loaded))


def test_numbers_are_those_of_the_twin():
    found, measured = nudgelab.load(NAME).run()["cycles"], load_measured(1)
    twin = simulate_cycles(load_fitted(1), 1, measured.periods)
    np.testing.assert_array_equal(found["period"].data, measured.periods)
    np.testing.assert_allclose(found["span"].data, twin.span, rtol=1e-6)
    np.testing.assert_allclose(found["error"].data, twin.error, rtol=1e-6)
    assert found["closed"].data.all()
    assert not found["unsettled"].data.any()
    for name in ("span", "error"):
        np.testing.assert_array_equal(found[f"{name}_measured"].data, getattr(measured, name))
        ratio = np.log(getattr(twin, name) / getattr(measured, name))
        assert found[f"{name}_factor"].data == pytest.approx(np.exp(np.sqrt(np.mean(ratio**2))), rel=1e-6)


def test_cycles_have_the_points_that_are_asked_for():
    edits = ["experiment={kind='self-learning',periods=['20 ms','5 ms'],points=3}"]
    found = nudgelab.load(NAME, edits).run()["cycles"]
    assert found["gate"].data.shape == (2, 7, 2)
    np.testing.assert_allclose(found["gate"].data[:, 0], found["gate"].data[:, -1], atol=1e-6)
    np.testing.assert_allclose(
        ((found["gate"].data[:, 3] - found["gate"].data[:, 0]) ** 2).sum(axis=1), found["span"].data
    )
    assert list(found["task"].data) == ["B", "B", "B", "A", "A", "A", "B"]
    assert list(found["element"].data) == ["minus", "plus"]
    assert found["floor"].data == found["error"].data[1], "that of the shorter period"
    assert "span_measured" not in found


def test_the_scenario_describes_the_machine():
    learner, gates = make()
    twin = make_twin(load_fitted(1), 1)
    for name in ("rate", "offset", "bias", "leak", "low", "high", "eta"):
        np.testing.assert_allclose(getattr(learner.rule, name), getattr(twin.rule, name), err_msg=name)
    np.testing.assert_allclose([task.aim for task in learner.tasks], [task.aim for task in twin.tasks])
    np.testing.assert_array_equal(gates, [3.0, 3.5])


def test_hardware_differs_from_what_is_written():
    ideal = make().learner
    edits = ["drops.offset_sigma=5 mV", "nudge.offset_sigma=5 mV", "transistors.gain_sigma=0.1", "nudge.gain=2.0"]
    one, other = (make(f"chip.instance={k}", *(f"devices.{edit}" for edit in edits)).learner for k in (0, 1))
    for real in (one, other):
        assert real.rule.eta == 2.0 * ideal.rule.eta
        assert (real.rule.offset != ideal.rule.offset).all()
        assert real.tasks[0].aim != ideal.tasks[0].aim
        assert real.tasks[0].target == ideal.tasks[0].target
    assert (one.rule.offset != other.rule.offset).all()
    gains = [learner.circuit.transistors.transconductance for learner in (ideal, one, other)]
    assert len(np.unique(gains)) == 6


def test_first_gates_are_within_their_range():
    np.testing.assert_array_equal(make("devices.transistors.gate=['3.2 V','3.4 V']").values, [3.2, 3.4])


def test_conductances_move_by_volts_and_sensitivity():
    """Against SciPy's integrator: two resistors in series have a closed form."""
    edits = ["devices.update.bias={left='0.5 V/s',right='-1 V/s'}", "devices.update.leak={left='1 1/s'}"]
    learner, first = make(*edits, "devices.update.offset={right='2 mV'}", base=RHEOSTATS)
    k, rate = 200e-6, 1.0 / (100.0 * 22e-6 * 0.33)

    def slope(_, g, given, wanted):
        out = given * g[0] / g.sum()
        free, clamped = np.array([given - out, out]), np.array([given - wanted, wanted])
        product = (free - clamped + [0.0, 2e-3]) * (free + clamped)
        return k * (rate * product + [0.5, -1.0]) - np.array([1.0, 0.0]) * g

    expected = first
    for shown in ((0.4, 0.3), (0.2, 0.15)):
        expected = solve_ivp(slope, (0.0, 0.05), expected, args=shown, rtol=1e-10, atol=1e-14).y[:, -1]
    found = follow_learning(learner, first[None], np.array([0.05]), longest=1e-4).values[0, -1]
    assert found == pytest.approx(expected, rel=1e-8)
    np.testing.assert_array_equal(first, [200e-6, 300e-6])


def test_resistors_that_can_solve_both_tasks_stand_still_and_others_meet_their_window():
    found = nudgelab.load(RHEOSTATS).run()["cycles"]
    g = found["conductance"].data[0]
    assert found["closed"].data.all()
    assert g[:, 0] / g[:, 1] == pytest.approx(3.0, rel=1e-6)
    assert found["span"].data.max() < 1e-18
    assert found["error"].data.max() < 1e-18
    assert found["limited"].data.tolist() == [0]
    assert "gate" not in found
    pushed = nudgelab.load(RHEOSTATS, ["devices.update.bias={left='200 V/s',right='-200 V/s'}"]).run()
    g = pushed["cycles"]["conductance"].data[0]
    assert g == pytest.approx(np.broadcast_to([1e-3, 50e-6], g.shape))
    assert pushed["cycles"]["limited"].data.tolist() == [2]
    assert "Up to 2 of them meet an end of their range" in pushed.answer


def test_resistors_act_and_change_by_their_own_spread():
    ideal, first = make(base=RHEOSTATS)
    real, acting = make("devices.weights.mismatch_sigma=0.1", base=RHEOSTATS)
    share = acting / first
    assert np.ptp(share) > 0.01
    for name in ("rate", "low", "high", "scale"):
        assert getattr(real.rule, name) == pytest.approx(share * getattr(ideal.rule, name))


def test_gates_and_resistors_learn_side_by_side():
    changed = change(LEARNER, *BOTH)
    found = nudgelab.load(changed).run()["cycles"]
    assert found["gate"].data.shape[2] == 2
    assert list(found["resistor"].data) == ["fixed"]
    moved = found["gate"].data[0], found["conductance"].data[0] / 100e-6
    assert found["span"].data[0] == pytest.approx(sum(((part[1] - part[0]) ** 2).sum() for part in moved), rel=1e-6)


@pytest.mark.parametrize("experiment", [1, 2, 3])
def test_measurements_are_found_by_name(experiment):
    found, expected = load_measured_cycles(f"transistor-learner-{experiment}"), load_measured(experiment)
    for name in ("periods", "span", "error"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
