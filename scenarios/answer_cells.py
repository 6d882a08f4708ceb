"""What a result says of its cells, in sentences."""

from __future__ import annotations

import numpy as np

from .store import Result
from .views import percent

_CURE = (
    "beyond the window or their own bounds, and hold the nearest one: widen devices.weights.window or w_max and w_min "
    "of devices.update, or begin with smaller weights (network.parameters)"
)


def unreached(result: Result) -> list[str]:
    """Return how many cells of every connection do not hold the weight they were given, if there are any."""
    counts: dict[str, str] = {}
    for path, group in result.groups.items():
        if path.startswith("devices/"):
            cells = group["programmed"].data.size if "programmed" in group else 0
            found = sum(int(v.data) for name, v in group.items() if name.startswith("unreached"))
            share = f" ({percent(found / cells)})" if cells else ""
            counts |= {path.removeprefix("devices/"): f"{found}{share}"} if found else {}
    if counts:
        listed = ", ".join(f"{count} of {name}" for name, count in counts.items())
        return [f"Cells: {listed} were given a weight {_CURE}."]
    chips = result.groups.get("evaluate", {}).get("unreached")
    return [] if chips is None else [f"Cells: up to {int(chips.data.max())} of a chip were given a weight {_CURE}."]


def cut(last: Result) -> list[str]:
    """Return how many requests one write could not give enough pulses, by connection, if there are any."""
    tried, trained = last.groups.get("ledger/connections", {}), last.groups.get("metrics", {})
    group = trained if "cut" in trained else tried
    if "cut" not in group:
        return []
    counts = np.asarray(group["cut"].data)
    counts = counts[-1] if group is trained else counts.max(axis=0)
    listed = [f"{n} of {name}" for n, name in zip(counts, group["connection"].data, strict=True) if n]
    words = "asked for more pulses than one write gives, 100000 or a whole train of coincidences, and were cut"
    cure = "take a larger step or a longer train (devices.update), or a smaller learning.optimiser.rate"
    return [f"Requests: {', '.join(listed)} {words}: {cure}."] if listed else []
