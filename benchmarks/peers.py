"""The same settlings by other means: a plain NumPy loop, JAX, SciPy, Brian 2."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from scipy import integrate

from .cases import DT, NOISE, Case


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
    """Return compiled JAX loops of exact products, of fixed length and to a residual; empty without JAX."""
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
            h[post] = h[post] + jnp.matmul(a[pre], weight, precision=jax.lax.Precision.HIGHEST)
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


def brian2_steps(case: Case, steps: int) -> dict[str, Callable[[], object]]:
    """Return Brian 2's loop over the same noisy network, one group for all samples; empty without Brian 2."""
    try:
        import brian2
    except (ImportError, AttributeError):
        # Releases of Brian 2 that are older than the installed NumPy fail with the latter.
        return {}
    edges, constant, _ = _layers(case)
    brian2.prefs.codegen.target = "cython"
    batch, clock = len(case.x), brian2.Clock(dt=DT * brian2.second)
    equations = f"""
    du/dt = (h + drive - u) / second + {NOISE} * sqrt(2 / second) * xi : 1
    a = 1 / (1 + exp(-(4 * u - 2))) : 1
    h : 1
    drive : 1
    """
    offsets = np.cumsum([0, *(c.shape[1] for c in constant)])
    units = int(offsets[-1])
    group = brian2.NeuronGroup(batch * units, equations, method="euler", clock=clock)
    group.drive = np.concatenate(constant, axis=1).ravel()
    synapses = brian2.Synapses(group, group, "w : 1\nh_post = w * a_pre : 1 (summed)", clock=clock)
    pre, post, weights = [], [], []
    for source, sink, weight in edges:
        i, j = np.meshgrid(*(np.arange(n) for n in weight.shape), indexing="ij")
        for sample in range(batch):
            pre.append((sample * units + offsets[source] + i).ravel())
            post.append((sample * units + offsets[sink] + j).ravel())
            weights.append(weight.ravel())
    synapses.connect(i=np.concatenate(pre), j=np.concatenate(post))
    synapses.w = np.concatenate(weights)
    network = brian2.Network(group, synapses)
    return {"brian2, noisy": lambda: network.run(steps * DT * brian2.second)}
