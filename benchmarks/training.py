"""One training step: settle freely and under two nudges, form the gradient, write; ours and JAX's on the same data."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from learning.optimisers.optimiser import Sgd
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import Samples, TrainingState, train
from scenarios.data.datasets import load_task_data
from scenarios.schema.tasks import BundledTask
from substrate.engine.threads import limit_blas_threads

from .cases import DT, Case

WIDTHS, BATCH = (784, 256, 256, 10), 50
BETA, RATE, MOMENTUM = 0.2, 0.01, 0.9
FREE, NUDGED = 1e-5, 1e-3 * BETA
"""Residuals at which phases end: what a scenario in single precision has if it names none."""

FREE_STEPS, NUDGED_STEPS = 150, 20
"""Steps of the seed paper's recipe, of one tau each."""


class TrainingStep:
    """The network of the seed paper on images of Fashion-MNIST."""

    def __init__(self, threads: int) -> None:
        self.case = Case(WIDTHS, BATCH, "single", threads)
        data = load_task_data(BundledTask(kind="bundled"), Path(), WIDTHS[0], None)
        parts = [slice(first, first + BATCH) for first in range(0, len(data.x), BATCH)]
        self.batches = [(data.x[part], data.y[part]) for part in parts]

    def ours(self) -> Callable[[], object]:
        """Return a step of our own in equilibrium mode, as a run does it."""
        chip = self.case.chip(mode="equilibrium", audit=0)
        rule = make_rule(ErrorVector(), chip, RuleContext(Centred(beta=BETA)))

        def measured(samples: Samples) -> Any:
            with limit_blas_threads():
                return rule(samples)

        batches, trainee = [Samples(x, y) for x, y in self.batches], TrainingState()
        steps = train(chip, measured, Sgd(rate=RATE, momentum=MOMENTUM), lambda _: batches, 10**6, trainee)
        return lambda: next(steps)

    def jax(self) -> dict[str, Callable[[], object]]:
        """Return the same step as one compiled JAX function, to the same residuals and by the paper's recipe."""
        try:
            import jax
        except ImportError:
            return {}
        jax.config.update("jax_enable_x64", True)
        blocks = {k: jax.numpy.asarray(v, dtype=np.float32) for k, v in self.case.blocks.items()}
        batches = [tuple(jax.numpy.asarray(part, dtype=np.float32) for part in batch) for batch in self.batches]
        return {
            f"jax step, {name}": _stateful(jax, jax.jit(_jax_step(jax, self.case, *how)), blocks, batches)
            for name, how in {"to residual": (DT, None), "150 + 2 x 20": (1.0, (FREE_STEPS, NUDGED_STEPS))}.items()
        }


def _stateful(jax: Any, step: Any, blocks: Any, batches: list[Any]) -> Callable[[], object]:
    state, following = [blocks, jax.tree.map(jax.numpy.zeros_like, blocks)], itertools.cycle(batches)

    def run() -> object:
        state[:] = jax.block_until_ready(step(*state, *next(following)))
        return state

    return run


def _jax_step(jax: Any, case: Case, dt: float, lengths: tuple[int, int] | None) -> Callable[..., Any]:
    """Return ``(blocks, momentum, x, y) -> (blocks, momentum)``."""
    jnp, names = jax.numpy, case.topology.names
    edges = [(c.pre, c.post, c.block) for c in case.topology.connections]
    settle = _jax_settle(jax, case, dt, lengths)

    def step(blocks: Any, momentum: Any, x: Any, y: Any) -> Any:
        constant = {name: jnp.tile(blocks[f"bias/{name}"], (len(x), 1)) for name in names}
        for pre, post, block in edges:
            constant[post] = constant[post] + x @ blocks[block] if pre == "in" else constant[post]
        given, start = (blocks, constant, y), {name: jnp.zeros_like(constant[name]) for name in names}
        free = settle(start, given, jnp.float32(0))
        plus, minus = (settle(free, given, jnp.float32(sign * BETA)) for sign in (1, -1))
        up, down, a = ({n: jax.nn.sigmoid(4 * v - 2) for n, v in u.items()} for u in (plus, minus, free))
        delta = {n: (down[n] - up[n]) / (2 * BETA * len(x)) for n in names}
        mean = {n: (up[n] + down[n]) / 2 for n in names} | {"in": x}
        gradient = {block: mean[pre].T @ delta[post] for pre, post, block in edges}
        gradient |= {f"bias/{n}": delta[n].sum(0) for n in names}
        mistake = (jax.nn.softmax(a["out"] @ blocks["readout/weight"] + blocks["readout/bias"]) - y) / len(x)
        gradient |= {"readout/weight": a["out"].T @ mistake, "readout/bias": mistake.sum(0)}
        momentum = {k: MOMENTUM * momentum[k] + g for k, g in gradient.items()}
        return {k: blocks[k] - RATE * v for k, v in momentum.items()}, momentum

    return step


def _jax_settle(jax: Any, case: Case, dt: float, lengths: tuple[int, int] | None) -> Callable[..., Any]:
    """Return ``(state, (blocks, constant drive, targets), beta) -> state``: so many steps, or to the residuals."""
    jnp, names = jax.numpy, case.topology.names
    edges = [(c.pre, c.post, c.block) for c in case.topology.recurrent()]

    def drift(u: Any, blocks: Any, constant: Any, y: Any, beta: Any) -> Any:
        a, h = {name: jax.nn.sigmoid(4 * v - 2) for name, v in u.items()}, dict(constant)
        for pre, post, block in edges:
            h[post] = h[post] + a[pre] @ blocks[block]
        mistake = jax.nn.softmax(a["out"] @ blocks["readout/weight"] + blocks["readout/bias"]) - y
        h["out"] = h["out"] - beta * mistake @ blocks["readout/weight"].T
        return {name: h[name] - u[name] for name in names}

    def move(u: Any, f: Any) -> Any:
        return {name: u[name] + jnp.float32(dt) * f[name] for name in names}

    def settle(u: Any, given: Any, beta: Any) -> Any:
        if lengths is not None:
            steps = jnp.where(beta == 0, *lengths)
            return jax.lax.fori_loop(0, steps, lambda _, v: move(v, drift(v, *given, beta)), u)
        end = jnp.where(beta == 0, FREE, NUDGED)

        def far(state: Any) -> Any:
            return (jnp.max(jnp.stack([jnp.max(jnp.abs(f)) for f in state[1].values()])) > end) & (state[2] < 2000)

        def one(state: Any) -> Any:
            u = move(state[0], state[1])
            return u, drift(u, *given, beta), state[2] + 1

        return jax.lax.while_loop(far, one, (u, drift(u, *given, beta), 0))[0]

    return settle
