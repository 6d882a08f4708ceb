import functools
from pathlib import Path

import pytest

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario, make_change_edits
from tests.scenarios.scenario_files import GOOD, changed, faults_of, only_fault, write


@pytest.mark.parametrize(
    ("edit", "keys", "expected"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("name=other", "name", "other"),
        ('name="5"', "name", "5"),
        ("network.activation=dsilu", "network.activation", "dsilu"),
        ("network.asymmetry.angle=45 degree", "network.asymmetry.angle", 45.0),
        ("devices.feedback.mismatch_sigma=5 %", "devices.feedback.mismatch_sigma", 0.05),
        ("dynamics.dt=1e-1", "dynamics.dt", 0.1),
        ("dynamics.nudged.steps=4", "dynamics.nudged.steps", 4),
        ("chip.instance=2", "chip.instance", 2),
        ('network.connections=["in-l1", "out-l1", "l1-out"]', "network.connections", ["in-l1", "out-l1", "l1-out"]),
        ("network.connections.2=out-l1", "network.connections", ["in-l1", "l1-out", "out-l1"]),
    ],
)
def test_an_edit_changes_one_value(tmp_path, edit, keys, expected):
    path = write(tmp_path, GOOD)
    loaded = load_scenario(path, [edit])
    assert functools.reduce(getattr, keys.split("."), loaded.scenario) == expected
    (place,) = {origin for origin in loaded.origins.values() if origin.file != path}
    assert place == (f"--set {edit.strip()}", None, None)


def test_edits_reach_into_arrays_and_come_in_order(tmp_path):
    loaded = load_scenario(write(tmp_path, GOOD), ["learning.schemes.0.beta=0.1", "seed=1", "seed=2"])
    assert [scheme.beta for scheme in loaded.scenario.learning.all_schemes()] == [0.1, 0.1]
    assert loaded.origins["learning", "schemes", 0, "beta"].file == "--set learning.schemes.0.beta=0.1"
    assert (loaded.scenario.seed, loaded.origins["seed",].file) == (2, "--set seed=2")


def test_none_leaves_a_key_out(tmp_path):
    path = write(tmp_path, GOOD)
    loaded = load_scenario(path, {"devices": None, "seed": 2})
    assert loaded.scenario.devices == type(loaded.scenario.devices)()
    assert {origin.file for key, origin in loaded.origins.items() if key != ("seed",)} == {path}


def test_only_a_key_that_is_written_can_be_left_out(tmp_path):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(tmp_path, GOOD), {"learning.nothing": None})
    assert [fault.message for fault in caught.value.faults] == ["learning.nothing is not written in the scenario"]


def test_null_leaves_a_key_out_as_none_does_from_python(tmp_path):
    path = write(tmp_path, GOOD)
    told = load_scenario(path, ["devices = null ", "seed=2"])
    assert told.data == load_scenario(path, {"devices": None, "seed": 2}).data
    assert load_scenario(path, ['name="null"']).scenario.name == "null"
    fault = only_fault(path, "learning.nothing=null")
    assert fault.message == "learning.nothing is not written in the scenario"
    assert fault.hint == "null, or None from Python, leaves out a key of a table that is written there"


def test_a_change_of_a_design_leaves_no_key_out(tmp_path):
    with pytest.raises(ScenarioError, match="a change sets keys, and leaves none out: devices has no value"):
        make_change_edits(["devices=null"])
    with pytest.raises(ScenarioError, match=r"devices\.noise has no value - write the value that it has without"):
        load_scenario(write(tmp_path, GOOD), {"experiment.change": [{"set": {"devices.noise": None}}]})


@pytest.mark.parametrize(("value", "name"), [(None, "None"), ({1}, "a Python object of type set")])
def test_what_toml_has_no_word_for_is_named(tmp_path, value, name):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(write(tmp_path, GOOD), {"chip": {"instance": value}})
    assert f"must be a whole number, is {name}" in caught.value.faults[0].message


def test_a_path_set_by_an_edit_starts_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    path = write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path / "here")
    loaded = load_scenario(path, ['task={ kind = "idx", path = "images" }'])
    assert loaded.folder("task", "path") == Path.cwd() != tmp_path


def test_a_key_of_a_scheme_leads_to_that_in_the_list(tmp_path):
    fault = only_fault(write(tmp_path, GOOD), "learning.scheme.beta=3")
    assert fault.hint == "this scenario has a list of them: learning.schemes.0.beta is that of the first"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("seed", "not an edit"),
        ("=3", "not an edit"),
        ("dynamics..dt=3", "not an edit"),
        ("name=\udcff", "not an edit"),
        ("extends=base.toml", "`extends` cannot be set here"),
        ("seed.x=3", "seed is a whole number, not a table"),
        ("seed.x.y=3", "seed is a whole number, not a table"),
        ("learning.schemes.2.beta=3", "learning.schemes has 2 item(s), none numbered 2"),
        ("learning.schemes.-1.beta=3", "none numbered -1"),
        ("learning.schemes.first.beta=3", "none numbered first"),
        (".".join("a" * 99) + "=3", "nested too deeply"),
        ("a=" + "[" * 50 + "]" * 50, "nested too deeply"),
        ("seed=0x" + "f" * 5000, "is beyond 64 bits"),
        ("dynamics.dtt=3", "unknown key"),
        ("dynamics.dt=", "is not a number with a unit"),
        ("seed=[", "must be a whole number, is a string"),
        ("seed=1\nname=2", "must be a whole number, is a string"),
        ("seed=" + "9" * 5000, "must be a whole number, is a string"),
        ("schema=2", "must be 1"),
    ],
)
def test_a_wrong_edit_is_told_in_place_of_a_line(tmp_path, edit, message):
    fault = only_fault(write(tmp_path, GOOD), edit)
    assert message in fault.message
    assert fault.file.startswith("--set ")
    assert fault.line is fault.source is None
    assert str(fault).startswith(fault.file)


def test_wrong_edits_and_wrong_lines_are_told_together(tmp_path):
    found = faults_of(write(tmp_path, changed("dt = 0.25", "dt = 0")), "foo", "seed=x")
    assert [fault.file for fault in found[:2]] == ["--set foo", "--set seed=x"]
    assert found[2].source == "dt = 0"
