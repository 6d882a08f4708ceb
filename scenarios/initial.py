"""Initial weights, where no file gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream
from substrate.network.topology import Topology

Array = NDArray[np.float64]

_CUT_SPREAD = 0.87962566103423978
"""Standard deviation of a standard normal cut at 2."""


class InitialParameters(Mapping[str, Array]):
    """Initial parameters by block, drawn when the first of them is asked for: a check of a large network needs none."""

    def __init__(self, names: Iterable[str], draw: Callable[[], Mapping[str, Array]]) -> None:
        self._names, self._draw = tuple(names), draw

    def __getitem__(self, name: str) -> Array:
        """Return one block."""
        return self._draw()[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the blocks, in order."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many blocks there are."""
        return len(self._names)


def sample_initial_parameters(topology: Topology, angle: float, seed: int) -> dict[str, Array]:
    """Return initial weights: truncated normal of variance 1/fan-in (LeCun), biases zero.

    The feedback of a reciprocal pair becomes ``sin(angle) W_back + cos(angle) W_fwd^T``.

    Parameters
    ----------
    topology : Topology
        Blocks to fill.
    angle : float
        Nominal asymmetry in degrees.
    seed : int
        Seed of the scenario; every block has its own stream.
    """
    inputs = {c.block: c.kind.fan_in for c in topology.connections} | {
        "readout/weight": topology.layers[topology.output]
    }
    blocks = {
        name: _sample_lecun_normal(shape, inputs[name], Stream(seed, f"init/{name}"))
        if name in inputs
        else np.zeros(shape)
        for name, shape in topology.shapes.items()
    }
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    for forward, feedback in topology.pairs():
        blocks[feedback.block] = sine * blocks[feedback.block] + cosine * forward.kind.mirror(blocks[forward.block])
    return blocks


def _sample_lecun_normal(shape: tuple[int, ...], fan_in: int, stream: Stream) -> Array:
    """Return normal numbers cut at two standard deviations, scaled to variance 1/fan-in."""
    drawn, size = stream.normal(shape), math.prod(shape)
    attempt = 1
    while (outside := np.abs(drawn) > 2.0).any():
        drawn = np.where(outside, stream.normal(shape, first=attempt * size), drawn)
        attempt += 1
    return drawn / (_CUT_SPREAD * math.sqrt(fan_in))
