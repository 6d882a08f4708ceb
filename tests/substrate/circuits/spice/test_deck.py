"""Decks as text: what is written, what is renamed, what is refused."""

import numpy as np
import pytest

from substrate.circuits.circuit import Capacitors, CircuitGraph, Conductors, Diodes, Sources, Transistors
from substrate.circuits.spice.deck import THERMAL_VOLTAGE, DeckTimes, name_nodes, write_deck
from substrate.circuits.system import apply_nothing
from tests.substrate.circuits.references import NAMES, load_reference

from .decks import DECKS, make_decks

ONE, TWO = np.array([1]), np.array([2])
NODES = ("0", "in", "out")
RESISTOR = CircuitGraph(NODES, np.array([0, 1]), TWO, Conductors(ONE, TWO, np.array([1e-3])))
QUIET = apply_nothing(np.array([[0.0, 0.5]]), 1)


@pytest.mark.parametrize("file", make_decks())
def test_decks_are_the_stored_ones(file):
    """ngspice found the voltages in the files of the circuits from them: see test_ngspice.py."""
    assert make_decks()[file] == (DECKS / file).read_text(encoding="utf-8")


def test_every_deck_is_stored():
    assert {path.name for path in DECKS.iterdir()} == make_decks().keys()


def test_a_deck_is_short_and_whole():
    deck = write_deck(RESISTOR, QUIET, "one\nresistor", names={"conductors": ["load"], "held": ["", "Vsource"]})
    assert deck.splitlines() == [
        "* one resistor",
        "Vsource in 0 0.5",
        "Rload in out 1000.0",
        ".options reltol=1e-12 abstol=1e-20 vntol=1e-14 gmin=1e-20 temp=27 tnom=27",
        ".op",
        ".end",
    ]


def test_thermal_voltage_is_that_of_ngspice():
    assert load_reference(NAMES[0]).told["thermal_voltage"] == pytest.approx(THERMAL_VOLTAGE, rel=1e-15)


def test_phases_are_one_card_an_output():
    def last(drive, **more):
        return write_deck(RESISTOR, drive, **more).splitlines()[3:-3]

    held = QUIET._replace(current=np.array([[2e-6]]))
    nudged = QUIET._replace(beta=np.array([-1e-6]), target=np.array([[0.25]]))
    assert last(QUIET) == []
    assert last(nudged) == ["Bnudge0 out 0 I=(-1e-06)*(V(out)-(0.25))"]
    assert last(held) == ["Ihold0 out 0 2e-06"]
    assert last(QUIET._replace(clamped=np.array([[0.1]]))) == ["Vclamp0 out 0 0.1"]
    times = DeckTimes(np.zeros(1), 1e-6, 1e-3, np.float64(5e-4))
    switch = "Vnudge nudge.on 0 PWL(0 0 0.0005 0 0.000500001 1)"
    assert last(nudged, times=times) == ["Bnudge0 out 0 I=V(nudge.on)*(-1e-06)*(V(out)-(0.25))", switch]
    assert last(held, times=times) == ["Bhold0 out 0 I=V(nudge.on)*(2e-06)", switch]
    assert last(held, times=times._replace(switch=0.0))[-1] == "Vnudge nudge.on 0 1"


def test_capacitors_start_at_the_voltages_between_their_ends():
    charged = RESISTOR._replace(capacitors=Capacitors(TWO, ONE, np.array([1e-9])))
    assert "C0 out in 1e-09\n" in write_deck(charged, QUIET)
    moving = write_deck(charged, QUIET, times=DeckTimes(np.array([0.2]), 1e-6, 1e-3))
    assert "C0 out in 1e-09 IC=-0.3\n" in moving
    assert ".tran 1e-06 0.001 0 1e-06 uic\n" in moving


def test_nodes_are_renamed_where_spice_would_mistake_them():
    circuit = RESISTOR._replace(nodes=("GND", "In", "in", "in[0]", "time", "in_2", ""), held=np.array([0, 1]))
    assert name_nodes(circuit) == ["0", "in", "in_2", "in_0_", "time_2", "in_2_2", "_"]
    assert "* node in is called in_2\n" in write_deck(circuit, QUIET)


def test_a_conductor_of_nothing_is_left_out_and_told():
    deck = write_deck(RESISTOR._replace(conductors=Conductors(ONE, TWO, np.zeros(1))), QUIET)
    assert "* R0 in out has a conductance of 0 S\n" in deck


def broken(**parts):
    return RESISTOR._replace(**parts)


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (broken(conductors=Conductors(ONE, TWO, np.array([-1e-3]))), "in-out: a conductance of -0.001 S has no form"),
        (broken(conductors=Conductors(ONE, TWO, np.array([np.nan]))), "in-out: a conductance of nan S"),
        (broken(capacitors=Capacitors(ONE, TWO, np.zeros(1))), "in-out: a capacitance of 0.0 F"),
        (broken(sources=Sources(ONE, TWO, np.array([np.inf]))), "in-out: a current of inf"),
        (broken(diodes=Diodes(ONE, TWO, np.array([1e-9]), np.zeros(1))), "in-out: a slope of 0.0 V"),
        (broken(transistors=Transistors(ONE, TWO, np.zeros(1), ONE, ONE)), "a transconductance of 0.0 S/V"),
        (broken(nodes=("0", "gnd", "out")), "a node called gnd for the ground: hold it at 0 V"),
        (broken(nodes=("gnd", "in", "0")), "a node called 0 for the ground"),
    ],
)
def test_what_has_no_form_in_spice_is_named(circuit, words):
    with pytest.raises(ValueError, match=words):
        write_deck(circuit, QUIET)


def test_what_cannot_be_one_deck_is_refused():
    with pytest.raises(ValueError, match="one sample, not 2"):
        write_deck(RESISTOR, apply_nothing(np.zeros((2, 2)), 1))
    with pytest.raises(ValueError, match="clamped outputs have no transient"):
        write_deck(RESISTOR, QUIET._replace(clamped=np.zeros((1, 1))), times=DeckTimes(np.zeros(1), 1e-6, 1e-3))
    pair = RESISTOR._replace(conductors=Conductors(np.array([1, 2]), np.array([2, 0]), np.full(2, 1e-3)))
    with pytest.raises(ValueError, match="two elements are called ra"):
        write_deck(pair, QUIET, names={"conductors": ["Ra", "rA"]})
