"""Kept results of eight small scenarios: a move of code changes none of them."""

import numpy as np
import pytest

from tests.golden.golden import SCENARIOS, compute, processor, stored

TOLERANCE = 1e-12
"""Relative to the largest entry of an array, and to 1e-3 for what is nothing but rounding."""

ELSEWHERE = 1e-6
"""The same on another kind of processor: it rounds sums otherwise, so that a settling may end a sweep later."""


def difference(found, kept):
    """Return the largest difference over the size of the array; infinite where anything but a number differs."""
    if found.shape != kept.shape or found.dtype.kind != kept.dtype.kind:
        return np.inf
    if kept.dtype.kind not in "fc":
        return 0.0 if np.array_equal(found, kept) else np.inf
    if not np.array_equal(np.isfinite(found), np.isfinite(kept)):
        return np.inf
    live = np.isfinite(kept)
    size = max(np.abs(kept[live]).max(initial=0.0), 1e-3)
    return float(np.abs(found[live] - kept[live]).max(initial=0.0) / size)


def drop_new_terms(found, kept):
    """Return the arrays without the terms of the ledger that were added since, which must be nothing."""
    left = dict(found)
    for name, terms in found.items():
        if not name.endswith("/term") or name not in kept:
            continue
        new = np.flatnonzero(~np.isin(terms, kept[name]))
        folder = name.removesuffix("term")
        for path in [path for path in found if path.startswith(folder) and path in kept]:
            axes = [k for k, n in enumerate(found[path].shape) if n == len(terms) and n != np.shape(kept[path])[k]]
            if len(axes) == 1:
                added = np.take(found[path], new, axis=axes[0])
                assert path.endswith(("/term", "cosine_after")) or not np.nan_to_num(added).any(), path
                left[path] = np.delete(found[path], new, axis=axes[0])
    return left


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_results_are_those_that_were_kept(scenario, tmp_path):
    found, kept = compute(scenario, tmp_path / "out"), stored(scenario)
    tolerance = TOLERANCE if str(kept.pop("processor")) == processor() else ELSEWHERE
    found = drop_new_terms(found, kept)
    assert found.keys() == kept.keys()
    wrong = {name: difference(found[name], kept[name]) for name in kept}
    assert {name: size for name, size in wrong.items() if size > tolerance} == {}


@pytest.mark.parametrize(
    ("found", "size"),
    [
        (np.array([1.0, 2.0 + 4e-12]), 2e-12),
        (np.array([1.0, np.nan]), np.inf),
        (np.array([1.0]), np.inf),
        (np.array([1, 2]), np.inf),
    ],
)
def test_a_difference_is_seen(found, size):
    assert difference(found, np.array([1.0, 2.0])) == pytest.approx(size, rel=1e-3)
