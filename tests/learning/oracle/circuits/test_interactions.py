"""Causes of error on a circuit, alone and removed: what they add up to, and which of them act."""

import numpy as np
import pytest

from devices.circuit.components import (
    AmplifierSpread,
    CircuitDevices,
    DropReading,
    OutputCircuit,
    ResistorSpread,
)
from learning.circuits.coupled import Coupled
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.interactions import find_circuit_causes, measure_circuit_interactions
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.schemes.nodes import Centred, OneSided
from substrate.circuits.design import PhaseClock
from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign, draw_parameters
from tests.learning.oracle.circuits.test_asymmetry import make_amplified
from tests.substrate.circuits.circuits import draw_batch, make_chip, make_design
from tests.substrate.circuits.motion.test_clock import add_capacitors

DEVICES = CircuitDevices(
    weights=ResistorSpread(mismatch_sigma=0.1, window=["10 uS", "300 uS"], levels=256),
    nudge=OutputCircuit(offset_sigma="10 mV", gain=1.1),
    drops=DropReading(offset_sigma="10 mV", noise="1 mV", twin_sigma=1e-4),
)


def compare(chip, x, target, scheme=None, repeats=1, rule=None):
    trial = CircuitTrial(x, target, rule or SquaredDrops(), [scheme], True, {})
    (found,) = measure_circuit_interactions(chip, trial, repeats, lambda _: None, [slice(None)])
    return trial, found


def size(mean):
    return float(np.linalg.norm(mean.value))


def test_causes_and_what_is_left_add_up_to_the_error():
    chip, (x, target) = make_chip("linear", 0, DEVICES), draw_batch("linear")
    trial, found = compare(chip, x, target, Centred(beta=1e-5), 3)
    # Comparators are read by no node, and bounds move nothing that is there.
    assert list(found.alone) == [
        "weights.mismatch_sigma",
        "nudge.offset_sigma",
        "nudge.gain",
        "drops.noise",
        "drops.twin_sigma",
    ]
    total = found.base.value + sum(mean.value for mean in found.alone.values()) + found.left.value
    np.testing.assert_allclose(total, found.full.value, rtol=0, atol=1e-9 * np.abs(found.full.value).max())
    (book,) = measure_circuit(chip, trial, 3, lambda _: None).vectors
    np.testing.assert_allclose(found.full.value, book.steps[-1] - book.steps[0], rtol=1e-9)
    assert found.keep.all()
    assert (found.alone["drops.noise"].variance > 0.0).all()
    assert size(found.left) > 0.0


def test_a_single_cause_is_the_same_alone_and_removed():
    devices = CircuitDevices(nudge=OutputCircuit(gain=1.2))
    _, found = compare(make_chip("linear", 0, devices), *draw_batch("linear"), OneSided(beta=1e-6))
    assert list(found.alone) == ["nudge.gain"]
    np.testing.assert_array_equal(found.alone["nudge.gain"].value, found.removed["nudge.gain"].value)
    assert size(found.left) == 0.0
    assert size(found.alone["nudge.gain"]) == pytest.approx(0.2 * size_of_exact(devices), rel=0.01)


def size_of_exact(devices):
    chip, (x, target) = make_chip("linear", 0, devices), draw_batch("linear")
    trial = CircuitTrial(x, target, SquaredDrops(), [Centred(beta=1e-6)], True, {})
    return float(np.linalg.norm(measure_circuit(chip, trial, 1, lambda _: None).point.adjoint))


def test_an_ideal_circuit_has_no_cause():
    _, found = compare(make_chip("mos"), *draw_batch("mos"), Centred(beta=1e-5))
    assert found.alone == {}
    assert size(found.left) == 0.0
    np.testing.assert_array_equal(found.base.value, found.full.value)
    assert size(found.base) > 0.0  # transistors, and the nudge


def test_the_clock_is_a_cause_beside_devices():
    design = add_capacitors(make_design("linear", devices=CircuitDevices(nudge=OutputCircuit(gain=1.1))))
    chip = type(make_chip("linear"))(design._replace(clock=PhaseClock(3e-8, 3e-8)), make_chip("linear").programmed)
    _, found = compare(chip, *draw_batch("linear"), Centred(beta=1e-5))
    assert list(found.alone) == ["nudge.gain", "settling"]
    assert size(found.alone["settling"]) > 0.01 * size(found.alone["nudge.gain"])


def test_spreads_of_amplifiers_are_causes_by_their_keys():
    chip, x, target = make_amplified("tree", sigma=0.0)
    spread = CircuitDevices(amplifiers=AmplifierSpread(backward_sigma=0.1, forward_sigma=0.1))
    _, found = compare(chip.variant(spread), x, target, Centred.model_construct(beta=1e-9))
    assert list(found.alone) == ["amplifiers.forward_sigma", "amplifiers.backward_sigma"]
    assert all(size(mean) > 0.01 * size(found.base) for mean in found.alone.values())


def test_coupled_learning_has_causes_too():
    devices = CircuitDevices(nudge=OutputCircuit(offset_sigma="20 mV"))
    _, found = compare(make_chip("linear", 0, devices), *draw_batch("linear"), rule=Coupled(clamp=0.5))
    assert list(found.alone) == ["nudge.offset_sigma"]
    assert size(found.alone["nudge.offset_sigma"]) > 0.0


def test_layers_have_settling_and_precision():
    design = LayeredDesign({"in": 4, "h1": 6, "h2": 5, "out": 2}, diodes=("h1", "h2"), sweeps=3, tolerance=1e-3)
    chip = LayeredChip(design, draw_parameters(design, 1e-5, 3), 1)
    assert find_circuit_causes(chip) == ["settling", "precision"]
    rng = np.random.default_rng(0)
    _, found = compare(chip, rng.uniform(-20.0, 20.0, (3, 4)), np.eye(2)[[0, 1, 0]], Centred(beta=1e-6))
    assert size(found.alone["settling"]) > 0.0
    assert size(found.alone["precision"]) > 0.0
    assert find_circuit_causes(chip.make_complete()) == []
