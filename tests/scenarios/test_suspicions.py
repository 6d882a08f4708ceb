"""Values that are valid and probably not meant: one line each, in every command, and exit code 0."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from scenarios.build import make_any_setup, make_setup
from scenarios.cli.main import main
from scenarios.cli.run import RunFlags, run_command
from scenarios.cli.sweep import SweepFlags, sweep_command
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from scenarios.run.run import RunOptions, run_scenario
from scenarios.suspicions import PHYSICAL, find_suspicions, format_suspicion
from scenarios.sweeps.point import PointWatch

SCENARIO = """\
schema = 1
name = "plain"

[network]
layers = { in = 3, l1 = 4, out = 2 }
connections = ["in-l1", "l1-out", "out-l1"]
parameters = "parameters.npz"

[learning]
scheme = { kind = "centred", beta = 0.2 }

[task]
kind = "arrays"
path = "data.npz"

[experiment]
kind = "measure"
samples = 4
"""
SHAPES = {
    "weight/in-l1": (3, 4),
    "weight/l1-out": (4, 2),
    "weight/out-l1": (2, 4),
    "bias/l1": (4,),
    "bias/out": (2,),
    "readout/weight": (2, 2),
    "readout/bias": (2,),
}


def write(folder, x=1.0, labels=(0, 1), weight=0.5, **blocks):
    rng = np.random.default_rng(0)
    y = np.asarray(labels)
    np.savez(folder / "data.npz", x=x * rng.random((len(y), 3)), y=y)
    drawn = {name: weight * rng.normal(size=shape) for name, shape in SHAPES.items()}
    np.savez(folder / "parameters.npz", **(drawn | blocks))
    path = folder / "plain.toml"
    path.write_text(SCENARIO)
    return path


def found(path, *edits):
    loaded = load_scenario(path, edits)
    return find_suspicions(loaded, make_setup(loaded))


def only(path, *edits):
    (one,) = found(path, *edits)
    return one, format_suspicion(one)


def test_a_plain_scenario_is_not_suspicious(tmp_path):
    assert found(write(tmp_path)) == []


@pytest.mark.parametrize("name", sorted(path.relative_to(CATALOGUE).as_posix() for path in CATALOGUE.rglob("*.toml")))
def test_no_bundled_scenario_is_suspicious(name):
    loaded = load_scenario(CATALOGUE / name, ())
    try:
        setup = make_any_setup(loaded)
    except ScenarioError:  # the images of some are brought by the user
        setup = None
    assert find_suspicions(loaded, setup) == []


def test_channels_that_are_never_off_join_nodes_to_sources():
    def find_words(*edits):
        loaded = load_scenario(CATALOGUE / "circuits/lattice.toml", edits)
        return [format_suspicion(one) for one in find_suspicions(loaded, make_any_setup(loaded))]

    assert find_words('network.lattice.gate=["1.16 V", "1.3 V"]') == []
    assert ["cut off, they float" in line for line in find_words('network.lattice.gate=["1 V", "1.14 V"]')] == [True]


@pytest.mark.parametrize(
    ("edit", "key", "words", "hint"),
    [
        ("dynamics.dt=5", "dynamics.dt", "from 2 on, euler", "0.5 or less"),
        ("dynamics.dt=2", "dynamics.dt", "lets even a bare leak grow", "exponential"),
        ('dynamics={dt=3,method="rk4"}', "dynamics.dt", "from 2.785 on, rk4", "0.5 or less"),
        ('dynamics={dt=5,method="exponential"}', "dynamics.dt", "longer than the membranes take", "1 or less"),
        ("devices.neurons.synapse_tau=1e-6", "devices.neurons.synapse_tau", "euler lets it grow", "below 2e-06"),
        ("devices.neurons.slew=1e-6", "devices.neurons.slew", "by 0.001 at most in the 1000 tau", "more time"),
        ("dynamics.nudged.tolerance=0.1", "dynamics.nudged.tolerance", "of the nudge 0.2", "at most 0.002"),
        ("devices.feedback.mismatch_sigma=5", "devices.feedback.mismatch_sigma", "500 %", '"5 %"'),
        ("devices.weights.mismatch_sigma=5", "devices.weights.mismatch_sigma", "500 %", '"5 %"'),
        ("devices.twin={mismatch_sigma=3}", "devices.twin.mismatch_sigma", "300 %", '"3 %"'),
        ("devices.neurons.offset_sigma=3", "devices.neurons.offset_sigma", "as large as the state", '"3 mV"'),
        ("devices.noise.read=2", "devices.noise.read", "as large as the activity", '"3 mV"'),
        ("devices.hold={pedestal=-2}", "devices.hold.pedestal", "as large as the activity", '"3 mV"'),
        ('network.connections=["in-l1","l1-out"]', "network.connections", "no feedback leads from out to l1", "out-l1"),
        ("devices.weights.window=[-0.1,0.1]", "devices.weights.window", "and is cut", "widen"),
        *(
            (f"physical={{{name}={10.0 * usual.high:g}}}", f"physical.{name}", "unusual", "")
            for name, usual in PHYSICAL.items()
        ),
        *(
            (f"physical={{{name}={0.1 * usual.low:g}}}", f"physical.{name}", "unusual", "")
            for name, usual in PHYSICAL.items()
        ),
    ],
)
def test_a_suspicious_value_is_told_with_its_place(tmp_path, edit, key, words, hint):
    blocks = {} if "out-l1" not in hint else {"weight/out-l1": np.zeros((2, 4))}
    path = write(tmp_path, **blocks)
    if blocks:
        path.write_text(SCENARIO.replace('parameters = "parameters.npz"\n', ""))
    many = found(path, edit)
    assert {one.path for one in many} == {tuple(key.split("."))}
    line = format_suspicion(many[0])
    assert line.startswith(f"--set {edit[:90]}")
    assert "\n" not in line
    for part in (f": warning: {key}", words, hint):
        assert part in line


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"x": 255.0}, "task.path", "and are taken as they are"),
        ({"x": 0.0}, "task.path", "all inputs are 0"),
        ({"labels": (1, 2)}, "task.path", "labels go from 1 to 2"),
        ({"labels": (0, 3)}, "task.path", "2 of 4 classes have no training sample: 1, 2"),
        ({"labels": (1, 1)}, "task.path", "every training label is 1"),
        ({"weight/l1-out": np.zeros((4, 2))}, "network.parameters", "all weights of 'weight/l1-out' are 0"),
        ({"weight/l1-out": np.full((4, 2), 70.0)}, "network.parameters", "is 70, where usual ones are about 1"),
        ({"weight/l1-out": np.full((4, 2), 1e-5)}, "network.parameters", "is 1e-05, where usual ones are about 1"),
    ],
)
def test_suspicious_data_and_weights_are_told(tmp_path, changes, key, words):
    path = write(tmp_path, **changes)
    if "labels" in changes:
        path.write_text(SCENARIO.replace('parameters = "parameters.npz"\n', ""))
    one, line = only(path)
    assert ".".join(one.path) == key
    assert words in line
    assert line.startswith(f"{path}:{one.line}: warning: {key} = ")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ('dynamics.mode="equilibrium"', "it will count 0 J"),
        ("devices.hold={read_skew=0.1,pedestal=0.001}", "not while reads are held"),
        ("phases.hold_time=1.0", "not while reads are held"),
    ],
)
def test_time_that_a_power_does_not_count_is_told(tmp_path, edit, words):
    path = write(tmp_path)
    assert found(path, 'physical.tau="1 us"', 'energy.static="1 mW"') == []
    devices = [] if "hold={" in edit else ["devices.hold={pedestal=0.001}"]
    one, text = only(path, 'physical.tau="1 us"', 'energy.static="1 mW"', *devices, edit)
    assert ".".join(map(str, one.path)) == "energy.static"
    assert words in text


def test_targets_that_no_unit_reaches_are_told(tmp_path):
    path = write(tmp_path)
    np.savez(tmp_path / "data.npz", x=np.ones((2, 3)), y=np.array([[0.0, 1.0], [0.5, 90.0]]))
    path.write_text(SCENARIO.replace('parameters = "parameters.npz"', 'cost = "mse"'))
    assert "targets go from 0 to 90, activities from 0 to 1" in only(path)[1]
    assert found(path, 'network.activation="identity"') == []


def test_every_command_tells_it_and_ends_well(tmp_path, capfd):
    path = write(tmp_path)
    edit = "devices.feedback.mismatch_sigma=5"
    line = only(path, edit)[1]
    checked = CliRunner().invoke(main, ["check", str(path), "--set", edit])
    assert (checked.exit_code, checked.stderr) == (0, f"{line}\n")
    assert checked.stdout.endswith("plain.toml: good\n")
    shown = CliRunner().invoke(main, ["show", str(path), "--set", edit])
    assert shown.exit_code == 0
    assert f"# {line}\n" in shown.stdout
    for quiet in (False, True):
        assert run_command(path, [edit], RunFlags(out=tmp_path / "out", quiet=quiet, threads=1)) == 0
        assert capfd.readouterr().err.count(line) == 1
    assert run_command(path, [edit], RunFlags(out=tmp_path / "out", as_json=True)) == 0
    (told_of,) = json.loads(capfd.readouterr().out)["warnings"]
    assert (told_of["key"], told_of["value"], told_of["line"]) == ("devices.feedback.mismatch_sigma", "5", None)


def test_a_sweep_tells_what_is_suspicious_at_any_point_once(tmp_path, capfd):
    path = write(tmp_path)
    axis = '[[sweep.axis]]\npath = "devices.feedback.mismatch_sigma"\nvalues = [0.1, 5]\n[sweep]\nreplicates = 2\n'
    path.write_text(SCENARIO + axis)
    checked = CliRunner().invoke(main, ["check", str(path)])
    assert checked.exit_code == 0
    assert checked.stderr.count("500 %") == checked.stderr.count("warning") == 1
    assert sweep_command(path, [], SweepFlags(out=tmp_path / "out", as_json=True)) == 0
    out, err = capfd.readouterr()
    assert [one["key"] for one in json.loads(out)["warnings"]] == ["devices.feedback.mismatch_sigma"]
    assert err == ""


def test_what_a_run_refuses_for_its_data_the_check_refuses(tmp_path):
    path = write(tmp_path)
    np.savez(tmp_path / "data.npz", x=np.full((2, 3), np.nan), y=np.array([0, 1]))
    checked = CliRunner().invoke(main, ["check", str(path)])
    assert checked.exit_code == 2
    assert "holds nan at [0, 0]" in checked.stderr
    with pytest.raises(ScenarioError, match="holds nan"):
        run_scenario(load_scenario(path, ()), RunOptions(tmp_path / "out"), PointWatch(lambda: False))


WRITES = """\
schema = 1
name = "writes"

[network]
layers = { in = 2, l1 = 6, out = 2 }
connections = ["in-l1", "l1-out", "out-l1"]

[devices]
update = { kind = "soft-bounds", step = 0.01, w_max = 1.0, w_min = -1.0, rounding = "stochastic" }

[learning]
scheme = { kind = "centred", beta = 0.1 }
write = %s

[task]
kind = "two-moons"
samples = 40
test_samples = 8
batch = 16

[experiment]
kind = "train"
epochs = 1
"""


@pytest.mark.parametrize(
    ("policy", "edit", "key", "words"),
    [
        ('{ kind = "tiles", gamma = 0.004 }', "", "gamma", "worth 0.4 steps of the one before, less than half of one"),
        ('{ kind = "tiles", gamma = 0.005 }', "", "", ""),
        ('{ kind = "transfer", version = "agad" }', "", "chop", "signs turn every 20 batches where a block has 2 rows"),
        ('{ kind = "transfer", version = "agad", fast_rate = 5.0 }', "", "", ""),
        ('{ kind = "transfer", version = "chopped", chop = 0.02 }', "", "", ""),
        (
            '{ kind = "transfer", fast_rate = 2.0 }',
            'update.rounding = "nearest"',
            "fast_rate",
            "below half a step, 0.0025",
        ),
    ],
)
def test_policies_that_cannot_do_what_they_are_for(tmp_path, policy, edit, key, words):
    """An array below half a step of the one before, turns that are too soon, requests that are rounded to nothing."""
    text = WRITES % policy
    if edit:
        text = text.replace('rounding = "stochastic"', 'rounding = "nearest"')
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    loaded = load_scenario(tmp_path / "s.toml")
    told = [format_suspicion(one) for one in find_suspicions(loaded, make_setup(loaded))]
    assert len(told) == bool(key)
    assert all(f"learning.write.{key}" in line and words in line for line in told)
