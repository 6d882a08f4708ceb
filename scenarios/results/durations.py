"""Durations as text; apart from other texts, as who estimates a run need not load what reads results."""

from __future__ import annotations


def format_duration(seconds: float) -> str:
    """Return a time as an estimate tells it: whole numbers of the largest unit that fits in it twice."""
    for name, size in {"days": 86_400.0, "hours": 3600.0, "minutes": 60.0}.items():
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1.0 else "less than a second"
