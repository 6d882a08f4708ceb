import functools
import operator
import os
from pathlib import Path

import pytest

from scenarios.language.files import FileReader
from scenarios.language.load import load_scenario

from ..scenario_files import GOOD, changed, faults_of, only_fault, write


@pytest.mark.parametrize(
    ("content", "message", "line", "hint"),
    [
        ("a = 1\nname = foo\n", "Invalid value (column 8)", 2, 'key = "value"'),
        ("a = 1\na = 2\n", "Cannot overwrite a value", 2, "twice"),
        ("a = 1\nb\n", "Expected '='", 2, "key = value"),
        ("a = 1\nb = [1,\n", "ends too early", 3, "close every bracket"),
        ("a = " + "[" * 5000, "nested too deeply", None, "16 levels"),
        ("a = " + "[" * 17 + "]" * 17, "nested too deeply", 1, "16 levels"),
        (".".join("a" * 500) + " = 1", "nested too deeply", None, "16 levels"),
        ("a = " + "9" * 5000, "not valid TOML", None, None),
        ("a = 0x" + "f" * 5000, "is beyond 64 bits", 1, "smaller"),
        (b"a = 1\nb = '\xff'", "not text in UTF-8 (line 2)", None, "UTF-8"),
        (GOOD.encode("utf-16"), "not text in UTF-8", None, "UTF-8"),
        (b"\0\0", "not valid TOML: Invalid statement", 1, None),
        ("#" * 1_000_001, "is larger than 1000 kB", None, "files of their own"),
    ],
)
def test_a_file_that_is_no_toml_is_one_fault(tmp_path, content, message, line, hint):
    fault = only_fault(write(tmp_path, content))
    assert message in fault.message
    assert fault.line == line
    assert (hint in fault.hint) if hint else fault.hint is None


def test_a_path_that_is_no_file_is_one_fault(tmp_path):
    write(tmp_path, GOOD, "chip.toml")
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert only_fault(tmp_path).message == "is a folder, not a scenario file"
    assert only_fault(tmp_path / "chp.toml")[1:3] == ("no such file", "did you mean 'chip.toml'?")
    names = ["nul\0", "nul\0/a", "a/b", "long" * 100, "chip.toml/x"]
    assert only_fault(pipe).message == "is a pipe or device, not a scenario file"
    for path in (loop, *map(tmp_path.joinpath, names)):
        assert "no such file" in (fault := only_fault(path)).message or "cannot be read" in fault.message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("quikstart", "did you mean 'quickstart'?"),
        ("asymetry", "did you mean 'asymmetry'?"),
        ("my-chp", "did you mean 'my-chip.toml'?"),
        ("rate-mlp", "that is a preset: `nudgelab init my-chip --from rate-mlp` starts from it"),
        ("quickstart", "that is a bundled scenario: `nudgelab show quickstart > base.toml` writes it to a file"),
        ("nothing-like-it", "`nudgelab list` names the bundled scenarios"),
        ("quikstart.toml", None),
    ],
)
def test_a_name_that_is_no_bundled_scenario_is_told_what_was_meant(tmp_path, monkeypatch, name, hint):
    write(tmp_path, GOOD, "my-chip.toml")
    monkeypatch.chdir(tmp_path)
    assert only_fault(Path(name))[1:3] == ("no such file", hint)


def test_a_file_that_may_not_be_read_is_one_fault(tmp_path, monkeypatch):
    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, GOOD)
    monkeypatch.setattr(Path, "open", refuse)
    assert only_fault(path).message == "cannot be read (Permission denied)"


def test_bases_merge_in_order_and_keep_the_places_of_their_values(tmp_path):
    (tmp_path / "sub").mkdir()
    first = write(tmp_path, GOOD, "sub/first.toml")
    second = write(tmp_path, "seed = 8\n[dynamics]\ndt = 0.5\n[chip]\ninstance = 3\n", "second.toml")
    top = write(tmp_path, 'extends = ["sub/first.toml", "second.toml"]\nname = "top"\n[dynamics]\nfree.steps = 5\n')
    loaded = load_scenario(top)
    assert (loaded.scenario.name, loaded.scenario.seed, loaded.scenario.chip.instance) == ("top", 8, 3)
    assert (loaded.scenario.dynamics.dt, loaded.scenario.dynamics.free.steps) == (0.5, 5)
    assert "extends" not in loaded.data
    places = {
        ("schema",): (first, 1),
        ("seed",): (second, 1),
        ("name",): (top, 2),
        ("dynamics", "free", "steps"): (top, 4),
    }
    assert {key: loaded.origins[key][:2] for key in places} == places
    assert loaded.folder("schema") == tmp_path / "sub"
    assert loaded.folder("chip", "instance") == loaded.folder("network", "parameters") == tmp_path


def test_a_base_may_have_a_base(tmp_path):
    write(tmp_path, GOOD, "a.toml")
    write(tmp_path, 'extends = "a.toml"\nseed = 8\n', "b.toml")
    loaded = load_scenario(write(tmp_path, 'extends = "b.toml"\nname = "c"\n', "c.toml"))
    assert (loaded.scenario.name, loaded.scenario.seed) == ("c", 8)


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("network.layers = { in = 1, out = 2 }", "network.layers", {"in": 1, "out": 2}),
        ("learning.schemes = [{ beta = 1 }]", "learning.schemes", [{"beta": 1}]),
        ('task = { kind = "idx", path = "p" }', "task", {"kind": "idx", "path": "p"}),
        ('task = { name = "fashion-small" }', "task", {"kind": "bundled", "name": "fashion-small"}),
        ('experiment = { kind = "measure" }', "experiment", {"kind": "measure", "samples": 16}),
        ('experiment = { kind = "settle" }', "experiment", {"kind": "settle"}),
        ("dynamics.free = 3", "dynamics.free", 3),
        ("name = { a = 1 }", "name", {"a": 1}),
    ],
)
def test_tables_merge_but_layers_arrays_and_other_kinds_are_replaced(tmp_path, text, keys, expected):
    write(tmp_path, GOOD, "base.toml")
    data, _ = FileReader().read(write(tmp_path, 'extends = "base.toml"\n' + text), [])
    assert functools.reduce(operator.getitem, keys.split("."), data) == expected


def test_a_replaced_table_leaves_no_places_behind(tmp_path):
    text = changed('"bundled"', '"idx"\npath = "images"')
    write(tmp_path, text, "base.toml")
    fault = only_fault(write(tmp_path, 'extends = "base.toml"\n[task]\nkind = "arrays"\n'))
    assert (fault.path, fault.line, fault.source) == (("task", "path"), 2, "[task]")


def test_a_fault_in_a_base_is_told_there(tmp_path):
    base = write(tmp_path, changed("dt = 0.25", "dt = 0"), "base.toml")
    fault = only_fault(write(tmp_path, 'extends = "base.toml"\n'))
    assert (fault.file, fault.source) == (str(base), "dt = 0")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"nope.toml"', "no such file"),
        ('"."', "is a folder"),
        ('"preset:rram"', "there is no preset 'rram'"),
        ('"s.toml"', "extends itself: s.toml -> s.toml"),
        ('"./s.toml"', "extends itself: s.toml -> s.toml"),
        ('"loop.toml"', "extends itself: s.toml -> loop.toml -> s.toml"),
        ('"nul\\u0000"', "no such file"),
        ("3", "must be the name of a file, is a whole number"),
        ('["good.toml", 3]', "must be the name of a file, is a whole number"),
        ('["nope.toml", "good.toml"]', "no such file"),
    ],
)
def test_a_base_that_cannot_be_used_is_told_at_the_line_that_names_it(tmp_path, value, message):
    write(tmp_path, GOOD, "good.toml")
    write(tmp_path, '\nextends = "s.toml"\n', "loop.toml")
    path = write(tmp_path, f"extends = {value}\n")
    fault = only_fault(path)
    assert message in fault.message
    assert fault.path[0] == "extends"
    assert fault.source == (f"extends = {value}" if "loop" not in value else 'extends = "s.toml"')


def test_every_unusable_base_is_told(tmp_path):
    write(tmp_path, "a = ", "broken.toml")
    found = faults_of(write(tmp_path, 'extends = ["nope.toml",\n"broken.toml"]\n'))
    assert [Path(fault.file).name for fault in found] == ["broken.toml", "s.toml"]


def test_too_many_bases_are_refused(tmp_path):
    for i in range(40):
        write(tmp_path, f'extends = "{i + 1}.toml"\n', f"{i}.toml")
    write(tmp_path, GOOD, "40.toml")
    assert "more than 32 files" in only_fault(tmp_path / "0.toml").message
    assert load_scenario(tmp_path / "9.toml").scenario.seed == 7
