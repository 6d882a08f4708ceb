"""The drift of a state in JAX: activities, drives, the nudge and the law of motion."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from ...laws.law import LAWS
from .connections import apply_connection
from .law import compute_activity, compute_force, compute_slope, rotate
from .spec import Cell, Inputs, Spec, cut

Array = Any


class Motion(NamedTuple):
    """What a state does."""

    activity: Array
    """(planes, batch, units)."""

    drift: Array
    """Of the membranes, then of the synaptic poles (planes, batch, width)."""


def compute_drive(spec: Spec, cell: Cell, a: Array, constant: Array) -> Array:
    """Return the drive ``W a + constant`` without the nudge, (planes, batch, units)."""
    parts = {columns: cut(constant, columns) for columns, _ in spec.layers}
    for link, weight in zip(spec.links, cell.weights, strict=True):
        parts[link.post] += apply_connection(link.kind, weight, cut(a, link.pre), cut(a, link.post), spec.products)
    return jnp.concatenate(list(parts.values()), axis=-1)


def compute_nudge(spec: Spec, cell: Cell, inputs: Inputs, a: Array, step: Array) -> Array:
    """Return ``-beta e`` at the output activities (planes, batch, outputs); a nudge of 0 adds 0 whatever `e` is."""
    beta = inputs.beta[step % len(inputs.beta)]
    force = compute_force(spec.cost, cell.readout, cut(a, spec.outputs), inputs.target)
    factors = beta[:, None, None] * inputs.sign[None, :, None]
    return jnp.where(jnp.any(beta != 0.0), -rotate(factors, force), 0.0)


def compute_nudged_drive(spec: Spec, cell: Cell, inputs: Inputs, a: Array, step: Array) -> Array:
    """Return the whole drive (planes, batch, units)."""
    h = compute_drive(spec, cell, a, inputs.constant)
    return h.at[..., spec.first_output :].add(compute_nudge(spec, cell, inputs, a, step))


def compute_law(spec: Spec, cell: Cell, u: Array, h: Array) -> Array:
    """Return the drift ``F(u, h)`` of the membranes (planes, batch, units)."""
    law = LAWS[spec.law]
    slope = compute_slope(spec.code, cell.curve, u) if law.SLOPED else jnp.ones_like(u)
    if len(u) == 1 or not law.SLOPED:
        return law.drift(u, h, slope)
    found = law.drift(*(lax.complex(x[0], x[1]) for x in (u, h, slope)))
    return jnp.stack([found.real, found.imag])


def compute_motion(spec: Spec, cell: Cell, inputs: Inputs, y: Array, step: Array) -> Motion:
    """Return activity and drift of a state (planes, batch, width) at a step."""
    u = y[..., : spec.units]
    a = compute_activity(spec.code, cell.curve, u)
    h = compute_nudged_drive(spec, cell, inputs, a, step)
    if not spec.pole:
        return Motion(a, compute_law(spec, cell, u, h))
    pole = y[..., spec.units :]
    return Motion(a, jnp.concatenate([compute_law(spec, cell, u, pole), h - pole], axis=-1))
