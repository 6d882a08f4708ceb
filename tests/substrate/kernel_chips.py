"""Small chips with kernels, and the dense chip that does the same where pooling is linear."""

from __future__ import annotations

import numpy as np

from devices.hardware import Devices
from devices.synapse.cell import FeedbackDevices, WeightDevices
from substrate.chip.chip import Chip
from substrate.chip.design import Design, Fabrication
from substrate.network.dense import Dense
from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath
from tests.networks import WIRINGS, dynamics, random_batch

LAYERS = {"in": (4, 4, 2), "l1": (4, 4, 2), "l2": (2, 2, 3), "out": 4}
POOLS = ["softmax", "average"]
FEEDBACK = "weight/l2-l1"


def make_kernel_chip(
    pool: str = "softmax", symmetric: bool = False, seed: int = 0, cells: str = "shared", **devices: object
) -> Chip:
    """Return in-l1 without pooling, l1-l2 pooled and back, and dense connections from there, settled by JAX.

    Keywords: blocks of devices, and `dynamics`, keywords of `Dynamics`.
    """
    more = {"dt": 0.9, "engine": "jax"} | devices.pop("dynamics", {})
    kernels = {"in-l1": "none", "l1-l2": pool, "l2-l1": pool}
    paths = [ConvolutionPath(kind="conv", path=path, pool=how, cells=cells) for path, how in kernels.items()]
    topology = Topology(LAYERS, [*paths, "l2-out", "out-l2"], 3)
    rng = np.random.default_rng(seed)
    blocks = {
        name: (0.3 if len(shape) == 4 else 0.5) * rng.normal(size=shape) for name, shape in topology.shapes.items()
    }
    if symmetric:
        for forward, back in topology.pairs():
            blocks[back.block] = topology.mirror(forward.block, blocks[forward.block]).copy()
    return Chip(
        Design(topology, "dsilu", "cross-entropy", dynamics(**more), Devices(**devices)), blocks, Fabrication(seed)
    )


def make_dense_twin(chip: Chip, engine: str) -> Chip:
    """Return the chip with a matrix in place of each kernel, whose entries repeat its numbers or are its copies."""
    topology = Topology(chip.topology.layers, WIRINGS["reciprocal"], chip.topology.classes)
    blocks = dict(chip.effective)
    for c in chip.topology.connections:
        if not isinstance(c.kind, Dense):
            blocks[c.block] = c.kind.matrix(blocks[c.block]).T
    for name in topology.names:
        blocks[f"bias/{name}"] = chip.topology.spread_bias(name, blocks[f"bias/{name}"])
    how = chip.design.dynamics.model_copy(update={"engine": engine})
    ideal = {"weights": WeightDevices(), "feedback": FeedbackDevices()}
    return Chip(chip.design.replace(topology=topology, dynamics=how, **ideal), blocks)


def settle(chip: Chip, samples: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Settle a chip freely on random inputs; return these and the targets."""
    x, y = random_batch(chip, samples)
    chip.set_input(x)
    assert (chip.settle().status == 0).all()
    return x, y


def differentiate(value: object, step: float = 1e-2) -> np.ndarray:
    """Return the derivative of ``value(t)`` at 0, to fourth order in the step."""
    ends = {t: np.asarray(value(t * step)) for t in (-2, -1, 1, 2)}
    return (8.0 * (ends[1] - ends[-1]) - (ends[2] - ends[-2])) / (12.0 * step)
