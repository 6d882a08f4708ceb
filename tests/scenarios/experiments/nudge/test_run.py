"""The experiment that finds the best nudge: from a scenario file to its tables and its answer."""

import json

import numpy as np
import pytest

from learning.oracle.best_nudge import compare_schemes
from learning.schemes.allowance import Allowance
from learning.schemes.nodes import Centred, Circle
from scenarios.build import make_setup
from scenarios.cli.run import RunFlags, run_command
from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.experiments.kind import RunError
from scenarios.front.progress import Progress
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks, make_answer
from scenarios.report.explain import explain_scenario
from scenarios.report.sheets import make_sheets
from scenarios.report.summary import list_metrics
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios import result_files
from tests.scenarios.files import MEASURE, write_scenario

PLAN = 'kind = "nudge"\nsamples = 3\nrepeats = 4\nbetas = [0.1, 0.4]\nbudget = { settlings = 30, reads = 40 }'
FIXED = '[dynamics]\ndt = 0.25\nmethod = "exponential"\nfree = { duration = 20 }\nnudged = { duration = 10 }\n'
NOISY = FIXED + "\n[devices.noise]\nthermal = 0.01\nread = 0.01\n"
STUDY = MEASURE.replace('kind = "measure"\nrecord = { samples = 2, every_steps = 2 }', PLAN).replace(
    "[devices]\n", f"{NOISY}\n[devices]\n"
)


def study(folder, *edits):
    return run_scenario(
        load_scenario(write_scenario(folder, STUDY), edits), RunOptions(folder / "out", 2), Progress(quiet=True)
    )


@pytest.mark.figures
def test_a_study_keeps_what_the_chip_shows(tmp_path):
    done = study(tmp_path)
    loaded = load_scenario(write_scenario(tmp_path, STUDY))
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=2)
    schemes = [kind(beta=b) for kind in (Centred, Circle) for b in (0.1, 0.4)]
    expected = compare_schemes(chip, setup.data.x[:3], setup.data.y[:3], schemes, 4, Allowance(settlings=30, reads=40))
    result = store.read_result_file(done.folder / "run.h5")
    group = result["nudge"]
    for name in ("beta", "averaged", "settlings", "reads", "gain", "bias", "variance", "mse", "cosine", "asymmetry"):
        np.testing.assert_array_equal(group[name].data, getattr(expected, name), name)
    assert list(group["scheme"].data) == [f"{k}, beta {b:g}" for k in ("centred", "circle 4") for b in (0.1, 0.4)]
    assert list(group["points"].data) == [2, 2, 4, 4]
    assert group["best"].data == expected.best
    assert make_answer(result) == expected.answer
    assert {file.name for file in done.files} > {"nudge_study.svg", "schemes.svg", "report.html"}
    assert expected.answer in (done.folder / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "devices/l2-l1" in result.groups


def test_a_complete_study_is_found_and_forced(tmp_path):
    first, again = study(tmp_path), study(tmp_path)
    assert (first.computed, again.computed) == (True, False)
    with pytest.raises(RunError, match="from another scenario"):
        study(tmp_path, "experiment.repeats=5")


def test_the_answer_is_on_the_terminal_and_in_json(tmp_path, capsys):
    path = write_scenario(tmp_path, STUDY)
    assert run_command(path, [], RunFlags(out=tmp_path / "out", quiet=True)) == 0
    text = capsys.readouterr().out
    assert sum(line.startswith("Best nudge: ") for line in text.splitlines()) == 1
    assert run_command(path, [], RunFlags(out=tmp_path / "out", as_json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answer"] in " ".join(text.split())
    group = store.read_result_file(tmp_path / "out" / "run.h5")["nudge"]
    assert found["metrics"]["nudge/mse/centred, beta 0.4/l2"] == group["mse"].data[1, 1]
    assert found["metrics"]["nudge/best"] == group["best"].data


def test_without_sizes_every_scheme_has_its_own(tmp_path):
    text = STUDY.replace("betas = [0.1, 0.4]\n", "")
    assert [s.beta for s in load_scenario(write_scenario(tmp_path, text)).scenario.tried()] == [0.2, 0.2]
    sizes = [s.beta for s in load_scenario(write_scenario(tmp_path, STUDY)).scenario.tried()]
    assert sizes == [0.1, 0.4, 0.1, 0.4]


@pytest.mark.parametrize("quiet", ["", "devices.noise.thermal=0 devices.noise.read=0"])
def test_the_settlings_are_foretold(tmp_path, quiet):
    """With noise all four points of the circle are settled, without it three."""
    loaded = load_scenario(write_scenario(tmp_path, STUDY), quiet.split())
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=2)
    compare_schemes(chip, setup.data.x[:3], setup.data.y[:3], loaded.scenario.tried(), 4, Allowance())
    foretold = estimate_workload(loaded.scenario, read_outline(loaded.scenario.task, tmp_path))
    assert foretold.settlings == chip.budget.settlings
    steps = chip.budget.settled_time / 0.25
    assert foretold.operations < 2.0 * 2 * steps * 2 * (8 * 7 + 7 * 5) + 2.0 * foretold.settlings * 12 * 8
    assert f"{foretold.settlings:,} in the whole run" in explain_scenario(loaded)
    assert "4 free and" in explain_scenario(loaded)


@pytest.mark.parametrize(
    ("edit", "path", "message", "hint"),
    [
        ("experiment.budget.reads=6", "experiment.budget", "pay one estimate of circle 4", "reads = 7"),
        ("experiment.budget.settlings=2", "experiment.budget", "pay one estimate of centred", "settlings = 3"),
        ("experiment.budget.time=0", "experiment.budget.time", "must be > 0", None),
        ('experiment.budget.time="1 ms"', "experiment.budget.time", "needs [physical] tau", "tau"),
        ("experiment.repeats=1", "experiment.repeats", "must be >= 2", None),
        ("experiment.betas=[]", "experiment.betas", "at least 1", None),
        ("experiment.betas=[0.0]", "experiment.betas.0", "must be > 0", None),
        ("experiment.record.samples=1", "experiment.record", "unknown key", None),
    ],
)
def test_a_wrong_study_is_explained(tmp_path, capsys, edit, path, message, hint):
    write_scenario(tmp_path, STUDY)
    assert run_command(tmp_path / "small.toml", [edit], RunFlags(as_json=True)) == 2
    faults = json.loads(capsys.readouterr().out)["error"]["faults"]
    assert any(message in f["message"] and (hint is None or hint in f["hint"]) for f in faults), faults
    text = STUDY
    assert run_command(write_scenario(tmp_path, text), [edit], RunFlags()) == 2
    assert path in capsys.readouterr().err


def test_a_study_needs_a_scheme(tmp_path, capsys):
    lines = [line for line in STUDY.splitlines() if not line.startswith(("schemes", "[learning]"))]
    assert run_command(write_scenario(tmp_path, "\n".join(lines)), [], RunFlags()) == 2
    assert "need a nudge scheme: add [learning] scheme" in capsys.readouterr().err


def test_a_budget_of_time_is_in_tau_or_seconds(tmp_path):
    physical = STUDY.replace("[dynamics]", '[physical]\ntau = "1 us"\n\n[dynamics]')
    path = write_scenario(tmp_path, physical)
    plain, seconds = (
        load_scenario(path, [f"experiment.budget.time={text}"]).scenario.in_units().experiment
        for text in ("90", '"90 us"')
    )
    assert plain == seconds
    done = run_scenario(
        load_scenario(path, ['experiment.budget.time="90 us"']), RunOptions(tmp_path / "out"), Progress(quiet=True)
    )
    # Centred takes 20 + 2 x 10 tau, circle 4 twice as many nudged settlings.
    group = store.read_result_file(done.folder / "run.h5")["nudge"]
    np.testing.assert_array_equal(group["averaged"].data, [2, 2, 1, 1])
    assert '"90 us"' in (done.folder / "scenario.toml").read_text()


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (
            ["experiment.budget.time=0.1", "dynamics.free={}", "dynamics.nudged={}", "devices.noise.thermal=0"],
            "experiment: the allowance of 30 settlings, 40 reads and 0.1 tau does not pay",
        ),
        (
            [
                "dynamics.dt=8",
                "dynamics.free={}",
                "dynamics.nudged={}",
                "dynamics.method=euler",
                "devices.noise.thermal=0",
            ],
            "no sample settles under every",
        ),
    ],
)
def test_what_cannot_be_compared_ends_the_run(tmp_path, edits, words):
    with pytest.raises(RunError, match=words):
        study(tmp_path, *edits)


def of(**changes):
    group = result_files.nudges() | {
        name: result_files.nudges()[name]._replace(data=data) for name, data in changes.items()
    }
    return result_files.result({"nudge": group})


def test_remarks_say_what_no_nudge_can_undo():
    asymmetry, missed = list_remarks(of())
    assert asymmetry.startswith("Asymmetry makes 2 % of error there")
    assert missed == "Not counted: 1 of 4 samples that did not settle under every scheme."
    assert list_remarks(of(asymmetry=np.zeros(2), kept=np.ones(4, dtype=bool))) == []


@pytest.mark.parametrize(("best", "words"), [(3, "No smaller nudge than 0.1"), (5, "No larger nudge than 0.4")])
def test_a_best_nudge_at_the_edge_is_told(best, words):
    assert words in " ".join(list_remarks(of(best=best)))
    assert "was tried" not in " ".join(list_remarks(of(best=4)))


def test_a_hidden_bias_is_told():
    hidden = of(bias_error=result_files.nudges()["mse"].data)
    assert "take more of them (experiment.repeats)" in list_remarks(hidden)[-1]


def test_one_size_has_no_edge():
    group = {
        name: v._replace(data=np.asarray(v.data)[::3]) if v.dims[:1] == ("scheme",) else v
        for name, v in result_files.nudges(best=1).items()
    }
    assert "was tried" not in " ".join(list_remarks(result_files.result({"nudge": group})))


def test_the_tables_show_the_best_size_of_every_kind():
    best, gains = make_sheets(of(), 8)
    mse = result_files.nudges()["mse"].data[:, 0]
    assert [row[0] for row in best.rows] == ["one-sided", "centred", "circle 4"]
    assert [row[2] for row in best.rows] == [f"{result_files.BETAS[mse[k : k + 3].argmin()]:g}" for k in (0, 3, 6)]
    assert [row[1] for row in best.rows] == ["l1"] * 3
    assert best.rows[1][6] == f"{100 * np.sqrt(mse[3:6].min()):.3g} %"
    assert [row[1:] for row in gains.rows] == [
        ["1", "2", "2", "2", "4"],
        ["2", "3", "3", "0.5", "1.5"],
        ["4", "5", "7", "0.25", "1.75"],
    ]


def test_the_numbers_for_other_programs_are_those_of_the_study():
    found = list_metrics(of())
    assert found["nudge/best"] == 4.0
    assert found["nudge/bias/circle 4, beta 0.4/out"] == result_files.nudges()["bias"].data[8, 1]
    assert "nudge/gain/centred, beta 0.1" not in found


def test_a_time_that_fixed_phases_exceed_is_refused_before_the_run(tmp_path):
    """Free 20 tau and four nudged settlings of 10 tau on the noisy circle: 60 tau for one estimate."""
    path = write_scenario(tmp_path, STUDY)
    load_scenario(path, ["experiment.budget.time=60"])
    with pytest.raises(ScenarioError, match="its phases take 60 tau: give at least time = 60"):
        load_scenario(path, ["experiment.budget.time=59"])
