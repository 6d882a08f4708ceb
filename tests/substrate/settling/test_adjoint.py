"""The adjoint state against the exact gradient, and every way its settling can end."""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from learning.estimator import measure_free
from learning.oracle.exact import compute_exact_errors
from substrate.dynamics.methods import Phase
from substrate.laws.law import LAWS
from substrate.protocol import Budget, Status
from tests.networks import WIRINGS, random_batch, random_chip


def settled(chip, samples=5):
    x, y = random_batch(chip, samples)
    measure_free(chip, x)
    return chip.settle_errors(y), chip.read_errors(), compute_exact_errors(chip, y)


@pytest.mark.parametrize("cost", ["mse", "cross-entropy"])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_adjoint_state_settles_to_the_exact_error_vectors(wiring, law, cost):
    chip = random_chip(wiring, law=law, cost=cost, sigma=0.3)
    end, found, reference = settled(chip)
    assert (end.status == Status.SETTLED).all()
    delta = np.concatenate([found[name] for name in chip.topology.names], axis=1)
    assert np.linalg.norm(delta - reference.delta) < 1e-6 * np.linalg.norm(reference.delta)
    assert np.linalg.norm(reference.ep - reference.delta) > 1e-2 * np.linalg.norm(reference.delta)


def test_the_drift_at_the_end_is_below_the_tolerance():
    chip = random_chip("loop", dynamics={"nudged": Phase(tolerance=1e-4)})
    end, found, reference = settled(chip)
    assert (end.residual < 1e-4).all()
    assert (end.steps > 3).all()
    np.testing.assert_array_equal(end.time, end.steps * 0.5)
    error = np.abs(np.concatenate(list(found.values()), axis=1) - reference.delta).max()
    assert 1e-9 < error < 1e-3


def test_a_settling_of_fixed_length_takes_all_steps():
    slow = random_chip("loop", dynamics={"nudged": Phase(steps=3, tolerance=1e-6)})
    end, _, _ = settled(slow)
    assert (end.status == Status.STEP_LIMIT).all()
    assert (end.steps == 3).all()
    long = random_chip("loop", dynamics={"nudged": Phase(duration=100.0)})
    end, _, _ = settled(long)
    assert (end.status == Status.SETTLED).all()
    assert (end.steps == 200).all()


def test_the_other_ends_are_told():
    short = random_chip("loop", dynamics={"nudged": Phase(max_steps=2, tolerance=1e-9)})
    assert (settled(short)[0].status == Status.STEP_LIMIT).all()
    chip = random_chip("loop")
    x, y = random_batch(chip, 3)
    measure_free(chip, x)
    wild = chip.variant(dynamics=chip.design.dynamics.model_copy(update={"dt": 3.0}))
    wild.set_input(x)
    end = wild.settle_errors(y)
    assert (end.status == Status.DIVERGED).all()
    assert end.residual.max() < 1e12


def test_a_sample_does_not_depend_on_its_batch():
    chip = random_chip("reciprocal", dynamics={"nudged": Phase(tolerance=1e-6)})
    x, y = random_batch(chip, 6)
    measure_free(chip, x)
    whole_end, whole = chip.settle_errors(y), chip.read_errors()
    measure_free(chip, x[2:4])
    end, part = chip.settle_errors(y[2:4]), chip.read_errors()
    np.testing.assert_array_equal(end.steps, whole_end.steps[2:4])
    for name, delta in part.items():
        np.testing.assert_allclose(delta, whole[name][2:4], rtol=0, atol=1e-12)


def test_the_nudge_circuit_and_the_readout_stand_in_the_way():
    plain = random_chip("loop")
    _, found, _ = settled(plain)
    stronger = plain.variant(converters=Converters(nudge=NudgeCircuit(gain=1.1)))
    _, more, _ = settled(stronger)
    np.testing.assert_allclose(more["l1"], 1.1 * found["l1"], rtol=1e-9, atol=1e-12)
    coarse = plain.variant(converters=Converters(readout=Adc(bits=8, range=[-1.0, 1.0])))
    _, rounded, _ = settled(coarse)
    np.testing.assert_allclose(rounded["l1"], found["l1"], rtol=0, atol=1.0 / 256 + 1e-12)
    assert (rounded["l1"] != found["l1"]).any()


def test_an_offset_of_the_circuit_is_an_error_of_every_sample():
    chip = random_chip("loop", converters=Converters(nudge=NudgeCircuit(offset=0.01)))
    _, found, reference = settled(chip)
    force = np.zeros_like(reference.delta)
    force[:, chip.topology.columns["out"]] = -0.01
    extra = np.concatenate(list(found.values()), axis=1) - reference.delta
    np.testing.assert_allclose(extra, reference.linear.adjoint(force), rtol=0, atol=1e-8)


def test_settlings_and_reads_are_counted_and_an_early_read_is_refused():
    chip = random_chip("loop", dynamics={"nudged": Phase(steps=4)})
    x, y = random_batch(chip, 3)
    measure_free(chip, x)
    before = chip.budget
    with pytest.raises(ValueError, match="call settle_errors first"):
        chip.read_errors()
    chip.settle_errors(y)
    chip.read_errors()
    assert chip.budget.plus(before, -1) == Budget(settlings=3, settled_time=6.0, reads=3, elapsed=6.0)
    chip.set_input(x)
    with pytest.raises(ValueError, match="call settle_errors first"):
        chip.read_errors()
