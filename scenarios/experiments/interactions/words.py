"""What is said of causes that do not add up: which of them interact, and what a repair of them gains."""

from __future__ import annotations

import numpy as np

from ...results.store import Group, ResultData
from ...results.views import format_percent

_LEAST = 0.01
"""Interactions below this, over the exact gradient, are not spoken of."""

_SHARE = 0.25
"""Nor those below this share of the whole error."""

_MOST = 0.5
"""What leaves at most this share of an interaction makes most of it."""


def describe_interactions(result: ResultData) -> list[str]:
    """Return where causes do not add up, which pair or which cause makes most of that, and what repairs gain."""
    group = result.groups.get("ledger/interactions")
    if group is None:
        return []
    size, error, full = (group[name].data for name in ("interaction", "interaction_error", "full"))
    telling = (size >= _LEAST) & (size >= _SHARE * full) & ~(error > size)
    if not telling.any():
        return []
    s, k = np.unravel_index(np.argmax(np.where(telling, size, -1.0)), size.shape)
    place = int(s), int(k)
    words = (
        f"Causes of error do not add up in layer {group['layer'].data[k]}: what none of them makes alone is "
        f"{format_percent(size[place])} of the exact gradient, beside {format_percent(full[place])} that all make."
    )
    median = group["interaction_median"].data[place]
    if median <= _MOST * size[place]:
        words += f" A few samples make most of it: for the median one it is {format_percent(median)}."
    return [f"{words} {_describe_makers(group, place)}"]


def _describe_makers(group: Group, place: tuple[int, int]) -> str:
    """Return what makes most of the interaction, and the error of the chip without it."""
    most = _MOST * group["interaction"].data[place]
    if "pair_left" in group and group["pair_left"].data[place].min() <= most:
        return _describe_pair(group, place)
    if group["interaction_without"].data[place].min() <= most:
        return _describe_cause(group, place)
    repaired = group["repaired"].data[place]
    c = int(np.argmin(repaired))
    return (
        "No pair of causes that was measured makes half of it, and no cause: several change each other. The largest "
        f"gain is without {group['cause'].data[c]}, which leaves an error of {format_percent(repaired[c])}: judge a "
        "repair by that, not by the cause alone."
    )


def _describe_pair(group: Group, place: tuple[int, int]) -> str:
    """Return the pair that makes most of an interaction."""
    p = int(np.argmin(group["pair_left"].data[place]))
    pair = [str(group[end].data[p]) for end in ("pair_first", "pair_second")]
    names, repaired = group["cause"].data.tolist(), group["repaired"].data[place]
    first, second = (format_percent(repaired[names.index(name)]) for name in pair)
    both = group["pair_repaired"].data[*place, p]
    known = f", without both {format_percent(both)}" if np.isfinite(both) else ""
    return (
        f"Most of it {pair[0]} and {pair[1]} make together: {format_percent(group['pair_left'].data[*place, p])} are "
        f"left without that. Without {pair[0]} the error is {first}, without {pair[1]} {second}{known}: judge a repair "
        "of one by these, not by the cause alone."
    )


def _describe_cause(group: Group, place: tuple[int, int]) -> str:
    """Return the cause that makes most of an interaction, with several others."""
    c = int(np.argmin(group["interaction_without"].data[place]))
    alone, removed, rest, without = (
        format_percent(group[name].data[*place, c]) for name in ("alone", "removed", "interaction_without", "repaired")
    )
    name = str(group["cause"].data[c])
    return (
        f"Most of it goes with {name}: without it {rest} are left. It makes {alone} alone and {removed} here, "
        f"and not the same vector{_list_partners(group, place, name)}. Without it the error is {without}: judge a "
        "repair by that, not by the cause alone."
    )


def _list_partners(group: Group, place: tuple[int, int], cause: str) -> str:
    """Return the causes that change another one by half of the interaction or more each."""
    if "pair_own" not in group:
        return ""
    own, least = group["pair_own"].data[place], _MOST * group["interaction"].data[place]
    pairs = zip(group["pair_first"].data, group["pair_second"].data, own, strict=True)
    others = [str(b if a == cause else a) for a, b, size in pairs if cause in (a, b) and size >= least]
    return f", already beside {' or '.join(others)}" if others else ""
