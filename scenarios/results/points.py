"""How the points of a sweep ended, as the merged file says it."""

from __future__ import annotations

from enum import IntEnum


class PointStatus(IntEnum):
    """How a point ended."""

    OK = 0
    DIVERGED = 1
    FAILED = 2
    """The experiment raised an exception."""

    KILLED = 3
    """The process that ran it died."""

    MISSING = 4
    """It has not run yet."""


_SINGLE = ("sample", "pre", "post", "class", "time", "phase")


def is_single(dim: str) -> bool:
    """Tell whether a dimension counts samples, units, weights or moments."""
    return dim in _SINGLE or dim.startswith("unit")
