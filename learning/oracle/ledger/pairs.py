"""Oracle side: which causes of error make what no cause does alone, and which pair of them makes most of it.

With ``E(S)`` the error of the chip that has the causes `S`, and ``L(S) = E(S) - E({}) - sum_c (E({c}) - E({}))`` its
interaction:

========== =======================================================================================
own        ``L({a, b})``: what two causes make only together
left       ``L(all) - L({a, b})``: the interaction without that; small if the pair makes most of it
without    ``L(all but c)``: the interaction of the chip without a cause; small if all others add up
========== =======================================================================================

`own` of all pairs, of all triples of causes and so on add up to ``L(all)`` (the analysis of variance anchored at the
ideal chip), and ``L(all) - L(all but c)`` is the sum over those that hold `c`. It needs no further chip, and tells
between which causes pairs are worth being measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .errors import Causes, MeasuredErrors, Sum, add_up, weigh_interaction

Array = NDArray[np.float64]
Pair = tuple[str, str]

_MOST = 4
"""Causes between which all pairs are measured."""


def count_pair_chips(causes: int) -> int:
    """Return how many chips `measure_pairs` measures beside those with one cause alone or removed."""
    pairs = min(causes, _MOST) * (min(causes, _MOST) - 1) // 2
    return 0 if causes < 4 else pairs + (causes > 4)


def measure_pairs(
    errors: MeasuredErrors, names: Sequence[str], layers: Sequence[slice], measure: Callable[[str, Causes], None]
) -> None:
    """Measure pairs of those causes that interact most, then the chip without the pair that makes most of it.

    Parameters
    ----------
    errors : MeasuredErrors
        Has the chips of `list_cause_sets`.
    names : sequence of str
        All causes.
    layers : sequence of slice
        Units of every layer; all layers weigh the same.
    measure : callable
        Adds the chip of a set of causes to `errors`; its words come first.
    """
    everything = frozenset(names)
    share = {
        c: add_up((weigh_interaction(everything), 1.0), (weigh_interaction(everything - {c}), -1.0)) for c in names
    }
    sizes = {c: _compute_size(errors, parts, everything, layers) for c, parts in share.items()}
    most = sorted(names, key=lambda c: -sizes[c])[:_MOST]
    pairs = [(a, b) for a, b in combinations(names, 2) if a in most and b in most]
    for a, b in pairs:
        measure(f"{a} and {b}", frozenset({a, b}))
    if pairs:
        a, b = min(pairs, key=lambda pair: _compute_size(errors, weigh_rest(names, pair), everything, layers))
        measure(f"all but {a} and {b}", everything - {a, b})


def weigh_rest(names: Sequence[str], pair: Pair) -> dict[Causes, float]:
    """Return the interaction of all causes without what a pair of them makes only together."""
    return add_up((weigh_interaction(frozenset(names)), 1.0), (weigh_interaction(frozenset(pair)), -1.0))


def _compute_size(errors: MeasuredErrors, parts: Sum, everything: Causes, layers: Sequence[slice]) -> float:
    """Return how large a sum is over the whole error, root of the mean square over layers and schemes."""
    ratios = []
    for s in range(len(errors.found[everything].repeats)):
        own = errors.compute_sizes(parts, s, layers)
        whole = errors.compute_sizes({everything: 1.0}, s, layers)
        ratios.append(np.divide(own, whole, out=np.zeros_like(own), where=whole > 0.0))
    return float(np.sqrt(np.mean(np.square(ratios))))
