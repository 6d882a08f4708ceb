"""Times that cannot be used: those in seconds of an unknown tau, and those of dynamics that are too long."""

from __future__ import annotations

import math
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from devices.parameters import Span

from ..dynamics.methods import MOST_STEPS, Dynamics


class TimeFault(NamedTuple):
    """One time that cannot be used, and what to try."""

    path: tuple[str | int, ...]
    """Keys and item numbers below the table."""

    message: str
    hint: str


def find_time_faults(dynamics: Dynamics) -> list[TimeFault]:
    """Return every phase of too many steps, of dynamics whose times are plain numbers in units of tau."""
    durations: dict[tuple[str, ...], float] = {
        (name, key): time
        for name, phase in (("free", dynamics.free), ("nudged", dynamics.nudged))
        for key in ("duration", "window")
        if (time := getattr(phase, key))
    }
    counts = {path: time / dynamics.dt for path, time in durations.items()}
    return [
        TimeFault(path, f"is {count:.3g} steps of `dt`, must be <= {MOST_STEPS:,}", "shorten it or take larger steps")
        for path, count in counts.items()
        if count > MOST_STEPS
    ]


def find_span_fault(path: tuple[str | int, ...], time: Span, tau: float | None) -> TimeFault | None:
    """Return why a time in seconds cannot be used with a `tau` in seconds (None: unknown), or None if it can."""
    if not 0.0 < time.seconds < math.inf:
        return TimeFault(path, "must be > 0 and finite", 'write a time such as "50 ns"')
    if tau is None:
        hint = 'add tau = "1 us" (or capacitance and leak) to [physical], or write a plain number in units of tau'
        return TimeFault(path, "is in seconds, which needs [physical] tau", hint)
    return None


def find_limit_fault(path: tuple[str | int, ...], time: float, field: FieldInfo | None) -> TimeFault | None:
    """Return which limit of its field a time in units of tau is beyond; None if it is within all of them."""
    if field is None:
        return None
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(time)
    except ValidationError as error:
        signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
        beyond = " and ".join(f"{signs[k]} {v:g}" for k, v in error.errors()[0].get("ctx", {}).items() if k in signs)
        return TimeFault(path, f"is {time:.4g} tau, must be {beyond}", "take another time, or another [physical] tau")
    return None
