"""The twin of the measured machine: its fitted numbers still say what the documentation states."""

import numpy as np
import pytest

from benchmarks.transistor_learner.comparison import compare_machine
from benchmarks.transistor_learner.fit import FITTED, SHORTEST
from benchmarks.transistor_learner.machine import Machine, make_learner
from benchmarks.transistor_learner.measured import load_fitted, load_measured
from benchmarks.transistor_learner.report import find_clamped_floors, measure_factor
from substrate.circuits.self_learning.cycles import find_cycles

STATED = {1: (1.04, 1.09, 0.035), 2: (1.09, 1.13, 0.032), 3: (1.05, 1.06, 0.065)}
"""Largest factors of spans and errors, and distance of cycles in volts."""


def compare(experiment, machine):
    measured = load_measured(experiment)
    measured = measured.select((measured.periods > SHORTEST[experiment]) & (measured.periods < 2.0))
    found = compare_machine(machine, experiment, measured, longest=8e-3)
    assert found.missing == 0
    away = max(np.sqrt(np.mean(distance**2)) for distance in found.away)
    return measure_factor(found.span), measure_factor(found.error), away


@pytest.mark.parametrize("experiment", STATED)
def test_fitted_numbers_reproduce_the_measurement(experiment):
    machine = load_fitted(experiment)
    assert len(FITTED[experiment]) <= 12
    untouched = set(Machine._fields) - set(FITTED[experiment])
    assert all(getattr(machine, name) == getattr(Machine(), name) for name in untouched)
    found = compare(experiment, machine)
    assert np.less(found, STATED[experiment]).all(), found
    # Without the bias of the integrators nothing of it is left.
    assert not np.less(compare(experiment, machine._replace(bias_minus=0.0, bias_plus=0.0)), STATED[experiment]).any()


@pytest.mark.parametrize("experiment", [1, 2])
def test_clamping_beyond_the_target_lowers_the_floor(experiment):
    """Bias stays, the signal grows with eta, and the error is their ratio squared."""
    etas = np.array([1.0, 2.0, 5.0])
    floors = find_clamped_floors(load_fitted(experiment), experiment, etas)
    assert abs(np.polyfit(np.log(etas), np.log(floors), 1)[0] + 2.0) < 0.2, floors


def test_the_machine_would_not_forget_without_its_imperfections():
    machine = load_fitted(1)
    ideal = Machine(machine.rate, threshold_minus=machine.threshold_minus, threshold_plus=machine.threshold_plus)
    periods = np.array([2e-3, 0.2])
    assert find_cycles(make_learner(ideal, 1), np.array([3.0, 3.0]), periods).span.max() < 1e-20
    biased = ideal._replace(bias_plus=1.0)
    assert find_cycles(make_learner(biased, 1), np.array([3.0, 3.0]), periods).span.min() > 1e-6
