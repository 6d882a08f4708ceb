"""Times that cannot be used: those in seconds of an unknown tau, and those of dynamics that are too long."""

from __future__ import annotations

import math
from typing import NamedTuple

from devices.parameters import Span

from ..dynamics.methods import LONGEST_STEP, MOST_STEPS, Dynamics


class Fault(NamedTuple):
    """One time that cannot be used, and what to try."""

    path: tuple[str | int, ...]
    """Keys and item numbers below the table."""

    message: str
    hint: str


def faults(dynamics: Dynamics) -> list[Fault]:
    """Return every time that cannot be used, of dynamics whose times are plain numbers in units of tau."""
    if not 0.0 < dynamics.dt <= LONGEST_STEP:
        words = f"is {dynamics.dt:.4g} tau, must be > 0 and <= {LONGEST_STEP:g}"
        return [Fault(("dt",), words, "take another step")]
    durations: dict[tuple[str, ...], float] = {
        (name, key): time
        for name, phase in (("free", dynamics.free), ("nudged", dynamics.nudged))
        for key in ("duration", "window")
        if (time := getattr(phase, key))
    }
    counts = {path: time / dynamics.dt for path, time in durations.items()}
    return [
        Fault(path, f"is {count:.3g} steps of `dt`, must be <= {MOST_STEPS:,}", "shorten it or take larger steps")
        for path, count in counts.items()
        if count > MOST_STEPS
    ]


def span_fault(path: tuple[str | int, ...], time: Span, tau: float | None) -> Fault | None:
    """Return why a time in seconds cannot be used with a `tau` in seconds (None: unknown), or None if it can."""
    if not 0.0 < time.seconds < math.inf:
        return Fault(path, "must be > 0 and finite", 'write a time such as "50 ns"')
    if tau is None:
        hint = 'add tau = "1 us" (or capacitance and leak) to [physical], or write a plain number in units of tau'
        return Fault(path, "is in seconds, which needs [physical] tau", hint)
    return None
