"""A small scenario with a sweep, and what stands for a point where the point itself does not matter."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scenarios.front.progress import Progress
from scenarios.language.load import LoadedScenario, load_scenario
from scenarios.sweeps.point import Outcome, PointTask, run_point
from scenarios.sweeps.sweep import FinishedSweep, SweepOptions, run_sweep

from .files import write_scenario

BASE = """\
schema = 1
name = "small"

[network]
layers = { in = 12, l1 = 8, l2 = 7, out = 5 }
connections = ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"]
parameters = "parameters.npz"

[devices]
feedback = { mismatch_sigma = 0.1 }

[learning]
scheme = { kind = "centred", beta = 0.2 }

[task]
kind = "arrays"
path = "batch.npz"

[experiment]
kind = "measure"
samples = 2
"""

SWEEP = """
[sweep]
replicates = 2

[[sweep.axis]]
path = "devices.feedback.mismatch_sigma"
values = [0, 0.1, "40 %"]

[[sweep.axis]]
path = "learning.scheme"
values = [
  { kind = "centred", beta = 0.2 },
  { label = "four points", value = { kind = "circle", points = 4, beta = 0.2 } },
]
"""


def loaded_sweep(folder: Path, text: str = SWEEP, base: str = BASE) -> LoadedScenario:
    """Write the small scenario with a sweep into a folder and load it."""
    return load_scenario(write_scenario(folder, base + text))


def do_sweep(folder: Path, text: str = SWEEP, **options) -> FinishedSweep:
    """Sweep the small scenario into ``folder/out``."""
    out = options.pop("out", folder / "out")
    return run_sweep(loaded_sweep(folder, text), SweepOptions(out, **options), Progress(quiet=True))


def troubled_point(task: PointTask) -> Outcome:
    """Run a point, but raise at 10 % mismatch, and let the process die at 40 %."""
    sigma = json.loads(task.values)["devices.feedback.mismatch_sigma"]
    if sigma == 0.1:
        raise ValueError("this point raises")
    if sigma == 0.4:
        os._exit(137)
    return run_point(task)
