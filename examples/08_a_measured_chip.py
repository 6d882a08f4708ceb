"""A chip with measured weights: what its gradients will be like before anything is learned on it."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import nudgelab

# What a tester writes for a test chip: target and measured weight of every cell. Here its cells are invented.
rng = np.random.default_rng(0)
target = np.linspace(-1, 1, 400)
measured = 0.97 * target + 0.03 * rng.normal(size=400)

with TemporaryDirectory() as folder:
    path = Path(folder) / "test-chip.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("target", "measured"), *zip(target, measured, strict=True)])
    scenario = nudgelab.load(
        {
            "schema": 1,
            "name": "measured",
            "network": {"layers": {"in": 4, "l1": 8, "out": 3}, "connections": ["in-l1", "l1-out", "out-l1"]},
            "devices": {"weights": {"measured": path}, "converters": {"readout": {"bits": 10}}},
            "learning": {"scheme": {"kind": "circle", "points": 4, "beta": 0.1}},
            "task": {"kind": "teacher", "inputs": 4, "outputs": 3, "samples": 32, "test_samples": 8},
            "experiment": {"kind": "measure", "samples": 32},
        }
    )
    for line in scenario.check().taken:
        print(line)
    chips = [scenario.set({"chip.instance": k}).run() for k in range(3)]

for k, result in enumerate(chips):
    print(k, result["gradient"]["cosine"].isel(scheme=0).to_series().round(4).to_dict())
