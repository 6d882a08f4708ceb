"""Sweeps of trainings: their curves, the table of how they end, and the figure over epochs."""

import numpy as np
import pytest

from scenarios.experiments.kind import find_kind
from scenarios.experiments.train.sweep_curves import (
    find_last_number,
    make_end_sheet,
    read_cosine_curves,
    read_metric_curves,
)
from scenarios.experiments.train.sweep_figures import draw_trainings
from scenarios.results.points import PointStatus
from scenarios.results.store import ResultData, Variable

PLACES = {(0,): "none", (1,): "exact"}
DIMS = ("kind", "replicate")


def merged(schemes=1, bad=()):
    """Return a merged file of two kinds on two seeds, three epochs, gradients measured before and after."""
    status = np.zeros((2, 2), np.int8)
    for place in bad:
        status[place] = PointStatus.DIVERGED
    error = np.array([[[0.9, 0.5, 0.4], [0.9, 0.5, 0.2]], [[0.9, 0.3, 0.1], [0.9, 0.3, np.nan]]])
    cosine = np.full((2, 2, 2, schemes, 2), np.nan)
    for kind in range(2):  # with two schemes every kind trains with one of its own
        cosine[kind, :, :, kind * (schemes - 1)] = [[0.0, 0.5], [0.4 + 0.5 * kind, 0.9]]
    epoch, layer = Variable(("epoch",), np.arange(3)), Variable(("layer",), np.array(["l1", "out"]))
    groups = {
        "points": {"status": Variable(DIMS, status, flags=PointStatus)},
        "metrics": {
            "epoch": epoch,
            "error_test": Variable((*DIMS, "epoch"), error),
            "unsettled_train": Variable((*DIMS, "epoch"), np.where(np.arange(3) == 0, np.nan, 0.01) + 0.0 * error),
            "angle_weights": Variable((*DIMS, "epoch", "pair"), error[..., None] * [50.0, 100.0]),
            "reads": Variable((*DIMS, "epoch"), np.arange(3) * 100.0 + 0.0 * error),
        },
        "gradient": {
            "epoch": Variable(("epoch",), np.array([0, 2])),
            "layer": layer,
            "cosine": Variable((*DIMS, "epoch", "scheme", "layer"), cosine),
        },
    }
    return ResultData({"experiment": "train"}, groups)


@pytest.mark.parametrize("schemes", [1, 2])
def test_the_table_tells_mean_and_spread_of_the_last_numbers(schemes):
    sheet = make_end_sheet(merged(schemes), PLACES)
    heads = ["at", "test error (%)", "cosine l1, before", "mean", "after", "out, after", "angle of pairs (degree)"]
    assert sheet.columns == [*heads, "unsettled (%)", "reads"]
    assert sheet.rows[0] == ["none", "30.0 ± 14.1", "0.000", "0.200", "0.400", "0.900", "30.0 ± 14.1", "1.00", "200"]
    assert sheet.rows[1] == [
        "exact",
        "20.0 ± 14.1",
        "0.000",
        "0.450",
        "0.900",
        "0.900",
        "20.0 ± 14.1",
        "1.00",
        "150 ± 71",
    ]


def test_points_that_are_not_good_are_left_out():
    sheet = make_end_sheet(merged(bad=[(0, 0), (1, 0), (1, 1)]), PLACES)
    assert sheet.rows[0][1] == "20.0"
    assert sheet.rows[1][1:] == ["-"] * 8


def test_the_exact_gradients_have_a_column_of_their_own():
    result = merged()
    result.groups["metrics_exact"] = dict(result["metrics"])
    assert make_end_sheet(result, PLACES).columns[1:3] == ["test error (%)", "test error, exact gradients (%)"]


def test_what_was_not_measured_has_no_curve():
    result = merged()
    del result.groups["gradient"], result.groups["metrics"]
    assert read_metric_curves(result, "error_test") is None
    assert read_cosine_curves(result) == {}
    assert make_end_sheet(result, PLACES) is None
    assert find_kind("train").sweep_figures(result, PLACES) == {}


def test_the_last_number_is_not_nan():
    np.testing.assert_array_equal(find_last_number(np.array([[1.0, 2.0, np.nan], [np.nan] * 3])), [2.0, np.nan])


def test_the_figure_has_the_mean_and_every_seed():
    figure = draw_trainings(merged(), PLACES)
    error, cosine = figure.axes
    assert [len(axes.lines) for axes in (error, cosine)] == [6, 6]
    means = [line for line in error.lines if line.get_label() in PLACES.values()]
    np.testing.assert_allclose(means[0].get_ydata(), [90.0, 50.0, 30.0])
    np.testing.assert_allclose(means[1].get_ydata(), [90.0, 30.0, 10.0])
    result = merged()
    del result.groups["gradient"]
    assert len(draw_trainings(result, PLACES).axes) == 1
