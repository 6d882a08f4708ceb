"""The merged file: every number where it belongs, whatever the points had in common."""

import warnings

import numpy as np
import pytest
import xarray

from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.results import store
from scenarios.results.points import PointStatus
from scenarios.results.store import Variable
from scenarios.run.run import RunOptions, run_scenario
from scenarios.sweeps.cube import GroupStack

from ..result_files import find_nameless
from ..sweep_files import do_sweep


def group(**columns):
    """Return a group with one figure ``y`` over the given labels, each value told by its labels."""
    labels = list(columns.values())
    values = np.array([hash(place) % 1000 for place in np.ndindex(*map(len, labels))], float)
    made = {name: Variable((name,), np.array(column)) for name, column in columns.items()}
    return made | {"y": Variable(tuple(columns), values.reshape([len(column) for column in labels]))}


def test_equal_labels_are_kept_as_they_are():
    stack = GroupStack((2, 1))
    first, second = group(layer=["a", "b"]), group(layer=["a", "b"])
    stack.add((0, 0), first)
    stack.add((1, 0), second)
    found = stack.group(("x", "replicate"))
    assert found["y"].dims == ("x", "replicate", "layer")
    np.testing.assert_array_equal(found["y"].data[:, 0], [first["y"].data, second["y"].data])
    assert list(found["layer"].data) == ["a", "b"]


def test_numbers_that_are_missing_in_some_points_are_united_in_order():
    stack = GroupStack((3,))
    for place, epochs in enumerate([[2, 5], [0, 1, 2, 3], [0, 1]]):
        stack.add(
            (place,),
            {"epoch": Variable(("epoch",), np.array(epochs)), "y": Variable(("epoch",), np.array(epochs) * 10.0)},
        )
    found = stack.group(("x",))
    assert list(found["epoch"].data) == [0, 1, 2, 3, 5]
    gap = np.nan
    np.testing.assert_array_equal(
        found["y"].data, [[gap, gap, 20, gap, 50], [0, 10, 20, 30, gap], [0, 10, gap, gap, gap]]
    )


def test_a_single_label_that_differs_is_left_out():
    stack = GroupStack((2,))
    stack.add((0,), group(scheme=["a"], layer=["l1", "l2"]))
    stack.add((1,), group(scheme=["b"], layer=["l1", "l2"]))
    found = stack.group(("x",))
    assert found["y"].dims == ("x", "layer")
    assert "scheme" not in found
    assert np.isfinite(found["y"].data).all()


def test_single_labels_get_places_of_their_own_once_a_point_has_more():
    stack = GroupStack((3,))
    points = [group(scheme=["a"]), group(scheme=["b"]), group(scheme=["b", "c"])]
    for place, one in enumerate(points):
        stack.add((place,), one)
    found = stack.group(("x",))
    assert list(found["scheme"].data) == ["a", "b", "c"]
    a, b, both = (one["y"].data for one in points)
    np.testing.assert_array_equal(found["y"].data, [[a[0], np.nan, np.nan], [np.nan, b[0], np.nan], [np.nan, *both]])


def test_points_with_other_dimensions_are_refused():
    stack = GroupStack((2,))
    stack.add((0,), group(layer=["a"]))
    with pytest.raises(ValueError, match="y has the dimensions"):
        stack.add((1,), group(pair=["a"]))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cube")
    return folder, do_sweep(folder).folder


def test_every_number_is_that_of_a_run_of_its_own(swept, tmp_path):
    home, folder = swept
    edits = ["devices.feedback.mismatch_sigma=0.4", 'learning.scheme={kind = "circle", points = 4, beta = 0.2}']
    alone = run_scenario(
        load_scenario(home / "small.toml", [*edits, "chip.instance=1"]),
        RunOptions(tmp_path / "run", 1),
        Progress(quiet=True),
    )
    wanted, found = store.read_result_file(alone.folder / "run.h5"), store.read_result_file(folder / "sweep.h5")
    for name in ("cosine", "norm_ratio", "cosine_matching_rule", "angle_weights"):
        expected = wanted["gradient"][name].data
        np.testing.assert_array_equal(found["gradient"][name].data[2, 1, 1], expected.squeeze(), err_msg=name)
    np.testing.assert_array_equal(found["ledger"]["rms"].data[2, 1, 1], wanted["ledger"]["rms"].data[0])


def test_the_cube_names_its_axes(swept):
    found = store.read_result_file(swept[1] / "sweep.h5")
    assert find_nameless(found) == []
    dims = ("devices.feedback.mismatch_sigma", "learning.scheme", "replicate")
    assert found["gradient"]["cosine"].dims == (*dims, "layer")
    assert found["points"]["status"].dims == dims
    assert (found["points"]["status"].data == PointStatus.OK).all()
    np.testing.assert_array_equal(found["points"]["instance"].data[1, 1], [0, 1])
    np.testing.assert_array_equal(found["gradient"]["devices.feedback.mismatch_sigma"].data, [0.0, 0.1, 0.4])
    assert list(found["gradient"]["learning.scheme"].data) == ["centred, beta 0.2", "four points"]


def test_xarray_opens_it_without_a_warning(swept):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xarray.open_datatree(swept[1] / "sweep.h5", engine="h5netcdf")
        with tree:
            mean = tree["gradient"]["cosine"].mean("replicate").sel({"learning.scheme": "four points"})
            assert mean.dims == ("devices.feedback.mismatch_sigma", "layer")
            assert tree["points"]["status"].attrs["flag_meanings"] == "ok diverged failed killed missing"
