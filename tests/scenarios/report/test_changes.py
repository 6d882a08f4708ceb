"""A design before and after its changes: every one is measured as if it were a scenario of its own, and told so."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

import nudgelab
from scenarios.cli.main import main
from scenarios.language.faults import ScenarioError
from scenarios.report.answer import list_answers
from scenarios.report.changes import make_change_sheets
from scenarios.results.views import select_change
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.result_files import find_nameless

MISMATCH = "devices.feedback.mismatch_sigma"
BITS = "devices.converters.readout.bits"
CHANGES = [{"name": "better cells", "set": {MISMATCH: 0.01}}, {"set": {BITS: 8}}]
PLAIN = MEASURE.replace("record = { samples = 2, every_steps = 2 }", "samples = 2")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_scenario(tmp_path_factory.mktemp("changes"), "# Which cells?\n" + PLAIN)


@pytest.fixture(scope="module")
def result(place):
    return nudgelab.load(place, {"experiment.change": CHANGES}).run()


def test_every_design_is_what_a_scenario_of_its_own_gives(place, result):
    """Changes add up, and leave silicon and samples as they are."""
    assert find_nameless(result.stored) == []
    alone = [{}, {MISMATCH: 0.01}, {MISMATCH: 0.01, BITS: 8}]
    for k, edits in enumerate(alone):
        one, own = nudgelab.load(place, edits).run().stored, select_change(result.stored, k)
        for path in ("gradient", "ledger", "gradient/in-l1", "ledger/connections", "alarms"):
            for name, variable in one[path].items():
                np.testing.assert_array_equal(variable.data, own[path][name].data, err_msg=f"{k} {path}/{name}")
        assert set(own.groups) == set(one.groups)
        toml = str(own["provenance"]["resolved_toml"].data)
        # The design as it is keeps the scenario that was run, with its changes.
        assert k == 0 or toml == str(one["provenance"]["resolved_toml"].data)


def test_the_answer_goes_from_what_dominates_over_the_gain_to_what_is_left(result):
    told = [text for text in list_answers(result.stored) if "ALARM" not in text]
    as_it_is, gain, after, second, last = told
    assert as_it_is.startswith("As it is: ")
    assert "dominates" in as_it_is
    assert gain.startswith(f"Change: better cells ({MISMATCH} = 0.01). In layer ")
    assert after.startswith("With better cells: ")
    assert last.startswith("With bits = 8: ")
    assert second.startswith(f"Change: {BITS} = 8. In layer ")
    layer = re.search(r"In layer (\w+): cosine (-?[\d.]+) -> (-?[\d.]+),", gain)
    before, then = (select_change(result.stored, k)["gradient"] for k in (0, 1))
    at = list(before["layer"].data).index(layer[1])
    assert float(layer[2]) in np.round(before["cosine"].data[:, at], 4)
    assert float(layer[3]) in np.round(then["cosine"].data[:, at], 4)


def test_the_table_gives_one_value_where_nothing_changes(result):
    (sheet,) = make_change_sheets(result.stored)
    assert sheet.title.startswith("Error of each cause, as it is -> better cells -> bits = 8")
    cells = {row[0]: row[1:] for row in sheet.rows}
    assert all(cell.count(" -> ") == 2 for cell in cells["asymmetry"])
    assert all(cell.startswith(("- -> - -> ", "0 %")) for cell in cells["readout + noise"])
    assert next(iter(cells)) == "cosine"
    assert list(cells)[-1] == "whole error"


def test_metrics_of_changes_stand_where_their_groups_do(result):
    cosine = {key: value for key, value in result.metrics.items() if "/cosine/" in key}
    assert {key.partition("gradient")[0] for key in cosine} == {"", "change/1/", "change/2/"}
    assert list(result["change"]["name"].values) == ["better cells", "bits = 8"]
    assert result["change/1/gradient"]["cosine"].shape == result["gradient"]["cosine"].shape


def test_the_terminal_shows_question_table_and_answer_alone(place, tmp_path):
    words = ["run", str(place), "--change", f"{MISMATCH}=1 %", "--out", str(tmp_path / "out"), "-q"]
    done = CliRunner().invoke(main, words, env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "Which cells?"
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert "As it is: " in done.output
    assert "Signal levels" not in done.output
    assert "Signal levels" in (tmp_path / "out" / "report.html").read_text()
    again = CliRunner().invoke(main, ["run", str(tmp_path / "out" / "scenario.toml"), "--json", "--out", str(tmp_path)])
    assert json.loads(again.output)["answer"] in " ".join(done.output.split())


def test_what_is_lost_is_told_of_every_design_that_differs(place):
    short = {"dynamics.free": {"steps": 1}, "experiment.change": [{"set": {"dynamics.free.steps": 3000}}]}
    found = nudgelab.load(place, short).run()
    moving = [line for line in found.remarks if "still moving" in line or "settled" in line]
    assert len(moving) == 2
    assert moving[1].startswith("With steps = 3000: All ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"set": {"seed": 3}}, "seed is no part of a design"),
        ({"set": {"network.law": "resistive"}}, "network.law is no part of a design"),
        ({"set": {"devices": {"feedback": {"mismatch_sigma": 0.2}}}}, "devices is a whole table"),
        ({"set": {MISMATCH: 0.1}}, f"changes nothing: {MISMATCH} = 0.1"),
        ({"set": {"devices.feedback.mismatch_sigme": 0.2}}, "did you mean 'mismatch_sigma'?"),
        ({"set": {}}, "at least 1 item"),
        ({"name": "", "set": {MISMATCH: 0.2}}, "must match"),
    ],
)
def test_a_change_that_is_none_is_refused_when_it_is_checked(place, change, words):
    with pytest.raises(ScenarioError, match=re.escape(words)):
        nudgelab.load(place, {"experiment.change": [change]}).check()


def test_changes_and_a_sweep_exclude_each_other(place):
    axis = {"path": MISMATCH, "values": [0.0, 0.1]}
    with pytest.raises(ScenarioError, match="a sweep measures points of its own"):
        nudgelab.load(place, {"experiment.change": CHANGES, "sweep.axis": [axis]}).check()


def test_a_change_without_a_value_is_no_change(place):
    done = CliRunner().invoke(main, ["run", str(place), "--change", MISMATCH])
    assert done.exit_code == 2
    assert "not a change" in done.output


def test_files_of_a_change_move_with_the_scenario_and_count_for_its_name(place, tmp_path):
    """A converter that was measured: the copy beside the result finds it, and other numbers are another run."""
    table = place.parent / "adc.csv"
    table.write_text("\n".join(str(k + 0.5) for k in range(255)), encoding="utf-8")
    text = "# Q\n" + PLAIN + 'change = [{ set = { "devices.converters.readout.measured" = "adc.csv" } }]\n'
    own = write_scenario(place.parent, text, "adc.toml")
    first = nudgelab.load(own, {BITS: 8}).run(tmp_path / "out")
    again = nudgelab.load(tmp_path / "out" / "scenario.toml").run(tmp_path / "out")
    assert not again.computed
    assert first.stored.attributes["id"] == again.stored.attributes["id"]
    table.write_text("\n".join(str(k + 0.6) for k in range(255)), encoding="utf-8")
    assert nudgelab.load(own, {BITS: 8}).run().stored.attributes["id"] != first.stored.attributes["id"]
