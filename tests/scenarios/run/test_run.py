import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
import xarray

from learning.oracle.ledger.vectors import TERMS
from scenarios.build import make_setup
from scenarios.experiments.kind import RunError, RunSetting, find_kind
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.summary import format_open_lines
from scenarios.results import store
from scenarios.run import identity as identities
from scenarios.run import run as run_module
from scenarios.run.identity import compute_run_id
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios.files import DATA, MEASURE, SETTLE, write_scenario

ROOT = Path(__file__).parents[3]


def compute(path, edits=(), out=None, threads=2, force=False):
    return run_scenario(
        load_scenario(path, edits), RunOptions(out or path.parent / "out", threads, force), Progress(quiet=True)
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    return compute(write_scenario(folder)).folder


def test_a_measure_leaves_the_contracted_groups(measured):
    result = store.read_result_file(measured / "run.h5")
    assert result.attributes["status"] == "complete"
    expected = {"free", "signal", "gradient", "gradient/in-l1", "gradient/bias", "gradient/readout", "ledger"}
    assert expected | {"settling", "devices/l2-l1", "provenance"} <= set(result.groups)
    assert result["gradient"]["delta_estimated_l1"].dims == ("scheme", "sample", "unit_l1")
    assert result["ledger"]["relative"].dims == ("scheme", "layer", "term")
    assert list(result["ledger"]["term"].data) == list(TERMS)
    for group in result.groups.values():
        for variable in group.values():
            if variable.data.dtype.kind == "f" and "settling" not in str(variable.dims):
                # Remedies for other causes than the largest are not measured.
                assert np.isfinite(variable.data).all() or {"time", "remedy"} & set(variable.dims)


def test_the_file_opens_in_xarray_without_a_warning(measured):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_datatree(measured / "run.h5", engine="h5netcdf") as tree:
            assert tree["gradient"]["cosine"].sel(layer="l1").shape == (2,)
            assert list(tree["gradient/l1-l2"]["exact"].dims) == ["pre", "post"]


@pytest.mark.parametrize("kind", ["measure", "settle", "nudge", "train", "evaluate"])
def test_every_experiment_keeps_products_of_matrices_on_one_thread(tmp_path, monkeypatch, kind):
    """Other threads of the library spin on the cores where the chip settles."""
    seen = []

    def watched(*_):
        seen.extend(
            library["num_threads"] for library in threadpoolctl.threadpool_info() if "blas" in library["user_api"]
        )
        return {}, {"status": "complete"}

    monkeypatch.setattr(type(find_kind(kind)), "run", watched)
    experiment = {"train": 'experiment={kind="train",epochs=1}', "evaluate": 'experiment={kind="evaluate",chips=1}'}
    loaded = load_scenario(write_scenario(tmp_path), [experiment.get(kind, f'experiment={{kind="{kind}"}}')])
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        run_module.compute_groups(make_setup(loaded), RunSetting(1, tmp_path, None, ""), Progress(quiet=True))
    assert set(seen) == {1}


def test_the_last_lines_of_a_run_import_what_an_installation_has(measured):
    """What the lines import, and what that imports to read this format, is among the requirements, not the extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = {re.split("[<>=]", line)[0] for line in setup["options"]["install_requires"].split()}
    lines = format_open_lines(measured / "run.h5")
    imported = set(re.findall(r"^import (\w+)", lines, re.MULTILINE)) | set(re.findall(r'engine="(\w+)"', lines))
    assert imported == {"xarray", "h5netcdf"}
    assert imported <= required
    subprocess.run([sys.executable, "-c", lines], check=True, capture_output=True)


def test_the_ideal_chip_gives_the_reference_numbers(tmp_path):
    path = write_scenario(tmp_path)
    tight = "{ max_steps = 20000, tolerance = 1e-14 }"
    folder = compute(
        path,
        [
            "devices.feedback.mismatch_sigma=0",
            f"dynamics.free={tight}",
            f"dynamics.nudged={tight}",
            "learning.schemes.0.beta=0.5",
            "learning.schemes.1.beta=0.05",
        ],
    ).folder
    gradient = store.read_result_file(folder / "run.h5")["gradient"]
    expected = np.load(DATA / "reciprocal_sigmoid_xent" / "expected.npz")
    for layer in ("l1", "l2", "out"):
        for kind in ("ep", "exact"):
            wanted = expected[f"delta/{kind}/{layer}"]
            np.testing.assert_allclose(gradient[f"delta_{kind}_{layer}"].data, wanted, rtol=0, atol=1e-9)
        for s, key in enumerate(("beta_0.5/N_2", "beta_0.05/N_4")):
            wanted = expected[f"delta/circle/{key}/{layer}"]
            measured = gradient[f"delta_estimated_{layer}"].data[s]
            np.testing.assert_allclose(measured, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.figures
def test_a_settle_keeps_only_curves(tmp_path):
    folder = compute(write_scenario(tmp_path, SETTLE)).folder
    result = store.read_result_file(folder / "run.h5")
    assert "gradient" not in result.groups
    settling = result["settling"]
    assert list(settling["phase"].data) == ["free", "beta +0.2", "beta -0.2", "beta 0+0.2j"]
    state = settling["state"].data
    assert state.shape[2:] == (2, 20)
    assert (state[0, 0] == 0.0).all()
    assert np.diff(settling["time"].data) == pytest.approx(1.0)
    last = np.isfinite(state[0, :, 0, 0]).nonzero()[0][-1]
    np.testing.assert_allclose(state[1, 0], state[0, last], rtol=0, atol=1e-6)
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["settling.svg"]


def test_threads_do_not_change_a_bit(tmp_path, measured):
    again = store.read_result_file(compute(write_scenario(tmp_path), threads=1).folder / "run.h5")
    first = store.read_result_file(measured / "run.h5")
    for name, group in first.groups.items():
        if name != "provenance":
            for key, variable in group.items():
                np.testing.assert_array_equal(again[name][key].data, variable.data, err_msg=f"{name}/{key}")


def test_a_complete_run_is_found_again_and_another_is_not_overwritten(tmp_path):
    path = write_scenario(tmp_path)
    first = compute(path)
    stamp = (first.folder / "run.h5").stat().st_mtime_ns
    again = compute(path)
    assert (first.computed, again.computed) == (True, False)
    assert (again.folder / "run.h5").stat().st_mtime_ns == stamp
    with pytest.raises(RunError, match="another scenario"):
        compute(path, ["seed=5"])
    assert compute(path, ["seed=5"], force=True).computed


def identity(path, edits=()):
    loaded = load_scenario(path, edits)
    return compute_run_id(loaded.scenario, make_setup(loaded).content)


def test_the_identity_follows_everything_that_matters(tmp_path, measured):
    path = write_scenario(tmp_path)
    assert store.read_result_file(measured / "run.h5").attributes["id"] == identity(path)
    edits = [[], ["seed=1"], ["dynamics.dt=0.4"], ["experiment.samples=3"]]
    names = {identity(path, edit) for edit in edits}
    blocks = dict(np.load(tmp_path / "parameters.npz"))
    blocks["bias/l1"] += 0.1
    np.savez(tmp_path / "parameters.npz", **blocks)
    assert len(names | {identity(path)}) == 5


def test_the_identity_ignores_where_files_lie_and_how_often_a_checkpoint_is_kept(tmp_path):
    text = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "train"\n'
    path = write_scenario(tmp_path, text)
    first = identity(path)
    moved = write_scenario(tmp_path, text.replace("batch.npz", "./batch.npz").replace("parameters.", "./parameters."))
    assert identity(moved, ["experiment.checkpoint_seconds=3"]) == first
    assert identity(path, ["experiment.epochs=3"]) != first


@pytest.mark.parametrize(("release", "same"), [("0.1.0", True), ("0.1.7", True), ("0.2.0", False), ("1.1.0", False)])
def test_the_identity_names_the_release(tmp_path, monkeypatch, release, same):
    path = write_scenario(tmp_path)
    monkeypatch.setattr(identities, "version", lambda _: "0.1.3")
    first = identity(path)
    monkeypatch.setattr(identities, "version", lambda _: release)
    assert (identity(path) == first) == same


def test_the_curve_of_an_activation_belongs_to_the_identity_and_its_path_does_not(tmp_path):
    names = []
    for name, slope in (("a.csv", 1.0), ("b.csv", 1.0), ("b.csv", 0.5)):
        u = np.linspace(-2.0, 2.0, 9)
        np.savetxt(tmp_path / name, np.column_stack([u, 1.0 / (1.0 + np.exp(-slope * u))]), delimiter=",")
        text = MEASURE.replace("[network]", f'[network]\nactivation = {{ table = "{name}" }}').replace(
            ', { kind = "circle", points = 4, beta = 0.2 }', ""
        )
        names.append(identity(write_scenario(tmp_path, text)))
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("lost", ["report.html", "scenario.toml", pytest.param("figures", marks=pytest.mark.figures)])
def test_what_a_killed_run_did_not_write_is_made_again(tmp_path, lost):
    path = write_scenario(tmp_path, SETTLE)
    out = compute(path).folder
    files, stamp = sorted(out.rglob("*")), (out / "run.h5").stat().st_mtime_ns
    (out / "report.html").unlink()
    if lost == "figures":
        shutil.rmtree(out / lost)
    (out / lost).unlink(missing_ok=True)
    (out / "run.ckpt.h5").write_bytes(b"stale")
    done = compute(path)
    assert not done.computed
    assert sorted(out.rglob("*")) == files
    assert (out / "run.h5").stat().st_mtime_ns == stamp


def test_an_old_report_is_gone_before_a_new_result_is_there(tmp_path, monkeypatch):
    path = write_scenario(tmp_path)
    out = compute(path).folder
    monkeypatch.setattr(run_module, "_write_views", lambda *_: None)
    compute(path, ["seed=5"], force=True)
    assert not (out / "report.html").exists()


@pytest.mark.figures
def test_force_leaves_no_figure_of_the_earlier_result(tmp_path):
    path = write_scenario(tmp_path, SETTLE)
    figures = compute(path).folder / "figures"
    shutil.copy(figures / "settling.svg", figures / "cosine.svg")
    done = compute(path, ["seed=5"], force=True)
    assert [file.name for file in figures.iterdir()] == ["settling.svg"]
    assert [file.name for file in done.files if file.suffix == ".svg"] == ["settling.svg"]


@pytest.mark.figures
@pytest.mark.parametrize("name", ["scenario.toml", "settling.svg", "report.html"])
def test_a_disk_that_fills_up_after_the_result_keeps_it(tmp_path, monkeypatch, name):
    replace = os.replace

    def refuse(source, target):
        if target.name == name:
            raise OSError(28, "No space left on device")
        replace(source, target)

    path = write_scenario(tmp_path, SETTLE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(store.StoreWriteError, match=f"cannot write .*{name}: No space left"):
            compute(path)
    assert store.read_result_file(tmp_path / "out" / "run.h5").attributes["status"] == "complete"
    done = compute(path)
    assert not done.computed
    assert (tmp_path / "out" / "report.html") in done.files


def test_provenance_holds_the_scenario_as_it_was_read(tmp_path):
    path = write_scenario(tmp_path)
    loaded = load_scenario(path)
    path.write_text("changed")
    folder = run_scenario(loaded, RunOptions(tmp_path / "out"), Progress(quiet=True)).folder
    assert str(store.read_result_file(folder / "run.h5")["provenance"]["scenario_toml"].data) == MEASURE


def test_the_resolved_scenario_in_the_folder_runs_again(tmp_path, measured):
    copy = measured / "scenario.toml"
    tomllib.loads(copy.read_text())
    again = store.read_result_file(compute(copy, out=tmp_path / "again").folder / "run.h5")
    first = store.read_result_file(measured / "run.h5")
    np.testing.assert_array_equal(again["gradient"]["cosine"].data, first["gradient"]["cosine"].data)


def test_a_measured_curve_is_found_from_the_copy_too(tmp_path):
    path = write_scenario(tmp_path, MEASURE.replace("points = 4", "points = 2"))
    u = np.linspace(-4.0, 5.0, 400)
    np.savetxt(tmp_path / "neuron.csv", np.column_stack([u, 1.0 / (1.0 + np.exp(2.0 - 4.0 * u))]), delimiter=",")
    text = path.read_text().replace("[network]", '[network]\nactivation = { table = "neuron.csv" }')
    path.write_text(text)
    first = compute(path).folder
    again = store.read_result_file(compute(first / "scenario.toml", out=tmp_path / "again").folder / "run.h5")
    expected = store.read_result_file(first / "run.h5")["gradient"]["cosine"].data
    np.testing.assert_array_equal(again["gradient"]["cosine"].data, expected)
    path.write_text(MEASURE.replace("points = 4", "points = 2"))
    sigmoid = store.read_result_file(compute(path, out=tmp_path / "sigmoid").folder / "run.h5")["gradient"][
        "cosine"
    ].data
    np.testing.assert_allclose(expected, sigmoid, rtol=0, atol=0.02)


def test_provenance_tells_where_a_number_comes_from(measured):
    group = store.read_result_file(measured / "run.h5")["provenance"]
    assert str(group["scenario_toml"].data) == MEASURE
    assert tomllib.loads(str(group["resolved_toml"].data))["dynamics"]["dt"] == 0.5
    assert "numba" in json.loads(str(group["environment_json"].data))
    assert len(str(group["data_sha256"].data)) == 64


def test_an_unwritable_folder_is_named(tmp_path):
    path = write_scenario(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot make this folder"):
        compute(path, out=tmp_path / "file" / "out")
