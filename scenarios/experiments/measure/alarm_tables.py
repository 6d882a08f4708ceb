"""Shares that leave figures without meaning: samples without gradient, saturated units, samples not counted."""

from __future__ import annotations

import numpy as np

from substrate.chip.chip import Chip
from substrate.theory.linearisation import find_saturated

from ...results.store import Group, Variable
from .found import Measurement


def make_alarm_group(chip: Chip, found: Measurement, ledger: Group) -> Group:
    """Return the shares that an alarm may be raised on, from a measure and its group `ledger`.

    A sample is *dead* in a layer if its exact gradient there is zero, a unit *saturated* if its free state has less
    than 5 % of the largest slope of its activation.
    """
    keep, kept = found.keep, [max(1, int(book.keep.sum())) for book in found.ledgers]
    flat = chip.topology.split(find_saturated(chip, found.state)[keep])
    dead = (ledger["dead"].data / np.array(kept)[:, None]).max(axis=0)
    shares = [float(flat[str(name)].mean()) if keep.any() else np.nan for name in ledger["layer"].data]
    unsettled = ledger["unsettled"].data / len(keep)
    return {
        "scheme": ledger["scheme"],
        "layer": ledger["layer"],
        "dead": Variable(("layer",), dead, long_name="share of samples whose exact gradient is zero in this layer"),
        "saturated": Variable(("layer",), np.array(shares), long_name="share of units with hardly any slope"),
        "unsettled": Variable(("scheme",), unsettled, long_name="share of samples that are not counted"),
    }
