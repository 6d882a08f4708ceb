"""What a comparison of write policies says: what limits the best one, what would help, and what was lost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import KeyNumber
from ...results.store import Group
from ...results.views import format_percent

Array = NDArray[np.float64]

_FEW = 1.0
"""Steps of the summed requests below which most cells have not been asked for one."""

_LEFT = 0.1
"""Share of what fast cells hold below which turns of signs are told of."""

_SMALL = 1e-3
"""Errors below this, relative to the requests, limit nothing."""

_LIMITS = {
    "policy": ("what the policy itself holds back or changes", "more batches, larger rates or smaller steps"),
    "granularity": (
        "that cells take whole steps",
        "smaller steps, larger rates, or requests that are added up first (accumulate)",
    ),
    "gain": ("that steps are not nominal", "steps that are alike from cell to cell, or cells that are read (verify)"),
    "asymmetry": ("that up and down steps differ", "cells with equal steps, or fewer pulses"),
    "window": ("the bounds of the cells", "a wider range of the cells, or smaller weights"),
    "cycle": ("the scatter from pulse to pulse", "steps that repeat better, or cells that are read (verify)"),
    "forgetting": ("that cells forget", "cells that hold for longer, or shorter intervals"),
    "spread": ("the spread of the cells", "better matched cells, or cells that are read (verify)"),
    "write_noise": ("the noise of writes", "cells that are read until they are right (verify), or many more steps"),
}
"""What limits, by term, and what would help."""

_CLOSED = ("what its tolerance and its tries leave", "a smaller tolerance, or longer series of tries")
"""The same of a policy that reads cells, whose pulses undo what the others miss."""


_RESCALED = ("that every cell has a scale of its own, and follows late", "a larger slow_rate, or more batches")
"""The same of a policy whose changes are no copies of the requests."""


class WorstPlace(NamedTuple):
    """The policy that serves its worst connection best, and that connection."""

    policy: int
    connection: int
    term: int
    """The largest term there."""


def find_worst_place(group: Group) -> WorstPlace:
    """Return the best policy by the cosine of its worst connection; one that moves nothing has a cosine of 0."""
    cosine = np.nan_to_num(group["cosine"].data)
    policy = int(cosine.min(axis=1).argmax())
    connection = int(cosine[policy].argmin())
    return WorstPlace(policy, connection, int(np.nan_to_num(group["error"].data[policy, connection]).argmax()))


def describe_limits(group: Group) -> str:
    """Return what limits the best policy in its worst connection, and what would help."""
    place = find_worst_place(group)
    names, connection = group["policy"].data, str(group["connection"].data[place.connection])
    cosine = np.nan_to_num(group["cosine"].data[:, place.connection])
    if not np.isfinite(group["error"].data[place.policy, place.connection]).any():
        return f"Nothing was requested of {connection} in {int(group['batches'].data)} batches."
    text = f"Over {int(group['batches'].data)} batches {names[place.policy]} reaches a cosine of "
    text += f"{_format_cosine(cosine[place.policy])} to what was requested of {connection}, its worst connection"
    others = [k for k in range(len(names)) if k != place.policy]
    if others:
        second = max(others, key=lambda k: cosine[k])
        text += f" ({names[second]}: {_format_cosine(cosine[second])})"
    size, what, help_ = _find_limit(group, place)
    if size < _SMALL:
        return f"{text}; nothing limits it by more than {format_percent(_SMALL)} of the requests."
    return f"{text}. What limits it there is {what}, {format_percent(size)} of the requests; what would help: {help_}."


def _find_limit(group: Group, place: WorstPlace) -> tuple[float, str, str]:
    """Return what limits a policy in its worst connection: its size over the requests, what it is, what would help.

    Terms of a policy that reads cells, or gives them scales of their own, undo each other: there the whole error is
    told, ``sqrt(1/cosine^2 - 1)``.
    """
    size = float(group["error"].data[place.policy, place.connection, place.term])
    cosine = float(np.nan_to_num(group["cosine"].data[place.policy, place.connection]))
    closed, rescaled = (bool(group[name].data[place.policy]) for name in ("reads_cells", "rescales"))
    if size >= _SMALL and (closed or rescaled) and cosine > 0.0:
        return float(np.sqrt(max(cosine**-2 - 1.0, 0.0))), *(_CLOSED if closed else _RESCALED)
    return size, *_LIMITS[str(group["term"].data[place.term])]


def list_write_numbers(group: Group) -> list[KeyNumber]:
    """Return cosine, what limits it and pulses of the best policy in its worst connection."""
    place = find_worst_place(group)
    where = f"{group['policy'].data[place.policy]}, connection {group['connection'].data[place.connection]}"
    n = f"n = {int(group['batches'].data)} batches"
    size, what, _ = _find_limit(group, place)
    pulses = float(np.nansum(group["array_pulses"].data[place.policy, place.connection]))
    return [
        KeyNumber(
            _format_cosine(float(np.nan_to_num(group["cosine"].data[place.policy, place.connection]))),
            f"cosine to the requests of the best policy in its worst connection: {where}, {n}",
        ),
        KeyNumber(format_percent(size), f"of the requests there: {what}"),
        KeyNumber(f"{pulses:.3g}", "pulses per weight there, in the mean over all arrays"),
    ]


def describe_remarks(group: Group) -> list[str]:
    """Return where requests are too small for any policy, and what was given up."""
    told = []
    few = [k for k, steps in enumerate(group["steps"].data) if steps < _FEW]
    if few:
        sizes = ", ".join(f"{group['steps'].data[k]:.2g} in {group['connection'].data[k]}" for k in few)
        told.append(
            f"All requests together are less than one step of a cell (rms: {sizes}): most cells have not been asked "
            "for a step, and without reads no policy writes a part of one. More batches, larger rates or smaller steps "
            "help."
        )
    for k, share in enumerate(group["given_up"].data):
        if share > 0.0:
            words = "of the cells were given up in a batch, after the longest series of tries, and wait for the next"
            told.append(f"{group['policy'].data[k]}: {format_percent(share)} {words}.")
    told += _describe_arrays(group)
    if bool(group["frozen"].data):
        told.append("Requests are those of the first weights; in a training they turn (experiment.frozen = false).")
    return told


def _describe_arrays(group: Group) -> list[str]:
    """Return what fast arrays do to the size of requests, and where signs turn too late or too soon."""
    told, policies = [], group["policy"].data
    rescaled = [str(name) for name, one in zip(policies, group["rescales"].data, strict=True) if one]
    if rescaled:
        told.append(
            f"{', '.join(rescaled)}: every weight is written at a scale of its own, which counts as an error of the "
            "policy: compare cosines."
        )
    batches = int(group["batches"].data)
    for p, name in enumerate(policies):
        turns, shares = group["turn_batches"].data[p], group["turn_share"].data[p]
        late, lost = (turns > batches).nonzero()[0], (shares < _LEFT).nonzero()[0]
        if len(late):
            places = ", ".join(f"{turns[k]:.3g} in {group['connection'].data[k]}" for k in late)
            told.append(f"{name}: signs turn less than once in {batches} batches (every {places}).")
        elif len(lost):
            places = ", ".join(f"{format_percent(shares[k])} in {group['connection'].data[k]}" for k in lost)
            told.append(f"{name}: signs turn before fast cells follow, and leave {places} of what is read.")
    return told


def _format_cosine(value: float) -> str:
    return f"{value:.3f}"
