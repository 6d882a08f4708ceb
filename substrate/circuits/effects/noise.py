"""Conductances that fluctuate: factors of all conductors, common to a batch or drawn for every settling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ..circuit import Array
from ..design import CircuitDesign
from ..rest import CircuitRest, find_circuit_rest
from ..system import CircuitDrive, CircuitSystem, vary_conductances

MOST = 10_000_000
"""Numbers of the matrices of samples with conductances of their own that are kept at once."""


def draw_slow_factors(design: CircuitDesign, stream: Stream) -> Array:
    """Return the factors of all conductors that a whole measurement shares, (conductors,); wires do not fluctuate."""
    drawn = stream.normal((len(design.circuit.conductors.g),))
    drawn[len(drawn) - design.wires :] = 0.0
    return np.maximum(1.0 + design.devices.weights.noise.slow * drawn, 0.0)


def draw_fast_factors(design: CircuitDesign, stream: Stream, ids: NDArray[np.int64]) -> Array:
    """Return the factors of all conductors in one settling of some samples, (batch, conductors)."""
    drawn = stream.normal_rows(ids, len(design.circuit.conductors.g))
    drawn[:, drawn.shape[1] - design.wires :] = 0.0
    return np.maximum(1.0 + design.devices.weights.noise.fast * drawn, 0.0)


def find_varied_rest(
    system: CircuitSystem, g: Array, drive: CircuitDrive, begin: Array | None, tolerance: float
) -> CircuitRest:
    """Return where samples with conductances of their own, (batch, conductors), come to rest.

    Parameters
    ----------
    system : CircuitSystem
        The circuit with any conductances.
    g : array (batch, conductors)
        In siemens.
    drive, begin, tolerance : CircuitDrive, array (batch, unknowns) or None, float
        As of `substrate.circuits.rest.find_circuit_rest`.
    """
    size, parts = max(1, MOST // max(1, system.linear.nnz)), []
    for first in range(0, max(1, len(g)), size):
        rows = np.arange(first, min(first + size, len(g)))
        varied, start = vary_conductances(system, g[rows]), None if begin is None else begin[rows]
        parts.append(find_circuit_rest(varied, drive.select(rows), start, tolerance))
    return CircuitRest(*(np.concatenate(part) for part in zip(*parts, strict=True)))
