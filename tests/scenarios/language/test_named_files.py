"""Laws of every key that names a file: what it holds names a result, where it lies does not, and sweeps use each."""

import inspect
import shutil
import struct
import sys
import tomllib
from collections import Counter
from contextlib import contextmanager
from typing import get_args

import numpy as np
import pytest
import tomlkit
from pydantic import BaseModel

from devices.parameters import NamesFile
from scenarios.build import READERS, make_setup
from scenarios.data.shelf import Shelf
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.language.named_files import FILE_KEYS, find_named_files
from scenarios.results import store
from scenarios.run.identity import compute_point_id, compute_run_id, compute_sweep_id
from scenarios.run.relocate import relocate_paths
from scenarios.run.run import RunOptions, run_scenario
from scenarios.schema.circuit.scenario import CircuitSpec
from scenarios.schema.scenario import ScenarioSpec
from scenarios.sweeps.design import list_points
from scenarios.sweeps.point import run_point
from scenarios.sweeps.points import check_design, make_point_scenario
from scenarios.sweeps.sweep import SweepOptions, run_sweep

from ..files import DATA, write_scenario
from ..sweep_files import BASE

CURVE = np.linspace(-2.0, 2.0, 9)


def _npz(path, change=0.0, of="parameters.npz", name="bias/l1"):
    arrays = dict(np.load(DATA / "reciprocal_sigmoid_xent" / of))
    arrays[name] = arrays[name] + change
    np.savez(path, **arrays)


def _idx(path, change=0.0):
    path.mkdir()
    pixels = np.random.default_rng(int(10 * change)).integers(0, 255, 108, dtype=np.uint8).tobytes()
    (path / "train-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, 9, 3, 4) + pixels)
    (path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, 9) + bytes(k % 3 for k in range(9)))


def _table(path, change=0.0):
    np.savetxt(path, np.arange(7) + 0.5 + change)


def _matrix(path, change=0.0, block="weight/in-l1", shape=(12, 8)):
    np.savez(path, **{block: np.full(shape, 0.1 + change)})


def _back(path, change=0.0):
    _matrix(path, change, "weight/l2-l1", (7, 8))


def _cells(path, change=0.0):
    target = np.linspace(-1.0, 1.0, 40)
    np.savetxt(path, np.c_[target, target * (1.1 + change)], delimiter=",", header="target,measured")


WRITERS = {
    ("network", "parameters"): ("w.npz", _npz, []),
    ("network", "activation", "table"): (
        "curve.csv",
        lambda path, change=0.0: np.savetxt(path, np.c_[CURVE, np.tanh(CURVE + change)], delimiter=","),
        [],
    ),
    ("task", "path"): ("data.npz", lambda path, change=0.0: _npz(path, change, "batch.npz", "x"), []),
    ("task", "path", "idx"): ("images", _idx, ["task.kind='idx'"]),
    ("devices", "update", "measured"): (
        "cells.npz",
        lambda path, change=0.0: np.savez(path, **{"weight/in-l1/step_up": np.full((12, 8), 0.1 + change)}),
        ["devices.update={kind='constant-step', step=0.1}"],
    ),
    ("devices", "weights", "measured"): ("weights.npz", _matrix, ["devices.feedback={}"]),
    ("devices", "weights", "measured", "csv"): ("cells.csv", _cells, ["devices.feedback={}"]),
    ("devices", "feedback", "measured"): ("back.npz", _back, ["devices.feedback={}"]),
    ("devices", "converters", "readout", "measured"): ("adc.csv", _table, ["devices.converters.readout.bits=3"]),
    ("devices", "converters", "nudge", "measured"): (
        "dac.csv",
        lambda path, change=0.0: np.savetxt(path, np.arange(-2, 3) + change),
        ["devices.converters.nudge={bits=2, full_scale=1.0}", "phases.nudge='held'"],
    ),
}
"""For every key that names a file: a name for it, what writes it (with a change, or without), and edits it needs."""


def _all_marks(model, above=()):
    """Yield the keys of all marked fields, however deep they stand in lists, tables and choices."""
    for name, field in model.model_fields.items():
        yield from _marks_of([field.annotation, *field.metadata], (*above, field.alias or name))


def _marks_of(parts, here):
    for part in parts:
        if isinstance(part, NamesFile):
            yield here
        elif inspect.isclass(part) and issubclass(part, BaseModel):
            yield from _all_marks(part, here)
        yield from _marks_of(get_args(part), here)


def test_every_field_that_names_a_file_is_known_read_and_tested():
    rates, circuits = (set(_all_marks(spec)) for spec in (ScenarioSpec, CircuitSpec))
    assert rates | circuits == set(FILE_KEYS)
    assert rates == set(READERS) == (set(WRITERS) - OTHER_FORMS) | UNSWEPT
    assert len(FILE_KEYS) >= 6


UNSWEPT = {("hardware", "calibration")}
"""Keys that no sweep varies; they have tests of their own."""

OTHER_FORMS = {("task", "path", "idx"), ("devices", "weights", "measured", "csv")}


@pytest.fixture(params=WRITERS, ids=".".join)
def case(request):
    name, write, edits = WRITERS[request.param]
    return ".".join(request.param[:-1] if request.param in OTHER_FORMS else request.param), name, write, edits


def scenario(folder, key, name, edits, text=BASE):
    folder.mkdir(parents=True, exist_ok=True)
    return load_scenario(write_scenario(folder, edited(text, *edits, f"{key}='{name}'")))


def edited(text, *edits):
    """Return a scenario with values replaced in its text, so that paths start at its file."""
    data = tomllib.loads(text)
    for keys, value in (edit.split("=", 1) for edit in edits):
        *above, last = [int(key) if key.isdecimal() else key for key in keys.split(".")]
        node = data
        for key in above:
            node = node[key] if isinstance(node, list) else node.setdefault(key, {})
            assert isinstance(node, dict | list)
        node[last] = tomllib.loads(f"value = {value}")["value"]
    return tomlkit.dumps(data)


def ids(loaded):
    content = make_setup(loaded).content
    return (
        compute_run_id(loaded.scenario, content),
        compute_point_id(loaded.scenario, content),
        compute_sweep_id(loaded.scenario, content),
    )


def test_the_content_of_a_file_names_a_result(tmp_path, case):
    key, name, write, edits = case
    write(tmp_path / name)
    first = ids(scenario(tmp_path, key, name, edits))
    assert ids(scenario(tmp_path, key, name, edits)) == first
    shutil.rmtree(tmp_path / name, ignore_errors=True)
    write(tmp_path / name, change=0.1)
    changed = ids(scenario(tmp_path, key, name, edits))
    assert all(a != b for a, b in zip(first, changed, strict=True))


def test_the_place_of_a_file_names_nothing(tmp_path, case):
    key, name, write, edits = case
    write(tmp_path / name)
    first = ids(scenario(tmp_path, key, name, edits))
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    assert ids(scenario(tmp_path / "elsewhere", key, name, edits)) == first
    (tmp_path / name).rename(tmp_path / f"other-{name}")
    assert ids(scenario(tmp_path, key, f"other-{name}", edits)) == first


_heard: list[str] | None = None


def _hear(event, arguments):
    if event == "open" and _heard is not None:
        _heard.append(str(arguments[0]))


sys.addaudithook(_hear)  # it stays for the life of the process


@contextmanager
def opens():
    """Collect the paths of all files that are opened inside the context."""
    global _heard  # noqa: PLW0603  an audit hook cannot be taken away
    _heard = found = []
    try:
        yield found
    finally:
        _heard = None


def test_every_file_is_opened_once(tmp_path, case):
    key, name, write, edits = case
    write(tmp_path / name)
    loaded = scenario(tmp_path, key, name, edits)
    with opens() as found:
        make_setup(loaded)
    counts = Counter(path for path in found if path.startswith(str(tmp_path)))
    assert counts
    assert set(counts.values()) == {1}, counts


AXIS = '\n[[sweep.axis]]\npath = "{}"\nvalues = ["first-{name}", "second-{name}"]\n'


def swept(folder, case):
    key, name, write, edits = case
    for k, which in enumerate(("first", "second")):
        write(folder / f"{which}-{name}", change=0.1 * k)
    return scenario(folder, key, f"first-{name}", edits, BASE + AXIS.format(key, name=name))


def same(one, other):
    """Tell whether two things that were read hold the same numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one is other or one == other


def read_in(setup):
    """Return what a setup holds, without its topology, which is no number, and without the names of files."""
    return setup._replace(scenario=None, design=setup.design._replace(topology=None))


def test_a_sweep_over_two_files_uses_each(tmp_path, case):
    loaded, shelf = swept(tmp_path, case), Shelf()
    design = check_design(loaded)
    assert len(set(design.ids)) == 2
    found = [make_point_scenario(loaded, design.dims, point) for point in list_points(design.dims, 1)]
    setups = [make_setup(one, shelf) for one in found]
    assert not same(*map(read_in, setups))
    assert all(same(read_in(setup), read_in(make_setup(one))) for setup, one in zip(setups, found, strict=True))


def test_a_copy_elsewhere_is_the_same_scenario_and_the_same_sweep(tmp_path, case):
    loaded = swept(tmp_path, case)
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    (out / "copy.toml").write_text(relocate_paths(loaded, out).to_toml(), encoding="utf-8")
    copy = load_scenario(out / "copy.toml")
    assert {key: path.resolve() for key, path in find_named_files(copy).items()} == {
        key: path.resolve() for key, path in find_named_files(loaded).items()
    }
    assert ids(copy) == ids(loaded)
    assert check_design(copy).ids == check_design(loaded).ids
    assert check_design(copy).content == check_design(loaded).content


def test_more_files_on_an_axis_go_on_in_the_folder_of_the_sweep(tmp_path, case):
    key, name, _, _ = case
    loaded = swept(tmp_path, case)
    edits = [*case[3], f"sweep.axis.0.values=['first-{name}']"]
    fewer = scenario(tmp_path, key, f"first-{name}", edits, BASE + AXIS.format(key, name=name))
    told = [compute_sweep_id(one.scenario, check_design(one).content) for one in (loaded, fewer)]
    assert told[0] == told[1]


def test_a_sweep_over_converter_tables_measures_what_runs_measure(tmp_path):
    """One process runs both points; each has the figures of a run of its own."""
    case = ("devices.converters.readout.measured", *WRITERS["devices", "converters", "readout", "measured"])
    loaded = swept(tmp_path, case)
    folder = run_sweep(loaded, SweepOptions(tmp_path / "sweep", threads=1), Progress(quiet=True)).folder
    cube = store.read_result_file(folder / "sweep.h5")["gradient"]["cosine"].data
    cosines = []
    for k, which in enumerate(("first", "second")):
        alone = scenario(tmp_path, case[0], f"{which}-adc.csv", case[3])
        done = run_scenario(alone, RunOptions(tmp_path / f"run{k}", 1), Progress(quiet=True))
        cosines.append(store.read_result_file(done.folder / "run.h5")["gradient"]["cosine"].data)
        np.testing.assert_array_equal(cube[k].ravel(), cosines[k].ravel())
    assert not np.array_equal(*cosines)


def test_a_file_that_changes_while_a_sweep_runs_is_told(tmp_path):
    case = ("devices.converters.readout.measured", *WRITERS["devices", "converters", "readout", "measured"])
    loaded = swept(tmp_path, case)

    def change_then_run(tasks, watch):
        for task in tasks:
            _table(tmp_path / "first-adc.csv", change=0.2)
            yield run_point(task)

    done = run_sweep(loaded, SweepOptions(tmp_path / "sweep", change_then_run, threads=1), Progress(quiet=True))
    assert [outcome.status for outcome in done.outcomes] == ["failed", "ok"]
    assert "has changed since the sweep began" in done.outcomes[0].reason
