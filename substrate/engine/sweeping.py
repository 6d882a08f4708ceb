"""How sweeps over the layers are damped, accelerated and given up: the rules that every engine shares."""

from __future__ import annotations

from typing import NamedTuple

DAMPING = 0.5
"""Share of a sweep that is taken where a whole one need not converge."""

DEPTH = 4
"""Sweeps that Anderson's method combines."""

RIDGE = 1e-10
"""Ridge of its normal equations, relative to their trace."""

SWITCH, CONTRACTION = 1e-3, 0.9
"""It starts at this residual, or when every sweep shrinks the residual by this factor or more."""

WORSE = 1.5
"""A residual this much above the best one rejects it; the sample goes on from the sweep it replaced."""

REST = 5
"""Plain sweeps after a rejection."""

STALL, NEARER = 200, 0.9
"""A sample whose residual did not fall below this share of itself in so many sweeps is stalled."""

PATIENCE, LEAST_DAMPING = 25, 0.05
"""After so many plain sweeps without gain a sample is damped more, down to this share of a sweep."""


class SearchOptions(NamedTuple):
    """Scalars of one search for rest points."""

    tolerance: float
    """Largest drift at rest."""

    damping: float
    """Share of a sweep that is taken at first."""

    output_damping: float
    """Factor of that share for the outputs, which the nudge pulls."""

    colours: int
    """1: all layers move at once; 2: they take turns."""

    accelerate: bool
    """Whether Anderson's method combines sweeps."""

    max_sweeps: int
