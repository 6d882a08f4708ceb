"""A convolutional network as the engine in JAX runs it, and as a loop in JAX that was written for it alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from devices.random import Stream
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath

from .cases import STEPS

LAYERS = {"in": [16, 16, 3], "conv1": [8, 8, 16], "conv2": [4, 4, 32], "out": [1, 1, 32]}
BATCH = 32

Array = Any


def make_convolution(layers: dict[str, list[int]], **dynamics: Any) -> Chip:
    """Return a chip with the published convolution, or one with fewer channels."""
    names = list(layers)
    ends = [(names[0], names[1])]
    for pre, post in itertools.pairwise(names[1:]):
        ends += [(pre, post), (post, pre)]
    paths = [
        ConvolutionPath(kind="conv", path=f"{a}-{b}", padding="valid" if names[-1] in {a, b} else "same")
        for a, b in ends
    ]
    topology = Topology(layers, paths, classes=10)
    blocks = {
        name: Stream(0, name).normal(shape) / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else np.zeros(shape)
        for name, shape in topology.shapes.items()
    }
    # Feedback kernels equal to forward ones, as the recipe begins.
    blocks |= {back.block: blocks[forward.block].copy() for forward, back in topology.pairs()}
    settings = Dynamics.model_validate({"engine": "jax", "dt": 1.0, **dynamics})
    return Chip(Design(topology, "dsilu", "cross-entropy", settings), blocks)


def make_settlings() -> dict[str, Callable[[], object]]:
    """Return the same settling of a fixed number of steps by the engine and by the loop, in single precision."""
    chip = make_convolution(LAYERS, precision="single", free=Phase(steps=STEPS))
    chip.set_input(Stream(0, "images").normal((BATCH, chip.topology.layers["in"])))
    return {"jax engine": chip.settle, "jax euler": make_hand_loop(chip, STEPS)}


class _Pair(NamedTuple):
    """A convolution and its feedback: both kernels, and the second one turned round to run back."""

    forward: Array
    back: Array
    turned: Array


def make_hand_loop(chip: Chip, steps: int) -> Callable[[], object]:
    """Return a compiled loop of Euler steps of `make_convolution`; transposed convolutions are written out."""
    topology, dt = chip.topology, jnp.float32(chip.design.dynamics.dt)
    ends = [(c.pre, c.post, c.post == topology.output) for c, _ in topology.pairs()]
    kernels = [[jnp.asarray(chip.effective[c.block], jnp.float32) for c in pair] for pair in topology.pairs()]
    pairs = [_Pair(*both, jnp.transpose(both[1][::-1, ::-1], (0, 1, 3, 2))) for both in kernels]
    constant = {
        name: jnp.asarray(part.reshape(-1, *topology.forms[name]), jnp.float32)
        for name, part in topology.split(chip.constant_drive).items()
    }

    def step(u: Array, constant: Array, pairs: list[_Pair]) -> Array:
        a, h = {name: _activate(v) for name, v in u.items()}, dict(constant)
        for (low, high, valid), pair in zip(ends, pairs, strict=True):
            h[high] = h[high] + _send_forward(a[low], pair, valid)
            h[low] = h[low] + _send_back(a[low], a[high], pair, valid)
        return {name: v + dt * (h[name] - v) for name, v in u.items()}

    loop = jax.jit(lambda u, *fixed: jax.lax.fori_loop(0, steps, lambda _, v: step(v, *fixed), u))
    start = {name: jnp.zeros_like(part) for name, part in constant.items()}
    return lambda: jax.block_until_ready(loop(start, constant, pairs))


def _activate(u: Array) -> Array:
    return 0.5 * u * jax.nn.sigmoid(u) + (1.0 - 0.5 * u) * jax.nn.sigmoid(u - 2.0)


def _send_forward(low: Array, pair: _Pair, valid: bool) -> Array:
    windows, shares = _weigh_windows(_convolve(low, pair.forward, "VALID" if valid else "SAME"))
    return (shares * windows).sum((2, 4))


def _send_back(low: Array, high: Array, pair: _Pair, valid: bool) -> Array:
    z = _convolve(low, pair.back, "VALID" if valid else "SAME")
    windows, shares = _weigh_windows(z)
    mean = (shares * windows).sum((2, 4), keepdims=True)
    errors = shares * (1.0 + windows - mean) * high[:, :, None, :, None]
    return _convolve(errors.reshape(z.shape), pair.turned, [(2, 2), (2, 2)] if valid else "SAME")


def _convolve(x: Array, kernel: Array, padding: Any) -> Array:
    how, exact = ("NHWC", "HWIO", "NHWC"), jax.lax.Precision.HIGHEST
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=how, precision=exact)


def _weigh_windows(z: Array) -> tuple[Array, Array]:
    """Return the windows of 2 x 2 places (batch, row, 2, column, 2, channel), and the share of each place."""
    batch, rows, columns, channels = z.shape
    windows = z.reshape(batch, rows // 2, 2, columns // 2, 2, channels)
    return windows, jax.nn.softmax(windows, axis=(2, 4))
