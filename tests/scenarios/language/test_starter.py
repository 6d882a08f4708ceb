import re

import pytest

from scenarios.build import make_setup
from scenarios.language import json_schema
from scenarios.language.files import list_preset_files
from scenarios.language.load import load_scenario
from scenarios.language.starter import StarterError, make_starter, write_starter
from scenarios.schema.scenario import ScenarioSpec

from ..scenario_files import only_fault

NAMES = [None, *(path.stem for path in list_preset_files())]


@pytest.mark.parametrize("preset", NAMES)
def test_what_is_written_passes_the_check(tmp_path, preset):
    path, schema = write_starter(tmp_path, "my-chip", preset)
    loaded = load_scenario(path)
    make_setup(loaded)
    assert (path.name, loaded.scenario.name) == ("my-chip.toml", "my-chip")
    assert schema.read_text(encoding="utf-8") == json_schema.format_json_schema()
    assert path.read_text(encoding="utf-8").startswith(f"#:schema ./{schema.name}\n")


@pytest.mark.parametrize("preset", NAMES)
def test_every_table_is_there_and_every_row_is_explained(preset):
    text = make_starter("my-chip", preset)
    spelt_out = set(ScenarioSpec.model_fields) - {"schema_version", "name", "seed"}
    spelt_out -= {"hardware"}  # a board in place of a simulated chip has neither sweeps nor devices
    taken_over = {"network", "dynamics"} if preset else set()
    assert set(re.findall(r"^(?:# )?\[(\w+)\]", text, re.MULTILINE)) == spelt_out - taken_over
    for paragraph in text.split("\n\n"):
        assert "#" in paragraph


@pytest.mark.parametrize("preset", NAMES)
def test_what_is_commented_out_may_be_used(tmp_path, preset):
    path, _ = write_starter(tmp_path, "my-chip", preset)
    text = path.read_text(encoding="utf-8")
    used = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert used.count("\n[") > text.count("\n[")
    path.write_text(used, encoding="utf-8")
    scenario = load_scenario(path).scenario
    assert scenario.physical.resolved().leak == 1e-6


def test_a_scenario_is_never_overwritten(tmp_path):
    path, schema = write_starter(tmp_path, "my-chip")
    path.write_text("mine", encoding="utf-8")
    schema.write_text("old", encoding="utf-8")
    with pytest.raises(StarterError, match=r"my-chip\.toml exists already: choose another name"):
        write_starter(tmp_path, "my-chip", "rate-mlp")
    assert (path.read_text(encoding="utf-8"), schema.read_text(encoding="utf-8")) == ("mine", "old")
    write_starter(tmp_path, "other")
    assert schema.read_text(encoding="utf-8") == json_schema.format_json_schema()


@pytest.mark.parametrize(
    ("name", "preset", "message"),
    [
        ("my chip", None, "'my chip' cannot name a scenario"),
        ("../x", None, "cannot name a scenario"),
        ("x\n", None, "cannot name a scenario"),
        ("", None, "cannot name a scenario"),
        ("x", "rate-mpl", "no preset 'rate-mpl': did you mean 'rate-mlp'?"),
        ("x", "", "no preset"),
    ],
)
def test_what_cannot_be_made_is_told_and_leaves_nothing(tmp_path, name, preset, message):
    with pytest.raises(StarterError, match=re.escape(message)):
        write_starter(tmp_path, name, preset)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StarterError, match="cannot write there"):
        write_starter(tmp_path / "none", "x")


def test_a_damaged_starter_is_told_where(tmp_path):
    path, _ = write_starter(tmp_path, "my-chip")
    fault = only_fault(path, "learning.schemes.0.beta=-1")
    assert fault.path == ("learning", "schemes", 0, "beta")
