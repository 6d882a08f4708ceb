"""Final numbers of a group under stable keys."""

from __future__ import annotations

import numpy as np

from ..results.store import Group


def flatten_metrics(path: str, group: Group, names: set[str]) -> dict[str, float]:
    """Return the numbers of some variables of a group under path, name and place in words."""
    found = {}
    for name, variable in group.items():
        if name not in names or variable.dims == (name,):
            continue
        for place in np.ndindex(variable.data.shape):
            words = [str(group[dim].data[i]) for dim, i in zip(variable.dims, place, strict=True)]
            found["/".join([path, name, *words])] = float(variable.data[place])
    return found
