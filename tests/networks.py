"""Small random networks and chips shared by the tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from devices.hardware import Devices
from devices.synapse.cell import FeedbackDevices
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.couplings import Couplings
from substrate.network.dense import Dense
from substrate.network.topology import Topology

TIGHT = Phase(max_steps=20_000, tolerance=1e-14)
WIRINGS = {
    "reciprocal": ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"],
    "loop": ["in-l1", "l1-l2", "l2-out", "out-l1"],
    "skip": ["in-l1", "l1-l2", "l2-out", "in-out", "out-l1", "l1-out"],
    "lateral": ["in-l1", "l1-l1", "l1-l2", "l2-l1", "l2-out", "out-out"],
    "forward": ["in-l1", "l1-l2", "l2-out"],
}
LAYERS = {"in": 6, "l1": 7, "l2": 5, "out": 4}
PARTS = (*Devices.model_fields, "phases", "correction", "energy", "tau", "synapse", "volt_ratio")
"""Parts of a design that are ideal unless a test says otherwise."""


def dynamics(dt: float = 0.5, phase: Phase = TIGHT, **more: object) -> Dynamics:
    return Dynamics(**{"dt": dt, "free": phase, "nudged": phase, **more})


def one_block(matrix: np.ndarray) -> Couplings:
    """Return a matrix ``W[post, pre]`` (units, units) as the couplings of one layer."""
    ends = "all", "all"
    return Couplings({"all": slice(0, len(matrix))}, {ends: matrix.T}, {ends: Dense(*matrix.shape)})


def random_blocks(topology: Topology, seed: int, scale: float = 0.5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: scale * rng.normal(size=shape) / np.sqrt(shape[0] if len(shape) == 2 else 1)
        for name, shape in topology.shapes.items()
    }


def random_chip(wiring: str = "reciprocal", seed: int = 0, **changes: object) -> Chip:
    """Return a chip with random weights.

    Keywords: activation, cost, scale, sigma, dt, phase, threads, symmetric, instance, law,
    `dynamics`, more keywords of `Dynamics`, and what `PARTS` names.
    """
    cost = changes.get("cost", "cross-entropy")
    topology = Topology(LAYERS, WIRINGS[wiring], None if cost == "mse" else 3)
    blocks = random_blocks(topology, seed, changes.get("scale", 0.5))
    if changes.get("symmetric"):
        for forward, back in topology.pairs():
            blocks[back.block] = blocks[forward.block].T.copy()
    design = Design(
        topology,
        changes.get("activation", "sigmoid"),
        cost,
        dynamics(changes.get("dt", 0.5), changes.get("phase", TIGHT), **changes.get("dynamics", {})),
        Devices(feedback=FeedbackDevices(mismatch_sigma=changes.get("sigma", 0.0))),
        changes.get("law", "additive"),
    )
    design = design.replace(**{name: changes[name] for name in PARTS if name in changes})
    return Chip(design, blocks, Fabrication(seed, changes.get("instance", 0)), changes.get("threads", 2))


def random_batch(chip: Chip, samples: int = 5, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(samples, chip.topology.layers["in"]))
    if chip.topology.classes is None:
        return x, rng.uniform(size=(samples, chip.topology.layers["out"]))
    return x, np.eye(chip.topology.classes)[rng.integers(0, chip.topology.classes, samples)]


def slope_of(sizes: list[float], errors: list[float]) -> float:
    """Return the fitted order: slope of log error against log size."""
    assert len(sizes) == len(list(pairwise(sizes))) + 1 >= 4
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])
