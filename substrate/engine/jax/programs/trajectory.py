"""Trajectories in JAX: one resumable program, which the host calls once or in pieces."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ....dynamics.methods import TABLES
from ...stopping import RUNNING, StoppingOptions
from .drift import Layers, Motion, compute_motion, join_layer_parts
from .noise import Draws, Increment, NoiseSources, draw_increment
from .spec import Cell, Inputs, Spec
from .stopping import Course, Ends, Rates, check_convergence, find_worst_drift, limit_slew

Array = Any


class Window(NamedTuple):
    """Running sums of the activity over the last steps of a settling, in double precision."""

    sums: Array
    """By part of the window (blocks, planes, batch, units)."""

    squares: Array
    """(planes, batch, units)."""


class Run(NamedTuple):
    """What is applied to a batch, and how its settling is paced and judged."""

    inputs: Inputs
    noise: NoiseSources
    rates: Rates
    options: StoppingOptions
    limit: Array
    """Steps of the settling."""

    opens: Array
    """Step at which the window opens."""

    block: Array
    """Steps per part of the window."""


class Carry(NamedTuple):
    """Everything that goes on from step to step."""

    k: Array
    """Steps taken by those that still run."""

    y: Array
    """State (planes, batch, width)."""

    steps: Array
    time: Array
    dt: Array
    """Of every sample (batch,), as the two before."""

    ends: Ends
    draws: Draws
    window: Window


@partial(jax.jit, static_argnums=0, donate_argnums=3)
def advance(spec: Spec, cell: Cell, run: Run, carry: Carry, until: Array) -> Carry:
    """Take steps until `until`, or until no sample runs; the one behind the limit gives all that do their status."""

    def walk(carry: Carry, end: Array, judged: bool) -> Carry:
        def goes_on(now: Carry) -> Array:
            return (now.k < end) & jnp.any(now.ends.status == RUNNING)

        done: Carry = lax.while_loop(goes_on, lambda now: _step(spec, cell, run, now, judged), carry)
        return done

    if len(TABLES[spec.method].b) == 1:
        # A phase of fixed length is judged at its end alone: before, a step has nothing but its arithmetic.
        carry = walk(carry, jnp.minimum(until, run.options.watch), judged=False)
    return walk(carry, until, judged=True)


def _step(spec: Spec, cell: Cell, run: Run, now: Carry, judged: bool) -> Carry:
    """Judge the running samples, if it is time, and take one step with those that run on."""
    table, last = TABLES[spec.method], now.k >= run.limit
    one_stage, adaptive = len(table.b) == 1, bool(table.error.any())
    increment, draws = draw_increment(spec, run.noise, now.draws, now.steps, last, averaged=one_stage)
    begin = _move(spec, cell, run, now.y, now.k, increment)
    running = now.ends.status == RUNNING
    window = _gather(spec, run, now, begin.activity, running & ~last)
    course = Course(now.y, begin.drift, now.steps, now.time, now.dt)

    def judge() -> Ends:
        return check_convergence(course, now.ends, run.rates, run.options, spec.noisy, adaptive, last)

    ends = judge() if judged else now.ends
    course = course._replace(drift=limit_slew(run.rates, begin.drift))
    moving = ends.status == RUNNING
    y, time, dt = _take_step(spec, cell, run, course, now.k, increment)
    return Carry(
        now.k + 1,
        jnp.where(moving[:, None], y, now.y),
        now.steps + moving,
        jnp.where(moving, time, now.time),
        jnp.where(moving, dt, now.dt),
        ends,
        Draws(*(_keep(running, new, old) for new, old in zip(draws, now.draws, strict=True))),
        window,
    )


def _keep(running: Array, new: Array, old: Array) -> Array:
    """Return what noise remembers, of ended samples as it was (..., batch, some)."""
    return old if new is old else jnp.where(running[:, None], new, old)


def _move(spec: Spec, cell: Cell, run: Run, y: Array, step: Array, increment: Increment) -> Motion:
    """Return activity and drift, the slow noise included."""
    found = compute_motion(spec, cell, run.inputs, y, step)
    if spec.processes == 0:
        return found
    return found._replace(drift=found.drift.at[..., : spec.units].add(increment.push))


def _add_kick(spec: Spec, y: Array, increment: Increment) -> Array:
    return y.at[..., : spec.units].add(increment.kick) if spec.white else y


def _take_step(
    spec: Spec, cell: Cell, run: Run, course: Course, step: Array, increment: Increment
) -> tuple[Array, Array, Array]:
    """Return state, time and step length of every sample after a step of the method; all stages are unrolled."""
    table, real = TABLES[spec.method], course.y.dtype
    drifts = [course.drift]

    def combine(weights: Any, kicks: bool) -> Array:
        shares = [(j, (weight * course.dt).astype(real)[:, None]) for j, weight in enumerate(weights) if weight]
        total = sum(share * drifts[j] for j, share in shares)
        y = course.y + run.rates.gain * total
        return _add_kick(spec, y, increment) if kicks else y

    for s in range(1, len(table.b)):
        stage = combine(table.a[s, :s], table.c[s] > 0.0)
        drifts.append(limit_slew(run.rates, _move(spec, cell, run, stage, step, increment).drift))
    y = combine(table.b, kicks=True)
    if not table.error.any():
        return y, course.time + course.dt, course.dt
    return _adapt_step(spec, run, course, drifts, y)


def _adapt_step(spec: Spec, run: Run, course: Course, drifts: list[Array], y: Array) -> tuple[Array, Array, Array]:
    """Take a step only where it is accurate enough, and choose the next one.

    Near rest a tenth of the drift is allowed at most: else steps grow until errors alone keep the sample moving.
    """
    weights, count = TABLES[spec.method].error, course.y.shape[0] * course.y.shape[2]
    most = 0.1 * find_worst_drift(course.drift)[:, None]
    error = sum(weights[j] * drifts[j].astype(jnp.float64) for j in range(len(weights)))
    error *= course.dt[:, None] * run.rates.gain / jnp.minimum(run.options.accuracy * (1.0 + jnp.abs(course.y)), most)
    size = jnp.sqrt(jnp.sum(error * error, axis=(0, 2)) / count)
    grow = jnp.clip(0.9 * jnp.maximum(size, 1e-10) ** -0.2, 0.2, 5.0)
    grow = jnp.where(size < jnp.inf, grow, 0.2)
    taken, time = size <= 1.0, course.time + course.dt
    longest = jnp.maximum(run.options.end - time, 1e-12)
    return (
        jnp.where(taken[:, None], y, course.y),
        jnp.where(taken, time, course.time),
        jnp.where(taken, jnp.minimum(course.dt * grow, longest), course.dt * jnp.minimum(grow, 0.9)),
    )


def _gather(spec: Spec, run: Run, now: Carry, activity: Layers, counted: Array) -> Window:
    """Add the present activity of samples to their part of the window, if it is open."""
    if spec.blocks == 0:
        return now.window
    since = now.k - run.opens
    place = jnp.clip(since // run.block, 0, spec.blocks - 1)
    whole = join_layer_parts(spec, activity).astype(jnp.float64)
    shown = jnp.where((counted & (since >= 0))[:, None], whole, 0.0)
    return Window(now.window.sums.at[place].add(shown), now.window.squares + shown * shown)
