"""The ledger of circuits: terms that add up, causes that are planted and found."""

import numpy as np
import pytest

from devices.circuit.components import (
    CircuitDevices,
    DropReading,
    OutputCircuit,
    ResistorSpread,
)
from learning.circuits.coupled import Coupled
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.ledger import TERMS, CircuitTrial, measure_circuit
from learning.oracle.circuits.remedies import REMEDIES, CircuitMeans, measure_circuit_remedies
from learning.schemes.nodes import Centred, OneSided
from substrate.circuits.chip import CircuitChip
from substrate.circuits.design import PhaseClock
from tests.substrate.circuits.circuits import KINDS, draw_batch, make_chip, make_design
from tests.substrate.circuits.motion.test_clock import add_capacitors, find_modes

RATE = 1e-12
CENTRED = (Centred(beta=1e-5),)


def measure(kind, devices=None, schemes=CENTRED, rule=None, repeats=1, **parts):
    chip = make_chip(kind, 0, devices, **parts)
    x, target = draw_batch(kind)
    trial = CircuitTrial(
        x, target, rule or SquaredDrops(), list(schemes), True, dict.fromkeys(chip.design.blocks, RATE)
    )
    return measure_circuit(chip, trial, repeats, lambda _: None)


def sizes(book):
    scale = np.linalg.norm(book.steps[0])
    return {name: float(np.linalg.norm(term) / scale) for name, term in book.terms().items()}


def all_books(found):
    return [*found.vectors, *(book for books in found.blocks for book in books.values())]


DEVICES = CircuitDevices(
    weights=ResistorSpread(mismatch_sigma=0.1, window=["10 uS", "300 uS"], levels=256),
    nudge=OutputCircuit(offset_sigma="10 mV", gain=1.1),
    drops=DropReading(offset_sigma="10 mV", noise="1 mV", twin_sigma=1e-4),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", [SquaredDrops(), Coupled(clamp=0.5)])
def test_the_terms_add_up_to_the_error(kind, rule):
    schemes = [None] if isinstance(rule, Coupled) else [Centred(beta=1e-5), OneSided(beta=1e-5)]
    found = measure(kind, DEVICES, schemes, rule, repeats=3)
    assert found.keep.all()
    for book in all_books(found):
        assert tuple(book.terms()) == TERMS
        total = sum(book.terms().values())
        assert np.abs(total - (book.steps[-1] - book.steps[0])).max() < 1e-12 * np.abs(book.steps[-1]).max()
        for whole, parts in (
            ("asymmetry", ("metric", "per_node", "irreducible")),
            ("finite_nudge", ("goal", "nudge_bias")),
        ):
            gap = sum(book.parts[part] for part in parts) - book.terms()[whole]
            assert np.abs(gap).max() <= 1e-9 * np.abs(book.steps[0]).max()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mos"])
def test_a_finite_nudge_on_a_reciprocal_circuit_is_a_change_of_goal_alone(kind):
    for book in measure(kind).blocks[0].values():
        scale = np.linalg.norm(book.steps[0])
        assert np.linalg.norm(book.parts["nudge_bias"]) < 1e-10 * scale
        assert np.linalg.norm(book.parts["goal"]) > 1e-5 * scale
        assert sizes(book)["asymmetry"] < 1e-12


def test_transistors_show_as_asymmetry():
    (book,) = measure("mos").blocks[0].values()
    assert 1e-4 < sizes(book)["asymmetry"] < 0.05
    assert np.linalg.norm(book.parts["metric"]) == 0.0


PLANTED = {
    "readout": CircuitDevices(drops=DropReading(offset_sigma="0.5 V")),
    "noise": CircuitDevices(drops=DropReading(noise="1 mV")),
    "write": CircuitDevices(weights=ResistorSpread(window=["10 uS", "300 uS"], levels=16)),
}


@pytest.mark.parametrize("cause", PLANTED)
def test_a_planted_cause_is_found_and_no_other(cause):
    (book,) = measure("linear", PLANTED[cause], [Centred(beta=1e-6)], repeats=4).blocks[0].values()
    found = sizes(book)
    assert max(found, key=found.get) == cause
    for other in {"clamp", "settling", "precision", "readout", "noise", "write"} - {cause}:
        assert found[other] < 1e-12 or (cause, other) == ("noise", "write")


def test_mismatch_common_to_both_phases_is_no_error():
    (book,) = measure("linear", CircuitDevices(weights=ResistorSpread(mismatch_sigma=0.2))).blocks[0].values()
    assert sizes(book)["asymmetry"] < 1e-12
    assert sizes(book)["readout"] == 0.0


def test_a_twin_circuit_is_an_error_over_beta():
    def readout(beta):
        twin = CircuitDevices(drops=DropReading(twin_sigma=1e-3))
        (book,) = measure("linear", twin, [OneSided(beta=beta)]).blocks[0].values()
        return sizes(book)["readout"]

    assert readout(1e-7) / readout(1e-6) == pytest.approx(10.0, rel=0.1)


def test_clamping_several_outputs_turns_the_gradient():
    (book,) = measure("linear", None, [None], Coupled(clamp=1e-5)).blocks[0].values()
    assert 0.01 < sizes(book)["clamp"] < 1.0
    assert sizes(book)["finite_nudge"] < 1e-4


def test_a_held_nudge_takes_the_finite_nudge_away():
    held, moving = (
        measure("linear", None, [Centred(beta=5e-5)], nudge=nudge).blocks[0]["conductance/elements"]
        for nudge in ("held", "continuous")
    )
    assert sizes(held)["finite_nudge"] < 1e-12
    assert sizes(moving)["finite_nudge"] > 0.01


def test_an_unsettled_sample_is_left_out():
    found = measure("exponential", None, tolerance=-1.0)  # which nothing meets
    assert not found.keep.any()
    assert np.isnan(found.blocks[0]["conductance/elements"].steps[-1]).all()


def test_every_remedy_has_words_and_acts_on_a_term():
    for remedy in REMEDIES.values():
        assert set(remedy.terms) <= set(TERMS)


@pytest.mark.parametrize(
    ("cause", "cure"), [("readout", "drop-offsets"), ("noise", "read-noise"), ("finite_nudge", "held-nudge")]
)
def test_the_right_change_takes_a_planted_cause_away(cause, cure):
    chip = make_chip("linear", 0, PLANTED.get(cause))
    x, target = draw_batch("linear")
    scheme = Centred(beta=1e-6 if cause in PLANTED else 5e-5)
    trial = CircuitTrial(x, target, SquaredDrops(), [scheme], True, {})
    found = measure_circuit(chip, trial, 3, lambda _: None)
    gains = measure_circuit_remedies(CircuitMeans(chip, trial, scheme), found, (cause,))
    exact = found.point.adjoint

    def error(vectors):
        return np.linalg.norm(vectors - exact) / np.linalg.norm(exact)

    after = {name: error(gain.delta) for name, gain in gains.items()}
    if cause == "readout":  # offsets of comparators are no matter of node voltages
        assert cure in after
    else:
        assert after[cure] == min(after.values())
        assert after[cure] < 0.3 * error(found.vectors[0].steps[-1]) or cause == "noise"


@pytest.mark.parametrize("nudge", ["continuous", "held"])
def test_reading_before_rest_is_settling_and_fades_as_the_slowest_mode(nudge):
    design = add_capacitors(make_design("linear", nudge=nudge))
    chip = CircuitChip(design, {"conductance/elements": design.circuit.conductors.g})
    x, target = draw_batch("linear")
    trial = CircuitTrial(x, target, SquaredDrops(), list(CENTRED), True, {})
    slowest = find_modes(chip.system(), 0.0)[0][0]

    def measure_settling(taus):
        clock = PhaseClock(taus / slowest, taus / slowest)
        found = measure_circuit(chip.variant(clock=clock), trial, 1, lambda _: None)
        assert found.keep.all()
        for book in all_books(found):
            shares = sizes(book)
            assert shares["asymmetry"] < 1e-12
            assert shares["precision"] == shares["readout"] == 0.0
            yield shares["settling"]

    early, late, rest = (np.array([*measure_settling(taus)]) for taus in (8.0, 10.0, 60.0))
    # The nudge moves the slowest rate by a few percent, and the free phase misses as much again.
    np.testing.assert_allclose(np.log(early / late), 2.0, atol=0.4)
    assert (late > 1e-6).all()
    assert (rest < 1e-11).all()
