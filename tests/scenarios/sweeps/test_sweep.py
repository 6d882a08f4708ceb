"""The course of a sweep: resume, endings of points, shards, refusals of the disk."""

import csv
import json
import shutil
from collections import Counter

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.experiments.kind import COMPLETE
from scenarios.experiments.watch import Interrupted
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.results import store
from scenarios.results.store import StoreReadError, StoreWriteError, Variable
from scenarios.run.identity import compute_point_id
from scenarios.sweeps import point as sweep_point
from scenarios.sweeps.design import REPLICATE
from scenarios.sweeps.point import PointTask, run_point
from scenarios.sweeps.sweep import STOPPED, SweepOptions, merge_points, run_sweep

from ..files import DATA, write_scenario
from ..sweep_files import BASE, SWEEP, do_sweep, loaded_sweep

LAYERS = Variable(("layer",), np.array(["l1", "out"]))


def figures(scenario):
    """Return what stands for the result of a point: a cosine that falls with the mismatch."""
    sigma = scenario.devices.feedback.mismatch_sigma
    cosine = np.array([[1.0 - sigma, 1.0 - 2.0 * sigma + 0.01 * scenario.chip.instance]])
    labels = {"scheme": Variable(("scheme",), np.array(["centred"])), "layer": LAYERS}
    return {"gradient": labels | {"cosine": Variable(("scheme", "layer"), cosine, long_name="cosine")}}


@pytest.fixture(autouse=True)
def _no_page(monkeypatch):
    monkeypatch.setattr("scenarios.sweeps.sweep.write_sweep_report", lambda *_: None)


@pytest.fixture
def quick(monkeypatch):
    """Replace the experiment of a point by a formula; return the list of scenarios that were computed."""
    computed = []

    def compute(setup, setting, watch):
        scenario = setup.scenario
        computed.append(scenario)
        return figures(scenario), COMPLETE

    monkeypatch.setattr(sweep_point, "compute_groups", compute)
    return computed


def endings(swept):
    return Counter(outcome.status if outcome else "missing" for outcome in swept.outcomes)


def table(folder):
    with (folder / "points.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_the_cosine_of_every_layer(tmp_path, quick):
    swept = do_sweep(tmp_path)
    cosine = store.read_result_file(swept.folder / "sweep.h5")["gradient"]
    layers = [str(name) for name in cosine["layer"].data]
    assert len(layers) > 1
    for row, values in zip(table(swept.folder), cosine["cosine"].data.reshape(-1, len(layers)), strict=True):
        assert [float(row[f"cosine_{name}"]) for name in layers] == pytest.approx(values, rel=1e-8)
        assert float(row["cosine_worst"]) == pytest.approx(values.min(), rel=1e-8)


def assert_same(first, second):
    a, b = store.read_result_file(first / "sweep.h5"), store.read_result_file(second / "sweep.h5")
    assert a.groups.keys() == b.groups.keys()
    for name, one in a.groups.items():
        assert one.keys() == b[name].keys()
        for key, variable in one.items():
            assert variable.dims == b[name][key].dims
            np.testing.assert_array_equal(variable.data, b[name][key].data, err_msg=f"{name}/{key}")


def test_a_sweep_that_is_done_computes_nothing_again(tmp_path, quick):
    first = do_sweep(tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in (first.folder / "points").iterdir()}
    again = do_sweep(tmp_path)
    assert (first.computed, again.computed, len(quick)) == (12, 0, 12)
    assert {path: path.stat().st_mtime_ns for path in (first.folder / "points").iterdir()} == stamps
    assert len(stamps) == 12


def test_a_sweep_with_more_values_keeps_what_it_has(tmp_path, quick):
    do_sweep(tmp_path)
    more = do_sweep(tmp_path, SWEEP.replace('"40 %"]', '"40 %", 0.7]').replace("replicates = 2", "replicates = 3"))
    assert more.computed == 4 * 2 * 3 - 12
    assert endings(more) == {"ok": 24}


def test_the_default_folder_stays_when_values_are_added(tmp_path, quick, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {do_sweep(tmp_path, text, out=None).folder for text in (SWEEP, SWEEP.replace("0.1,", "0.2,"))}
    assert len(names) == 1
    assert names.pop().name.startswith("small-")


def test_a_damaged_point_is_computed_again(tmp_path, quick):
    folder = do_sweep(tmp_path).folder
    path = min((folder / "points").glob("*.h5"))
    path.write_bytes(path.read_bytes()[:1000])
    assert do_sweep(tmp_path).computed == 1
    assert path.stat().st_size > 1000


def test_equal_points_are_computed_once(tmp_path, quick):
    for copy in ("a.npz", "b.npz", "c.npz"):
        shutil.copy(DATA / "reciprocal_sigmoid_xent" / "parameters.npz", tmp_path / copy)
    files = SWEEP.replace("devices.feedback.mismatch_sigma", "network.parameters")
    swept = do_sweep(tmp_path, files.replace('[0, 0.1, "40 %"]', '["a.npz", "b.npz", "c.npz"]'))
    assert swept.computed == 4
    assert endings(swept) == {"ok": 12}


def test_shards_together_are_the_whole(tmp_path, quick):
    (tmp_path / "whole").mkdir()
    whole = do_sweep(tmp_path / "whole").folder
    for share in range(3):
        part = do_sweep(tmp_path, shard=(share, 3))
        assert part.computed == 4
        assert not (part.folder / "sweep.h5").exists()
    assert endings(merge_points(part.folder)) == {"ok": 12}
    assert_same(part.folder, whole)


def test_a_half_done_sweep_can_be_merged_and_says_what_is_missing(tmp_path, quick):
    folder = do_sweep(tmp_path, shard=(0, 2)).folder
    assert endings(merge_points(folder)) == {"ok": 6, "missing": 6}
    found = store.read_result_file(folder / "sweep.h5")
    assert found.attributes["status"] == "incomplete"
    np.testing.assert_array_equal(
        found["points"]["status"].data == 4, np.isnan(found["gradient"]["cosine"].data[..., 0, 0])
    )


def test_merge_needs_the_folder_of_a_sweep(tmp_path):
    with pytest.raises(StoreReadError, match="name the folder of a sweep"):
        merge_points(tmp_path)
    (tmp_path / "sweep.json").write_text('{"format": 1, "dims": 3}')
    with pytest.raises(StoreReadError, match="damaged"):
        merge_points(tmp_path)
    (tmp_path / "sweep.json").write_text('{"format": 99}')
    with pytest.raises(StoreReadError, match="another release"):
        merge_points(tmp_path)


@pytest.fixture
def troubled(monkeypatch):
    """Let points raise at 10 % mismatch and never settle at 40 %."""

    def compute(setup, setting, watch):
        scenario = setup.scenario
        sigma, groups = scenario.devices.feedback.mismatch_sigma, figures(scenario)
        if sigma == 0.1:
            raise RuntimeError("a device is on fire")
        kept = np.full((1, 2), sigma != 0.4)
        groups["gradient"] |= {
            "kept": Variable(("scheme", "sample"), kept),
            "status": Variable(("scheme", "sample"), 1 - kept),
        }
        return groups, COMPLETE

    monkeypatch.setattr(sweep_point, "compute_groups", compute)


def test_failed_and_diverged_points_are_told_apart(tmp_path, troubled):
    swept = do_sweep(tmp_path)
    assert endings(swept) == {"ok": 4, "failed": 4, "diverged": 4}
    found = store.read_result_file(swept.folder / "sweep.h5")["points"]["status"]
    np.testing.assert_array_equal(found.data[:, 0, 0], [0, 2, 1])
    rows = table(swept.folder)
    assert [row["status"] for row in rows[::4]] == ["ok", "failed", "diverged"]
    assert rows[4]["reason"] == "RuntimeError: a device is on fire"
    assert "2 of 2 samples" in rows[8]["reason"]
    told = json.loads((swept.folder / "points" / f"{rows[4]['id']}.failed.json").read_text())
    assert told["values"] == {
        "devices.feedback.mismatch_sigma": 0.1,
        "learning.scheme": "centred, beta 0.2",
        REPLICATE: 0,
    }
    assert "on fire" in told["traceback"]
    assert "Traceback" in told["traceback"]


def test_failed_points_are_left_alone_until_asked_for(tmp_path, troubled, monkeypatch):
    do_sweep(tmp_path)
    assert do_sweep(tmp_path).computed == 0
    monkeypatch.setattr(sweep_point, "compute_groups", lambda setup, *_: (figures(setup.scenario), COMPLETE))
    mended = do_sweep(tmp_path, retry_failed=True)
    assert mended.computed == 4
    assert endings(mended) == {"ok": 8, "diverged": 4}
    assert not list((mended.folder / "points").glob("*.json"))


def test_fail_fast_stops_at_the_first_failure(tmp_path, troubled):
    swept = do_sweep(tmp_path, fail_fast=True)
    assert endings(swept) == {"ok": 4, "failed": 1, "missing": 7}
    assert "first failed point" in swept.stopped


def test_a_sweep_that_is_stopped_goes_on_where_it_was(tmp_path, quick, monkeypatch):
    class Stopping(Progress):
        def advance(self, done, _total, _text):
            if done == 5:
                self.stop()

    first = run_sweep(loaded_sweep(tmp_path), SweepOptions(tmp_path / "out"), Stopping(quiet=True))
    assert (first.computed, first.stopped) == (5, STOPPED)
    assert store.read_result_file(first.folder / "sweep.h5").attributes["status"] == "incomplete"
    assert do_sweep(tmp_path).computed == 7


def test_an_interrupted_point_is_no_result(tmp_path, monkeypatch):
    def compute(setup, setting, watch):
        raise Interrupted("stopped after 3 epochs")

    monkeypatch.setattr(sweep_point, "compute_groups", compute)
    assert endings(do_sweep(tmp_path)) == {"missing": 12}


def test_a_training_that_is_stopped_goes_on_from_its_checkpoint(tmp_path):
    text = BASE.replace('kind = "measure"\nsamples = 2', 'kind = "train"\nepochs = 3')
    loaded = load_scenario(write_scenario(tmp_path, text.replace('"batch.npz"', '"batch.npz"\nbatch = 2')))
    name = compute_point_id(loaded.scenario, make_setup(loaded).content)
    task = PointTask(name, loaded, tmp_path, tmp_path / "stop", 1, "summary", "{}")
    checkpoint, result = tmp_path / f"{name}.ckpt.h5", tmp_path / f"{name}.h5"
    assert run_point(task).status == "ok"
    wanted = store.read_result_file(result)["metrics"]["loss_train"].data
    assert np.isfinite(wanted[-1])
    result.unlink()
    (tmp_path / "stop").touch()
    assert run_point(task).status == "interrupted"
    assert (checkpoint.exists(), result.exists()) == (True, False)
    assert run_point(task, lambda: False).status == "ok"
    assert (checkpoint.exists(), result.exists()) == (False, True)
    np.testing.assert_array_equal(store.read_result_file(result)["metrics"]["loss_train"].data, wanted)


def test_a_disk_that_refuses_ends_the_sweep_and_keeps_what_was_written(tmp_path, quick, monkeypatch):
    written, save = [], store.write_result_file

    def full(path, *rest):
        if path.parent.name == "points" and len(written) == 5:
            raise StoreWriteError(f"cannot write {path}: No space left on device")
        written.append(path)
        save(path, *rest)

    monkeypatch.setattr(store, "write_result_file", full)
    swept = do_sweep(tmp_path)
    assert swept.stopped.startswith("cannot write")
    assert endings(swept) == {"ok": 5, "missing": 7}
    monkeypatch.undo()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreWriteError, match="choose another folder"):
        do_sweep(tmp_path)


def test_the_table_has_the_worst_layer(tmp_path, quick):
    rows = table(do_sweep(tmp_path).folder)
    assert float(rows[4]["cosine_worst"]) == pytest.approx(0.8)
    assert float(rows[5]["cosine_worst"]) == pytest.approx(0.81)
