"""Converters of unequal steps: by their own capacitors, or by a measured table.

What is measured of an ADC are the transitions between its codes; in LSB above the lower end, ideal ones lie at 1/2,
3/2, ... Their distance from there is the integral nonlinearity (INL), that of their differences from 1 the
differential one (DNL): IEEE Std 1241-2010. Of a DAC it is the level of every code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def approximate_successively(place: Array, capacitors: Array) -> Array:
    """Return the codes that successive approximation finds, whole numbers as floats.

    Every bit, from the highest, is kept if what is left is at least its capacitor.

    Parameters
    ----------
    place : array (batch, units)
        What is converted, in LSB above the lower end.
    capacitors : array (units, bits)
        In LSB, the lowest bit first.
    """
    left, code = place.copy(), np.zeros_like(place)
    for k in range(capacitors.shape[1] - 1, -1, -1):
        kept = left >= capacitors[:, k]
        left -= np.where(kept, capacitors[:, k], 0.0)
        code += 2.0**k * kept
    return code


def look_up_codes(place: Array, transitions: Array) -> Array:
    """Return the codes of converters with measured transitions, whole numbers as floats.

    Parameters
    ----------
    place : array (batch, units)
        What is converted, in LSB above the lower end.
    transitions : array (codes - 1, 1) or (codes - 1, units)
        Where each code changes to the next, never falling; one column for all units, or one each.
    """
    columns = np.broadcast_to(transitions, (len(transitions), place.shape[1]))
    codes = [np.searchsorted(columns[:, k], place[:, k], side="right") for k in range(place.shape[1])]
    return np.stack(codes, axis=1).astype(np.float64)


def look_up_levels(code: Array, levels: Array) -> Array:
    """Return what DACs with measured levels put out for signed codes.

    Parameters
    ----------
    code : array (batch, outputs)
        Whole numbers as floats; beyond the lowest or highest code it is that one.
    levels : array (codes, 1) or (codes, outputs)
        An odd number of codes around 0, in steps; one column for all outputs, or one each.
    """
    place = np.clip(code + len(levels) // 2, 0, len(levels) - 1).astype(np.int64)
    columns = np.broadcast_to(levels, (len(levels), code.shape[1]))
    return np.take_along_axis(columns, place, axis=0)
