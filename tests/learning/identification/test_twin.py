"""Twins of a chip in training: what is measured tends to the chip, what is only recorded drifts away from it."""

import numpy as np
import pytest
from scipy import stats

from devices.neuron.noise import Noise
from devices.programming.laws import ConstantStep
from learning.estimator import measure_free
from learning.identification.twin import RECORD, RecordedCells
from learning.oracle.exact import compute_exact_errors
from learning.oracle.models import make_recorded_cells, make_rule_model
from learning.policies.policy import KnownCells
from learning.rules.physics_aware import PhysicsAware
from learning.rules.rule import RuleContext
from learning.schemes.unnudged import Unnudged
from tests.learning.test_estimator import OnlyBench
from tests.networks import random_batch, random_chip

MEASURED, PROGRAMMED = PhysicsAware(model="measured", read_sigma=1e-6), PhysicsAware()


def find_errors(chip, rule, model, seed=7):
    """Return the relative error of the error vectors of a batch, and what it asked of the chip."""
    x, y = random_batch(chip, 6, seed)
    before = chip.budget
    free = measure_free(OnlyBench(chip), x)
    exact = compute_exact_errors(chip, y).delta
    found = rule.estimate(OnlyBench(chip), free, y, RuleContext(Unnudged(kind="pat"), model=model)).flat
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact)), chip.budget.plus(before, -1)


def test_a_measured_twin_tends_to_the_chip_through_reads_that_are_made_anyway():
    """Every batch tells the errors in the directions of its activities; in the end a tenth is left of the mismatch."""
    chip, memory = random_chip(sigma=0.3, scale=1.5), {}
    model, known = make_rule_model(MEASURED, chip, memory), make_rule_model(PROGRAMMED, chip)
    errors, spent = zip(*(find_errors(chip, MEASURED, model, seed) for seed in range(80)), strict=True)
    first, one = find_errors(chip, PROGRAMMED, known)
    assert first > 0.02
    assert errors[-1] < 0.15 * first
    assert (spent[0].settlings, spent[0].reads, spent[0].cell_reads) == (one.settlings, one.reads, 0)
    assert spent[0].macs > one.macs


def test_a_measured_twin_follows_the_writes_of_the_chip():
    chip, memory = random_chip(sigma=0.3, scale=1.5), {}
    model = make_rule_model(MEASURED, chip, memory)
    for seed in range(60):
        find_errors(chip, MEASURED, model, seed)
    rng = np.random.default_rng(3)
    chip.write({name: 0.01 * rng.normal(size=shape) for name, shape in chip.topology.shapes.items()})
    known = find_errors(chip, PROGRAMMED, make_rule_model(PROGRAMMED, chip))[0]
    assert find_errors(chip, MEASURED, model)[0] < 0.15 * known


def test_noise_of_the_reads_keeps_a_twin_from_following_it():
    """Noise that is expected is averaged; a twin that expects none believes all of it."""
    errors = []
    for read in (0.02, 1e-6):
        chip = random_chip(sigma=0.2, scale=1.5, noise=Noise(read=0.02))
        rule = PhysicsAware(model="measured", read_sigma=read, spread=0.2)
        model = make_rule_model(rule, chip, {})
        quiet = chip.without("read-noise")
        for seed in range(40):
            x, y = random_batch(chip, 6, seed)
            free = measure_free(OnlyBench(chip), x)
            rule.estimate(OnlyBench(chip), free, y, RuleContext(Unnudged(kind="pat"), model=model))
        held = model._model._corrections
        errors.append(
            sum(
                float(np.sum((chip.programmed[c.block] + held[c.block] - quiet.effective[c.block]) ** 2))
                for c in chip.topology.recurrent()
            )
        )
    assert errors[0] < 0.3 * errors[1]


def test_what_is_kept_of_a_twin_is_all_of_it():
    """A training that goes on makes a new model with the memory of the one before."""
    chip, memory = random_chip(sigma=0.3), {}
    model = make_rule_model(MEASURED, chip, memory)
    for seed in range(5):
        find_errors(chip, MEASURED, model, seed)
    again = make_rule_model(MEASURED, chip, {name: block.copy() for name, block in memory.items()})
    assert find_errors(chip, MEASURED, again)[0] == find_errors(chip, MEASURED, model)[0] > 0.0


STEP, SPREAD = 1e-3, 0.3


def write_record(storage=None):
    """Return a chip that was written with whole steps all in one direction per cell, its model and the requests."""
    update = ConstantStep(step=STEP, step_sigma=SPREAD)
    chip, memory = random_chip(update=update), {}
    rule = PhysicsAware(model="record")
    begin = {name: block.copy() for name, block in chip.programmed.items()}
    cells, rng, total = make_recorded_cells(rule, chip, KnownCells(), memory), np.random.default_rng(5), {}
    assert isinstance(cells, RecordedCells)
    for _ in range(10):
        asked = {
            name: STEP * rng.integers(1, 6, size=shape).astype(float)
            for name, shape in chip.topology.shapes.items()
            if not name.startswith("readout/")
        }
        cells.write(asked)
        total = {name: total.get(name, 0.0) + change for name, change in asked.items()}
    return chip, rule, memory, begin, total


def test_a_record_drifts_by_the_spread_of_steps_of_all_that_was_written():
    """``|record - chip|^2 = step_sigma^2 |sum dW|^2``, chi-square of as many freedoms as cells; false alarms 1e-6."""
    chip, _, memory, begin, total = write_record()
    missed, written = 0.0, 0.0
    for name, change in total.items():
        np.testing.assert_allclose(memory[RECORD + name], begin[name] + change, rtol=0, atol=1e-12)
        missed += float(np.sum((memory[RECORD + name] - chip.programmed[name]) ** 2))
        written += float(np.sum(change**2))
    # Requests differ from cell to cell: as many cells as count, by their squares.
    cells = np.concatenate([change.ravel() for change in total.values()]) ** 2
    freedom = float(cells.sum() ** 2 / np.sum(cells**2))
    low, high = stats.chi2.ppf([5e-7, 1.0 - 5e-7], freedom) / freedom
    assert low < missed / (SPREAD**2 * written) < high
    assert 0.4 < low < high < 1.8  # else the test could see nothing


def test_the_error_of_a_recorded_twin_is_that_of_its_drift():
    """``delta_t - delta = M E^T delta`` to first order, ``E`` the record less what the chip holds."""
    chip, rule, memory, _, _ = write_record()
    x, y = random_batch(chip, 4)
    free = measure_free(chip, x)
    errors = compute_exact_errors(chip, y)
    found = rule.estimate(chip, free, y, RuleContext(Unnudged(kind="pat"), model=make_rule_model(rule, chip, memory)))
    drift = {c.block: memory[RECORD + c.block] - chip.effective[c.block] for c in chip.topology.recurrent()}
    force = {name: np.zeros_like(part) for name, part in chip.topology.split(errors.delta).items()}
    for c in chip.topology.recurrent():  # E^T delta at the presynaptic units
        force[c.pre] = force[c.pre] + chip.topology.split(errors.delta)[c.post] @ drift[c.block].T
    law = errors.linear.adjoint(np.concatenate([force[name] for name in chip.topology.names], axis=1))
    missed = found.flat - errors.delta
    np.testing.assert_allclose(missed, law, rtol=0, atol=0.1 * np.abs(law).max())
    assert np.linalg.norm(missed) > 1e-3 * np.linalg.norm(errors.delta)
    exact = PROGRAMMED.estimate(
        chip, free, y, RuleContext(Unnudged(kind="pat"), model=make_rule_model(PROGRAMMED, chip))
    )
    assert np.abs(exact.flat - errors.delta).max() < 1e-10  # cells that are read back drift nowhere


@pytest.mark.parametrize("tied", [{}, {"weight/l2-l1": "weight/l1-l2"}])
def test_a_record_of_a_pair_with_one_number_has_both_requests_in_both_directions(tied):
    chip, memory = random_chip(), {}
    cells = RecordedCells(chip, lambda: chip.programmed, tied, memory)
    begin = {name: block.copy() for name, block in memory.items()}
    rng = np.random.default_rng(0)
    changes = {name: rng.normal(size=chip.topology.shapes[name]) for name in ("weight/l1-l2", "weight/l2-l1")}
    cells.write(changes)
    forward, back = changes.values()
    whole = (forward + back.T, back + forward.T) if tied else (forward, back)
    for name, change in zip(changes, whole, strict=True):
        np.testing.assert_allclose(memory[RECORD + name] - begin[RECORD + name], change, rtol=0, atol=1e-12)
