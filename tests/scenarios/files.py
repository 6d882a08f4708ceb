"""Scenario files for the tests: a small network on the reference data."""

from __future__ import annotations

import shutil
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"

MEASURE = """\
schema = 1
name = "small"

[network]
layers = { in = 12, l1 = 8, l2 = 7, out = 5 }
connections = ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"]
parameters = "parameters.npz"

[devices]
feedback = { mismatch_sigma = 0.1 }

[learning]
schemes = [{ kind = "centred", beta = 0.2 }, { kind = "circle", points = 4, beta = 0.2 }]

[task]
kind = "arrays"
path = "batch.npz"

[experiment]
kind = "measure"
record = { samples = 2, every_steps = 2 }
"""

SETTLE = MEASURE.replace('kind = "measure"', 'kind = "settle"')


def write_scenario(folder: Path, text: str = MEASURE, name: str = "small.toml") -> Path:
    """Write a scenario with its parameter and data files; return its path."""
    for file in ("parameters.npz", "batch.npz"):
        shutil.copy(DATA / "reciprocal_sigmoid_xent" / file, folder / file)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
