"""Exported decks: what ngspice, where it is installed, and the reader of netlists find is what the chip does."""

import numpy as np
import pytest
from click.testing import CliRunner

import nudgelab
from scenarios.cli.main import main
from substrate.circuits.spice.deck import name_nodes
from substrate.circuits.spice.ngspice import find_ngspice, run_deck
from substrate.protocol import Nudge

VOLTS = {
    "kind": "voltages",
    "inputs": [["0 V", "0.4 V"], ["0.3 V", "0.1 V"]],
    "targets": [["0.15 V", "0.3 V"], ["0.2 V", "0.1 V"]],
}

SHARED = {"schema": 1, "task": VOLTS, "experiment": {"kind": "measure", "samples": 2}}

LATTICE = SHARED | {
    "name": "lattice",
    "network": {
        "law": "resistive",
        "models": {"channel": {"kind": "mos", "transconductance": "850 uS/V", "threshold": "0.7 V"}},
        "lattice": {
            "rows": 3,
            "columns": 3,
            "model": "channel",
            "gate": ["2 V", "5 V"],
            "held": {"r0c0": "0.45 V"},
            "input": ["r0c2", "r2c0"],
            "output": ["r1c1", "r2c2"],
        },
    },
    "devices": {
        "transistors": {"threshold_sigma": "20 mV", "gain_sigma": 0.1},
        "nudge": {"offset_sigma": "5 mV", "gain": 1.1},
    },
    "learning": {"scheme": {"kind": "centred", "beta": "0.3 mS"}},
}

LAYERS = SHARED | {
    "name": "layers",
    "network": {
        "law": "resistive",
        "layers": {"in": 2, "h1": 4, "h2": 3, "out": 2},
        "connections": ["in-h1", "h1-h2", "h2-out"],
        "diodes": {"h1": {"kind": "exponential", "saturation": "1 nA", "bias": ["0.1 V", "-0.1 V"]}},
        "amplifiers": {"h1": {"forward": 4.0, "backward": 0.25}},
        "init": {"kind": "cut-uniform", "unit": "10 uS", "scale": 4.0},
    },
    "devices": {"amplifiers": {"backward_sigma": 0.1}, "weights": {"window": ["0.1 uS", "1 mS"]}},
    "learning": {"scheme": {"kind": "random-sign", "beta": "0.1 uS"}},
}

IDEAL = LAYERS | {
    "name": "ideal",
    "network": {**LAYERS["network"], "diodes": {"h1": "ideal"}, "amplifiers": {}},
    "devices": {"weights": {"window": ["0.1 uS", "1 mS"]}},
    "phases": {"nudge": "held"},
}

BOARD = SHARED | {
    "name": "board",
    "physical": {"capacitance": "1 pF"},
    "network": {
        "law": "resistive",
        "nodes": {"high": {"held": "1 V"}, "x": "input", "y": "input", "a": "output", "b": "output"},
        "models": {"d": {"kind": "diode", "saturation": "1 nA"}},
        "elements": [
            {"kind": "conductor", "name": f"g{k}", "between": between, "resistance": f"{k + 1} kohm", "learn": True}
            for k, between in enumerate([["high", "m"], ["x", "m"], ["y", "a"], ["m", "a"], ["m", "b"], ["b", "0"]])
        ]
        + [
            {"kind": "diode", "name": "d0", "between": ["a", "b"], "model": "d"},
            {"kind": "capacitor", "name": "c0", "between": ["a", "b"], "capacitance": "1 pF"},
        ],
    },
    "devices": {"drops": {"twin_sigma": 0.1}, "nudge": {"gain": 0.9, "offset_sigma": "10 mV"}},
    "learning": {"rule": {"kind": "coupled", "clamp": 0.5}},
}


def add_wires(tables):
    """Return a scenario with wires that have a resistance, and sources that have one, too."""
    weights = tables["devices"].get("weights", {}) | {"wires": "300 ohm"}
    devices = tables["devices"] | {"weights": weights, "inputs": {"resistance": "50 ohm"}}
    return tables | {"name": f"{tables['name']}-wires", "devices": devices}


PLAIN = [LATTICE, LAYERS, IDEAL, BOARD]
ALL = pytest.mark.parametrize("tables", PLAIN + [add_wires(one) for one in PLAIN], ids=lambda tables: tables["name"])


def settle(scenario, sample):
    """Return the voltages of all phases as the chip of a scenario finds them, per layer."""
    chip = scenario.chip()
    rows, rule = slice(sample, sample + 1), scenario.loaded.spec.learning.rule
    chip.set_input(np.asarray(scenario.data.x)[rows])
    assert (chip.settle().status == 0).all()
    phases, target = [chip.read()], np.asarray(scenario.data.y)[rows]
    if rule.kind == "coupled":
        chip.clamp(rule.clamp, target)
        return [*phases, chip.read()]
    beta = scenario.loaded.spec.learning.scheme.beta
    for sign in (1.0, -1.0):
        assert (chip.settle(Nudge(sign * beta, target), start="free").status == 0).all()
        phases.append(chip.read())
    return phases


@pytest.mark.skipif(find_ngspice() is None, reason="ngspice is not installed")
@ALL
def test_ngspice_finds_the_voltages_of_the_chip(tables):
    scenario = nudgelab.load(tables)
    design = scenario._setup().graph
    names, decks = name_nodes(design.circuit), scenario.export(sample=1)
    phases = settle(scenario, 1)
    assert len(decks) == len(phases)
    for deck, volts in zip(decks.values(), phases, strict=True):
        found = run_deck(deck)
        for layer, nodes in design.layers.items():
            own = [found[f"v({names[node]})"][0] for node in nodes]
            np.testing.assert_allclose(own, volts[layer][0], rtol=0.0, atol=1e-9)
    assert not np.allclose(phases[1]["out"], phases[0]["out"], atol=1e-5)


def test_a_deck_is_a_netlist_of_the_same_circuit(tmp_path):
    scenario = nudgelab.load(BOARD)
    scenario.export(tmp_path, device_models=True)
    network = {
        "law": "resistive",
        "netlist": str(tmp_path / "free.cir"),
        "inputs": {"x": "V_x", "y": "V_y"},
        "outputs": ["a", "b"],
        "learn": ["R*"],
    }
    again = nudgelab.load(BOARD | {"network": network, "devices": {}, "physical": {}})
    found, own = settle(again, 1)[0], settle(scenario, 1)[0]
    for layer in ("nodes", "out"):
        np.testing.assert_allclose(found[layer], own[layer], rtol=0.0, atol=1e-9)
    assert again._setup().names == {"conductance/elements": [f"Rg{k}" for k in range(6)]}


def test_the_command_writes_files_and_says_what_runs_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.toml").write_text(nudgelab.load(BOARD).to_toml(), encoding="utf-8")
    done = CliRunner().invoke(main, ["export", "board.toml", "--format", "spice", "--sample", "1"])
    assert done.exit_code == 0, done.output
    assert done.stdout.split("\n")[:4] == [
        "board-spice/free.cir",
        "board-spice/clamped.cir",
        "",
        "ngspice -b board-spice/free.cir",
    ]
    first = (tmp_path / "board-spice" / "clamped.cir").read_text(encoding="utf-8").split("\n")[0]
    assert first == "* board, training sample 1, outputs clamped at 0.5 of the way to the target"


@pytest.mark.parametrize(
    ("scenario", "words", "said"),
    [
        ("quickstart", [], "rate networks have no netlist"),
        ("board.toml", ["--sample", "2"], "there are 2 training samples, numbered from 0"),
        ("board.toml", ["--set", "network.elements.0.name=G1"], "two elements are called rg1"),
        ("board.toml", ["--set", "network.elements.0.nme=G1"], "unknown key"),
    ],
)
def test_what_has_no_netlist_is_refused_in_words(tmp_path, monkeypatch, scenario, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.toml").write_text(nudgelab.load(BOARD).to_toml(), encoding="utf-8")
    done = CliRunner().invoke(main, ["export", scenario, *words])
    assert done.exit_code == 2
    assert said in done.stderr
    assert not list(tmp_path.glob("*-spice"))
