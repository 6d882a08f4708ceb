"""The result file: round trip, layout, other readers."""

import importlib.util
import math
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

import h5py
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.results.store import ResultData, Variable, read_result_file, write_result_file

HEAD = {"title": "A run", "software": "nudgelab 0.1.0", "status": "complete", "seed": 7, "beta": 0.25}


class Status(IntEnum):
    """Outcome of a settling."""

    SETTLED = 0
    MAX_STEPS = 1
    DIVERGED = -3


def sample_groups() -> dict[str, dict[str, Variable]]:
    return {
        "free": {
            "loss": Variable(("sample",), [0.5, np.nan, 2.0], "V", "loss"),
            "state_l1": Variable(("sample", "unit_l1"), np.arange(6, dtype=np.float32).reshape(3, 2)),
            "status": Variable(("sample",), [Status.SETTLED, Status.DIVERGED, Status.MAX_STEPS], flags=Status),
            "settled": Variable(("sample",), [True, False, True]),
            "impedance": Variable(("sample",), [1 + 2j, 0, -1j], "ohm"),
        },
        "gradient": {
            "scheme": Variable(("scheme",), ["centred β=0.2", ""], long_name="nudge scheme"),
            "cosine": Variable(("scheme",), [0.9, 1.0]),
        },
        "gradient/l1-l2": {"ep": Variable(("scheme", "pre", "post"), np.ones((2, 3, 4)))},
        "provenance": {"scenario_toml": Variable((), 'name = "é"\n'), "threads": Variable((), 4)},
    }


def assert_same(found: Variable, given: Variable) -> None:
    expected = np.asarray(given.data)
    assert found.dims == given.dims
    assert found.data.shape == expected.shape
    np.testing.assert_array_equal(found.data, expected)
    if given.flags is None:
        assert found.data.dtype.kind == expected.dtype.kind
        assert expected.dtype.kind == "U" or found.data.dtype == expected.dtype
        assert found.flags is None
    else:
        assert found.data.dtype == np.int8
        assert {flag.name: flag.value for flag in found.flags} == {flag.name: flag.value for flag in given.flags}
    assert found.long_name == given.long_name
    assert found.units == (given.units if expected.dtype.kind != "U" else "1")


def assert_round_trip(result: ResultData, groups: dict[str, dict[str, Variable]]) -> None:
    assert set(result.groups) == {path for path, group in groups.items() if group}
    for path, group in result.groups.items():
        assert set(groups[path]) <= set(group)
        for name, variable in group.items():
            if name in groups[path]:
                assert_same(variable, groups[path][name])
            else:
                assert variable.dims == (name,)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run [1].h5"
    write_result_file(path, sample_groups(), HEAD)
    return path


def test_round_trip(path):
    result = read_result_file(path)
    assert_round_trip(result, sample_groups())
    assert result.attributes.items() >= HEAD.items()
    assert [type(result.attributes[name]) for name in ("title", "seed", "beta")] == [str, int, float]
    again = path.with_name("again.h5")
    write_result_file(again, result.groups, result.attributes)
    assert_round_trip(read_result_file(again), result.groups)
    assert read_result_file(again).attributes == result.attributes


DIMS = [f"d{number}" for number in range(3)]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
TYPES = ["?", "i1", "i8", "u2", "f4", "f8", "c8", "c16"]


@st.composite
def variables(draw, sizes):
    dims = tuple(draw(st.lists(st.sampled_from(sorted(sizes)), unique=True, max_size=3)))
    shape = tuple(sizes[dim] for dim in dims)
    kind = draw(st.sampled_from([*TYPES, "text", "flags"]))
    flags = None
    if kind == "text":
        size = math.prod(shape)
        data = np.array(draw(st.lists(TEXT, min_size=size, max_size=size)), dtype=str).reshape(shape)
    elif kind == "flags":
        flags = Status
        data = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([int(flag) for flag in Status])))
    else:
        data = draw(hnp.arrays(kind, shape))
    return Variable(dims, data, draw(TEXT), draw(TEXT), flags)


@st.composite
def trees(draw):
    groups = {}
    for path in draw(st.lists(st.sampled_from(["a", "a/b", "a/b/c", "e/f"]), unique=True)):
        sizes = {f"{dim}_{path[-1]}": draw(st.integers(0, 3)) for dim in DIMS}
        names = draw(st.lists(st.sampled_from(["v", "w", "x-y", "9.z"]), unique=True))
        groups[path] = {name: draw(variables(sizes)) for name in names}
    return groups


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=trees())
def test_round_trip_of_anything(tmp_path, groups):
    path = tmp_path / "any.h5"
    write_result_file(path, groups, HEAD)
    assert_round_trip(read_result_file(path), groups)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        for group, content in groups.items():
            for name, variable in content.items():
                np.testing.assert_array_equal(tree[f"{group}/{name}"], variable.data)


def test_index_is_made_and_the_coordinate_of_a_parent_is_taken(path):
    result = read_result_file(path)
    np.testing.assert_array_equal(result["free"]["sample"].data, [0, 1, 2])
    assert result["free"]["sample"].dims == ("sample",)
    assert result["gradient/l1-l2"]["scheme"].data.tolist() == ["centred β=0.2", ""]


def test_root_attributes(path):
    with h5py.File(path) as file:
        names = list(file.attrs)
        assert names[:3] == ["title", "format", "Conventions"]
        assert names[-1] == "status"
        assert file.attrs["Conventions"] == "CF-1.11"
        assert file.attrs["format"] == 1
        assert file.attrs["created"].endswith("+00:00")
        assert list(file) == ["free", "gradient", "provenance"]
        assert list(file["free"])[-5:] == list(sample_groups()["free"])


def test_defaults_of_root_attributes(tmp_path):
    write_result_file(tmp_path / "small.h5", {}, {"software": "nudgelab 0.1.0", "git_dirty": True})
    attributes = read_result_file(tmp_path / "small.h5").attributes
    assert (attributes["title"], attributes["status"]) == ("small", "complete")
    assert repr(attributes["git_dirty"]) == "1"


def test_attributes_of_variables(path):
    with h5py.File(path) as file:
        loss, status = file["free/loss"].attrs, file["free/status"].attrs
        assert (loss["units"], loss["long_name"]) == ("V", "loss")
        assert np.isnan(loss["_FillValue"])
        assert np.isnan(file["free/state_l1"].fillvalue)
        assert file["free/state_l1"].attrs["_FillValue"].dtype == np.float32
        assert status["flag_values"].tolist() == [0, 1, -3]
        assert status["flag_meanings"] == "settled max_steps diverged"
        assert file["free/settled"].dtype == np.int8
        assert "units" not in file["provenance/scenario_toml"].attrs
        assert "units" not in file["gradient/scheme"].attrs


@pytest.mark.parametrize(
    ("dims", "shape", "type_", "chunks"),
    [
        (("x",), (8192,), "f4", None),
        (("x",), (8193,), "f4", (8193,)),
        (("pre", "post"), (1000, 1000), "f8", (125, 1000)),
        (("phase", "time", "sample", "unit_l1"), (3, 200, 4, 128), "f4", (1, 200, 1, 128)),
        (("phase", "time", "sample", "unit_l1"), (2, 3000, 2, 100), "f4", (1, 1500, 1, 100)),
    ],
)
def test_chunks(tmp_path, dims, shape, type_, chunks):
    write_result_file(tmp_path / "x.h5", {"g": {"v": Variable(dims, np.zeros(shape, type_))}}, HEAD)
    with h5py.File(tmp_path / "x.h5") as file:
        dataset = file["g/v"]
        assert dataset.chunks == chunks
        compressed = (dataset.compression, dataset.compression_opts, dataset.shuffle)
        assert compressed == (("gzip", 1, True) if chunks else (None, None, False))


def test_xarray_opens_the_tree(path):
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
        free = tree["free"].to_dataset()
        assert dict(free.sizes) == {"sample": 3, "unit_l1": 2}
        assert set(free.coords) == {"sample", "unit_l1"}
        np.testing.assert_array_equal(free.loss, [0.5, np.nan, 2.0])
        np.testing.assert_array_equal(free.impedance, [1 + 2j, 0, -1j])
        types = {name: str(free[name].dtype) for name in free.data_vars}
        assert types == {
            "loss": "float64",
            "state_l1": "float32",
            "status": "int8",
            "settled": "bool",
            "impedance": "complex128",
        }
        assert free.loss.attrs == {"units": "V", "long_name": "loss"}
        assert tree["gradient/l1-l2/ep"].dims == ("scheme", "pre", "post")
        assert tree["gradient"].cosine.sel(scheme="centred β=0.2") == 0.9
        assert str(tree["provenance/scenario_toml"].values) == 'name = "é"\n'


def test_xarray_opens_a_group(path):
    with xr.open_dataset(path, group="gradient/l1-l2", engine="h5netcdf") as group:
        assert dict(group.sizes) == {"scheme": 2, "pre": 3, "post": 4}
        assert group.scheme.values.tolist() == ["centred β=0.2", ""]
        assert float(group.ep.sel(scheme="").sum()) == 12.0


def test_netcdf4_opens_it(path):
    """In a process of its own: two HDF5 libraries in one are asking for trouble."""
    if importlib.util.find_spec("netCDF4") is None:
        pytest.skip("netCDF4 is not installed")
    script = """
import sys, netCDF4, numpy, xarray
with netCDF4.Dataset(sys.argv[1]) as file:
    free = file["free"]
    assert free["state_l1"].dimensions == ("sample", "unit_l1")
    assert free["loss"][0] == 0.5 and free["loss"].units == "V"
    assert free["status"].flag_meanings == "settled max_steps diverged"
    assert file["gradient/l1-l2"]["ep"].shape == (2, 3, 4)
with xarray.open_dataset(sys.argv[1], group="gradient", engine="netcdf4") as gradient:
    assert gradient.scheme.values.tolist() == ["centred β=0.2", ""]
    assert gradient.cosine.values.tolist() == [0.9, 1.0]
"""
    run = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
