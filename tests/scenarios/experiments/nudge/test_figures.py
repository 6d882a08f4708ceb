"""Figures of nudge schemes show the numbers of theory, and those of a study."""

import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from learning.oracle.best_nudge import NudgeStudy
from learning.schemes.nodes import Centred, OneSided
from learning.schemes.wave import LockIn
from scenarios.experiments.nudge.figures import draw_nudge_study, draw_scheme_theory
from scenarios.experiments.nudge.tables import make_nudge_group
from scenarios.results import store
from tests.scenarios import result_files
from tests.scenarios.report.test_figures import lines

pytestmark = pytest.mark.figures

BETAS = np.array([0.1, 0.2, 0.4])


def made_up(asymmetry=0.01):
    """Return a study that follows theory: bias of orders 1, 2 and 2, noise as 1/beta."""
    kinds = [OneSided, Centred, lambda beta: LockIn(beta=beta, period=40.0)]
    bias = np.concatenate([asymmetry + BETAS ** (2 * order) for order in (1, 2, 2)])[:, None] * [1.0, 0.5]
    variance = np.tile(1e-3 / BETAS**2, 3)[:, None] * [1.0, 0.5]
    each = np.ones(9, dtype=np.int64)
    return NudgeStudy(
        schemes=[kind(beta=float(beta)) for kind in kinds for beta in BETAS],
        layers=["l1", "out"],
        beta=np.tile(BETAS, 3),
        averaged=each * 7,
        settlings=each * 3,
        reads=each * 3,
        gain=each * 0.5,
        bias=bias,
        bias_error=np.where(np.arange(9)[:, None] == 0, bias, 0.01 * bias),
        variance=variance,
        mse=bias + variance,
        cosine=np.full((9, 2), 0.9),
        asymmetry=np.array([asymmetry, 0.5 * asymmetry]),
        keep=np.array([True, False]),
        best=4,
        answer="Best nudge: one.",
    )


def test_the_figure_of_theory_shows_the_table():
    noise, wrong = lines(draw_scheme_theory(), 0), lines(draw_scheme_theory(), 1)
    n = np.arange(2, 13, 2)
    assert noise["one-sided"].get_xydata().tolist() == [[1.0, 4.0]]
    np.testing.assert_allclose(noise["circle (2: centred)"].get_ydata(), (2 * n - 2) / n)
    np.testing.assert_allclose(noise["chebyshev"].get_ydata()[:3], [2 * 0.5, 4 * 3.61, 6 * 8.98], rtol=2e-3)
    np.testing.assert_allclose(noise["lock-in"].get_ydata(), 2.0 * np.cumsum((n - 1) ** 2))
    for curve in (*noise.values(), *wrong.values()):
        if len(curve.get_xdata()) > 1:
            np.testing.assert_array_equal(curve.get_xdata(), n)
    # On a circle the series of 1 / (1 - beta) is aliased: beta^N / (1 - beta^N).
    np.testing.assert_allclose(wrong["circle (2: centred)"].get_ydata(), 0.5**n / (1.0 - 0.5**n), rtol=1e-9)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_study_shows_its_numbers(layer):
    study = made_up()
    figure = draw_nudge_study(result_files.result({"nudge": make_nudge_group(study)}), layer)
    for panel, values in enumerate((study.bias, study.variance, study.mse)):
        shown = lines(figure, panel)
        assert {"one-sided", "centred", "lock-in 1, period 40", "asymmetry"} <= set(shown)
        for k, name in enumerate(("one-sided", "centred", "lock-in 1, period 40")):
            expected = np.sqrt(values[3 * k : 3 * k + 3, layer])
            if panel == 0 and k == 0:
                expected[0] = np.nan  # below two of its standard errors
            np.testing.assert_allclose(shown[name].get_ydata(), expected)
        np.testing.assert_allclose(shown["asymmetry"].get_ydata(), np.sqrt(study.asymmetry[layer]))


def test_theory_is_drawn_through_what_follows_it():
    study = made_up()
    figure = draw_nudge_study(result_files.result({"nudge": make_nudge_group(study)}), 0)
    dotted = [[line for line in axes.lines if line.get_linestyle() == ":"] for axes in figure.axes]
    assert [len(some) for some in dotted] == [3, 3, 0]
    for panel, values in enumerate((study.bias, study.variance)):
        for k, line in enumerate(dotted[panel]):
            np.testing.assert_allclose(line.get_ydata(), np.sqrt(values[3 * k : 3 * k + 3, 0]))


def test_theory_goes_through_the_smallest_nudge_that_shows_it():
    """Large nudges leave the power law, small ones show the asymmetry alone."""
    study = made_up(asymmetry=1e-6)
    study = study._replace(bias=study.bias.copy())
    study.bias[[2, 5, 8]] *= 0.3
    figure = draw_nudge_study(result_files.result({"nudge": make_nudge_group(study)}), 0)
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    for k in range(3):
        np.testing.assert_allclose(dotted[k].get_ydata(), np.sqrt(made_up(asymmetry=1e-6).bias[3 * k : 3 * k + 3, 0]))


def test_without_asymmetry_there_is_no_line_for_it():
    figure = draw_nudge_study(result_files.result({"nudge": make_nudge_group(made_up(asymmetry=0.0))}), 0)
    assert "asymmetry" not in lines(figure)


@pytest.mark.parametrize(
    "draw", [draw_scheme_theory, lambda: draw_nudge_study(result_files.result({"nudge": make_nudge_group(made_up())}))]
)
def test_every_axis_is_named_and_nothing_lies_outside(draw):
    figure = draw()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert all(axes.get_xlabel() for axes in figure.axes)
    assert re.search(r"\(.+\)|/ exact", figure.axes[0].get_ylabel())
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01


def test_a_study_can_be_kept(tmp_path):
    study = made_up()
    store.write_result_file(tmp_path / "run.h5", {"nudge": make_nudge_group(study)}, {"software": "nudgelab test"})
    group = store.read_result_file(tmp_path / "run.h5")["nudge"]
    np.testing.assert_array_equal(group["mse"].data, study.mse)
    np.testing.assert_array_equal(group["points"].data, [2, 2, 2, 2, 2, 2, 0, 0, 0])
    np.testing.assert_array_equal(group["order"].data, [1, 1, 1, 2, 2, 2, 2, 2, 2])
    assert group["best"].data == 4
