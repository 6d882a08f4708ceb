"""The same settlings by other means: a plain NumPy loop, JAX, SciPy."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from scipy import integrate

from .cases import DT, Case


def _layers(case: Case) -> tuple[list[tuple[int, int, Any]], Any, Any]:
    """Return (pre, post, weight) of every recurrent connection, the constant drive, and the number type."""
    chip = case.chip()
    dtype = np.float32 if case.precision == "single" else np.float64
    order = list(case.topology.names)
    edges = [
        (order.index(c.pre), order.index(c.post), chip.effective[c.block].astype(dtype))
        for c in case.topology.recurrent()
    ]
    constant = [part.astype(dtype) for part in case.topology.split(chip.constant_drive).values()]
    return edges, constant, dtype


def numpy_loop(case: Case, steps: int) -> Callable[[], object]:
    """Return the loop a newcomer would write."""
    edges, constant, dtype = _layers(case)
    dt = dtype(DT)

    def run() -> object:
        u = [np.zeros_like(c) for c in constant]
        for _ in range(steps):
            a = [1 / (1 + np.exp(-(4 * v - 2))) for v in u]
            h = [c.copy() for c in constant]
            for pre, post, weight in edges:
                h[post] += a[pre] @ weight
            u = [v + dt * (g - v) for v, g in zip(u, h, strict=True)]
        return u

    return run


def jax_version() -> str:
    """Return the installed version, or that there is none."""
    try:
        return version("jax")
    except PackageNotFoundError:
        return "not installed (pip install nudgelab[benchmark])"


def jax_loops(case: Case, steps: int) -> dict[str, Callable[[], object]]:
    """Return compiled JAX loops, of fixed length and to a residual; empty without JAX."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return {}
    jax.config.update("jax_enable_x64", True)
    edges, constant, _ = _layers(case)
    constant = [jnp.asarray(c) for c in constant]
    edges = [(pre, post, jnp.asarray(weight)) for pre, post, weight in edges]

    def drift(u: Any, constant: Any, weights: Any) -> Any:
        a = [jax.nn.sigmoid(4 * v - 2) for v in u]
        h = list(constant)
        for (pre, post, _), weight in zip(edges, weights, strict=True):
            h[post] = h[post] + a[pre] @ weight
        return [g - v for g, v in zip(h, u, strict=True)]

    def move(u: Any, f: Any) -> Any:
        return [v + jnp.asarray(DT, v.dtype) * g for v, g in zip(u, f, strict=True)]

    @jax.jit
    def fixed(u: Any, constant: Any, weights: Any) -> Any:
        return jax.lax.fori_loop(0, steps, lambda _, v: move(v, drift(v, constant, weights)), u)

    @jax.jit
    def settled(u: Any, constant: Any, weights: Any) -> Any:
        def far(state: Any) -> Any:
            return (jnp.max(jnp.stack([jnp.max(jnp.abs(f)) for f in state[1]])) > 1e-6) & (state[2] < 2000)

        def step(state: Any) -> Any:
            u = move(state[0], state[1])
            return u, drift(u, constant, weights), state[2] + 1

        return jax.lax.while_loop(far, step, (u, drift(u, constant, weights), 0))

    given = ([jnp.zeros_like(c) for c in constant], constant, [weight for _, _, weight in edges])
    return {
        "jax euler": lambda: jax.block_until_ready(fixed(*given)),
        "jax to 1e-6": lambda: jax.block_until_ready(settled(*given)),
    }


def solve_ivp(case: Case, steps: int) -> Callable[[], object]:
    """Return SciPy's RK45 over the same time, the whole batch as one system."""
    edges, constant, _ = _layers(case)
    sizes = [c.shape[1] for c in constant]
    batch, stops = len(case.x), np.cumsum(sizes)[:-1]

    def rate(_: float, y: Any) -> Any:
        u = np.split(y.reshape(batch, -1), stops, axis=1)
        a = [1.0 / (1.0 + np.exp(-(4.0 * v - 2.0))) for v in u]
        h = [np.array(c, dtype=np.float64) for c in constant]
        for pre, post, weight in edges:
            h[post] += a[pre] @ weight
        return np.concatenate([g - v for g, v in zip(h, u, strict=True)], axis=1).ravel()

    return lambda: integrate.solve_ivp(rate, (0.0, steps * DT), np.zeros(batch * sum(sizes)), rtol=1e-6, atol=1e-6)
