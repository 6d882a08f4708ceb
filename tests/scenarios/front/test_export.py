"""Exports hold the numbers of the result, under their names, for programs that know nothing of it."""

import csv
import shutil
import subprocess
from enum import IntEnum

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.front.export import FORMATS, export_result, make_tables
from scenarios.front.result import Result
from scenarios.results.disk import StoreWriteError
from scenarios.results.store import ResultData, Variable, make_result_data, write_result_file


class Ending(IntEnum):
    """How something ended."""

    GOOD = 0
    BAD = 3


GROUPS = {
    "gradient": {
        "scheme": Variable(("scheme",), ["a", "b, c"]),
        "layer": Variable(("layer",), ["l1", "out", "x"]),
        "cosine": Variable(("scheme", "layer"), np.arange(6.0).reshape(2, 3) / 7, "1", "cosine to the exact gradient"),
        "kept": Variable(("scheme", "layer"), np.eye(2, 3, dtype=bool)),
        "beta": Variable(("scheme",), [0.2 + 0.1j, np.nan], "S", "nudge"),
        "status": Variable(("layer",), np.array([0, 3, 0], dtype=np.int8), flags=Ending),
        "samples": Variable((), 8),
    },
    "gradient/l1-out": {"estimated": Variable(("pre", "post"), np.zeros((0, 4)), "V")},
}
STORED = make_result_data(GROUPS, {"software": "nudgelab 0"})


def test_tables_hold_every_element_beside_its_coordinates():
    tables = make_tables(STORED)
    assert set(tables) == {
        "columns",
        *("gradient", "gradient__scheme", "gradient__layer", "gradient__scheme__layer"),
        "gradient.l1-out__pre__post",
    }
    table = tables["gradient__scheme__layer"]
    assert list(table.columns) == ["scheme", "layer", "cosine", "kept"]
    for row in table.itertuples():
        place = GROUPS["gradient"]["scheme"].data.index(row.scheme), GROUPS["gradient"]["layer"].data.index(row.layer)
        assert row.cosine == GROUPS["gradient"]["cosine"].data[place]
        assert row.kept == GROUPS["gradient"]["kept"].data[place]
    assert list(tables["gradient__layer"]["status"]) == ["good", "bad", "good"]
    assert tables["gradient__scheme"]["beta_imag"][0] == 0.1
    assert tables["gradient"]["samples"].tolist() == [8]
    assert len(tables["gradient.l1-out__pre__post"]) == 0
    columns = tables["columns"].set_index(["table", "column"])
    assert columns.loc[("gradient__scheme", "beta_real"), "unit"] == "S"
    assert columns.loc[("gradient__scheme__layer", "cosine"), "meaning"] == "cosine to the exact gradient"
    told = {(file, name) for file, table in tables.items() if file != "columns" for name in table.columns}
    assert set(columns.index) == told


def test_csv_comes_back_to_the_last_bit(tmp_path):
    files = export_result(STORED, tmp_path / "new", "csv")
    assert {file.stem for file in files} == set(make_tables(STORED))
    with (tmp_path / "new" / "gradient__scheme__layer.csv").open(newline="") as file:
        back = list(csv.DictReader(file))
    np.testing.assert_array_equal([float(row["cosine"]) for row in back], GROUPS["gradient"]["cosine"].data.ravel())
    assert [row["scheme"] for row in back] == ["a"] * 3 + ["b, c"] * 3


def test_an_archive_needs_no_pickle_and_names_its_axes(tmp_path):
    (file,) = export_result(STORED, tmp_path / "x.npz", "npz")
    with np.load(file, allow_pickle=False) as archive:
        whole = {name: archive[name] for name in archive.files}
    np.testing.assert_array_equal(whole["gradient/cosine"], GROUPS["gradient"]["cosine"].data)
    assert whole["gradient/cosine.dims"].tolist() == ["scheme", "layer"]
    assert whole["gradient/scheme"].tolist() == ["a", "b, c"]
    assert whole["gradient/beta_imag"][0] == 0.1
    assert whole["gradient/l1-out/estimated"].shape == (0, 4)


def test_netcdf_opens_elsewhere(tmp_path):
    (file,) = export_result(STORED, tmp_path / "deep" / "x.nc", "netcdf")
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        np.testing.assert_array_equal(tree["gradient"]["cosine"], GROUPS["gradient"]["cosine"].data)
        assert tree["gradient"]["cosine"].dims == ("scheme", "layer")
        assert tree["gradient"]["beta_real"].attrs["units"] == "S"
        assert tree["gradient"]["status"].attrs["flag_meanings"] == "good bad"
    if shutil.which("ncdump"):
        told = subprocess.run(["ncdump", "-v", "cosine", file], capture_output=True, text=True, check=True).stdout
        assert "double cosine(scheme, layer)" in told


def test_parquet_holds_the_tables_or_says_what_it_needs(tmp_path):
    pytest.importorskip("pyarrow")
    files = export_result(STORED, tmp_path, "parquet")
    assert {file.stem for file in files} == set(make_tables(STORED))
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "gradient__scheme__layer.parquet"), make_tables(STORED)["gradient__scheme__layer"]
    )


def test_parquet_without_its_library_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.front.export.find_spec", lambda _: None)
    with pytest.raises(StoreWriteError, match="needs the library pyarrow"):
        Result(STORED).export(tmp_path, "parquet")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_place_that_cannot_be_written_is_told(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreWriteError, match="cannot write"):
        export_result(STORED, tmp_path / "file" / "x", kind)


def call(*words):
    return CliRunner().invoke(main, ["export", *map(str, words)])


def test_the_command_exports_a_result_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    write_result_file(tmp_path / "run" / "run.h5", GROUPS, {"software": "nudgelab 0"})
    assert call("run").exit_code == 0
    assert (tmp_path / "run-csv" / "columns.csv").exists()
    assert call("run/run.h5", "--format", "netcdf").output == "run-netcdf.nc\n"
    assert call("run", "--format", "npz", "--out", "y.npz").output == "y.npz\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--format", "spice"], "run is a result: SPICE decks are written of a scenario"),
        (["run", "--set", "seed=1"], "--set has no effect on format csv"),
        (["run", "--sample", "0"], "--sample has no effect on format csv"),
        (["run", "--device-models"], "--device-models has no effect on format csv"),
        (["quickstart", "--format", "csv"], "quickstart is neither a folder nor a result file"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    found = call(*words)
    assert found.exit_code == 2
    assert told in found.output
    assert "Traceback" not in found.output


def test_a_folder_without_a_result_is_told(tmp_path):
    found = call(tmp_path)
    assert found.exit_code == 4
    assert str(tmp_path) in found.output


def make_swept(paths, group="gradient"):
    """Return a sweep over these paths, a figure of which has all dimensions and another only the first."""
    axes = {path: Variable((path,), np.arange(2.0)) for path in paths}
    figures = {"cosine": Variable(tuple(paths), np.zeros(2 * np.ones(len(paths), int)), long_name="cosine")}
    figures |= {"first": Variable((paths[0],), np.zeros(2), long_name="first")}
    return ResultData({}, {group: axes | figures})


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["devices.feedback.mismatch_sigma", "learning.scheme.beta"], "gradient__mismatch_sigma__beta"),
        (["devices.a.bits", "devices.b.bits"], "gradient__devices.a.bits__devices.b.bits"),
        (["devices.a.bits", "bits"], "gradient__devices.a.bits__bits"),
    ],
)
def test_tables_of_sweeps_have_short_names_and_an_index(paths, name):
    tables = make_tables(make_swept(paths))
    assert name in tables
    row = tables["columns"].set_index(["table", "column"]).loc[name, "cosine"]
    assert row["group"] == "gradient"
    assert row["dimensions"] == " ".join(paths)


def test_long_names_are_cut_and_differ():
    swept = [make_swept([f"devices.{'long_' * 30}{end}.bits", "devices.b.bits"]) for end in "ab"]
    names = [set(make_tables(one)) for one in swept]
    assert all(len(name) <= 80 for found in names for name in found)
    assert [len(found) for found in names] == [3, 3]
    assert names[0] & names[1] == {"columns"}
    assert names[0] == set(make_tables(swept[0])), "of the same result the same names"
