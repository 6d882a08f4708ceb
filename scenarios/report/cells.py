"""What a result says of its cells, in sentences."""

from __future__ import annotations

import numpy as np

from ..reach import describe_unreached, format_cell_counts
from ..results.store import ResultData


def describe_unreached_weights(result: ResultData) -> list[str]:
    """Return how many cells of every connection do not hold the weight they were given, if there are any."""
    counts, sizes = {}, {}
    for path, group in result.groups.items():
        if path.startswith("devices/"):
            name = path.removeprefix("devices/")
            counts[name] = sum(int(v.data) for key, v in group.items() if key.startswith("unreached"))
            sizes[name] = group["programmed"].data.size if "programmed" in group else 0
    return [describe_unreached(format_cell_counts(counts, sizes))] if any(counts.values()) else []


def describe_cut_requests(last: ResultData) -> list[str]:
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
