"""What a scenario file can say about a sweep: which values are varied, and how often each is measured."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from devices.parameters import Parameters

_POINTS_LIMIT = 1_000_000
_RESERVED = ("replicate", "point", "layer", "scheme", "term", "epoch", "connection", "pair", "chip", "cause")


class Range(Parameters):
    """Values from `start` to `stop`."""

    start: float
    """First value, or lower bound of a random design."""

    stop: float
    """Last value, or upper bound of a random design."""

    num: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Number of values of a grid, both ends included; a random design does not use it."""

    scale: Literal["linear", "log"] = "linear"
    """`log`: equal ratios instead of equal steps; both ends above 0."""

    whole: bool = False
    """Round to whole numbers, such as bits."""

    @model_validator(mode="after")
    def _positive_on_log(self) -> Range:
        if self.scale == "log" and not (self.start > 0.0 and self.stop > 0.0):
            raise PydanticCustomError("range", "a log scale needs `start` and `stop` above 0")
        return self


Values = Annotated[
    Annotated[list[Any], Tag("<list>"), Field(min_length=1, max_length=100_000)] | Annotated[Range, Tag("<range>")],
    Discriminator(lambda value: "<range>" if isinstance(value, dict | Range) else "<list>"),
]


_LEVEL = {"label", "value", "also"}


def is_labelled(level: Any) -> bool:
    """Tell whether a value of an axis is a table of a label, the value, and other keys that go with it."""
    labelled = isinstance(level, dict) and isinstance(level.get("label"), str) and level.keys() <= _LEVEL
    return labelled and isinstance(level.get("also", {}), dict)


class Axis(Parameters):
    """One key of the scenario that is varied."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
    """The key, such as ``devices.feedback.mismatch_sigma``; items of arrays by number."""

    values: Values
    """A list of values, tables as ``{ label = "...", value = { ... } }``; or ``{ start, stop, num, scale }``.

    A label without a value, ``{ label = "none" }``, leaves the key out. Other keys that go with a level stand in
    ``also``, by path: ``{ label = "quick", value = ..., also = { "dynamics.dt" = 1.0 } }``.
    """

    zip: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")] | None = None
    """Axes of one name move together, value by value; only in a grid."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The path, key by key."""
        return tuple(self.path.split("."))

    @property
    def size(self) -> int:
        """Number of values in a grid."""
        return self.values.num or 1 if isinstance(self.values, Range) else len(self.values)


class Sweep(Parameters):
    """Repeat the experiment over values of keys and over fabricated chips."""

    method: Literal["grid", "random", "lhs", "sobol"] = "grid"
    """`grid`: every combination. Else `samples` points: independent, Latin hypercube, or Sobol sequence."""

    samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Points of a design that is no grid."""

    replicates: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Fabricated chips at every point, from `chip.instance` on."""

    replicate: Literal["chip", "seed"] = "chip"
    """What a replicate has of its own: `chip`, its devices; `seed`, initial weights and order of samples, too."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of a random design; the devices have the seed of the scenario."""

    common_random_numbers: bool = True
    """The same chips at every point, so that differences between points are no differences between chips."""

    keep: Literal["summary", "all"] = "summary"
    """What is kept of a point: `summary`, figures per layer, scheme and epoch; `all`, everything a run keeps."""

    threshold: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.9
    """Cosine from which on a gradient counts as good; decides the breakdown point."""

    axis: Annotated[list[Axis], Field(min_length=1, max_length=16)]
    """What is varied."""

    @property
    def point_count(self) -> int:
        """Number of points, replicates included."""
        sizes = {axis.zip or axis.path: axis.size for axis in self.axis}
        return (math.prod(sizes.values()) if self.method == "grid" else self.samples or 0) * self.replicates

    @model_validator(mode="after")
    def _countable(self) -> Sweep:
        if self.point_count > _POINTS_LIMIT:
            words = f"makes {self.point_count:,} points, more than {_POINTS_LIMIT:,}"
            hint = 'use fewer values or replicates, or method = "sobol" with samples = 1000'
            raise PydanticCustomError("points", "{words}", {"words": words, "hint": hint})
        return self

    @model_validator(mode="after")
    def _fits_the_method(self) -> Sweep:
        if (self.samples is None) != (self.method == "grid"):
            words = "a grid has no `samples`" if self.samples else f"method {self.method!r} needs `samples`"
            raise PydanticCustomError("samples", "{words}", {"words": words, "hint": "method and samples go together"})
        for axis in self.axis:
            if self.method != "grid" and axis.zip is not None:
                raise PydanticCustomError("zip", "only the axes of a grid can be zipped")
            if self.method == "grid" and isinstance(axis.values, Range) and axis.values.num is None:
                words, hint = f"axis {axis.path}: a range in a grid needs `num`", "add num = 5"
                raise PydanticCustomError("range", "{words}", {"words": words, "hint": hint})
        return self

    @model_validator(mode="after")
    def _no_axis_twice(self) -> Sweep:
        paths = [axis.path for axis in self.axis]
        for axis in self.axis:
            if paths.count(axis.path) > 1:
                raise PydanticCustomError("axis", "{path} stands on two axes", {"path": axis.path})
            if axis.zip in _RESERVED:
                raise PydanticCustomError("axis", "zip = '{zip}' is the name of a dimension", {"zip": axis.zip})
            if axis.keys[0] in ("sweep", "extends", "schema", "name"):
                raise PydanticCustomError("axis", "{path} cannot be varied", {"path": axis.path})
            kind = "instances of the chip" if self.replicate == "chip" else "seeds"
            if axis.path == {"chip": "chip.instance", "seed": "seed"}[self.replicate] and self.replicates > 1:
                hint = "leave `replicates` out, or the axis"
                raise PydanticCustomError("axis", "replicates are {kind} already", {"kind": kind, "hint": hint})
        return self
