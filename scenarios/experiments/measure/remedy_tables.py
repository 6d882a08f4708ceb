"""Labelled table of what was tried against the largest cause of error."""

from __future__ import annotations

import numpy as np

from learning.oracle.ledger.statistics import is_live, quality
from substrate.network.topology import Topology

from ...results.store import Group, Variable
from .found import Measured, Tried
from .ledger_tables import silence


def remedy_group(topology: Topology, found: Measured, tried: Tried, labels: Group) -> Group:
    """Return cosine and error of every layer before and after each remedy; NaN for one that was not measured."""
    columns = list(topology.columns.values())
    keep, true = found.ledgers[tried.scheme].keep, found.reference.delta
    own = found.estimates[tried.scheme].flat
    silent = silence(true[keep][:, c] for c in columns)
    live = [keep & is_live(true[:, c], silent) for c in columns]
    before = np.array([quality(own[rows][:, c], true[rows][:, c]) for rows, c in zip(live, columns, strict=True)])
    after = np.full((len(tried.keys), len(columns), 2), np.nan)
    for r, gain in ((r, tried.gains[name]) for r, name in enumerate(tried.keys) if name in tried.gains):
        for k, (rows, c) in enumerate(zip(live, columns, strict=True)):
            measured = rows & gain.keep
            after[r, k] = quality(gain.delta[measured][:, c], gain.true[measured][:, c])
    words = ("cosine to the exact gradient, mean over samples", "error of one measurement, median over samples")
    group: Group = {
        "layer": labels["layer"],
        "remedy": Variable(("remedy",), np.array(list(tried.keys)), long_name="change, by its name"),
        "keys": Variable(("remedy",), np.array(list(tried.keys.values())), long_name="keys of the scenario it changes"),
        "blamed": Variable((), tried.scheme, long_name="place of the scheme that was measured again"),
    }
    for k, name in enumerate(("cosine", "error")):
        group[f"{name}_before"] = Variable(("layer",), before[:, k], long_name=f"{words[k]}, as it is")
        group[name] = Variable(("remedy", "layer"), after[..., k], long_name=f"{words[k]}, after the change")
    return group
