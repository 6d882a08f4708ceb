"""A circuit that learns by itself from a scenario does what the twin of the measured machine does."""

import numpy as np
import pytest

import nudgelab
from benchmarks.transistor_learner.comparison import simulate_cycles
from benchmarks.transistor_learner.machine import make_learner as make_twin
from benchmarks.transistor_learner.measured import load_fitted, load_measured
from scenarios.build import make_any_setup
from scenarios.data.measured_learner import load_measured_cycles
from scenarios.experiments.circuits.self_learning import make_learner

NAME = "circuits/transistor-learner"


def make(*edits):
    return make_learner(make_any_setup(nudgelab.load(NAME, list(edits)).loaded))


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
    np.testing.assert_array_equal(make("devices.transistors.gate=['3.2 V','3.4 V']").gates, [3.2, 3.4])


@pytest.mark.parametrize("experiment", [1, 2, 3])
def test_measurements_are_found_by_name(experiment):
    found, expected = load_measured_cycles(f"transistor-learner-{experiment}"), load_measured(experiment)
    for name in ("periods", "span", "error"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
