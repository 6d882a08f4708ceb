"""Small circuits as scenarios: layers, a graph with elements of every kind, a lattice, and a netlist."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import tomlkit

from scenarios.build import make_any_setup
from scenarios.circuits.setup import CircuitSetup
from scenarios.language.load import LoadedScenario, load_scenario
from scenarios.language.places import CATALOGUE

LAYERS: dict[str, Any] = {
    "schema": 1,
    "name": "circuit",
    "seed": 6,
    "network": {
        "law": "resistive",
        "layers": {"in": 3, "h1": 4, "out": 2},
        "connections": ["in-h1", "h1-out"],
        "diodes": {"h1": "ideal"},
        "init": {"unit": "10 uS"},
    },
    "learning": {"scheme": {"kind": "centred", "beta": {"fraction": 0.1}}},
    "task": {
        "kind": "voltages",
        "inputs": [["20 V", "0 V", "-10 V"], ["5 V", "20 V", "1 V"]],
        "targets": [["1 V", "0 V"], ["0 V", "1 V"]],
    },
    "experiment": {"kind": "measure", "samples": 2},
}
"""Ideal diodes between layers of conductors."""

EXPONENTIAL: dict[str, Any] = copy.deepcopy(LAYERS)
EXPONENTIAL["network"]["diodes"] = {
    "h1": {"kind": "exponential", "saturation": "4.35 nA", "ideality": 1.9, "bias": ["0.3 V", "-0.7 V"]}
}
EXPONENTIAL["network"]["amplifiers"] = {"h1": {"forward": 4.0, "backward": 0.5}}
"""Layers with exponential diodes and amplifiers, which are settled as a graph."""

GRAPH: dict[str, Any] = {
    "schema": 1,
    "name": "graph",
    "network": {
        "law": "resistive",
        "nodes": {"high": {"held": "0.45 V"}, "x": "input", "out": "output"},
        "models": {
            "penn": {"kind": "mos", "transconductance": "850 uS/V", "threshold": "0.7 V"},
            "silicon": {"kind": "diode", "saturation": "1 nA"},
        },
        "elements": [
            {"name": "mos", "kind": "mos", "between": ["high", "mid"], "model": "penn", "gate": "3.5 V", "learn": True},
            {"name": "load", "kind": "conductor", "between": ["x", "mid"], "resistance": "500 ohm"},
            {"name": "leak", "kind": "conductor", "between": ["out", "0"], "conductance": "1 mS", "learn": True},
            {"name": "stop", "kind": "diode", "between": ["mid", "0"], "model": "silicon"},
            {"name": "clip", "kind": "diode", "between": ["0", "out"]},
            {"name": "gain", "kind": "amplifier", "between": ["mid", "strong"], "forward": 2.0, "backward": 0.5},
            {"name": "link", "kind": "conductor", "between": ["strong", "out"], "conductance": "2 mS", "learn": True},
            {"name": "feed", "kind": "current", "between": ["0", "mid"], "current": "10 uA", "learn": True},
            {"name": "tank", "kind": "capacitor", "between": ["out", "0"], "capacitance": "1 pF"},
        ],
    },
    "learning": {"scheme": {"kind": "centred", "beta": "10 uS"}},
    "task": {"kind": "voltages", "inputs": [["0.2 V"], ["0.4 V"]], "targets": [["0.3 V"], ["0.1 V"]]},
    "experiment": {"kind": "measure", "samples": 2},
}
"""Elements of every kind between named nodes."""

LATTICE: dict[str, Any] = GRAPH | {
    "name": "lattice",
    "network": {
        "law": "resistive",
        "models": {"penn": GRAPH["network"]["models"]["penn"]},
        "lattice": {
            "rows": 3,
            "columns": 3,
            "model": "penn",
            "gate": ["2 V", "4 V"],
            "input": ["r0c0"],
            "output": ["r2c2"],
            "held": {"r0c2": "0.4 V"},
        },
    },
}

RESISTORS: dict[str, Any] = GRAPH | {
    "name": "resistors",
    "network": {
        "law": "resistive",
        "lattice": {
            "rows": 3,
            "columns": 3,
            "conductance": ["10 uS", "100 uS"],
            "input": ["r0c0"],
            "output": ["r2c2"],
            "held": {"r0c2": "0.4 V"},
        },
    },
}
"""A lattice of resistors."""

NETLIST: dict[str, Any] = GRAPH | {
    "name": "netlist",
    "network": {
        "law": "resistive",
        "netlist": "board.cir",
        "inputs": {"x": "Vin"},
        "outputs": ["out"],
        "learn": ["R*"],
    },
}

LEARNER: dict[str, Any] = tomllib.loads(
    (CATALOGUE / "circuits" / "transistor-learner.toml").read_text(encoding="utf-8")
)
LEARNER["experiment"] = {"kind": "self-learning", "periods": ["20 ms"]}
"""Two transistors that learn by themselves."""

RHEOSTATS: dict[str, Any] = dict(
    LEARNER,
    name="rheostats",
    network={
        "law": "resistive",
        "nodes": {"low": {"held": "0 V"}, "x": "input", "out": "output"},
        "elements": [
            {"kind": "conductor", "name": "left", "between": ["x", "out"], "conductance": "200 uS", "learn": True},
            {"kind": "conductor", "name": "right", "between": ["out", "low"], "conductance": "300 uS", "learn": True},
        ],
    },
    devices={
        "weights": {"window": ["50 uS", "1 mS"]},
        "update": {
            "kind": "continuous",
            "circuit": {"capacitance": "22 uF", "resistance": "100 ohm", "scale": "0.33 V"},
            "sensitivity": "200 uS/V",
        },
    },
    task={"kind": "alternating", "tasks": {"A": [["0.4 V", "0.3 V"]], "B": [["0.2 V", "0.15 V"]]}},
)
"""A divider of two resistors that learn by themselves; 3 to 1 solves both of its tasks."""

BOARD = """\
a divider with a diode
Vin in 0 0
Vhigh high 0 0.5
R1 in mid 1k
R2 mid out 2k
R3 out 0 5k
R4 high out 10k
D1 mid 0 silicon
.model silicon D(IS=1e-9 N=1.5)
.end
"""

ALL = {"layers": LAYERS, "exponential": EXPONENTIAL, "graph": GRAPH, "lattice": LATTICE, "resistors": RESISTORS}
ALL |= {"netlist": NETLIST, "learner": LEARNER, "rheostats": RHEOSTATS}


def change(base: dict[str, Any], *changes: tuple[str, Any]) -> dict[str, Any]:
    """Return a scenario with values at dotted paths set, or, for None, left out."""
    data = copy.deepcopy(base)
    for path, value in changes:
        *above, last = path.split(".")
        node: Any = data
        for name in above:
            node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
        if value is None:
            node.pop(int(last) if isinstance(node, list) else last, None)
        elif isinstance(node, list) and int(last) == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[int(last) if isinstance(node, list) else last] = copy.deepcopy(value)
    return data


def load(data: dict[str, Any], folder: Path) -> LoadedScenario:
    """Write a scenario beside its netlist and read it."""
    (folder / "board.cir").write_text(BOARD, encoding="utf-8")
    path = folder / "circuit.toml"
    path.write_text(tomlkit.dumps(data), encoding="utf-8")
    return load_scenario(path)


def set_up(data: dict[str, Any], folder: Path) -> CircuitSetup:
    """Return what a scenario describes."""
    setup = make_any_setup(load(data, folder))
    assert isinstance(setup, CircuitSetup)
    return setup
