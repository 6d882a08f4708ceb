"""What pages and figures say: units, how many, nothing that is an artefact, and that there is nothing to say."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from matplotlib.backends.backend_agg import FigureCanvasAgg

from scenarios.drawing.space import WIDTHS, makes_figure
from scenarios.drawing.style import COLOURS, set_spaced_ticks
from scenarios.experiments.settle.figures import cut_settled_tail, draw_settling
from scenarios.report import figures
from scenarios.report.page import render_report
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.results.store import ResultData, Variable
from scenarios.sweeps.metric import convert_to_percent, find_metric
from scenarios.sweeps.report import make_sweep_answer, write_sweep_report
from substrate.protocol import Status
from tests.scenarios import result_files
from tests.scenarios.files import SETTLE, write_scenario
from tests.scenarios.run.test_run import compute
from tests.scenarios.sweeps.test_report import merged

pytestmark = pytest.mark.figures


@settings(max_examples=50, deadline=None)
@given(some.floats(0.02, 2.0), some.floats(0.05, 0.5), some.integers(40, 400))
def test_a_settling_curve_has_no_plunge_at_its_end(rate, slow, times):
    """Two decays, of which the slow one is left at the end: what is drawn is the distance to rest within a third."""
    assume(rate * (1.0 - slow) * 0.25 * times > 7.0)
    t = np.arange(times) * 0.5
    state = np.exp(-rate * t) + 0.1 * np.exp(-slow * rate * t)
    drawn = cut_settled_tail(np.abs(state - state[-1]))
    shown = np.isfinite(drawn)
    np.testing.assert_allclose(drawn[shown], state[shown], rtol=0.33, atol=1e-14)


def test_a_floor_of_noise_is_drawn_but_for_its_own_end():
    noise = 1e-3 * np.random.default_rng(0).normal(size=400)
    state = np.exp(-np.arange(400) * 0.1) + noise
    drawn = cut_settled_tail(np.abs(state - state[-1]))
    assert np.isfinite(drawn[:350]).all()
    assert np.isnan(drawn[350:]).all()


@settings(max_examples=40, deadline=None)
@given(
    some.lists(some.floats(0.0, 1.0), min_size=2, max_size=15, unique=True),
    some.booleans(),
    some.booleans(),
    some.sampled_from(list(WIDTHS)),
)
def test_names_of_ticks_do_not_touch(levels, log, words, width):
    levels = np.unique(np.round(np.array(levels), 3) + 0.001)

    @makes_figure
    def draw(space):
        (axes,) = space.make_panels()
        axes.plot(levels, levels)
        if log:
            axes.set_xscale("log")
        set_spaced_ticks(axes, space.panel_width, levels, [f"{x:.3g}" for x in levels], words)

    figure = draw(width=width)
    (axes,) = figure.axes
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [label for label in axes.get_xticklabels() if label.get_text()]
    assert labels
    if any(label.get_rotation() for label in labels):
        return
    boxes = sorted((label.get_window_extent(canvas.get_renderer()) for label in labels), key=lambda box: box.x0)
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0


def settled(status=Status.SETTLED, **more):
    time = np.arange(50) * 0.5
    group = {
        "phase": Variable(("phase",), np.array(["free"])),
        "time": Variable(("time",), time, "tau"),
        "distance": Variable(("phase", "time", "sample"), np.exp(-time)[None, :, None] * np.ones((1, 1, 3))),
        "status": Variable(("phase", "sample"), np.full((1, 3), status), flags=Status),
        "steps": Variable(("phase", "sample"), np.full((1, 3), 49)),
        "duration": Variable(("phase", "sample"), np.full((1, 3), 24.5), "tau"),
    }
    return result_files.result({"settling": group | more})


def test_a_settling_is_told_in_seconds_and_volts_where_they_are_known():
    known = {"tau_s": Variable((), 2e-6, "s"), "state_volts": Variable((), 0.05, "V")}
    (axes,) = draw_settling(settled(**known)).axes
    assert (axes.get_xlabel(), axes.get_ylabel()[-3:]) == ("time (us)", "(V)")
    x, y = axes.lines[0].get_data()
    assert (x[1], y[0]) == pytest.approx((1.0, 0.05))
    assert make_sheets(settled(**known), 8)[0].rows[0][-1] == "49 to 49"
    assert (make_sheets(settled(**known), 8)[0].columns[-1], make_sheets(settled(), 8)[0].columns[-1]) == (
        "time (us)",
        "time (tau)",
    )


EMPTY = {
    "measure": lambda: void("gradient", ("cosine", np.nan)),
    "evaluate": lambda: void("evaluate", ("unsettled", 1.0)),
    "train": lambda: void("metrics", ("unsettled_train", 1.0)),
    "settle": lambda: settled(Status.STEP_LIMIT),
}
WHOLE = {
    "measure": lambda: result_files.result(result_files.measured()),
    "evaluate": result_files.evaluated,
    "train": lambda: result_files.result({"metrics": result_files.metrics(4)}),
    "settle": settled,
}


def void(path, change):
    name, value = change
    whole = next(result for result in (make() for make in WHOLE.values()) if path in result.groups)
    group = {
        k: v._replace(data=np.full_like(np.asarray(v.data, float), value) if k == name else v.data)
        for k, v in whole[path].items()
    }
    return ResultData(whole.attributes, whole.groups | {path: group})


@pytest.mark.parametrize("kind", EMPTY)
def test_a_page_without_a_meaning_is_marked_and_draws_no_empty_figure(kind):
    found = EMPTY[kind]()
    assert 'class="answer alarm' in render_report(found, {})
    assert 'class="answer "' in render_report(WHOLE[kind](), {})
    for name in ("cosine", "causes", "waterfall", "chips"):
        assert name not in figures.draw_figures(found)


def test_captions_say_how_many():
    measured = result_files.measured()
    kept = Variable(("scheme", "sample"), np.array([[True, False, True, True]] * 2))
    measured["gradient"]["kept"] = kept
    found = result_files.result(measured)
    assert figures.make_caption(found, "causes").endswith(". n = 3 of 4 samples.")
    assert figures.make_caption(settled(), "settling").endswith(". n = 3 samples.")
    assert figures.make_caption(result_files.evaluated(), "chips").endswith(". n = 4 chips.")
    assert render_report(found, figures.draw_svgs(found)).count("n = 3 of 4 samples") >= 4


def test_a_sweep_of_trainings_says_its_best_and_worst_in_percent(tmp_path):
    values = np.full((3, 2, 3, 2), 0.25)
    values[2, 1], values[0, 1] = 0.4, 0.1
    result, plan, outcomes = merged("train", "metrics", ("epoch",), "error_test", values)
    said = make_sweep_answer(result, plan, outcomes)
    assert "smallest, 10 %" in said
    assert "at mismatch_sigma 0, beta 1," in said
    assert "largest, 40 %" in said
    assert "at mismatch_sigma 0.4, beta 1 (mean of 3 chips" in said
    metric = convert_to_percent(find_metric(result))
    assert (metric.values.max(), metric.unit, metric.words[-4:]) == (pytest.approx(40.0), " %", " (%)")
    write_sweep_report(tmp_path / "report.html", result, plan, outcomes)
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written[:2] == ["along-0.svg", "along-1.svg"]


def test_a_sweep_without_a_number_says_so(tmp_path):
    result, plan, outcomes = merged(values=np.full((3, 2, 3, 2), np.nan))
    assert "No point gave a number" in make_sweep_answer(result, plan, outcomes)
    stopped = make_sweep_answer(result, plan, [None] * len(outcomes))
    assert f"{len(outcomes)} not run." in stopped
    assert "No point gave a number" not in stopped
    write_sweep_report(tmp_path / "report.html", result, plan, outcomes)
    assert 'class="answer alarm"' in (tmp_path / "report.html").read_text()


def test_twelve_curves_have_twelve_colours():
    assert len(set(COLOURS)) == 12


def test_a_real_settling_knows_its_time(tmp_path):
    path = write_scenario(tmp_path, SETTLE)
    group = store.read_result_file(compute(path, ['physical={tau="1 us"}']).folder / "run.h5")["settling"]
    np.testing.assert_array_equal(group["duration"].data, group["steps"].data * 0.5)
    assert group["tau_s"].data == 1e-6
