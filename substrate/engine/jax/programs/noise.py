"""NoiseSources on the membranes in JAX: the same draws and increments as in the compiled kernels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .spec import Spec
from .words import draw_normals

Array = Any


class NoiseSources(NamedTuple):
    """NoiseSources of one batch; sources are white, common-mode, then one per Ornstein-Uhlenbeck process."""

    keys: Array
    """Philox keys (planes, sources, 2)."""

    ids: Array
    """Names of the samples (batch,)."""

    white: Array
    """Standard deviation of the white draw per step and unit (1 or batch, units)."""

    common: Array
    """The same for the draw that all units share (units,)."""

    memory: Array
    """Share of a slow process that survives a step, (processes,)."""

    size: Array
    """Standard deviation of a slow process, (processes, 1 or batch, 1 or units)."""


class Draws(NamedTuple):
    """What noise remembers from step to step."""

    before: Array
    """Draws of the step before: of all units, and of what they share (planes, batch, units + 1)."""

    slow: Array
    """Slow processes (processes, planes, batch, units)."""


class Increment(NamedTuple):
    """NoiseSources of one step."""

    kick: Array
    """Added to the membranes (planes, batch, units)."""

    push: Array
    """Mean of the slow processes over the step, added to the drift."""


def draw_increment(
    spec: Spec, noise: NoiseSources, draws: Draws, step: Array, last: Array, averaged: bool
) -> tuple[Increment, Draws]:
    """Return the noise of a step, and what is remembered; after the `last` step no kick, and the push of the moment.

    Parameters
    ----------
    spec : Spec
        Planes, units, processes.
    noise, draws : NoiseSources, Draws
        Sources, and what they were.
    step : array (batch,)
        Step of every sample.
    last : array of bool
        Whether the settling is over.
    averaged : bool
        Whether a kick is the mean of the draws of two successive steps, as methods of one stage take it
        (B. Leimkuhler, C. Matthews 2013, Appl. Math. Res. Express, 34).
    """
    if not spec.noisy:
        none = jnp.zeros((), dtype=noise.white.dtype)
        return Increment(none, none), draws
    fresh, after = _draw_step(spec, noise, draws, step, averaged)
    moment = Increment(jnp.zeros_like(fresh.kick), draws.slow.sum(axis=0))
    return tuple(  # type: ignore[return-value]
        type(now)(*(jnp.where(last, old, new) for old, new in zip(then, now, strict=True)))
        for then, now in ((moment, fresh), (draws, after))
    )


def _draw_step(spec: Spec, noise: NoiseSources, draws: Draws, step: Array, averaged: bool) -> tuple[Increment, Draws]:
    real, units = noise.white.dtype, spec.units
    kick, before, slow = jnp.zeros((), dtype=real), draws.before, draws.slow
    if spec.white:
        planes = [_draw_kick(noise, draws.before[p], noise.keys[p], step, averaged) for p in range(spec.planes)]
        kick, before = (jnp.stack(parts) for parts in zip(*planes, strict=True))
    if spec.processes:
        numbers = [
            [draw_normals(noise.keys[plane, 2 + k], step, noise.ids, units, real) for plane in range(spec.planes)]
            for k in range(spec.processes)
        ]
        slow = _advance_slow(noise, draws.slow, jnp.array(numbers))
    return Increment(kick, 0.5 * (draws.slow + slow).sum(axis=0)), Draws(before, slow)


def _draw_kick(noise: NoiseSources, before: Array, keys: Array, step: Array, averaged: bool) -> tuple[Array, Array]:
    """Return the white kick of one plane (batch, units), and what the next one averages it with."""
    own, own_before = _draw_white(keys[0], noise, before[:, :-1], step, averaged)
    shared, shared_before = _draw_white(keys[1], noise, before[:, -1:], step, averaged)
    return noise.white * own + noise.common * shared, jnp.concatenate([own_before, shared_before], axis=1)


def _advance_slow(noise: NoiseSources, slow: Array, numbers: Array) -> Array:
    """Return the slow processes (processes, planes, batch, units) a step later, exactly."""
    keep = noise.memory.astype(slow.dtype)[:, None, None, None]
    fresh = (noise.size * jnp.sqrt(1.0 - noise.memory**2)[:, None, None]).astype(slow.dtype)[:, None]
    return keep * slow + fresh * numbers


def _draw_white(key: Array, noise: NoiseSources, before: Array, step: Array, averaged: bool) -> tuple[Array, Array]:
    """Return the white draw of a step (batch, count), and what the next one averages it with."""
    count, real = before.shape[1], before.dtype
    if not averaged:
        return draw_normals(key, step, noise.ids, count, real), before
    # Half of the first draw is missing: sqrt(3) of the other half makes up for its variance. All samples begin at once,
    # and what fills up a tile never takes a step.
    begin = jnp.max(step) == 0
    first = lax.cond(
        begin,
        lambda: jnp.asarray(math.sqrt(3.0), dtype=real) * draw_normals(key, step, noise.ids, count, real),
        lambda: before,
    )
    fresh = draw_normals(key, step + 1, noise.ids, count, real)
    return 0.5 * (first + fresh), fresh
