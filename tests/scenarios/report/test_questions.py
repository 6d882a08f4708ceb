"""Under the question of a scenario stands what was changed of the scenario that asks it."""

import re

import pytest
from click.testing import CliRunner

import nudgelab
from scenarios.cli.main import main
from scenarios.language.load import load_scenario
from scenarios.report.page import render_report
from scenarios.report.summary import describe_edits, read_edits, read_question
from scenarios.results.store import read_result_file
from scenarios.schema.plan import format_edits
from scenarios.sweeps.points import check_design, list_points, make_point_scenario
from tests.scenarios.files import write_scenario
from tests.scenarios.sweep_files import BASE, SWEEP

QUESTION = "Does a mismatch of 10 % matter?"
TEXT = f"# {QUESTION}\n{BASE}"
MISMATCH = "devices.feedback.mismatch_sigma"


def find_head(page):
    """Return the title of a page and what stands under it."""
    edits = re.search(r'<p class="edits">(.*?)</p>', page)
    return re.search(r"<h1>(.*?)</h1>", page)[1], edits and edits[1]


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ([], ""),
        ([f"{MISMATCH}=0.2", "seed=3"], f"With {MISMATCH} = 0.2, seed = 3."),
        ({"seed": 3, "devices.feedback": None}, "With seed = 3, no devices.feedback."),
        (["seed=3", "seed=4"], "With seed = 4."),
        ([f"{MISMATCH}=0.2", "devices={}"], "With devices = {}."),
    ],
)
def test_the_last_edit_of_every_key_is_told(tmp_path, edits, told):
    assert describe_edits(format_edits(load_scenario(write_scenario(tmp_path, TEXT), edits).edits)) == told


def test_a_changed_scenario_says_so_under_its_question(tmp_path):
    same = nudgelab.load(write_scenario(tmp_path, TEXT))
    for scenario, told in ((same, None), (same.set({MISMATCH: 0.2}), f"With {MISMATCH} = 0.2.")):
        assert find_head(render_report(scenario.run().stored, {})) == (QUESTION, told)


def test_arrays_that_were_given_are_no_change():
    tables = {
        "network": {"layers": {"in": 2, "out": 1}, "connections": ["in-out"]},
        "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
        "task": {"kind": "arrays", "path": {"x": [[0.1, 0.2]], "y": [[1.0]]}},
        "experiment": {"kind": "measure"},
    }
    edits = {"seed": 3, "learning.rule": None}
    given = {"schema": 1, "name": "mine"} | tables | {"learning": {"rule": "error-vector", **tables["learning"]}}
    assert nudgelab.load(given, edits).loaded.edits == edits


def test_a_point_of_a_sweep_says_what_it_is(tmp_path):
    loaded = load_scenario(write_scenario(tmp_path, TEXT + SWEEP))
    design = check_design(loaded)
    points = [make_point_scenario(loaded, design.dims, one).edits for one in list_points(design.dims, 2)]
    scheme = {"kind": "centred", "beta": 0.2}
    assert points[0] == {MISMATCH: 0, "learning.scheme": scheme}
    assert points[1] == {MISMATCH: 0, "learning.scheme": scheme, "chip.instance": 1}


def test_a_changed_sweep_says_so_under_its_question_and_in_its_copy(tmp_path):
    swept = nudgelab.sweep(nudgelab.load(write_scenario(tmp_path, TEXT), {"seed": 3}), {MISMATCH: [0, 0.1]})
    swept.run(tmp_path / "out")
    told = "With seed = 3."
    question, edits = find_head((tmp_path / "out" / "report.html").read_text())
    assert (question, edits[: len(told) - 1]) == (QUESTION, told[:-1])
    assert (tmp_path / "out" / "sweep.toml").read_text().startswith(f"# {QUESTION} {told[:-1]}")


def test_the_terminal_tells_it_with_the_question(tmp_path):
    words = ["run", str(write_scenario(tmp_path, TEXT)), "--change", f"{MISMATCH}=1 %", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "-q"], env={"COLUMNS": "80"})
    assert done.output.splitlines()[:2] == [QUESTION, f"With experiment.change: {MISMATCH} = 1 %."]
    result = read_result_file(tmp_path / "out" / "run.h5")
    assert (read_question(result), read_edits(result)) == tuple(done.output.splitlines()[:2])


def test_of_many_and_long_edits_the_first_are_told_and_all_are_counted():
    told = describe_edits([f"network.layers.layer{k} = 10" for k in range(20)] + ["x = " + "9" * 999])
    assert len(told) < 300
    assert told.endswith(", and 13 more.")
    assert describe_edits(["x = " + "9" * 999]).endswith("....")
