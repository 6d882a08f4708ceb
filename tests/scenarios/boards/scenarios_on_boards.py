"""A small network on a board, as the tables of a scenario."""

from __future__ import annotations

import nudgelab

TABLES = {
    "schema": 1,
    "name": "board",
    "network": {
        "layers": {"in": 2, "l1": 6, "l2": 5, "out": 4},
        "connections": ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"],
    },
    "devices": {"feedback": {"mismatch_sigma": 0.1}},
    "phases": {"nudge": "held"},
    "learning": {
        "scheme": {"kind": "centred", "beta": 0.2},
        "optimiser": {"kind": "sgd", "rate": 0.1, "momentum": 0.9},
    },
    "task": {"kind": "two-moons", "samples": 24, "test_samples": 12, "batch": 6},
    "experiment": {"kind": "train", "epochs": 2},
}
BOARD = {"hardware.port": "mock"}
MEASURE = {"experiment": {"kind": "measure", "samples": 4, "repeats": 2}}


def load_on_board(edits=None):
    return nudgelab.load(TABLES, BOARD | (edits or {}))
