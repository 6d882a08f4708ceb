"""What comparators and squarers add to the squared drops of elements.

An element squares ``dV + o`` with the offset of its comparator, in both of the reads that are compared. With two
squarers it finds ``k1 (dV_1 + o + o1)^2 - k2 (dV_2 + o + o2)^2``: what does not cancel is divided by the nudge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.random import Stream

from ..circuit import Array
from ..design import CircuitDesign


class Squarers(NamedTuple):
    """The circuits beside the elements of one block."""

    comparator: Array
    """Offset of the comparator, the shape of the block, in volts."""

    offset: Array
    """On top of it, of the squarers of the first and of the second read, (2, the shape of the block), in volts."""

    gain: Array
    """Of both squarers, (2, the shape of the block)."""


def draw_squarers(design: CircuitDesign, seed: int, instance: int) -> dict[str, Squarers]:
    """Return the squarers of every block of one piece of hardware; of ideal ones, and of current sources, nothing."""
    drops = design.devices.drops
    if not (drops.offset_sigma or drops.squarer_offset_sigma or drops.squarer_gain_sigma):
        return {}

    def draw(what: str, sigma: float, *shape: int) -> Array:
        drawn = Stream(seed, f"circuit/{what}", instance).normal(shape) if sigma else np.zeros(shape)
        return np.asarray(sigma * drawn)

    return {
        name: Squarers(
            draw(f"drops/{name}", drops.offset_sigma, *block.elements.shape),
            draw(f"squarers/offset/{name}", drops.squarer_offset_sigma, 2, *block.elements.shape),
            1.0 + draw(f"squarers/gain/{name}", drops.squarer_gain_sigma, 2, *block.elements.shape),
        )
        for name, block in design.blocks.items()
        if block.kind != "current"
    }


def compute_squarer_errors(squarers: Squarers, after: Array, before: Array) -> Array:
    """Return what squarers add to ``sum (dV_after^2 - dV_before^2)``, the shape of the block.

    Parameters
    ----------
    squarers : Squarers
        Of one block.
    after, before : array (batch, the shape of the block)
        Drops in both reads, in volts.
    """
    (k1, k2), count = squarers.gain, len(after)
    o1, o2 = squarers.comparator + squarers.offset
    found = 2.0 * squarers.comparator * (after - before).sum(axis=0)
    if (k1 == k2).all() and (o1 == o2).all():
        return np.asarray(found)
    squares = (k1 - 1.0) * (after**2).sum(axis=0) - (k2 - 1.0) * (before**2).sum(axis=0)
    first = 2.0 * (k1 * o1 - squarers.comparator) * after.sum(axis=0)
    second = 2.0 * (k2 * o2 - squarers.comparator) * before.sum(axis=0)
    return np.asarray(found + squares + first - second + count * (k1 * o1**2 - k2 * o2**2))
