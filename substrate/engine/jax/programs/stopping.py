"""How trajectories end, in JAX: the rules of `substrate.engine.stopping`, for all samples of a batch at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from ...stopping import (
    CYCLE,
    DIVERGED,
    FLOOR,
    ON_CYCLE,
    ORBIT,
    PERIOD_2,
    PROGRESS,
    RUNAWAY,
    RUNNING,
    SETTLED,
    SHORT,
    STALLED,
    STEP_LIMIT,
    StoppingOptions,
)

Array = Any


class Track(NamedTuple):
    """What a search for cycles and stalls remembers of every sample, (batch,) where not said."""

    reference: Array
    """A former state (planes, batch, width), kept at doubling steps (Brent)."""

    kept_at: Array
    """Its step."""

    reach: Array
    """Largest square distance from it since."""

    best: Array
    """Least sum of squares of the drift."""

    best_at: Array
    """When: steps, or adaptive time."""

    found: Array
    """Status of the cycle that was found; 0: none."""


class Ends(NamedTuple):
    """How the samples stand, (batch,)."""

    status: Array
    residual: Array
    track: Track


class Course(NamedTuple):
    """Where the samples are on their way, (batch,) where not said."""

    y: Array
    """State (planes, batch, width)."""

    drift: Array
    """(planes, batch, width), before the speed of membranes is limited."""

    steps: Array
    time: Array
    dt: Array


class Rates(NamedTuple):
    """How fast membranes and poles follow their drift."""

    gain: Array
    """Change of the state per unit of drift and step (width,)."""

    bound: Array
    """Largest drift of every membrane (units,); (0,): no limit."""


def limit_slew(rates: Rates, drift: Array) -> Array:
    """Return the drift with that of the membranes cut to its bound."""
    units = rates.bound.shape[0]
    if units == 0:
        return drift
    cut = jnp.clip(drift[..., :units], -rates.bound, rates.bound)
    return jnp.concatenate([cut, drift[..., units:]], axis=-1)


def find_worst_drift(drift: Array) -> Array:
    """Return the largest drift of every sample, of both planes apart (batch,); NaN does not count."""
    return jnp.nanmax(jnp.abs(drift), axis=(0, 2), initial=0.0).astype(jnp.float64)


def sum_squares(x: Array) -> Array:
    """Return the sum of squares of every sample (batch,); NaN stays."""
    return jnp.sum(x * x, axis=2).astype(jnp.float64).sum(axis=0)


def check_convergence(
    course: Course, ends: Ends, rates: Rates, options: StoppingOptions, noisy: bool, adaptive: bool, last: Array
) -> Ends:
    """Judge the running samples at their present drift.

    Parameters
    ----------
    course : Course
        Where they are.
    ends : Ends
        How they stood.
    rates : Rates
        How fast they move.
    options : StoppingOptions
        The rules; all but `adaptive` may be traced.
    noisy, adaptive : bool
        Whether there is noise, which has no cycles; whether every sample chooses its step.
    last : array of bool
        Whether the settling is over.
    """
    total, worst = sum_squares(course.drift), find_worst_drift(course.drift)
    running = ends.status == RUNNING
    diverged = ~(total <= RUNAWAY**2)
    status, track = jnp.full_like(ends.status, RUNNING), ends.track
    if not noisy:
        judged = running & ~diverged & (course.steps >= options.watch)
        status, track = _find_status(course, track, rates, options, adaptive, judged, (total, worst))
    status = jnp.where(diverged, DIVERGED, status)
    over = jnp.logical_or(last, adaptive & (course.time >= options.end * (1.0 - 1e-12)))
    ended = running & (diverged | ((status != RUNNING) & options.stop_early) | over)
    residual = jnp.where(diverged & ~(worst > RUNAWAY), jnp.inf, worst)
    final = jnp.where(status == RUNNING, jnp.where(residual < options.tolerance, SETTLED, STEP_LIMIT), status)
    return Ends(
        jnp.where(ended, final, ends.status).astype(ends.status.dtype),
        jnp.where(ended, residual, ends.residual),
        track,
    )


def _find_status(
    course: Course,
    track: Track,
    rates: Rates,
    options: StoppingOptions,
    adaptive: bool,
    judged: Array,
    drifts: tuple[Array, Array],
) -> tuple[Array, Track]:
    """Return the status of the samples that are judged; the others are left as they are."""
    total, worst = drifts
    rest = worst < options.tolerance
    floor = _find_floor(course.y, total)
    moving = judged & ~rest
    stalled, track = _detect_stall(course, track, rates, options, adaptive, moving, (total, floor))
    status = jnp.where(rest, SETTLED, jnp.where(stalled, STALLED, RUNNING))
    if not adaptive:
        watched = moving & ~stalled
        found, track = _detect_cycle(course, track, rates, watched)
        # A state that moves by rounding alone returns too, but that is no cycle of the machine.
        fresh = watched & (found != RUNNING) & (track.found == 0) & ~floor
        track = track._replace(found=jnp.where(fresh, found, track.found))
        status = jnp.where(watched & (track.found > 0), track.found, status)
    return jnp.where(judged, status, RUNNING), track


def _find_floor(y: Array, total: Array) -> Array:
    """Tell which samples have a drift that is rounding of their state, (batch,)."""
    size = sum_squares(y) + y.shape[0] * y.shape[2]
    rounding = 2.0**-52 if y.dtype.itemsize == 8 else 2.0**-23
    return total <= (FLOOR * rounding) ** 2 * size


def _detect_stall(
    course: Course,
    track: Track,
    rates: Rates,
    options: StoppingOptions,
    adaptive: bool,
    judged: Array,
    drifts: tuple[Array, Array],
) -> tuple[Array, Track]:
    """Tell which samples get no closer to rest."""
    total, floor = drifts
    now = course.time if adaptive else course.steps.astype(jnp.float64)
    nearer = judged & (total < PROGRESS**2 * track.best)
    waits = judged & (nearer | _find_slew_limited(course.drift, rates))
    track = track._replace(best=jnp.where(nearer, total, track.best), best_at=jnp.where(waits, now, track.best_at))
    idle = now - track.best_at
    stalled = (idle >= options.patience) | ((idle >= options.floor_patience) & floor)
    if not adaptive:
        # A fixed step that changes nothing will never change anything; an adaptive one grows.
        stalled |= _find_unmoved(course, rates)
    return judged & stalled, track


def _find_slew_limited(drift: Array, rates: Rates) -> Array:
    """Tell in which samples a membrane moves at the limit of its speed: so long the drift says nothing of progress."""
    units = rates.bound.shape[0]
    if units == 0:
        return jnp.zeros(drift.shape[1], dtype=jnp.bool_)
    return jnp.any(jnp.abs(drift[..., :units]) > rates.bound, axis=(0, 2))


def _find_unmoved(course: Course, rates: Rates) -> Array:
    """Tell in which samples a step changes nothing: it is below the rounding of every number of the state."""
    move = course.dt.astype(course.y.dtype)[:, None] * rates.gain * limit_slew(rates, course.drift)
    return jnp.all(course.y + move == course.y, axis=(0, 2))


def _detect_cycle(course: Course, track: Track, rates: Rates, judged: Array) -> tuple[Array, Track]:
    """Return the status of samples that are back where they were, else RUNNING."""
    d, v = track.reference - course.y, course.dt.astype(course.y.dtype)[:, None] * rates.gain * course.drift
    away, move = sum_squares(d), sum_squares(v)
    along = jnp.sum(d * v, axis=2).astype(jnp.float64).sum(axis=0)
    lag = course.steps - track.kept_at
    reach = jnp.maximum(track.reach, away)
    back = (lag >= 2) & (away <= CYCLE**2 * reach)
    smooth = (lag >= 8) & (move <= SHORT**2 * reach) & (along >= 0.0) & (along <= move)
    smooth &= away - along * along / move <= ORBIT**2 * reach
    found = jnp.where(back, jnp.where(lag == 2, PERIOD_2, ON_CYCLE), jnp.where(smooth, ON_CYCLE, RUNNING))
    keep = judged & (course.steps >= 2 * track.kept_at)
    track = track._replace(
        reference=jnp.where(keep[:, None], course.y, track.reference),
        kept_at=jnp.where(keep, jnp.maximum(course.steps, 1), track.kept_at),
        reach=jnp.where(keep, 0.0, jnp.where(judged, reach, track.reach)),
    )
    return found, track
