"""The page and the figures of a sweep, and the figure each experiment is judged by."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.front.compare import find_different_keys, find_shared_metrics, make_comparison_sheets, read_side
from scenarios.front.progress import Progress
from scenarios.results import store
from scenarios.results.points import PointStatus
from scenarios.results.store import ResultData, StoreReadError, Variable
from scenarios.sweeps.figures import draw_along_axis, draw_heat_map, draw_paired_differences
from scenarios.sweeps.folder import PlanDimension, SweepPlan
from scenarios.sweeps.metric import find_metric, list_axes
from scenarios.sweeps.point import Outcome
from scenarios.sweeps.report import make_sweep_answer, write_sweep_report
from scenarios.sweeps.sweep import SweepOptions, run_sweep

from ..sweep_files import BASE, SWEEP, do_sweep, loaded_sweep

SIGMA, BETA = "devices.feedback.mismatch_sigma", "learning.scheme.beta"
LEVELS = {SIGMA: [0.0, 0.1, 0.4], BETA: [0.1, 1.0]}


def merged(kind="measure", group="gradient", inner=("layer",), name="cosine", values=None, bad=()):
    """Return the merged file of a sweep over sigma and beta on three chips, its plan and its outcomes."""
    dims, shape = (SIGMA, BETA, "replicate"), (3, 2, 3)
    status = np.zeros(shape, np.int8)
    for place, how in bad:
        status[place] = how
    axes = {path: Variable((path,), np.array(levels)) for path, levels in LEVELS.items()}
    labels = {"layer": Variable(("layer",), np.array(["l1", "out"])), "epoch": Variable(("epoch",), np.arange(2))}
    if values is None:
        chip = 0.01 * np.arange(3)[:, None]
        values = 1.0 - np.array(LEVELS[SIGMA])[:, None, None, None] * np.array([1.0, 0.5]) + 0.0 * chip
        values = np.broadcast_to(values - chip * np.array(LEVELS[SIGMA])[:, None, None, None], (*shape, 2))
    figure = {name: Variable((*dims, *inner), values, long_name=name)}
    groups = {
        "points": axes | {"status": Variable(dims, status, flags=PointStatus)},
        group: axes | {dim: labels[dim] for dim in inner if dim in labels} | figure,
    }
    outcomes = [Outcome(f"{k:012x}", PointStatus(int(how)).name.lower(), "", 1.0) for k, how in enumerate(status.flat)]
    outcomes = [
        None if o.status == "missing" else o._replace(reason="" if o.status == "ok" else "it broke") for o in outcomes
    ]
    plan = SweepPlan(
        "made",
        "nudgelab 0",
        kind,
        0.9,
        [PlanDimension(p, {p: v}) for p, v in LEVELS.items()],
        3,
        0,
        True,
        [f"{k:012x}" for k in range(18)],
    )
    return (
        ResultData({"experiment": kind, "title": "made", "software": "nudgelab 0", "status": "complete"}, groups),
        plan,
        outcomes,
    )


def test_the_figure_of_a_measure_is_the_cosine_and_bad_points_have_none():
    result, _, _ = merged(bad=[((1, 0, 2), PointStatus.FAILED)])
    metric = find_metric(result)
    assert (metric.name, metric.series, metric.cosine) == ("gradient/cosine", ["l1", "out"], True)
    assert np.isnan(metric.values).sum() == 2
    assert np.isnan(metric.worst[1, 0, 2])
    np.testing.assert_allclose(metric.worst[2, 0, 0], 0.6)


def test_the_figure_of_a_training_is_its_last_test_error():
    values = np.full((3, 2, 3, 2), 0.5)
    values[..., 1], values[0, 0, 0, 1] = 0.2, np.nan
    metric = find_metric(merged("train", "metrics", ("epoch",), "error_test", values)[0])
    assert (metric.name, metric.cosine) == ("metrics/error_test", False)
    assert metric.worst[0, 0, 0] == 0.5
    assert metric.worst[1, 0, 0] == 0.2


def test_the_figure_of_an_evaluation_is_the_mean_over_its_chips():
    values = np.broadcast_to([0.1, np.nan, 0.3], (3, 2, 3, 3))
    result = merged("evaluate", "evaluate", ("chip",), "error", values)[0]
    np.testing.assert_allclose(find_metric(result).worst, 0.2)


def test_there_is_no_figure_without_a_good_point():
    assert find_metric(merged(values=np.full((3, 2, 3, 2), np.nan))[0]) is None


def test_figures_show_every_chip_and_hatch_bad_points():
    result, _, _ = merged(bad=[((2, 1, 0), PointStatus.DIVERGED)])
    metric, axes = find_metric(result), list_axes(result)
    assert [axis.path for axis in axes] == [SIGMA, BETA]
    (panel,) = draw_along_axis(metric, axes, 0, 0.9).axes
    dots = [line for line in panel.lines if line.get_linestyle() == "None"]
    assert sum(np.isfinite(line.get_ydata().astype(float)).sum() for line in dots) == 17
    assert panel.get_xlabel() == SIGMA
    panel = draw_heat_map(metric, result["points"]["status"].data, axes).axes[0]
    assert [patch.get_hatch() for patch in panel.patches] == ["///"]
    assert [text.get_text() for text in panel.texts] == ["1 of 3"]
    (panel,) = draw_paired_differences(metric, axes, 1).axes
    assert "difference to 0.1" in panel.get_ylabel()


@pytest.mark.parametrize(
    "draw", [lambda m, a: draw_along_axis(m, a, 0, 0.9), lambda m, a: draw_paired_differences(m, a, 0)]
)
def test_intervals_far_wider_than_the_dots_are_cut_off(draw):
    """The mean of two chips is known to twelve times their standard error."""
    values = np.full((3, 2, 3, 2), 0.3)
    values[1:, :, 0], values[..., 2, :] = 0.2, np.nan
    result = merged("train", "metrics", ("epoch",), "error_test", values)[0]
    (panel,) = draw(find_metric(result), list_axes(result)).axes
    low, high = panel.get_ylim()
    assert high - low <= 2.0 * 0.1 + 1e-12
    dots = np.concatenate([line.get_ydata() for line in panel.lines if line.get_alpha() is not None]).astype(float)
    assert low < np.nanmin(dots) < np.nanmax(dots) < high


def test_the_page_has_figures_breakdown_and_failures(tmp_path):
    result, plan, outcomes = merged(bad=[((1, 0, 2), PointStatus.KILLED), ((2, 0, 2), PointStatus.MISSING)])
    write_sweep_report(tmp_path / "report.html", result, plan, outcomes)
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r'figure id="figure-([^"]*)"', page) == ["along-0", "along-1", "heat", "paired-0", "paired-1"]
    text = re.sub(r"<[^>]*>", " ", page)
    assert "16 good, 1 killed, 1 not run" in text
    assert "Breakdown point: cosine of the worst layer 0.9 or more" in text
    assert "it broke" in text
    assert "<script" not in page


def test_the_answer_of_one_axis_names_the_breakdown_point():
    result, plan, outcomes = merged()
    points = {SIGMA: result["points"][SIGMA], "status": Variable((SIGMA, "replicate"), np.zeros((3, 3), np.int8))}
    gradient = {
        "layer": result["gradient"]["layer"],
        "cosine": Variable((SIGMA, "replicate", "layer"), result["gradient"]["cosine"].data[:, 0]),
    }
    one = ResultData(result.attributes, {"points": points, "gradient": gradient})
    plan = plan._replace(dims=plan.dims[:1], ids=plan.ids[:9])
    # Chips fall by 1, 1.01 and 1.02 per unit of sigma: they cross 0.9 at 0.1, 0.1/1.01 and 0.1/1.02.
    answer = make_sweep_answer(one, plan, outcomes[:9])
    assert f"up to {SIGMA} = 0.099 (median of 3 chips; 0.098 to 0.1)" in answer


def test_the_answer_of_two_axes_names_the_breakdown_point_at_every_place():
    words = f"or more up to {SIGMA} of: 0.099 at {BETA} = 0.1; 0.099 at {BETA} = 1 (medians of chips)."
    assert make_sweep_answer(*merged()).endswith(words)


def test_the_answer_says_where_every_or_no_level_is_good():
    result, plan, outcomes = merged()
    points = {SIGMA: result["points"][SIGMA], "status": Variable((SIGMA, "replicate"), np.zeros((3, 1), np.int8))}
    plan = plan._replace(dims=plan.dims[:1], ids=plan.ids[:3])
    for curve, words in (
        ([1.0, 1.0, 0.95], "every level"),
        ([0.5, 0.4, 0.3], "no level"),
        ([0.3, 0.4, 0.5], "no level"),
    ):
        gradient = {"cosine": Variable((SIGMA, "replicate"), np.array(curve)[:, None])}
        one = ResultData(result.attributes, {"points": points, "gradient": gradient})
        assert make_sweep_answer(one, plan, outcomes[:3]).endswith(f"or more at {words} of {SIGMA} (one chip).")


def test_the_answer_tells_of_connections_that_no_layer_shows():
    """Two good points of nine layers, one with a connection of 0.4; a bad point hides nothing."""
    result, plan, outcomes = merged()
    points = {SIGMA: result["points"][SIGMA], "status": Variable((SIGMA, "replicate"), np.zeros((3, 1), np.int8))}
    plan = plan._replace(dims=plan.dims[:1], ids=plan.ids[:3])
    dims = (SIGMA, "replicate")
    gradient = {"cosine": Variable(dims, np.array([1.0, 0.95, 0.5])[:, None])}
    after = np.ones((3, 1, 2, 3))
    after[..., 2] = 0.0  # a write is tried, and judged apart
    after[1, 0, 1, 1], after[2, 0, 0, 1], after[0, 0, 0, 1] = 0.4, 0.1, np.nan
    ledger = {
        "term": Variable(("term",), np.array(["asymmetry", "noise", "write"])),
        "connection": Variable(("connection",), np.array(["a-b", "b-c"])),
        "cosine_after": Variable((*dims, "connection", "term"), after),
    }
    groups = {"points": points, "gradient": gradient, "ledger/connections": ledger}
    words = (
        "At 1 of the 2 points where all layers have 0.9 or more, the batch gradient of a connection has less: "
        "0.4 in the worst, b-c."
    )
    assert make_sweep_answer(ResultData(result.attributes, groups), plan, outcomes[:3]).endswith(f" {words}")
    after[1, 0, 1, 1] = 0.95
    assert "connection" not in make_sweep_answer(ResultData(result.attributes, groups), plan, outcomes[:3])


def command(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    do_sweep(folder, SWEEP, shard=(0, 2))
    return folder


def test_the_command_sweeps_merges_and_compares(done, monkeypatch):
    told = json.loads(command("sweep", done / "small.toml", "--out", done / "out", "--json").stdout)
    assert (told["status"], told["counts"], told["computed"]) == ("complete", {"ok": 12}, 6)
    assert [name.rpartition("/")[2] for name in told["files"]] == ["sweep.h5", "report.html", "points.csv"]
    monkeypatch.setattr("scenarios.sweeps.sweep.write_sweep_report", lambda *_: None)
    merged_again = command("merge", done / "out")
    assert (merged_again.exit_code, merged_again.stdout.split(": ")[1][:7]) == (0, "12 good")
    found = json.loads(command("compare", done / "out", done / "out", "--json").stdout)
    assert found["keys"] == {}
    assert len(found["metrics"]) == 18


def test_the_page_begins_with_the_comment_that_the_scenario_begins_with(tmp_path):
    loaded = loaded_sweep(tmp_path, base=f"# How much does a mismatch cost?\n{BASE}")
    run_sweep(loaded, SweepOptions(tmp_path / "out", shard=(0, 12)), Progress(quiet=True))
    merged = command("merge", tmp_path / "out")
    assert merged.exit_code in (0, 3), merged.output
    assert "<h1>How much does a mismatch cost?</h1>" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_command_says_what_is_wrong(done, tmp_path):
    assert command("sweep", done / "small.toml", "--shard", "2/2").exit_code == 2
    assert command("sweep", done / "small.toml", "--shard", "0/2", "--scheduler", "x").exit_code == 2
    assert command("merge", tmp_path).exit_code == 4
    assert command("compare", tmp_path, tmp_path).exit_code == 4
    bad = command("sweep", done / "small.toml", "--set", "sweep.axis.0.values=[-1]", "--json")
    assert bad.exit_code == 2
    assert json.loads(bad.stdout)["error"]["faults"][0]["message"] == "must be >= 0.0"


@pytest.fixture(scope="module")
def runs(done):
    """Run the scenario with two seeds, without figures; return the folder and what the first run said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenarios.run.run._write_views", lambda *_: None)
        first, _ = (
            command("run", done / "small.toml", "--set", f"seed={k}", "--out", done / f"run{k}", "-q") for k in (0, 1)
        )
    return done, first


def test_run_leaves_the_sweep_out_and_says_so(runs):
    folder, _ = runs
    result = store.read_result_file(folder / "run0" / "run.h5")
    assert "sweep" not in str(result["provenance"]["resolved_toml"].data)
    assert "`nudgelab sweep` does it" in (folder / "run0" / "run.log").read_text()


def test_a_run_and_a_changed_run_are_compared(runs, tmp_path):
    folder, first = runs
    assert first.exit_code == 0
    a, b = read_side(folder / "run0"), read_side(folder / "run1" / "run.h5")
    assert find_different_keys(a, b) == {"seed": (0, 1)}
    keys, figures = make_comparison_sheets(a, b)
    assert keys.rows == [["seed", "0", "1"]]
    shared = find_shared_metrics(a, b)
    first = [name.startswith("gradient/cosine/") for name in shared]
    assert first == sorted(first, reverse=True)
    assert any(first)
    changes = [abs(y - x) / max(abs(x), abs(y)) for n, (x, y) in shared.items() if x != y and "/cosine/" not in n]
    assert changes == sorted(changes, reverse=True)
    assert 0 < len(figures.rows) <= 30
    with pytest.raises(StoreReadError, match=r"neither run\.h5 nor sweep\.h5"):
        read_side(tmp_path)
