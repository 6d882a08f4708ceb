"""The drift of a state in JAX: activities, drives, the nudge and the law of motion."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ....laws.law import LAWS
from ....network.connection import ConnectionKind
from .connections import Weight, apply_connection
from .law import compute_force, compute_unit_activity, compute_unit_slope, cut_curve, rotate
from .spec import Cell, Columns, Inputs, KnownCouplings, Spec, cut

Array = Any


Layers = dict[Columns, Array]
"""Arrays (planes, batch, units of the layer) by columns of the layer: products read them where they are."""


class Motion(NamedTuple):
    """What a state does."""

    activity: Layers
    """(planes, batch, units of the layer)."""

    drift: Array
    """Of the membranes, then of the synaptic poles (planes, batch, width)."""


def compute_activities(spec: Spec, cell: Cell, u: Array) -> Layers:
    """Return the activities of all layers of a state (planes, batch, units)."""
    return {
        columns: compute_unit_activity(spec.code, cut_curve(cell.curve, *columns), cut(u, columns))
        for columns, _ in spec.layers
    }


def split_layers(spec: Spec, x: Array) -> Layers:
    """Return an array of units (planes, batch, units) by layer."""
    return {columns: cut(x, columns) for columns, _ in spec.layers}


def compute_drives(
    spec: Spec, weights: tuple[Weight, ...], a: Layers, constant: Array, colour: int | None = None
) -> Layers:
    """Return the drives ``W a + constant`` without the nudge by layer; with a colour, of its layers alone."""
    parts = {columns: cut(constant, columns) for columns, own in spec.layers if colour in {None, own}}
    for link, weight in zip(spec.links, weights, strict=True):
        if link.post in parts:
            parts[link.post] += apply_connection(link.kind, weight, a[link.pre], a[link.post], spec.products)
    return parts


def compute_unnudged_drives(spec: Spec, cell: Cell, inputs: Inputs, a: Layers, colour: int | None = None) -> Layers:
    """Return the drives without the nudge but with a correction, by layer; with a colour, of its layers alone."""
    parts = compute_drives(spec, cell.weights, a, inputs.constant, colour)
    if inputs.known is None:
        return parts
    extra = compute_correction(spec, inputs.known, join_layer_parts(spec, a))
    return {columns: part + cut(extra, columns) for columns, part in parts.items()}


def compute_correction(spec: Spec, known: KnownCouplings, a: Array) -> Array:
    """Return ``(W^T - W) (a - a0)`` (planes, batch, units) with the known couplings `W` around the free activities.

    The free activities `a0` are real. What the drive of a feedback connection has of its own layer is a second
    derivative, so it is the same in ``W^T`` and `W`.
    """
    return jnp.concatenate([_correct_plane(spec, known, v[None]) for v in a.at[0].add(-known.free)])


def _correct_plane(spec: Spec, known: KnownCouplings, v: Array) -> Array:
    changes, free = split_layers(spec, v), split_layers(spec, known.free[None])
    total = split_layers(spec, jnp.zeros_like(v))

    def multiply(kind: ConnectionKind, weight: Weight, pre: Columns, post: Columns) -> Array:
        def drive(a: Array) -> Array:
            return apply_connection(kind, weight, a, free[post], spec.products)

        return jax.jvp(drive, (free[pre],), (changes[pre],))[1]

    for link, weight, back in zip(spec.links, known.weights, known.reverse, strict=True):
        total[link.post] -= multiply(link.kind, weight, link.pre, link.post)
        total[link.pre] += multiply(link.kind.reverse, back, link.post, link.pre)
    return join_layer_parts(spec, total)


def join_layer_parts(spec: Spec, parts: Layers) -> Array:
    """Return arrays of all layers as one, (planes, batch, units)."""
    return jnp.concatenate([parts[columns] for columns, _ in spec.layers], axis=-1)


def join_drives(spec: Spec, cell: Cell, inputs: Inputs, a: Layers, step: Array, parts: Layers) -> Array:
    """Return the drives of all layers as one array, that of the outputs with ``-beta e``; a nudge of 0 adds nothing."""
    beta = inputs.beta[step % len(inputs.beta)]
    factors = beta[:, None, None] * inputs.sign[None, :, None]
    plain = parts[spec.outputs]

    def pull() -> Array:
        force = compute_force(spec.cost, cell.readout, a[spec.outputs], inputs.target)
        return plain - rotate(factors, force)

    return join_layer_parts(spec, parts | {spec.outputs: lax.cond(jnp.any(beta != 0.0), pull, lambda: plain)})


def compute_nudged_drive(spec: Spec, cell: Cell, inputs: Inputs, a: Layers, step: Array) -> Array:
    """Return the whole drive (planes, batch, units)."""
    return join_drives(spec, cell, inputs, a, step, compute_unnudged_drives(spec, cell, inputs, a))


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
    a = compute_activities(spec, cell, u)
    h = compute_nudged_drive(spec, cell, inputs, a, step)
    if not spec.pole:
        return Motion(a, compute_law(spec, cell, u, h))
    pole = y[..., spec.units :]
    return Motion(a, jnp.concatenate([compute_law(spec, cell, u, pole), h - pole], axis=-1))
