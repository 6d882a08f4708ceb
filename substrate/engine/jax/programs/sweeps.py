"""Sweeps over the layers in JAX: the rest point of every sample, by the rules of `substrate.engine.sweeping`."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ...stopping import DIVERGED, RUNAWAY, RUNNING, SETTLED, STALLED, STEP_LIMIT
from ...sweeping import CONTRACTION, LEAST_DAMPING, NEARER, PATIENCE, REST, STALL, SWITCH, WORSE, SearchOptions
from .anderson import History, extrapolate_anderson, make_history
from .drift import compute_activities, compute_law, compute_unnudged_drives, join_drives, join_layer_parts
from .spec import Cell, Columns, Inputs, Spec, cut
from .stopping import find_worst_drift, sum_squares

Array = Any


class Memory(NamedTuple):
    """What the sweeps of a sample have led to, (batch,) each."""

    damping: Array
    last: Array
    """Residual of the sweep before; 0: none."""

    best: Array
    mark: Array
    """Residual from which progress is counted."""

    mark_step: Array
    cool: Array
    """Plain sweeps still to come."""

    rate: Array
    """By how much sweeps shrink the residual."""

    fast: Array
    """Whether the last step was a combination."""


class SearchCarry(NamedTuple):
    """Everything that goes on from sweep to sweep."""

    sweep: Array
    y: Array
    """State (planes, batch, units)."""

    drives: dict[Columns, Array]
    """Drives of the layers that are updated last, without the nudge; they follow the others, which move first."""

    status: Array
    steps: Array
    residual: Array
    memory: Memory
    history: History


@partial(jax.jit, static_argnums=0, donate_argnums=4)
def search_rest(
    spec: Spec, cell: Cell, inputs: Inputs, options: SearchOptions, carry: SearchCarry, until: Array
) -> SearchCarry:
    """Sweep until `until`, or until no sample runs; the sweep behind the limit gives all that do their status."""

    def goes_on(now: SearchCarry) -> Array:
        return (now.sweep < until) & jnp.any(now.status == RUNNING)

    end: SearchCarry = lax.while_loop(goes_on, lambda now: _sweep(spec, cell, inputs, options, now), carry)
    return end


def begin_search(spec: Spec, cell: Cell, inputs: Inputs, y: Array, status: Array, damping: float) -> SearchCarry:
    """Return where a search begins, from states `y` (planes, batch, units)."""
    batch, last = y.shape[1], _find_last(spec)
    none, far = jnp.zeros(batch), jnp.full(batch, jnp.inf)
    counts = jnp.zeros(batch, dtype=jnp.int32)
    memory = Memory(none + damping, none, far, far, counts, counts, none + 1.0, none > 0.0)
    drives = {}
    if last == 1:
        a = compute_activities(spec, cell, y)
        drives = compute_unnudged_drives(spec, cell, inputs, a, last)
    history = make_history(_pack(spec, y))
    return SearchCarry(jnp.zeros((), dtype=jnp.int32), y, drives, status, counts, none, memory, history)


def _find_last(spec: Spec) -> int:
    """Return the colour that is updated last."""
    return max(colour for _, colour in spec.layers)


def _pack(spec: Spec, y: Array) -> Array:
    """Return the layers of the colour that is updated last side by side (planes, batch, n)."""
    return jnp.concatenate([cut(y, columns) for columns, colour in spec.layers if colour == _find_last(spec)], axis=-1)


def _unpack(spec: Spec, y: Array, packed: Array) -> Array:
    """Return `y` with those layers as they stand in `packed`."""
    parts, at = {}, 0
    for columns, colour in spec.layers:
        if colour == _find_last(spec):
            width = columns[1] - columns[0]
            parts[columns], at = packed[..., at : at + width], at + width
        else:
            parts[columns] = cut(y, columns)
    return join_layer_parts(spec, parts)


def _sweep(spec: Spec, cell: Cell, inputs: Inputs, options: SearchOptions, now: SearchCarry) -> SearchCarry:
    """Judge the running samples and sweep once over the layers of those that run on."""
    last, none = _find_last(spec), jnp.zeros((), dtype=jnp.int32)
    a = compute_activities(spec, cell, now.y)
    drives = now.drives | compute_unnudged_drives(spec, cell, inputs, a, 0)
    h = join_drives(spec, cell, inputs, a, none, drives)
    drift = compute_law(spec, cell, now.y, h)
    judged = _judge(now, drift, options)
    running = judged.status == RUNNING
    y = jnp.where(judged.restored[:, None], _unpack(spec, now.y, now.history.old_g), now.y)
    moving, memory = running & ~judged.restored, judged.memory
    share = _make_shares(spec, memory.damping, options, y.dtype)
    if last == 1:
        y = _move(spec, y, share * drift, 0, moving)
        a = compute_activities(spec, cell, y)
        drives = compute_unnudged_drives(spec, cell, inputs, a, 1)
        rest = {columns: cut(h, columns) for columns, colour in spec.layers if colour == 0}
        drift = compute_law(spec, cell, y, join_drives(spec, cell, inputs, a, none, rest | drives))
    else:
        drives = now.drives
    steps = now.steps + running
    x, swept = _pack(spec, y), _move(spec, y, share * drift, last, moving)
    g = _pack(spec, swept)
    close = (memory.last < SWITCH) | ((memory.rate < CONTRACTION) & (steps > 2))
    fast = close & (memory.cool == 0) & options.accelerate
    better, history = extrapolate_anderson(judged.history, x, g, fast)
    memory = memory._replace(
        fast=jnp.where(moving, fast, memory.fast),
        cool=jnp.where(moving & options.accelerate, jnp.maximum(memory.cool - 1, 0), memory.cool),
    )
    history = _keep_history(moving, history, judged.history)
    y = jnp.where(moving[:, None], _unpack(spec, swept, better), y)
    return SearchCarry(now.sweep + 1, y, drives, judged.status, steps, judged.residual, memory, history)


def _keep_history(moving: Array, new: History, old: History) -> History:
    """Return the history, of samples that do not move as it was."""

    def choose(name: str, shape: tuple[int, ...]) -> Array:
        return jnp.where(moving.reshape(shape), getattr(new, name), getattr(old, name))

    states = {name: choose(name, (-1, 1)) for name in ("old_g", "old_f", "dg", "df")}
    return History(
        **states, gram=choose("gram", (-1, 1, 1)), count=choose("count", (-1,)), place=choose("place", (-1,))
    )


def _make_shares(spec: Spec, damping: Array, options: SearchOptions, real: Any) -> Array:
    """Return which share of its drift every unit moves in a sweep (batch, units)."""
    outputs = jnp.arange(spec.units) >= spec.first_output
    return (damping[:, None] * jnp.where(outputs, options.output_damping, 1.0)).astype(real)


def _move(spec: Spec, y: Array, change: Array, colour: int, moving: Array) -> Array:
    """Return the state with the layers of a colour moved in the samples that move."""
    parts = {}
    for columns, own in spec.layers:
        part = cut(y, columns)
        parts[columns] = jnp.where(moving[:, None], part + cut(change, columns), part) if own == colour else part
    return join_layer_parts(spec, parts)


class _Judged(NamedTuple):
    status: Array
    residual: Array
    memory: Memory
    history: History
    restored: Array
    """Whether the sample goes back to the sweep before, (batch,)."""


def _judge(now: SearchCarry, drift: Array, options: SearchOptions) -> _Judged:
    """Return how the running samples stand at their present drift."""
    memory, running, last = now.memory, now.status == RUNNING, now.sweep >= options.max_sweeps
    total, worst = sum_squares(drift), find_worst_drift(drift)
    diverged = ~(total <= RUNAWAY**2)
    stalled = now.steps - memory.mark_step >= STALL
    status = jnp.where(stalled, STALLED, RUNNING)
    status = jnp.where(last, STEP_LIMIT, status)
    status = jnp.where(worst < options.tolerance, SETTLED, status)
    status = jnp.where(running, jnp.where(diverged, DIVERGED, status), now.status)
    ended = running & (status != RUNNING)
    residual = jnp.where(ended, jnp.where(diverged & ~(worst > RUNAWAY), jnp.inf, worst), now.residual)
    on = status == RUNNING
    size = jnp.sqrt(total)
    nearer = on & (size < NEARER * memory.mark)
    mark_step = jnp.where(nearer, now.steps, memory.mark_step)
    rate = jnp.where(memory.last > 0.0, jnp.maximum(size / memory.last, 0.5 * memory.rate), 1.0)
    restored = on & memory.fast & (size > WORSE * memory.best)
    plain = on & ~restored & (~memory.fast | (size < memory.best))
    # A plain sweep may grow: that is how a sample leaves a point where it cannot stay.
    tired = plain & ~memory.fast & ((now.steps - mark_step) % PATIENCE == PATIENCE - 1)
    memory = Memory(
        damping=jnp.where(tired, jnp.maximum(0.5 * memory.damping, LEAST_DAMPING), memory.damping),
        last=jnp.where(on, jnp.where(restored, 0.0, size), memory.last),
        best=jnp.where(plain, size, memory.best),
        mark=jnp.where(nearer, size, memory.mark),
        mark_step=mark_step,
        cool=jnp.where(restored, REST, memory.cool),
        rate=jnp.where(on, rate, memory.rate),
        fast=memory.fast & ~restored,
    )
    none = jnp.zeros_like(now.history.count)
    history = now.history._replace(
        count=jnp.where(restored, none, now.history.count), place=jnp.where(restored, none, now.history.place)
    )
    return _Judged(status.astype(now.status.dtype), residual, memory, history, restored)
