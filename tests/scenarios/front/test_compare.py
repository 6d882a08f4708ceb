"""Results are compared scheme by scheme, whatever their nudges, and what finds no partner is counted."""

import numpy as np
import pytest

from scenarios.experiments.remarks import describe_unsettled
from scenarios.front.compare import (
    ComparisonSide,
    find_shared_metrics,
    find_unshared_metrics,
    make_comparison_sheets,
    match_schemes,
)
from scenarios.report.summary import list_metrics
from substrate.protocol import Status
from tests.scenarios import result_files

ONE, TWO, OTHER = "centred, beta 0.2", "centred, beta 0.05", "circle 4, beta 0.2"


def side_of(*schemes, **changes):
    groups = result_files.measured(schemes=schemes)
    for path, factor in changes.items():
        group, name = path.split("__")
        groups[group][name] = groups[group][name]._replace(data=factor * groups[group][name].data)
    return ComparisonSide({}, list_metrics(result_files.result(groups)), list(schemes))


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ([ONE], [TWO], [(ONE, TWO)]),
        ([ONE], [OTHER], [(ONE, OTHER)]),
        ([ONE, OTHER], [OTHER, TWO], [(ONE, TWO), (OTHER, OTHER)]),
        ([TWO, ONE], [ONE, TWO], [(TWO, TWO), (ONE, ONE)]),
        ([ONE, TWO], [OTHER], [(ONE, OTHER)]),
        ([], [ONE], []),
    ],
)
def test_schemes_are_paired_by_label_then_kind_then_place(a, b, pairs):
    assert match_schemes(a, b) == pairs


def test_a_smaller_nudge_is_compared_and_the_cosines_come_first():
    a, b = side_of(ONE), side_of(TWO, gradient__cosine=0.9, ledger__relative=100.0)
    assert find_unshared_metrics(a, b) == ([], [])
    shared = find_shared_metrics(a, b)
    assert len(shared) == len(a.metrics)
    layers = len(result_files.LAYERS)
    assert [name.startswith("gradient/cosine/centred/") for name in shared] == [True] * layers + [False] * (
        len(shared) - layers
    )
    for x, y in list(shared.values())[:layers]:
        assert y == pytest.approx(0.9 * x, rel=0.05)
    assert f"compared: {ONE} with {TWO}" in make_comparison_sheets(a, b)[1].note


def test_a_longer_label_is_no_shorter_one():
    a, b = side_of("centred, beta 0.1", "centred, beta 0.15"), side_of("centred, beta 0.15", "centred, beta 0.1")
    assert find_unshared_metrics(a, b) == ([], [])
    assert set(find_shared_metrics(a, b)) == set(a.metrics)


def test_figures_without_a_partner_are_counted():
    a, b = side_of(ONE, TWO), side_of(ONE)
    only_a, only_b = find_unshared_metrics(a, b)
    assert only_b == []
    assert all(TWO in name for name in only_a)
    assert f"{len(only_a)} figures of A and 0 of B found no partner" in make_comparison_sheets(a, b)[1].note


def test_samples_that_were_not_counted_are_told_with_their_scheme():
    status, kept = np.zeros((2, 5), dtype=int), np.ones((2, 5), dtype=bool)
    status[1, :2], kept[:, :2] = Status.DIVERGED, False
    text = describe_unsettled(status, kept, [ONE, OTHER])
    assert "Not counted: 2 of 5 samples" in text
    assert f"Of these failed: 2 under {OTHER};" in text
    assert "Of these" not in describe_unsettled(status, kept, [])
