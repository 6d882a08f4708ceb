"""What a notebook calls gives what the command line gives, in memory as in a folder."""

import ast
import subprocess
import sys
import traceback
from html import escape
from pathlib import Path

import numpy as np
import pytest

import nudgelab
from scenarios import api
from scenarios.front.progress import Progress
from scenarios.results import store
from scenarios.results.variables import complete_groups

TABLES = {
    "schema": 1,
    "name": "small",
    "network": {"layers": {"in": 4, "l1": 6, "out": 3}, "connections": ["in-l1", "l1-out", "out-l1"]},
    "dynamics": {"free": {"steps": 60}, "nudged": {"steps": 60}},
    "learning": {"scheme": {"kind": "centred", "beta": 0.1}},
    "task": {"kind": "teacher", "inputs": 4, "outputs": 3, "samples": 8, "test_samples": 4},
    "experiment": {"kind": "measure", "samples": 8},
}


def assert_same(found, kept, left_out=("provenance",)):
    assert found.groups.keys() == kept.groups.keys()
    for path, group in kept.groups.items():
        for name, variable in group.items() if path not in left_out else ():
            other = found[path][name]
            assert other.dims == variable.dims, (path, name)
            assert np.array_equal(other.data, variable.data, equal_nan=variable.data.dtype.kind in "fc"), (path, name)


@pytest.fixture(scope="module")
def memory():
    """Return a result in memory."""
    return nudgelab.load(TABLES).run()


def test_a_run_in_memory_is_the_run_in_a_folder(tmp_path, memory):
    scenario = nudgelab.load(TABLES)
    kept = scenario.run(tmp_path / "kept")
    assert_same(memory.stored, kept.stored)
    assert memory.folder is None
    assert memory.files == []
    assert (memory.answer, memory.metrics, memory.remarks) == (kept.answer, kept.metrics, kept.remarks)
    opened = nudgelab.open(tmp_path / "kept")
    assert_same(opened.stored, kept.stored, left_out=())
    assert opened.answer == kept.answer
    again = scenario.run(tmp_path / "kept")
    assert (kept.computed, again.computed) == (True, False)


@pytest.mark.figures
def test_a_result_in_memory_can_be_saved_and_run_again_from_there(tmp_path, memory):
    files = {path.name for path in memory.save(tmp_path / "saved")}
    assert {"run.h5", "report.html", "scenario.toml", "causes.svg"} <= files
    assert_same(nudgelab.open(tmp_path / "saved").stored, memory.stored)
    again = nudgelab.load(tmp_path / "saved" / "scenario.toml").run()
    assert_same(again.stored, memory.stored)


def test_a_file_and_its_tables_are_the_same_scenario(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(nudgelab.load(TABLES).to_toml(), encoding="utf-8")
    assert nudgelab.load(path).to_toml() == nudgelab.load(TABLES).to_toml()
    assert nudgelab.load(path, {"seed": 3}).to_toml() == nudgelab.load(path, ["seed=3"]).to_toml()


def test_set_leaves_the_scenario_as_it_is():
    scenario = nudgelab.load(TABLES)
    other = scenario.set({"devices.feedback.mismatch_sigma": np.float64(0.1), "seed": np.int64(2)})
    assert other.loaded.scenario.devices.feedback.mismatch_sigma == 0.1
    assert scenario.loaded.scenario.devices.feedback.mismatch_sigma is None
    assert other.set({"seed": 5}).loaded.scenario.devices.feedback.mismatch_sigma == 0.1


def test_arrays_in_memory_are_those_of_a_file(tmp_path):
    rng = np.random.default_rng(1)
    data = {"x": rng.normal(size=(8, 4)), "y": rng.integers(0, 3, 8)}
    chip = nudgelab.load(TABLES).chip()
    weights = {name: rng.normal(size=block.shape) for name, block in chip.programmed.items()}
    np.savez(tmp_path / "data.npz", **data)
    np.savez(tmp_path / "weights.npz", **weights)
    others = {"experiment": TABLES["experiment"], "task": {"kind": "arrays", "path": data}}
    memory = nudgelab.load(TABLES | others | {"network": TABLES["network"] | {"parameters": weights}})
    edits = {"network.parameters": str(tmp_path / "weights.npz"), "task": {"kind": "arrays"}}
    file = nudgelab.load(TABLES, edits | {"task.path": str(tmp_path / "data.npz")})
    kept = memory.run(tmp_path / "kept")
    assert_same(kept.stored, file.run().stored)
    assert kept.stored.attributes["id"] == file.run().stored.attributes["id"]
    assert np.array_equal(memory.data.x, data["x"])
    assert_same(nudgelab.load(tmp_path / "kept" / "scenario.toml").run().stored, kept.stored)


def test_faults_of_tables_name_the_key_and_the_cure():
    with pytest.raises(nudgelab.ScenarioError, match='<tables>: nam = "x": unknown key - did you mean'):
        nudgelab.load({key: value for key, value in TABLES.items() if key != "name"} | {"nam": "x"})
    with pytest.raises(nudgelab.ScenarioError, match=r"--set learning.scheme.beta = -1"):
        nudgelab.load(TABLES, {"learning.scheme.beta": -1})


class Impatient(Progress):
    """Ends the run as Ctrl-C does, when it is told the second line."""

    lines = 0

    def say(self, text):
        super().say(text)
        self.lines += 1
        if self.lines == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_leaves_everything_as_it_was(memory):
    scenario = nudgelab.load(TABLES)
    with pytest.raises(KeyboardInterrupt):
        scenario.run(watch=Impatient(quiet=True))
    assert_same(scenario.run().stored, memory.stored)


class Leaving(Progress):
    """Ends the sweep as Ctrl-C does, when it is told that the first point is done."""

    def advance(self, done, total, text):
        super().advance(done, total, text)
        raise KeyboardInterrupt


def test_an_interrupted_sweep_goes_on_with_the_same_call(tmp_path):
    sweep = nudgelab.sweep(nudgelab.load(TABLES), {"devices.feedback.mismatch_sigma": [0.05, 0.1, 0.2]})
    with pytest.raises(KeyboardInterrupt):
        sweep.run(tmp_path / "left", watch=Leaving(quiet=True))
    assert len(list((tmp_path / "left/points").glob("*.h5"))) == 1
    found, whole = sweep.run(tmp_path / "left"), sweep.run(tmp_path / "whole")
    assert (found.swept.computed, whole.swept.computed) == (2, 3)
    assert_same(found.stored, whole.stored, left_out=())
    assert found.answer == whole.answer
    assert found._repr_html_().count("<table>") == len(found.sheets) > 0


class Mistaken(Progress):
    """Has a mistake where it is told something."""

    def say(self, text):
        super().say(text.no_such_name)  # the line


def test_a_mistake_in_a_callback_is_shown_at_its_line():
    with pytest.raises(AttributeError) as caught:
        nudgelab.load(TABLES).run(watch=Mistaken(quiet=True))
    lines = [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert any("# the line" in line for line in lines)


def test_results_are_compared_and_reported_as_the_command_line_does(tmp_path):
    scenario = nudgelab.load(TABLES)
    for name, sigma in (("a", 0.0), ("b", 0.1)):
        scenario.set({"devices.feedback.mismatch_sigma": sigma}).run(tmp_path / name)
    found = nudgelab.compare(tmp_path / "a", tmp_path / "b")
    assert found.keys["devices.feedback.mismatch_sigma"] == (0.0, 0.1)
    assert found._repr_html_().count("<table>") == 2
    assert "devices.feedback.mismatch_sigma" in repr(found)
    (tmp_path / "a/report.html").unlink()
    assert tmp_path / "a/report.html" in nudgelab.report(tmp_path / "a")
    assert (tmp_path / "a/report.html").exists()
    with pytest.raises(nudgelab.StoreError, match="ecram-mo"):
        nudgelab.report("ecram-moo")


def test_a_sweep_is_the_runs_of_its_points(tmp_path):
    scenario = nudgelab.load(TABLES)
    found = nudgelab.sweep(scenario, {"devices.feedback.mismatch_sigma": [0.05, 0.2]}, replicates=2).run(tmp_path / "s")
    alone = scenario.set({"devices.feedback.mismatch_sigma": 0.2, "chip.instance": 1}).run()
    (tmp_path / "s/report.html").unlink()
    assert tmp_path / "s/report.html" in nudgelab.report(tmp_path / "s")
    assert (tmp_path / "s/report.html").exists()
    cosine = found["gradient"]["cosine"].isel({"devices.feedback.mismatch_sigma": 1, "replicate": 1})
    assert np.array_equal(cosine.values.ravel(), alone["gradient"]["cosine"].values.ravel())
    assert len(found.to_dataframe()) == 4
    opened = nudgelab.open(tmp_path / "s")
    assert opened.answer == found.answer != ""
    assert nudgelab.merge(tmp_path / "s").answer == found.answer


def test_a_chip_by_hand_is_the_chip_of_the_run(memory):
    scenario = nudgelab.load(TABLES)
    chip = scenario.chip()
    chip.set_input(scenario.data.x[:8])
    chip.settle()
    assert np.array_equal(chip.read()["out"], memory["free"]["activity_out"].values)


def test_everything_shows_itself_in_a_notebook(memory):
    scenario, result = nudgelab.load(TABLES), memory
    assert escape(result.answer) in result._repr_html_()
    assert result._repr_html_().count("<table>") >= 1
    assert "kind = " in scenario._repr_html_()
    drawing = result.figures["causes"]
    assert drawing._repr_svg_().count("<svg") == 1
    assert drawing.caption.startswith("Ledger.")
    with pytest.raises(KeyError, match="no figure 'cause': there are"):
        result.figures["cause"]
    with pytest.raises(KeyError, match="no group 'gradients': there are"):
        result["gradients"]


def test_a_tree_in_memory_is_the_file_as_xarray_opens_it(tmp_path):
    xarray = pytest.importorskip("xarray")
    result = nudgelab.load(TABLES).run(tmp_path / "kept")
    with xarray.open_datatree(tmp_path / "kept" / "run.h5", engine="h5netcdf") as file:
        for path, group in complete_groups(result.stored.groups).items():
            for name, variable in group.items():
                there, here = file[path][name], result.to_xarray()[path][name]
                assert there.dims == here.dims == variable.dims
                assert np.array_equal(there.values, here.values, equal_nan=variable.data.dtype.kind in "fc")


def test_the_bundled_names_are_listed():
    assert "quickstart" in nudgelab.catalogue()
    assert nudgelab.list_presets().keys() == {"presets", "devices"}
    assert list(nudgelab.catalogue())[-1].startswith("laborieux")


def test_the_front_door_loads_nothing_heavy():
    heavy = {"numba", "scipy", "h5py", "matplotlib", "pydantic", "xarray"}
    code = f"import sys, nudgelab; dir(nudgelab); print(sorted({heavy} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert {"main", *api.PUBLIC} == set(nudgelab.__all__)
    for name in nudgelab.__all__:
        assert getattr(nudgelab, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        nudgelab.laod  # noqa: B018


def test_the_front_door_has_one_list():
    """What type checkers read and what is loaded are the same names of the same modules."""
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    read = {
        alias.name: f"{'.' * node.level}{node.module}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    loaded = api.PUBLIC | api._MORE
    assert read == {name: place.removeprefix("..") if ".." in place else f".{place}" for name, place in loaded.items()}


def test_in_memory_content_is_what_a_file_gives(tmp_path, memory):
    store.write_result_file(tmp_path / "run.h5", memory.stored.groups, memory.stored.attributes)
    assert_same(store.read_result_file(tmp_path / "run.h5"), memory.stored, left_out=())
