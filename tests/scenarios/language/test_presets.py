import pytest

from scenarios.language.files import PRESETS, list_preset_files
from scenarios.language.load import load_scenario
from tests.scenarios.scenario_files import only_fault, write

REST = """\
schema = 1
name = "own"

[learning.scheme]
kind = "centred"
beta = 0.2

[task]
kind = "bundled"

[experiment]
kind = "measure"
"""


@pytest.mark.parametrize("path", list_preset_files(), ids=lambda path: path.stem)
def test_a_preset_needs_only_learning_task_and_experiment(tmp_path, path):
    loaded = load_scenario(write(tmp_path, f'extends = "preset:{path.stem}"\n{REST}'))
    assert loaded.origins["network", "layers", "in"].file == path
    assert loaded.scenario.dynamics.dt == 1.0
    assert (loaded.scenario.dynamics.free.steps, loaded.scenario.dynamics.nudged.steps) == (150, 20)
    assert list(loaded.scenario.network.layers.values()) == [784, 256, 256, 10]
    assert (loaded.scenario.network.activation, loaded.scenario.network.cost) == ("sigmoid", "cross-entropy")


def test_a_preset_says_what_it_is():
    assert {"rate-mlp", "loop-mlp"} <= {path.stem for path in list_preset_files()}
    for path in list_preset_files():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# ")
        assert len(first) <= 120


def test_the_loop_has_no_reciprocal_pair(tmp_path):
    connections = load_scenario(write(tmp_path, f'extends = "preset:loop-mlp"\n{REST}')).scenario.network.connections
    assert connections == ["in-l1", "l1-l2", "l2-out", "out-l1"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rate-mpl", "did you mean 'rate-mlp'?"),
        ("rram", "presets are loop-mlp, rate-mlp"),
        ("", "presets are"),
        ("../catalogue/quickstart", "presets are"),
        ("rate-mlp.toml", "did you mean 'rate-mlp'?"),
    ],
)
def test_an_unknown_preset_is_told_at_its_line(tmp_path, name, hint):
    fault = only_fault(write(tmp_path, f'schema = 1\nextends = "preset:{name}"\n'))
    assert (fault.path, fault.line) == (("extends",), 2)
    assert fault.message == f"there is no preset {name!r}"
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("dynamics.free = { max_steps = 7 }", "dynamics.free", {"max_steps": 7, "tolerance": 0.01}),
        ("dynamics.free = { duration = 7 }", "dynamics.free", {"duration": 7, "tolerance": 0.01}),
        ("dynamics.free = { tolerance = 0.1 }", "dynamics.free", {"steps": 150, "tolerance": 0.1}),
        ('learning.schemes = [{ kind = "centred", beta = 1 }]', "learning", None),
        ("learning.scheme.beta = 3", "learning.scheme", {"kind": "centred", "beta": 3}),
    ],
)
def test_a_key_replaces_its_alternatives_in_the_base(tmp_path, text, path, value):
    write(tmp_path, f'extends = "preset:rate-mlp"\n{REST}', "base.toml")
    loaded = load_scenario(write(tmp_path, f'extends = "base.toml"\n{text}\n'))
    node = loaded.data
    for key in path.split("."):
        node = node[key]
    assert node == (value or {"schemes": [{"kind": "centred", "beta": 1}]})


def test_the_presets_are_where_they_are_packaged():
    assert all(path.parent == PRESETS for path in list_preset_files())
