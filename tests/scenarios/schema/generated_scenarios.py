"""Small scenarios of every kind, drawn from the schema of the language: any table, any key, any kind."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

import scenarios
from scenarios.schema.scenario import ScenarioSpec

SCHEMA = json.loads((Path(scenarios.__file__).parent / "nudgelab.schema.json").read_text())
RATES = SCHEMA["$defs"]["ScenarioSpec"]["properties"]
REQUIRED = {name: table.get("required", []) for name, table in ScenarioSpec.model_json_schema()["$defs"].items()}
"""Keys that a table needs, by its name; the schema of the files leaves them to presets and bases."""

KINDS = ["settle", "measure", "nudge", "train", "evaluate"]
LAYERS = {"in": 3, "l1": 4, "out": 2}
WIRINGS = [
    ["in-l1", "l1-out", "out-l1"],
    ["in-l1", "l1-out", "out-l1", "l1-l1"],
    ["in-l1", "l1-out"],
    ["in-l1", "l1-out", "in-out", "out-l1", "out-out"],
]
FILES = {
    "network.parameters": "parameters.npz",
    "network.activation.table": "curve.csv",
    "task.path": "data.npz",
    "devices.converters.readout.measured": "transitions.csv",
    "devices.converters.nudge.measured": "levels.csv",
    "devices.update.measured": "cells.npz",
}
LIMITS = {
    "max_steps": [50, 400],
    "steps": [3, 20],
    "duration": [2.0, 6.0],
    "window": [0.5, 2.0],
    "epochs": [1, 2],
    "repeats": [2, 3],
    "chips": [1, 2],
    "audit": [0, 1],
    "samples": [1, 4],
    "test_samples": [1, 3],
    "draws": [1, 2],
    "batch": [1, 3],
    "points": [2, 4],
    "harmonics": [1, 2],
    "cycles": [0, 1],
    "period": [2.0, 8.0],
    "every_steps": [1, 7],
    "limit_mb": [1, 100],
    "levels": [2, 8],
    "bits": [3, 8],
    "array": [2, 4],
    "dt": [0.05, 0.25, 1.0],
    "betas": [0.1, 0.5],
    "tolerance": [1e-9, 1e-4],
    "settlings": [120, 1],
    "reads": [120, 1],
    "capacitance": [1e-12, 1e-15],
    "temperature": [300.0],
    "tau": [1e-6],
    "leak": [1e-6],
    "rate": [0.01, 0.5],
    "strength": [0.1, 1.0],
    "checkpoint_seconds": [60.0],
}
"""Values of keys that make a scenario large, or that stand for physical scales; other numbers follow their limits."""

USUAL = [0.0, 0.01, 0.1, 0.3, 1.0, 2.0, -0.1]


class Drawer:
    """Draws tables of the schema.

    Parameters
    ----------
    seed : int
        The same seed draws the same scenario.
    density : float
        Share of the optional keys that are written.
    """

    def __init__(self, seed: int, density: float = 0.1) -> None:
        self.rng, self.density = random.Random(seed), density  # noqa: S311  no secret

    def scenario(self, kind: str | None = None) -> dict[str, Any]:
        """Return a scenario; no optional table is left out for sure, and most are."""
        tables = {name: part for name, part in RATES.items() if name not in ("sweep", "extends")}
        drawn = self.table({"properties": tables}, "")
        drawn |= {"schema": 1, "name": "drawn", "seed": self.rng.choice([0, 3])}
        wiring = {"layers": dict(LAYERS), "connections": list(self.rng.choice(WIRINGS))}
        drawn["network"] = drawn.get("network", {}) | wiring
        kind = kind or self.rng.choice(KINDS)
        drawn["experiment"] = self.table(self.kinds("experiment")[kind], "experiment")
        if not {"scheme", "schemes"} & drawn.get("learning", {}).keys():
            drawn.setdefault("learning", {})["scheme"] = {"kind": "centred", "beta": 0.2}
        drawn["task"] = {"kind": "arrays", "path": "data.npz"} if self.rng.random() < 0.7 else self.made()
        return drawn

    def kinds(self, key: str) -> dict[str, dict[str, Any]]:
        """Return the tables that a key of a scenario can be, by kind."""
        tables = [self.resolved(choice) for choice in RATES[key]["anyOf"]]
        return {table["properties"]["kind"]["const"]: table for table in tables}

    def made(self) -> dict[str, Any]:
        """Return a task without files that fits the layers."""
        classes = self.rng.choice(["classes", "values"])
        return {"kind": "teacher", "inputs": 3, "outputs": 2, "targets": classes, "samples": 6, "test_samples": 4}

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return what a reference stands for."""
        if "$ref" not in node:
            return node
        found = SCHEMA
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        named = node["$ref"].rpartition("/")[2]
        return found | {"required": REQUIRED.get(named, [])}

    def value(self, node: dict[str, Any], place: str) -> Any:
        """Return a value that a node of the schema allows, most often."""
        node, name = self.resolved(node), place.rpartition(".")[2]
        if place in FILES:
            return FILES[place] if "anyOf" not in node or self.rng.random() < 0.3 else self.among(node["anyOf"], place)
        if name in LIMITS and node.get("type") not in ("object", "array"):
            return self.rng.choice(LIMITS[name])
        if "anyOf" in node:
            return self.among(node["anyOf"], place)
        return self.plain(node, place)

    def plain(self, node: dict[str, Any], place: str) -> Any:
        """Return a value of a node that leaves no choice of kinds."""
        kind = "enum" if "enum" in node or "const" in node else node.get("type")
        makers = {
            "enum": lambda: self.rng.choice(node.get("enum", [node.get("const")])),
            "object": lambda: self.table(node, place),
            "array": lambda: self.array(node, place),
            "boolean": lambda: self.rng.choice([True, False]),
            "integer": lambda: self.number(node),
            "number": lambda: self.number(node),
            "string": lambda: "cmos-130nm" if place.endswith("preset") else "text",
        }
        return makers[kind]()

    def array(self, node: dict[str, Any], place: str) -> list[Any]:
        """Return the least number of items, or two; numbers rise."""
        count = max(node.get("minItems", 1), min(node.get("maxItems", 2), 2))
        items = [self.value(node["items"], place) for _ in range(count)]
        return sorted(items) if all(isinstance(item, int | float) for item in items) else items

    def among(self, choices: list[dict[str, Any]], place: str) -> Any:
        """Return a value of one of several kinds; text in place of a number is left to other tests."""
        chosen = [c for c in choices if c.get("type") != "string" or "enum" in c] or choices
        return self.value(self.rng.choice(chosen), place)

    def number(self, node: dict[str, Any]) -> float:
        """Return a usual number within the limits of a node."""
        low = node.get("minimum", node.get("exclusiveMinimum", -1e300))
        high = node.get("maximum", node.get("exclusiveMaximum", 1e300))
        whole = node["type"] == "integer"
        usual = [1, 2, 3] if whole else USUAL
        strict = "exclusiveMinimum" in node, "exclusiveMaximum" in node
        fits = [v for v in usual if low <= v <= high and not (strict[0] and v == low) and not (strict[1] and v == high)]
        return self.rng.choice(fits or [low])

    def table(self, node: dict[str, Any], place: str) -> dict[str, Any]:
        """Return a table with all keys that it needs and some of the others."""
        if "properties" not in node:
            if node["additionalProperties"] is True:  # keys of a design and their new values
                return {"devices.weights.mismatch_sigma": self.rng.uniform(0.01, 0.02)}
            name = self.rng.choice(["in-l1", "l1-out", "out-l1"])
            return {name: self.value(node["additionalProperties"], f"{place}.{name}")}
        needed, found = {*node.get("required", ()), "kind"}, {}
        depth = 1.0 if place.count(".") else 3.0
        for name, part in node["properties"].items():
            if name in needed or self.rng.random() < self.density * (3.0 if not place else depth):
                found[name] = self.value(part, f"{place}.{name}".strip("."))
        return found


def write_files(folder: Path) -> None:
    """Write all files that a drawn scenario may name."""
    rng = np.random.default_rng(0)
    arrays = {"x": rng.random((6, 3)), "x_test": rng.random((4, 3))}
    np.savez(folder / "data.npz", **arrays, y=np.arange(6) % 2, y_test=np.arange(4) % 2)
    blocks = {"weight/in-l1": (3, 4), "weight/l1-out": (4, 2), "weight/out-l1": (2, 4)}
    blocks |= {"bias/l1": (4,), "bias/out": (2,), "readout/weight": (2, 2), "readout/bias": (2,)}
    np.savez(folder / "parameters.npz", **{name: rng.normal(size=shape) * 0.5 for name, shape in blocks.items()})
    states = np.linspace(-1.0, 2.0, 13)
    np.savetxt(folder / "curve.csv", np.stack([states, np.tanh(states)], axis=1), delimiter=",")
    np.savetxt(folder / "transitions.csv", np.arange(7) + 0.5 + 0.1 * rng.random(7))
    np.savetxt(folder / "levels.csv", np.arange(-4.0, 5.0) + 0.1 * rng.random(9))
    np.savez(folder / "cells.npz", **{"weight/in-l1/step_up": np.full((3, 4), 0.02)})
