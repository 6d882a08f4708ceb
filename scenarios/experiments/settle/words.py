"""What settling curves say, in a sentence and a table."""

from __future__ import annotations

from collections import Counter

import numpy as np

from substrate.protocol import Status, has_settled

from ...drawing.sheet import KeyNumber, Sheet
from ...results.store import Group
from ...results.views import find_unit_prefix, format_quantity
from ..remarks import describe_statuses


def describe_settling(group: Group) -> str:
    """Return how many recorded settlings settled, and which took longest."""
    status, steps = group["status"].data, group["steps"].data
    counts = Counter(Status(int(value)) for value in status[~has_settled(status)])
    if counts:
        return (
            f"{sum(counts.values())} of {status.size} recorded settlings did not settle: {describe_statuses(counts)}."
        )
    if group["time"].units == "s":  # of a circuit, which is followed for one time
        size, unit = find_unit_prefix(float(group["time"].data[-1]), "s")
        return f"All {status.size} recorded settlings came to rest within {group['time'].data[-1] / size:.3g} {unit}."
    slowest = int(np.unravel_index(steps.argmax(), steps.shape)[0])
    return (
        f"All {status.size} recorded settlings settled; the slowest, {group['phase'].data[slowest]}, took "
        f"{steps.max()} steps."
    )


def list_settle_numbers(group: Group) -> list[KeyNumber]:
    """Return how many recorded settlings settled, and what the free and the slowest nudged one took at most."""
    status, took = group["status"].data, group["duration"].data
    settled = KeyNumber(f"{int(has_settled(status).sum())} of {status.size}", "recorded settlings that settled")
    n = f"of n = {status.shape[1]} samples"
    places = [0, *([1 + int(took[1:].max(axis=1).argmax())] if len(took) > 1 else [])]
    names = [str(group["phase"].data[k]) for k in places]
    longest = [_format_duration(group, float(took[k].max())) for k in places]
    return [settled, *(KeyNumber(t, f"longest settling {n}, {name}") for t, name in zip(longest, names, strict=True))]


def _format_duration(group: Group, took: float) -> str:
    if group["time"].units == "s":
        return format_quantity(took, "s")
    return format_quantity(took * float(group["tau_s"].data), "s") if "tau_s" in group else f"{took:.3g} tau"


def make_settling_sheet(group: Group) -> Sheet:
    """Return how every recorded settling ended and what it took."""
    rows, scale, unit = [], 1.0, "tau"
    if "tau_s" in group:
        tau = float(group["tau_s"].data)
        size, unit = find_unit_prefix(tau * float(group["duration"].data.max()), "s")
        scale = tau / size
    for k, phase in enumerate(group["phase"].data):
        counts = Counter(Status(int(value)) for value in group["status"].data[k])
        words = ", ".join(f"{n} {status.words}" for status, n in sorted(counts.items()))
        steps, took = group["steps"].data[k], scale * group["duration"].data[k]
        rows.append([str(phase), words, f"{steps.min()} to {steps.max()}", f"{took.min():.3g} to {took.max():.3g}"])
    status = group["status"].data
    missed = sorted({Status(int(value)) for value in status[~has_settled(status)]})
    note = "; ".join(f"{status.words}: {status.advice}" for status in missed)
    columns = ["settling", "status", "steps", f"time ({unit})"]
    return Sheet("Settling of the recorded samples", columns, rows, words=2, note=note)
