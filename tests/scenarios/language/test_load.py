import copy
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario, make_scenario_error

from ..scenario_files import GOOD, assert_tells, changed, faults_of, line_of, only_fault, write


def test_a_good_file_is_read_with_the_place_of_every_value(tmp_path):
    path = write(tmp_path, GOOD)
    loaded = load_scenario(path)
    assert loaded.scenario.seed == 7
    assert loaded.scenario.network.asymmetry.angle == 90.0
    assert loaded.data["network"]["asymmetry"] == {"angle": "90 degree"}
    origin = loaded.origins["learning", "schemes", 1, "points"]
    assert origin == (path, line_of(GOOD, "points"), '{ kind = "circle", beta = 0.1, points = 4 },')
    assert all(origin.file == path and origin.line for origin in loaded.origins.values())


def test_a_byte_order_mark_and_windows_newlines_are_accepted(tmp_path):
    text = changed("seed = 7", "seed = true").replace("\n", "\r\n")
    fault = only_fault(write(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert (fault.line, fault.source) == (3, "seed = true")


@pytest.mark.parametrize(
    ("old", "new", "path", "message", "hint"),
    [
        (
            "sigmoid",
            "sigmiod",
            "network.activation",
            "must be 'sigmoid', 'dsilu', 'tanh', 'hard-sigmoid', 'softplus' or 'identity'",
            "did you mean 'sigmoid'?",
        ),
        (
            "sigmoid",
            "Dsilu",
            "network.activation",
            "must be 'sigmoid', 'dsilu', 'tanh', 'hard-sigmoid', 'softplus' or 'identity'",
            "did you mean 'dsilu'?",
        ),
        ("seed = 7", "sede = 7", "sede", "unknown key", "did you mean 'seed'?"),
        ("seed = 7", 'extend = "x.toml"', "extend", "unknown key", "did you mean 'extends'?"),
        ("seed = 7", "schema_version = 1", "schema_version", "unknown key", "did you mean 'schema'?"),
        ("seed = 7", "zzz = 7", "zzz", "unknown key", "known keys: schema, name, seed, chip"),
        ("name =", "nmae =", "nmae", "unknown key", "did you mean 'name'?"),
        ("schema = 1", "shema = 1", "shema", "unknown key", "did you mean 'schema'?"),
        ("points = 4", "point = 4", "learning.schemes.1.point", "unknown key", "did you mean 'points'?"),
        ("beta = 0.2", "bta = 0.2", "learning.schemes.0.bta", "unknown key", "did you mean 'beta'?"),
        ('"bundled"', '"ixd"', "task.kind", "must be 'bundled', 'idx', 'cifar', 'imagenet32'", "did you mean 'idx'?"),
        ('"bundled"', "[1]", "task.kind", "must be 'bundled', 'idx', 'cifar', 'imagenet32'", None),
        ('kind = "bundled"', 'knd = "idx"', "task.knd", "unknown key", "did you mean 'kind'?"),
        ("dt = 0.25", "dt = true", "dynamics.dt", "must be a number, is a boolean", "units of tau"),
        ("dt = 0.25", 'dt = "10 ns"', "dynamics.dt", "is in seconds, which needs [physical] tau", "add tau"),
        ("dt = 0.25", "dt = 0", "dynamics.dt", "must be > 0", "0 to 10"),
        ("dt = 0.25", "dt = 11", "dynamics.dt", "must be <= 10", "0 to 10"),
        ("dt = 0.25", "dt = nan", "dynamics.dt", "must be finite", "0 to 10"),
        ("seed = 7", "seed = 7.0", "seed", "must be a whole number, is a decimal number", "write 7"),
        ("seed = 7", 'seed = "7"', "seed", "must be a whole number, is a string", "write 7 without quotes"),
        ("seed = 7", "seed = -1", "seed", "must be >= 0", "0 to 2^63 - 1"),
        ("seed = 7", "seed = 1979-05-27", "seed", "must be a whole number, is a date or time", "Seed"),
        ("seed = 7", "seed = 9223372036854775808", "seed", "is beyond 64 bits", "smaller"),
        ('name = "good"', "name = 5", "name", "must be a string, is a whole number", 'write "5"'),
        ('"good"', '"a b"', "name", "must match ^[A-Za-z0-9]", "letters, digits, `_ . -`"),
        ('"90 degree"', '"90"', "network.asymmetry.angle", "has no unit", 'write 45 or "45 degree"'),
        ('"90 degree"', '"90 V"', "network.asymmetry.angle", "cannot be read in the unit 'degree'", '"45 degree"'),
        ('"10 %"', '"many"', "devices.feedback.mismatch_sigma", "is not a number with a unit", '"10 %"'),
        ("free = { steps = 10 }", "free = 10", "dynamics.free", "must be a table, is a whole number", "free settling"),
        ("{ steps = 10 }", "{ steps = 1, max_steps = 2 }", "dynamics.free", "exclude each other", None),
        ("schema = 1\n", "schema = true\n", "schema", "must be a whole number, is a boolean", "write schema = 1"),
        ("schema = 1\n", 'schema = "1"\n', "schema", "must be 1", None),
        ("schema = 1\n", "schema = 0\n", "schema", "must be 1", None),
        ("schema = 1\n", "schema = 2\n", "schema", "needs a newer release", "upgrade"),
        ('"l1-out"', '"l1-zz", "l1-out"', "network.connections.1", "names no layer 'zz'", "layers are in, l1, out"),
        ('["in-l1", "l1-out", "out-l1"]', "[]", "network.connections", "must have at least 1 item(s)", "Directed"),
        ("l1 = 8", "l1 = 0", "network.layers.l1", "must be >= 1", "Units per layer"),
        ("seed = 7", "devices.noise.thermal = -1", "devices.noise.thermal", "must be >= 0", "White noise"),
        ("seed = 7", "devices.noise.thermal = []", "devices.noise.thermal", "must be a number, is an array", "White"),
    ],
)
def test_a_wrong_value_or_key_is_explained_with_its_line(tmp_path, old, new, path, message, hint):
    text = changed(old, new)
    fault = only_fault(write(tmp_path, text))
    assert ".".join(map(str, fault.path)) == path
    assert message in fault.message
    assert (hint in fault.hint) if hint else fault.hint is None
    assert fault.line == line_of(text, new.strip())
    assert fault.source == text.split("\n")[fault.line - 1].strip()


@pytest.mark.parametrize(
    ("old", "path", "message", "hint", "source"),
    [
        ("schema = 1\n", "schema", "missing", "Version of the scenario language", None),
        ('[task]\nkind = "bundled"', "task", "missing", "add a table [task] with kind = 'bundled', 'idx'", None),
        ('kind = "bundled"', "task", "has no `kind`", "add kind = 'bundled', 'idx', 'cifar'", "[task]"),
        (", beta = 0.2", "learning.schemes.0.beta", "missing", "above 0", '{ kind = "centred" },'),
        ("layers = { in = 4, l1 = 8, out = 2 }", "network.layers", "missing", "Units per layer", "[network]"),
        (
            '"l1-out", ',
            "network.connections",
            "nothing feeds layer 'out'",
            "add a",
            'connections = ["in-l1", "out-l1"]',
        ),
    ],
)
def test_what_is_missing_is_told_at_the_table_around_it(tmp_path, old, path, message, hint, source):
    fault = only_fault(write(tmp_path, changed(old, "")))
    assert_tells(fault, path, message, hint)
    assert fault.source == source


def test_a_missing_key_of_another_kind_is_told_at_its_table(tmp_path):
    fault = only_fault(write(tmp_path, changed('"bundled"', '"idx"')))
    assert fault[:2] == (("task", "path"), "missing")
    assert fault.source == "[task]"


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path):
    text = GOOD.replace("seed = 7", "sede = 7").replace("sigmoid", "sigmiod").replace('"out-l1"', '"out-l2"')
    text = text.replace("0.25", "-1").replace('"circle", beta', '"circle", bet').replace('"bundled"', '"idx"')
    faults = faults_of(write(tmp_path, text.replace("16", '"16"')))
    assert [".".join(map(str, fault.path)) for fault in faults] == [
        "sede",
        "network.connections.2",
        "network.activation",
        "dynamics.dt",
        "learning.schemes.1.bet",
        "task.path",
        "experiment.samples",
    ]
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)


def test_the_report_reads_as_promised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, changed("sigmoid", "sigmiod").replace("seed = 7", '"odd key" = 7'), "bad.toml")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(Path("bad.toml"))
    assert str(caught.value) == (
        'bad.toml:3: "odd key" = 7: unknown key - known keys: schema, name, seed, chip, network, physical, dynamics, '
        "phases, devices, energy, learning, task, experiment, hardware, sweep, extends\n"
        '    | "odd key" = 7\n'
        "bad.toml:8: network.activation = \"sigmiod\": must be 'sigmoid', 'dsilu', 'tanh', "
        "'hard-sigmoid', 'softplus' or 'identity' - did you mean 'sigmoid'?\n"
        '    | activation = "sigmiod"'
    )
    assert copy.deepcopy(caught.value).faults == caught.value.faults


def test_a_long_report_is_cut_but_its_faults_are_not(tmp_path):
    path = write(tmp_path, "".join(f"zz{i} = 1\n" for i in range(100)) + GOOD)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert len(caught.value.faults) == 100
    assert str(caught.value).endswith("\n... and 50 more")


def test_faults_of_the_wiring_are_told_beside_others(tmp_path):
    text = changed("out = 2 }", "L = 2 }").replace("dt = 0.25", "dt = 0")
    found = {".".join(map(str, fault.path)): fault for fault in faults_of(write(tmp_path, text))}
    assert set(found) == {
        "network.layers.L",
        "network.connections.1",
        "network.connections.2",
        "network.connections",
        "dynamics.dt",
    }
    assert found["network.layers.L"].line == line_of(text, "layers =")


@pytest.mark.parametrize(("connections", "gigabytes"), [('["in-out"]', 3.2), ('["in-out", "out-out"]', 6.4)])
def test_weights_beyond_memory_are_refused(tmp_path, connections, gigabytes):
    text = changed("{ in = 4, l1 = 8, out = 2 }", "{ in = 20_000, out = 20_000 }")
    text = text.replace('["in-l1", "l1-out", "out-l1"]', connections).replace('asymmetry = { angle = "90 degree" }', "")
    path = write(tmp_path, text.replace('[devices.feedback]\nmismatch_sigma = "10 %"', ""))
    if gigabytes < 4:
        assert load_scenario(path).scenario.network.layers == {"in": 20_000, "out": 20_000}
    else:
        fault = only_fault(path)
        assert fault.path == ("network", "layers")
        assert f"{gigabytes} GB, more than 4 GB" in fault.message


def test_later_checks_get_the_same_report(tmp_path):
    path = write(tmp_path, GOOD)
    loaded = load_scenario(path)
    error = make_scenario_error(
        loaded,
        [
            (("task", "path"), "no such folder", "try another"),
            (("network", "layers", "in"), "must be 784", None),
            ((), "does not fit", None),
        ],
    )
    assert str(error) == (
        f"{path}:6: network.layers.in = 4: must be 784\n    | layers = {{ in = 4, l1 = 8, out = 2 }}\n"
        f"{path}:24: task.path: no such folder - try another\n    | [task]\n"
        f"{path}: does not fit"
    )


def test_loading_imports_nothing_heavy(tmp_path):
    good = write(tmp_path, GOOD)
    bad = write(tmp_path, changed("seed = 7", "sede = 7"), "bad.toml")
    code = """
import pathlib, sys
from scenarios.language.faults import ScenarioError
from scenarios.language.files import FileReader
from scenarios.language.load import load_scenario
load_scenario(pathlib.Path(sys.argv[1]))
try:
    load_scenario(pathlib.Path(sys.argv[2]))
except ScenarioError as error:
    str(error)
print(*{"numba", "scipy", "h5py", "matplotlib", "pint"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code, good, bad], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
