"""From codes to activities and drives, and back: one line per unit, ``value = offset + scale * code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .board import LEAST, MOST, BoardInfo, Codes, Scale

Array = NDArray[np.float64]


class Line(NamedTuple):
    """Scales of some units."""

    scale: Array
    """Value of one code, (units,)."""

    offset: Array
    """Value of code 0, (units,)."""

    least: int = LEAST
    """Lowest code of the converters."""

    most: int = MOST
    """Highest code of the converters."""

    def decode(self, codes: Codes) -> Array:
        """Return values (..., units) of codes."""
        return self.offset + self.scale * codes

    def count_ends(self, codes: Codes) -> int:
        """Return how many codes are the lowest or the highest: what lies beyond looks the same."""
        return int(np.count_nonzero((codes <= self.least) | (codes >= self.most)))

    def encode(self, values: Array) -> tuple[Codes, int]:
        """Return the nearest codes of values (..., units), and how many values lie beyond the last code."""
        exact = np.rint((values - self.offset) / self.scale)
        outside = int(np.count_nonzero((exact < self.least) | (exact > self.most)))
        return np.clip(exact, self.least, self.most).astype(np.int16), outside


class Scales(NamedTuple):
    """All scales of a board."""

    input: Line
    """Activity of clamped units."""

    adc: Line
    """Activity of unclamped units, in the order of the layers."""

    dac: Line
    """Drive of unclamped units."""


def make_scales(info: BoardInfo, given: Mapping[str, Scale], fitted: Mapping[str, Array]) -> Scales:
    """Return the scales of a board: as they were fitted unit by unit, else as given, else as the board tells.

    Parameters
    ----------
    info : BoardInfo
        What the board tells.
    given : mapping of ``input``, ``adc`` or ``dac`` to Scale
        One for all units.
    fitted : mapping of name to array (units,)
        ``adc_scale``, ``adc_offset`` and so on.

    Raises
    ------
    ValueError
        If an array has another length, or a scale is not above 0.
    """
    inputs, *units = info.layers.values()
    lines = []
    for name, count in {"input": inputs, "adc": sum(units), "dac": sum(units)}.items():
        told: Scale = getattr(info, name)
        whole = given.get(name) or told
        usual = {"scale": whole.scale, "offset": whole.offset}
        parts = {part: np.asarray(fitted.get(f"{name}_{part}", np.full(count, v))) for part, v in usual.items()}
        for part, value in parts.items():
            if value.shape != (count,) or not np.isfinite(value).all():
                raise ValueError(f"{name}_{part} has shape {value.shape}: must be finite and of shape ({count},)")
        if not (parts["scale"] > 0.0).all():
            raise ValueError(f"{name}_scale has entries that are not above 0")
        lines.append(Line(**parts, least=max(whole.least, told.least), most=min(whole.most, told.most)))
    return Scales(*lines)


def span_range(low: float, high: float) -> Scale:
    """Return the scale whose codes reach from `low` to `high`."""
    scale = (high - low) / (MOST - LEAST)
    return Scale(scale=scale, offset=low - LEAST * scale)
