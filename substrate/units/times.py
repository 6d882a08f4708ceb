"""Times of the dynamics: from what was written, in tau or in seconds, to plain numbers in tau."""

from __future__ import annotations

import math
from typing import NamedTuple

from devices.parameters import Span, in_tau

from ..dynamics.methods import LONGEST_STEP, MOST_STEPS, Dynamics, Phase


class Fault(NamedTuple):
    """One time that cannot be used, and what to try."""

    path: tuple[str | int, ...]
    """Keys and item numbers below the table."""

    message: str
    hint: str


def faults(dynamics: Dynamics, tau: float | None) -> list[Fault]:
    """Return every time that cannot be used with a membrane time constant of `tau` seconds (None: unknown)."""
    durations: dict[tuple[str, ...], float] = {
        (name, key): time
        for name, phase in _phases(dynamics).items()
        for key in ("duration", "window")
        if (time := getattr(phase, key))
    }
    written = {("dt",): dynamics.dt} | durations
    spans = {path: time for path, time in written.items() if isinstance(time, Span)}
    found = [fault for path, time in spans.items() if (fault := span_fault(path, time, tau))]
    if found:
        return found
    dt = in_tau(dynamics.dt, tau)
    if not 0.0 < dt <= LONGEST_STEP:
        return [Fault(("dt",), f"is {dt:.4g} tau, must be > 0 and <= {LONGEST_STEP:g}", "take another step")]
    counts = {path: in_tau(time, tau) / dt for path, time in durations.items()}
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


def plain(dynamics: Dynamics, tau: float | None) -> Dynamics:
    """Return the same dynamics with every time as a plain number in tau.

    Raises
    ------
    ValueError
        If a time is in seconds and `tau` is unknown; `faults` tells before.
    """
    phases = {}
    for name, phase in _phases(dynamics).items():
        times = {key: in_tau(time, tau) for key in ("duration", "window") if (time := getattr(phase, key))}
        phases[name] = phase.model_copy(update=times)
    return dynamics.model_copy(update={"dt": in_tau(dynamics.dt, tau), **phases})


def _phases(dynamics: Dynamics) -> dict[str, Phase]:
    return {"free": dynamics.free, "nudged": dynamics.nudged}
