import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.language import json_schema
from scenarios.language.files import CATALOGUE, list_preset_files

from ..scenario_files import GOOD, changed, write

COMMITTED = Path(json_schema.__file__).parents[1] / json_schema.FILE
TAPLO = shutil.which("taplo", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

needs_taplo = pytest.mark.skipif(TAPLO is None, reason="the program taplo is not installed (pip install taplo)")


def nodes(node):
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from nodes(child)


def lint(path, schema=COMMITTED):
    command = [TAPLO, "lint", "--colors", "never", "--schema", schema.resolve().as_uri(), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def test_the_committed_schema_is_the_generated_one():
    message = f"write json_schema.text() to {COMMITTED.name} again: nudgelab schema"
    assert COMMITTED.read_text(encoding="utf-8") == json_schema.format_json_schema(), message


def test_every_key_is_explained_and_no_key_is_generated_prose():
    schema = json_schema.make_json_schema()
    tables = schema["$defs"]
    explained = {name for name, table in tables.items() if table.get("description")}
    assert explained == set(tables)
    for name, table in tables.items():
        for key, field in table["properties"].items():
            assert field.get("description") or key == "kind" or "$ref" in field, f"{name}.{key}"
            assert "\n" not in field.get("description", "")
    assert not any("title" in node for node in nodes([tables, schema["properties"]]))


def test_only_words_of_json_schema_are_left():
    known = {"$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "items", "type"}
    known |= {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "pattern"}
    known |= {"minProperties", "maxProperties"}
    for table in json_schema.make_json_schema()["$defs"].values():
        for field in table["properties"].values():
            words = {word for node in nodes(field) for word in node}
            assert words <= known, words - known
    assert "null" not in json_schema.format_json_schema()


def test_quantities_may_be_text():
    dynamics = json_schema.make_json_schema()["$defs"]["Dynamics"]["properties"]
    number, text = dynamics["dt"]["anyOf"]
    assert number == {"exclusiveMinimum": 0.0, "maximum": 10.0, "type": "number"}
    assert text == {"type": "string"}


def test_the_key_of_the_version_is_named_as_in_files():
    schema = json_schema.make_json_schema()
    assert schema["properties"]["schema"]["const"] == 1
    assert "schema" in schema["anyOf"][0]["required"]


@needs_taplo
@pytest.mark.parametrize("path", [*sorted(CATALOGUE.rglob("*.toml")), *list_preset_files()], ids=lambda path: path.stem)
def test_an_editor_accepts_every_packaged_file(path, tmp_path):
    if path in list_preset_files():
        path = write(tmp_path, f'extends = "x.toml"\n{path.read_text(encoding="utf-8")}')
    result = lint(path)
    assert result.returncode == 0, result.stderr


CIRCUIT = """\
schema = 1
name = "circuit"
network = { law = "resistive", layers = { in = 3, h1 = 4, out = 2 }, connections = ["in-h1", "h1-out"], \
init = { unit = "10 uS" } }
learning = { rule = "contrastive", scheme = { kind = "centred", beta = { fraction = 0.1 } } }
task = { kind = "voltages", inputs = [["1 V", "0 V", "1 V"]], targets = [["1 V", "0 V"]] }
experiment = { kind = "measure" }
"""


@needs_taplo
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 7", "seed = -7"),
        ('"10 uS"', "1e-5"),
        ('"resistive"', '"additive"'),
        ('law = "resistive", ', ""),
        ('rule = "contrastive"', 'rule = "error-vector"'),
        ("fraction", "share"),
        ('kind = "voltages"', 'kind = "two-moons"'),
        ('kind = "measure"', 'kind = "nudge"'),
        ("\nexperiment", "\ndynamics = { dt = 0.5 }\nexperiment"),
        ("\nexperiment", "\nenergy = { per_read = 1.0 }\nexperiment"),
        ('experiment = { kind = "measure" }\n', ""),
    ],
)
def test_an_editor_knows_circuits_by_their_law(tmp_path, old, new):
    text = CIRCUIT.replace("schema = 1\n", "schema = 1\nseed = 7\n")
    result = lint(write(tmp_path, text))
    assert result.returncode == 0, result.stderr
    assert text.count(old) == 1
    assert lint(write(tmp_path, text.replace(old, new))).returncode != 0


@needs_taplo
def test_an_editor_finds_the_schema_beside_the_file(tmp_path):
    shutil.copy(COMMITTED, tmp_path)
    path = write(tmp_path, f"{json_schema.FIRST_LINE}\n{changed('dt = 0.25', 'dt = 25')}")
    result = subprocess.run(
        [TAPLO, "lint", "--colors", "never", path.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert result.returncode != 0
    assert "dt = 25" in result.stderr


@needs_taplo
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed = 7", "seed = -7"),
        ("seed = 7", "sede = 7"),
        ('"sigmoid"', '"sigmiod"'),
        ("l1 = 8", "l1 = 0"),
        ('angle = "90 degree"', "angle = 190"),
        ("dt = 0.25", "dt = 11"),
        ("steps = 10", "steps = 1.5"),
        ('kind = "circle"', 'kind = "circel"'),
        ("samples = 16", 'samples = "16"'),
        ("schema = 1", "schema = 2"),
        ('name = "good"\n', ""),
    ],
)
def test_an_editor_marks_what_is_wrong(tmp_path, old, new):
    assert lint(write(tmp_path, GOOD)).returncode == 0
    assert lint(write(tmp_path, changed(old, new))).returncode != 0


@needs_taplo
@pytest.mark.parametrize(
    "text",
    [
        'extends = "base.toml"\n[network]\nactivation = "dsilu"\n[learning.scheme]\nbeta = 0.1\n',
        'extends = ["a.toml", "preset:rate-mlp"]\n[experiment]\nsamples = 4\n',
        'extends = "circuit.toml"\n[learning]\nrule = { kind = "coupled" }\n[physical]\ninput_volts = "3 V"\n',
        changed("dt = 0.25", 'dt = "50 ns"') + '\n[physical]\ntau = "1 us"\nleak = 1e-6\n',
    ],
)
def test_an_editor_accepts_what_completes_a_base(tmp_path, text):
    result = lint(write(tmp_path, text))
    assert result.returncode == 0, result.stderr


def test_the_schema_is_plain_json():
    assert json.loads(json_schema.format_json_schema()) == json_schema.make_json_schema()
