"""The same chip on both engines, and how far its settlings agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from substrate.chip.chip import Chip
from substrate.engine.protocol import Average
from substrate.protocol import Nudge, SettlingResult, State, Wave
from tests.networks import random_batch

EQUAL = 1e-12
"""Largest difference of states in double precision."""

NUDGES: dict[str, Callable[[np.ndarray], Nudge]] = {
    "signs": lambda y: Nudge(0.3, y, np.resize([1.0, -1.0], len(y))),
    "complex": lambda y: Nudge(0.1 + 0.2j, y),
    "cosine": lambda y: Nudge(0.3, y, wave=Wave("cosine", 4.0, 2)),
    "rotation": lambda y: Nudge(0.3, y, wave=Wave("rotation", 4.0, 2)),
}


class Found(NamedTuple):
    """What one settling showed."""

    settled: SettlingResult
    state: State
    average: Average | None
    cycle: State | None


def on(engine: str, chip: Chip) -> Chip:
    """Return the same silicon, settled by an engine."""
    return chip.variant(dynamics=chip.design.dynamics.model_copy(update={"engine": engine}))


def settle(chip: Chip, nudges: tuple[str, ...] = (), samples: int = 20, ids: np.ndarray | None = None) -> list[Found]:
    """Return what a chip shows, free and from there under every nudge."""
    x, y = random_batch(chip, samples)
    chip.set_input(x, ids)
    found = []
    for nudge in (None, *(NUDGES[name](y) for name in nudges)):
        settled = chip.settle(nudge, "free" if nudge else "zero")
        cycle = np.concatenate(list(chip.read_cycle().values())[1:], axis=2) if nudge and nudge.wave else None
        found.append(Found(settled, chip.state, chip.average, cycle))
    return found


def settle_on_both(
    chip: Chip, nudges: tuple[str, ...] = (), samples: int = 20, ids: np.ndarray | None = None
) -> list[tuple[Found, Found]]:
    """Return what the processor and JAX show of every settling."""
    return list(zip(*(settle(on(engine, chip), nudges, samples, ids) for engine in ("cpu", "jax")), strict=True))


def assert_equal(cpu: Found, jax: Found, atol: float = EQUAL, pace: float = 1e-12) -> None:
    """Hold that two settlings ended alike, after the same steps, at the same states; `pace`: relative, of times."""
    np.testing.assert_array_equal(jax.settled.status, cpu.settled.status)
    np.testing.assert_array_equal(jax.settled.steps, cpu.settled.steps)
    np.testing.assert_allclose(jax.settled.residual, cpu.settled.residual, rtol=0, atol=atol)
    np.testing.assert_allclose(jax.settled.time, cpu.settled.time, rtol=pace, atol=0)
    np.testing.assert_allclose(jax.state, cpu.state, rtol=0, atol=atol)
    assert (jax.cycle is None) == (cpu.cycle is None)
    if cpu.cycle is not None:
        np.testing.assert_allclose(jax.cycle, cpu.cycle, rtol=0, atol=atol)
    assert (jax.average is None) == (cpu.average is None)
    if cpu.average is not None:
        np.testing.assert_allclose(jax.average.mean, cpu.average.mean, rtol=0, atol=atol)
        # A variance is a small difference of squares, and both are ratios with it.
        np.testing.assert_allclose(jax.average.error, cpu.average.error, rtol=1e-9, atol=atol)
        np.testing.assert_allclose(jax.average.autocorrelation, cpu.average.autocorrelation, rtol=1e-8, atol=atol)
