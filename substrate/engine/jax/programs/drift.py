"""The drift of a state in JAX: activities, drives, the nudge and the law of motion."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from ....laws.law import LAWS
from .connections import Weight, apply_connection
from .law import compute_force, compute_unit_activity, compute_unit_slope, rotate
from .spec import Cell, Columns, Inputs, Spec, cut

Array = Any


class Motion(NamedTuple):
    """What a state does."""

    activity: Array
    """(planes, batch, units)."""

    drift: Array
    """Of the membranes, then of the synaptic poles (planes, batch, width)."""


def compute_drives(
    spec: Spec, weights: tuple[Weight, ...], a: Array, constant: Array, colour: int | None = None
) -> dict[Columns, Array]:
    """Return the drives ``W a + constant`` without the nudge by layer; with a colour, of its layers alone."""
    parts = {columns: cut(constant, columns) for columns, own in spec.layers if colour in {None, own}}
    for link, weight in zip(spec.links, weights, strict=True):
        if link.post in parts:
            product = apply_connection(link.kind, weight, cut(a, link.pre), cut(a, link.post), spec.products)
            parts[link.post] += product
    return parts


def join_layer_parts(spec: Spec, parts: dict[Columns, Array]) -> Array:
    """Return arrays of all layers as one, (planes, batch, units)."""
    return jnp.concatenate([parts[columns] for columns, _ in spec.layers], axis=-1)


def add_nudge_force(spec: Spec, cell: Cell, inputs: Inputs, a: Array, step: Array, h: Array) -> Array:
    """Return the drive `h` with ``-beta e`` at the outputs; a nudge of 0 adds 0, whatever `e` is."""
    beta = inputs.beta[step % len(inputs.beta)]
    force = compute_force(spec.cost, cell.readout, cut(a, spec.outputs), inputs.target)
    factors = beta[:, None, None] * inputs.sign[None, :, None]
    return h.at[..., spec.first_output :].add(jnp.where(jnp.any(beta != 0.0), -rotate(factors, force), 0.0))


def compute_nudged_drive(spec: Spec, cell: Cell, inputs: Inputs, a: Array, step: Array) -> Array:
    """Return the whole drive (planes, batch, units)."""
    h = join_layer_parts(spec, compute_drives(spec, cell.weights, a, inputs.constant))
    return add_nudge_force(spec, cell, inputs, a, step, h)


def compute_law(spec: Spec, cell: Cell, u: Array, h: Array) -> Array:
    """Return the drift ``F(u, h)`` of the membranes (planes, batch, units)."""
    law = LAWS[spec.law]
    slope = compute_unit_slope(spec.code, cell.curve, u) if law.SLOPED else jnp.ones_like(u)
    if len(u) == 1 or not law.SLOPED:
        return law.drift(u, h, slope)
    found = law.drift(*(lax.complex(x[0], x[1]) for x in (u, h, slope)))
    return jnp.stack([found.real, found.imag])


def compute_motion(spec: Spec, cell: Cell, inputs: Inputs, y: Array, step: Array) -> Motion:
    """Return activity and drift of a state (planes, batch, width) at a step."""
    u = y[..., : spec.units]
    a = compute_unit_activity(spec.code, cell.curve, u)
    h = compute_nudged_drive(spec, cell, inputs, a, step)
    if not spec.pole:
        return Motion(a, compute_law(spec, cell, u, h))
    pole = y[..., spec.units :]
    return Motion(a, jnp.concatenate([compute_law(spec, cell, u, pole), h - pole], axis=-1))
