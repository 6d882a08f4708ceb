"""How a training answers to changes of its initial weights, and to the codes of a line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import nudgelab

SCENARIO = "board-training"
TRAINING = {"learning.optimiser.rate": 0.01, "experiment.samples": 400}
SIZES = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
DRAWS = 2
BLOCK = "l1-l2"


def run_simulator(size: float = 0.0, draw: int = 0) -> Any:
    """Train in the simulator, from initial weights off by a standard deviation of `size`."""
    plain = nudgelab.load(SCENARIO, TRAINING | {"hardware": None})
    rng = np.random.default_rng(draw)
    blocks = {name: block + size * rng.normal(size=block.shape) for name, block in plain.chip().programmed.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.npz"
        np.savez(file, **blocks)
        return plain.set({"network.parameters": str(file)}).run()


def compare(name: str, found: Any, wanted: Any) -> None:
    """Print the test costs of a training, and how far its weights are from those of another."""
    costs = ", ".join(f"{cost:.6f}" for cost in found["metrics"]["loss_test"].values)
    weights = [run[f"weights/{BLOCK}"]["programmed"].values for run in (found, wanted)]
    print(f"{name:<28} test costs {costs}; {BLOCK} differs by {np.std(weights[0] - weights[1]):.1e}", flush=True)


if __name__ == "__main__":
    exact = run_simulator()
    compare("simulator", exact, exact)
    for size in SIZES:
        for draw in range(DRAWS):
            compare(f"weights off by {size:g}, {draw}", run_simulator(size, draw), exact)
    compare("board", nudgelab.load(SCENARIO, TRAINING).run(), exact)
