"""What settling curves say, in a sentence and a table."""

from __future__ import annotations

from collections import Counter

import numpy as np

from substrate.protocol import Status, has_settled

from ...drawing.sheet import Sheet
from ...results.store import Group
from ...results.views import find_unit_prefix
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
