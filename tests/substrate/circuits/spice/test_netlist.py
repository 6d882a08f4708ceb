"""Netlists as circuits: what they mean, what is refused, and that no text breaks the reader."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.spice.cards import SUPPORTED, read_number
from substrate.circuits.spice.deck import THERMAL_VOLTAGE, name_nodes, write_deck
from substrate.circuits.spice.netlist import read_netlist
from substrate.circuits.spice.ngspice import find_ngspice, run_deck
from substrate.circuits.system import apply_nothing, assemble_system
from tests.substrate.circuits.references import NAMES, load_reference

BOARD = """a board of everything
* sources
V1 in GND 1.5
Vlow 0 low DC 500m ; minus half a volt
I1 OUT 0 DC=2u
R1 in mid 1k
R2 mid out
+ 2.2Kohm
* between the lines of a card
+ $ nothing more
C1 out 0 10pF IC=0.25
C2 out mid 1n
D1 out 0 dx // to ground
.model DX d (is = 1n n=1.8)
M1 mid g1 low b ch W=20u L=10u
Vg g1 0 2.5
Vb b 0 -5
.MODEL ch NMOS(VTO=0.7 KP=100u LEVEL=1)
E1 x 0 out 0 4
Vs far x 1m
F1 out 0 VS -0.25
R3 far 0 1meg
.options reltol=1e-12 abstol=1e-20 vntol=1e-14 gmin=1e-20
.op
.end
"""


def settle(netlist):
    """Return the voltages of all nodes by name."""
    rest = find_circuit_rest(
        assemble_system(netlist.circuit), apply_nothing(netlist.held[None], len(netlist.circuit.outputs))
    )
    assert rest.status[0] == 0
    return dict(zip(netlist.circuit.nodes, rest.voltages[0], strict=True))


def test_a_board_is_what_its_cards_say():
    found = read_netlist(BOARD, ["OUT"])
    circuit = found.circuit
    assert found.faults == ()
    assert circuit.nodes == ("0", "in", "low", "mid", "out", "far")
    assert circuit.held.tolist() == [0, 1, 2]
    assert found.held.tolist() == [0.0, 1.5, -0.5]
    assert circuit.outputs.tolist() == [4]
    assert [part.tolist() for part in circuit.conductors] == [[1, 3, 5], [3, 4, 0], [1 / 1e3, 1 / 2.2e3, 1 / 1e6]]
    assert [part.tolist() for part in circuit.sources] == [[4], [0], [2e-6]]
    assert [part.tolist() for part in circuit.diodes] == [[4], [0], [1e-9], [1.8 * THERMAL_VOLTAGE]]
    assert [part.tolist() for part in circuit.transistors] == [[3], [2], [2e-4], [0.7], [2.5]]
    assert [part.tolist() for part in circuit.amplifiers] == [[4], [5], [4.0], [0.25], [1e-3]]
    assert [part.tolist() for part in circuit.capacitors] == [[4, 4], [0, 3], [1e-11, 1e-9]]
    assert found.initial[0] == 0.25
    assert np.isnan(found.initial[1])
    assert found.names == {
        "held": ("", "V1", "Vlow"),
        "conductors": ("R1", "R2", "R3"),
        "sources": ("I1",),
        "diodes": ("D1",),
        "transistors": ("M1",),
        "amplifiers": ("E1",),
        "capacitors": ("C1", "C2"),
        "gates": ("Vg",),
    }


@pytest.mark.skipif(find_ngspice() is None, reason="ngspice is not installed")
def test_ngspice_reads_a_board_the_same_way():
    own, found = settle(read_netlist(BOARD)), run_deck(BOARD)
    assert max(abs(found[f"v({node})"][0] - volts) for node, volts in own.items() if node != "0") < 1e-9


def drop(text, *words):
    return "\n".join(line for line in text.splitlines() if line.split()[0] not in words)


@pytest.mark.parametrize(
    ("sense", "backward", "offset"),
    [
        (["Vs far x 1m", "F1 out 0 VS -0.25"], 0.25, 1e-3),
        (["Vs far x 1m", "F1 0 out VS 0.25"], 0.25, 1e-3),
        (["Vs x far 1m", "F1 out 0 VS 0.25"], 0.25, -1e-3),
        (["Vs x far 1m", "F1 0 out VS 0.25", "F2 out 0 vs 0.5"], 0.25, -1e-3),
        (["Vs x far 0"], 0.0, 0.0),
    ],
)
def test_signs_of_sense_sources_and_shares(sense, backward, offset):
    board = drop(BOARD, "Vs", "F1").replace("\n.op\n", "\n".join(["", *sense, ""]))
    amplifiers = read_netlist(board).circuit.amplifiers
    assert [float(part[0]) for part in amplifiers[2:]] == [4.0, backward, offset]


def test_a_source_that_follows_a_voltage_alone_draws_nothing():
    board = drop(BOARD, "Vs", "F1").replace("E1 x", "E1 far")
    found = read_netlist(board)
    assert [float(part[0]) for part in found.circuit.amplifiers[2:]] == [4.0, 0.0, 0.0]
    assert settle(found)["far"] == pytest.approx(4.0 * settle(found)["out"])


@pytest.mark.parametrize("name", [NAMES[0], *NAMES[2:]])
def test_exported_circuits_come_back(name):
    reference = load_reference(name)
    circuit, free = reference.circuit, apply_nothing(reference.held[:1], len(reference.circuit.outputs))
    for drive in (free, free._replace(current=reference.beta * reference.target[:1])):
        names = {"conductors": [f"R_{k}_of_many" for k in range(len(circuit.conductors.g))]}
        deck = write_deck(circuit, drive, device_models=True, names=names)
        written = name_nodes(circuit)
        back = read_netlist(deck, [written[node] for node in circuit.outputs])
        assert back.faults == ()
        assert back.names["conductors"] == tuple(names["conductors"])
        own = find_circuit_rest(assemble_system(circuit), drive).voltages[0]
        assert max(abs(settle(back)[node] - volts) for node, volts in zip(written, own, strict=True)) < 1e-12


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("-2.5U", -2.5e-6),
        ("1meg", 1e6),
        ("1MEGohm", 1e6),
        ("10F", 1e-14),
        ("1mil", 2.54e-5),
        (".5k", 500.0),
        ("5.k", 5e3),
        ("1e3k", 1e6),
        ("1E-3kOhm", 1.0),
        ("3V", 3.0),
        ("1A", 1.0),
        ("4µ", 4e-6),
        ("1t", 1e12),
    ],
)
def test_numbers_have_suffixes(text, number):
    assert read_number(text) == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "k", "1.2.3", "{r}", "1e999", "0x10", "nan", "inf", "1k5", "--1", "1e" + 5000 * "9", "1,5"]
)
def test_other_words_are_no_numbers(text):
    assert read_number(text) is None


FAULTS = [
    ("B1 out 0 I=1", "B1: behavioural sources are not read", SUPPORTED),
    ("X1 out 0 cell", "X1: subcircuits are not read", SUPPORTED),
    ("L1 out 0 1m", "L1: inductors are not read", SUPPORTED),
    ("Q1 out 0 in npn", "Q1: bipolar transistors are not read", SUPPORTED),
    ("?1 out 0", "?1: no element of SPICE begins so", SUPPORTED),
    ("R9 out 0 {r}", "R9: the resistance is '{r}'", "expressions are not read"),
    ("R9 out 0 -1", "R9: the resistance is -1", "positive"),
    ("R9 out 0", "R9: 2 words behind the name", "R a b RESISTANCE"),
    ("R9 out 0 1 tc1=2", "R9: the parameter tc1 is not read", "R a b RESISTANCE"),
    ("r1 out 0 1", "r1: line 6 has an element of that name", "rename"),
    ("V9 out mid 1", "V9: a source of voltage between out and mid", "sources to ground"),
    ("V9 in 0 1", "V9: V1 holds in, too", "take one of them away"),
    ("V9 0 0 1", "V9: a source of voltage between 0 and 0", "sources to ground"),
    ("V9 far 0 1", "E1: its exit far is at another source", "separate"),
    ("I9 out 0 SIN(0 1 1k)", "I9: 6 words behind the name", "I a b DC VALUE"),
    ("D9 out 0 dy", "D9: there is no .model dy", "models of this netlist: dx, ch"),
    ("D9 out 0 ch", "D9: its model ch, NMOS, of that kind is not read", "D of level 1 with LEVEL, IS, N"),
    (".model dz D(RS=1)\nD9 out 0 dz", "D9: its model dz, D, with RS is not read", "IS, N"),
    (".model dz D(IS=0)\nD9 out 0 dz", "D9: IS=0.0 N=1.0", "positive"),
    (".model dx D", ".model dx is there twice", "rename"),
    (".model p PMOS\nM9 out g1 0 b p", "M9: its model p, PMOS, of that kind is not read", "NMOS of level 1"),
    (".model p NMOS(LEVEL=3)\nM9 out g1 0 b p", "M9: its model p, NMOS, of that level is not read", "level 1"),
    (".model p NMOS(LAMBDA=.1)\nM9 out g1 0 b p", "M9: GAMMA=0.0 LAMBDA=0.1", "must be 0"),
    (".model p NMOS(KP=0)\nM9 out g1 0 b p", "M9: KP W/L is 0.0", "positive"),
    ("M9 out mid 0 b ch", "M9: its gate mid is at no source", "put a V from there to 0"),
    ("M9 out g1 0 out ch", "M9: its bulk out is at no source", "put a V from there to 0"),
    ("M9 out g1 0 0 ch", "M9: its bulk, at 0.0 V, is above a source at -0.5 V", "at or below all sources"),
    ("R9 x 0 1k", "E1: more than its sense source Vs is at x", "the other end of Vs"),
    ("E9 y 0 POLY(1) out 0 0 1", "E9: 8 words behind the name", "E exit 0 entry 0 GAIN"),
    ("E9 y out in 0 1", "E9: its voltages are not those against the ground", "E exit 0 entry 0 GAIN"),
    ("E9 out 0 far 0 1", "amplifiers drive each other in a circle: far, out", "open the circle"),
    ("E9 far 0 mid 0 1", "E9: more than its sense source Vs is at far", "the other end of Vs"),
    ("F9 out 0 V1 1", "F9: no amplifier has the sense source v1", "an F belongs to a source"),
    ("F9 mid 0 Vs 1", "F9: it is not between out and the ground", "draws from the entry"),
    (".param r=1", ".param is not read", "flat and in numbers"),
    (".include other.cir", ".include is not read", SUPPORTED),
    (".control\nalter r1 = 2\n.endc", "commands between .control and .endc are not read", "take them out"),
    (".options temp=50", ".options temp=50", "27 degrees"),
    (".options rshunt=1e12", "the option rshunt changes the circuit", "by elements"),
]


def add(*cards):
    """Return the board with cards in place of its analysis, in line 24."""
    return BOARD.replace("\n.op\n", "\n".join(["", *cards, ""]))


@pytest.mark.parametrize(("card", "message", "hint"), FAULTS)
def test_what_cannot_be_read_is_a_fault(card, message, hint):
    found = read_netlist(add(card))
    assert found.circuit is None
    hints = {fault.message: fault.hint for fault in found.faults}
    assert message in hints
    assert hint in hints[message]


def test_faults_name_their_lines_and_come_in_their_order():
    found = read_netlist(add("R8 out", "+ 0", "Q1 a b c d", "", "R9 out 0 zero", ".end", "R10 out 0 1"), ["out"])
    assert [fault.line for fault in found.faults] == [24, 26, 28, 30, 31]
    assert [fault.message.split(":")[0] for fault in found.faults] == [
        "R8",
        "Q1",
        "R9",
        "R10 is behind .end",
        ".end is behind .end",
    ]


def test_outputs_are_free_nodes():
    (fault,) = read_netlist(BOARD, ["out", "g1"]).faults
    assert fault == (0, "the output g1 is no free node", "free nodes are mid, out")
    (fault,) = read_netlist("* held\nV1 a 0 1\nR1 a 0 1\n").faults
    assert fault.message == "no node is free"


def test_lines_that_spice_would_swallow_are_faults():
    assert read_netlist("R1 a 0 1k\nI1 a 0 1\nR2 a 0 1\n").faults[0].message.startswith("R1 is in the first line")
    assert read_netlist("Resistors of 4 kinds\nI1 a 0 1\nR2 a 0 1\n").faults == ()
    assert (
        read_netlist("* title\n+ of two lines\nI1 a 0 1\nR2 a 0 1\n").faults[0].message == "the line continues nothing"
    )
    assert [fault.message for fault in read_netlist("").faults] == ["no node is free"]


WORDS = st.sampled_from(
    [*BOARD.split(), *" ".join(card for card, _, _ in FAULTS).split(), "+", "=", "(", "1e999", ".", "\n"]
)


@st.composite
def mutated(draw):
    """Return the board with some words left out, doubled, moved or put in, and some letters changed."""
    words = [word for line in BOARD.splitlines(keepends=True) for word in (*line.split(), "\n")]
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(words) - 1))
        kind = draw(st.sampled_from(["leave out", "put in", "replace", "letters"]))
        if kind == "leave out":
            del words[place]
        elif kind == "put in":
            words.insert(place, draw(WORDS))
        elif kind == "replace":
            words[place] = draw(WORDS)
        else:
            words[place] = draw(st.text(max_size=5)) + words[place][1:]
    return " ".join(words)


@settings(max_examples=60, deadline=None)
@given(text=mutated(), outputs=st.lists(st.sampled_from(["out", "mid", "GND", "far", "?"]), max_size=2))
def test_no_text_breaks_the_reader(text, outputs):
    found = read_netlist(text, outputs)
    assert (found.circuit is None) == bool(found.faults)
    for fault in found.faults:
        assert 0 <= fault.line <= len(text.splitlines())
        assert fault.message
        assert fault.hint
    if found.circuit is not None:
        assemble_system(found.circuit)
        assert np.isfinite(found.held).all()
