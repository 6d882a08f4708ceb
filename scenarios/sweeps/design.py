"""The values of a sweep: levels of every dimension, in a grid or drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ..language.lines import Key
from ..schema.sweep import Axis, Range, Sweep, is_labelled

REPLICATE = "replicate"
"""Dimension of the fabricated chips."""

POINT = "point"
"""Dimension of a design that is no grid."""


class AxisLevel(NamedTuple):
    """One value of one key."""

    value: Any
    """As a scenario would write it; None where the key is left out."""

    label: str | None
    """What the file calls it."""

    source: Key
    """Where it was written."""

    also: Mapping[str, Any] = MappingProxyType({})
    """Values of other keys that go with it, by path."""


class Dimension(NamedTuple):
    """Keys that are varied together."""

    name: str
    axes: dict[str, list[AxisLevel]]
    """Levels by path; all of one length."""

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(next(iter(self.axes.values())))


class Point(NamedTuple):
    """One chip at one place of the design."""

    number: int
    place: tuple[int, ...]
    """Level of every dimension, then the replicate."""


def list_dimensions(sweep: Sweep) -> list[Dimension]:
    """Return what is varied: one dimension per axis or group of zipped axes, or one for a random design.

    Raises
    ------
    ValueError
        If zipped axes have different numbers of values; the text says which.
    """
    if sweep.method != "grid":
        sampled = _sample_unit_cube(sweep)
        axes = {axis.path: _sample_levels(k, axis, sampled[:, k]) for k, axis in enumerate(sweep.axis)}
        return [Dimension(POINT, axes)]
    found: dict[str, Dimension] = {}
    for k, axis in enumerate(sweep.axis):
        name = axis.zip or axis.path
        levels = _list_grid_levels(k, axis)
        dimension = found.setdefault(name, Dimension(name, {}))
        if dimension.axes and dimension.size != len(levels):
            text = f"{axis.path} has {len(levels)} values, but the axes zipped as {name!r} have {dimension.size}"
            raise ValueError(text)
        dimension.axes[axis.path] = levels
    return list(found.values())


def _sample_unit_cube(sweep: Sweep) -> NDArray[np.float64]:
    """Return the samples of a random design, each coordinate from 0 to 1."""
    count, width, rng = sweep.samples or 0, len(sweep.axis), np.random.default_rng(sweep.seed)
    if sweep.method == "random":
        return rng.uniform(size=(count, width))
    if sweep.method == "lhs":
        return np.asarray(qmc.LatinHypercube(width, rng=rng).random(count))
    sobol = qmc.Sobol(width, rng=rng)
    # Blocks of powers of two: any number of points is the beginning of a longer sequence.
    return np.asarray(sobol.random_base2(math.ceil(math.log2(max(count, 1))))[:count])


def _list_grid_levels(k: int, axis: Axis) -> list[AxisLevel]:
    """Return the values of an axis of a grid."""
    values, place = axis.values, ("sweep", "axis", k, "values")
    if isinstance(values, Range):
        fractions = np.linspace(0.0, 1.0, values.num or 1)
        return [AxisLevel(_interpolate_range(values, float(u)), None, place) for u in fractions]
    return [_make_level(value, (*place, i)) for i, value in enumerate(values)]


def _make_level(value: Any, place: Key) -> AxisLevel:
    if is_labelled(value):
        source = (*place, "value") if "value" in value else place
        return AxisLevel(value.get("value"), value["label"], source, value.get("also", {}))
    return AxisLevel(value, None, place)


def _sample_levels(k: int, axis: Axis, fractions: NDArray[np.float64]) -> list[AxisLevel]:
    """Return the values of an axis of a random design; of a list each value is as likely as any other."""
    values, place = axis.values, ("sweep", "axis", k, "values")
    if isinstance(values, Range):
        return [AxisLevel(_interpolate_range(values, float(u)), None, place) for u in fractions]
    chosen = (fractions * len(values)).astype(np.int64).clip(0, len(values) - 1)
    return [_make_level(values[i], (*place, int(i))) for i in chosen]


def _interpolate_range(values: Range, u: float) -> float | int:
    """Return the value at the fraction `u` of a range, with 12 digits, so that 0.1 stays 0.1."""
    if values.scale == "log":
        value = values.start * (values.stop / values.start) ** u
    else:
        value = values.start + (values.stop - values.start) * u
    return round(value) if values.whole else float(f"{value:.12g}")


def list_points(dims: list[Dimension], replicates: int) -> Iterator[Point]:
    """Yield every point, replicates of one place after each other."""
    sizes = [range(dim.size) for dim in dims]
    for number, place in enumerate(itertools.product(*sizes, range(replicates))):
        yield Point(number, place)
