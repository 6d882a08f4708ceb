"""Designs of sweeps: levels, samples, and that every point is a scenario before any runs."""

import numpy as np
import pytest

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.schema.sweep import Sweep
from scenarios.sweeps.design import list_dimensions, list_points
from scenarios.sweeps.folder import PlanDimension, SweepPlan
from scenarios.sweeps.points import check_design, make_point_scenario

from ..files import write_scenario
from ..scenario_files import line_of
from ..sweep_files import BASE, SWEEP, loaded_sweep


def design(*axes, **settings):
    return list_dimensions(Sweep.model_validate({**settings, "axis": list(axes)}))


def values(dimension):
    return {path: [level.value for level in levels] for path, levels in dimension.axes.items()}


def test_a_grid_has_every_combination_and_chips_move_fastest():
    dims = design({"path": "a", "values": [1, 2]}, {"path": "b", "values": [3, 4, 5]})
    assert [dim.name for dim in dims] == ["a", "b"]
    found = list(list_points(dims, 2))
    assert [point.place for point in found[:4]] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]
    assert [point.number for point in found] == list(range(12))
    assert len({point.place for point in found}) == 12


def test_zipped_axes_move_together():
    (dim,) = design({"path": "a", "values": [1, 2], "zip": "both"}, {"path": "b", "values": [3, 4], "zip": "both"})
    assert (dim.name, dim.size, values(dim)) == ("both", 2, {"a": [1, 2], "b": [3, 4]})
    with pytest.raises(ValueError, match="b has 1 values, but the axes zipped as 'both' have 2"):
        design({"path": "a", "values": [1, 2], "zip": "both"}, {"path": "b", "values": [3], "zip": "both"})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"start": 0.0, "stop": 1.0, "num": 5}, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ({"start": 0.01, "stop": 1.0, "num": 3, "scale": "log"}, [0.01, 0.1, 1.0]),
        ({"start": 4, "stop": 16, "num": 4, "whole": True}, [4, 8, 12, 16]),
        ({"start": 3.0, "stop": 5.0, "num": 1}, [3.0]),
    ],
)
def test_a_range_has_both_ends_and_even_steps(table, expected):
    (dim,) = design({"path": "a", "values": table})
    assert values(dim) == {"a": expected}
    assert [type(value) for value in values(dim)["a"]] == [type(value) for value in expected]


def samples(method, count, seed=0):
    table = {"start": 0.0, "stop": 1.0}
    axes = [{"path": "a", "values": table}, {"path": "b", "values": {**table, "stop": 8.0}}]
    (dim,) = design(*axes, method=method, samples=count, seed=seed)
    return np.array([[level.value for level in dim.axes[path]] for path in ("a", "b")])


@pytest.mark.parametrize("method", ["random", "lhs", "sobol"])
def test_a_drawn_design_is_one_dimension_within_its_ranges_and_named_by_its_seed(method):
    found = samples(method, 32)
    assert found.shape == (2, 32)
    assert (found >= 0.0).all()
    assert (found.max(axis=1) <= [1.0, 8.0]).all()
    assert found[1].max() > 6.0
    np.testing.assert_array_equal(found, samples(method, 32))
    assert not np.array_equal(found, samples(method, 32, seed=1))


def test_a_latin_hypercube_has_one_sample_in_every_stratum():
    found = samples("lhs", 20)
    for row, top in zip(found, (1.0, 8.0), strict=True):
        assert sorted((row / top * 20).astype(int)) == list(range(20))


def test_a_sobol_design_is_the_beginning_of_a_longer_one():
    np.testing.assert_array_equal(samples("sobol", 8), samples("sobol", 16)[:, :8])
    np.testing.assert_array_equal(samples("sobol", 5), samples("sobol", 16)[:, :5])


def test_a_drawn_design_takes_list_values_equally_often():
    (dim,) = design({"path": "a", "values": ["x", "y", "z"]}, method="lhs", samples=30)
    assert [values(dim)["a"].count(value) for value in "xyz"] == [10, 10, 10]


@pytest.mark.parametrize(
    ("text", "part", "words"),
    [
        ('method = "lhs"\n', "[sweep]", "method 'lhs' needs `samples`"),
        ("samples = 3\n", "[sweep]", "a grid has no `samples`"),
        ("replicates = 0\n", "replicates = 0", "must be >= 1"),
        ('method = "lsh"\nsamples = 3\n', "method", "did you mean 'lhs'?"),
        ("AXIS values = { start = 0, stop = 1 }", "[sweep]", "a range in a grid needs `num`"),
        ('AXIS values = { start = 0, stop = 1, num = 3, scale = "log" }', "values", "a log scale needs"),
        ("AXIS values = []", "values", "at least 1 item"),
        ("AXIS values = [1]\nzip = 'layer'", "[sweep]", "zip = 'layer' is the name of a dimension"),
        ("AXIS values = [1]\n[[sweep.axis]]\npath = 'seed'\nvalues = [2]", "[sweep]", "seed stands on two axes"),
        ("replicates = 2\nINSTANCE", "[sweep]", "replicates are instances of the chip already"),
        ("replicates = 2\nreplicate = 'seed'\n", "[sweep]", "replicates are seeds already"),
        ("NAME", "[sweep]", "name cannot be varied"),
        ("AXIS values = NUMBERS\n[[sweep.axis]]\npath = 'a'\nvalues = NUMBERS", "[sweep]", "10,000,000,000 points"),
        ("replicates = 11\nAXIS values = NUMBERS", "[sweep]", "1,100,000 points, more than 1,000,000"),
        ('method = "lhs"\nsamples = 1000\nreplicates = 1001\n', "[sweep]", "1,001,000 points"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_at_its_line(tmp_path, text, part, words):
    text = text.replace("AXIS", "[[sweep.axis]]\npath = 'seed'\n")
    text = text.replace("INSTANCE", "[[sweep.axis]]\npath = 'chip.instance'\nvalues = [1]")
    text = text.replace("NUMBERS", "{ start = 0, stop = 1, num = 100000 }")
    text = text.replace("NAME", "[[sweep.axis]]\npath = 'name'\nvalues = ['a']")
    if "axis" not in text:
        text += "[[sweep.axis]]\npath = 'seed'\nvalues = [1]\n"
    path = write_scenario(tmp_path, f"{BASE}\n[sweep]\n{text}\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert words in str(caught.value)
    assert caught.value.faults[0].line == line_of(path.read_text(), part) if part == "[sweep]" else True


def scenarios_of(loaded):
    design = check_design(loaded)
    return design, [
        make_point_scenario(loaded, design.dims, p).scenario for p in list_points(design.dims, design.sweep.replicates)
    ]


LABELLED = """
[sweep]
[[sweep.axis]]
path = "devices.feedback"
values = [
  { label = "ideal" },
  { label = "both", value = { mismatch_sigma = 0.3 }, also = { "learning.scheme.beta" = 0.4, "seed" = 7 } },
]
"""


def test_a_label_without_a_value_leaves_the_key_out_and_other_keys_go_with_a_level(tmp_path):
    design, (ideal, both) = scenarios_of(loaded_sweep(tmp_path, LABELLED))
    assert design.coordinates == {"devices.feedback": ["ideal", "both"]}
    told = [(s.devices.feedback.mismatch_sigma, s.learning.scheme.beta, s.seed) for s in (ideal, both)]
    assert told == [(None, 0.2, 0), (0.3, 0.4, 7)]


def test_a_key_that_was_never_there_can_be_left_out(tmp_path):
    text = LABELLED.replace("devices.feedback", "learning.homeostasis").replace(
        "{ mismatch_sigma = 0.3 }", '{ kind = "exact" }'
    )
    _, (none, exact) = scenarios_of(loaded_sweep(tmp_path, text))
    assert none.learning.homeostasis is None
    assert exact.learning.homeostasis.kind == "exact"


def test_what_goes_with_a_level_is_checked_at_its_line(tmp_path):
    (fault,) = faults_of(tmp_path, LABELLED.replace("beta", "betta"))
    assert fault.hint == "did you mean 'beta'?"
    assert fault.line == line_of(BASE + LABELLED, '"both"')
    assert faults_of(tmp_path, LABELLED.replace('{ label = "ideal" }', '{ label = "ideal", also = 3 }'))[0].path


def test_replicates_are_chips_or_seeds(tmp_path):
    _, chips = scenarios_of(loaded_sweep(tmp_path, SWEEP))
    assert [(s.seed, s.chip.instance) for s in chips[:2]] == [(0, 0), (0, 1)]
    _, seeds = scenarios_of(loaded_sweep(tmp_path, SWEEP.replace("[sweep]", '[sweep]\nreplicate = "seed"')))
    assert [(s.seed, s.chip.instance) for s in seeds[:4]] == [(0, 0), (1, 0), (0, 0), (1, 0)]


def test_seeds_share_the_number_of_their_chip():
    plan = SweepPlan("made", "", "train", 0.9, [PlanDimension("a", {"a": [1, 2]})], 2, 5, True, ["x"] * 4)
    np.testing.assert_array_equal(plan.instances(), [[5, 6], [5, 6]])
    np.testing.assert_array_equal(plan._replace(replicate="seed").instances(), [[5, 5], [5, 5]])


def faults_of(folder, text):
    with pytest.raises(ScenarioError) as caught:
        check_design(loaded_sweep(folder, text))
    return caught.value.faults


def test_every_bad_value_of_every_axis_is_told_once_with_its_line(tmp_path):
    text = SWEEP.replace('"40 %"', "-1").replace("points = 4", "points = 1").replace("replicates = 2", "replicates = 9")
    first, second = faults_of(tmp_path, text)
    assert dict(zip(("path", "value"), (first.path, first.value), strict=True)) == {
        "path": ("devices", "feedback", "mismatch_sigma"),
        "value": "-1",
    }
    assert first.line == line_of(BASE + text, "values = [0,")
    assert second.path == ("learning", "scheme", "points")
    assert second.line == line_of(BASE + text, "four points")


@pytest.mark.parametrize(
    ("axes", "words", "line"),
    [
        ("VALUES [0.1, 0.2, 0.1]", "levels 0 and 2 of devices.feedback.mismatch_sigma are equal: 0.1", "VALUES"),
        ('VALUES [\n0.1,\n0,\n"10 %",\n]', "levels 0 and 2", "10 %"),
        ("VALUES { start = 0.1, stop = 0.1, num = 2 }", "levels 0 and 1", "VALUES"),
        (
            "VALUES [0.1, 0.1, 0.1]\nzip = 'z'\nSEEDS [1, 2, 1]\nzip = 'z'",
            "mismatch_sigma and seed are equal",
            "[0.1, 0.1, 0.1]",
        ),
        ("VALUES [{ label = 'a', value = 0.1 }, { label = 'b', value = 0.1 }]", "levels 0 and 1", "VALUES"),
    ],
)
def test_equal_levels_of_an_axis_are_told_at_their_line(tmp_path, axes, words, line):
    text = "\n[[sweep.axis]]\npath = 'devices.feedback.mismatch_sigma'\n"
    text += axes.replace("VALUES", "values =").replace("SEEDS", "[[sweep.axis]]\npath = 'seed'\nvalues =")
    (fault,) = faults_of(tmp_path, text)
    assert words in fault.message
    assert fault.line == line_of(BASE + text, line.replace("VALUES", "values ="))


@pytest.mark.parametrize(
    "axes",
    [
        "VALUES [0.1, 0.1]\nzip = 'z'\nSEEDS [1, 2]\nzip = 'z'",
        "VALUES [{ label = 'a', value = 0.1 }, { label = 'b', value = 0.1, also = { seed = 3 } }]",
    ],
)
def test_levels_that_differ_in_one_key_are_no_equal_levels(tmp_path, axes):
    text = "\n[[sweep.axis]]\npath = 'devices.feedback.mismatch_sigma'\n"
    text += axes.replace("VALUES", "values =").replace("SEEDS", "[[sweep.axis]]\npath = 'seed'\nvalues =")
    assert len(check_design(loaded_sweep(tmp_path, text)).ids) == 2


def test_values_that_are_drawn_may_be_equal(tmp_path):
    text = "\n[sweep]\nmethod = 'random'\nsamples = 5\n[[sweep.axis]]\npath = 'seed'\nvalues = [1, 2]\n"
    assert len(check_design(loaded_sweep(tmp_path, text)).ids) == 5


def test_an_unknown_path_is_told_with_what_was_meant(tmp_path):
    (fault,) = faults_of(tmp_path, SWEEP.replace("mismatch_sigma", "mismatch_sgma"))
    assert fault.hint == "did you mean 'mismatch_sigma'?"
    assert fault.line == line_of(BASE + SWEEP, "values = [0,")


def test_a_path_through_a_number_is_refused(tmp_path):
    (fault,) = faults_of(tmp_path, "\n[[sweep.axis]]\npath = 'name.first'\nvalues = [1]\n".replace("name", "seed"))
    assert "seed" in fault.message or "seed" in ".".join(map(str, fault.path))


def test_files_of_every_point_are_looked_at_before_any_runs(tmp_path):
    text = "\n[[sweep.axis]]\npath = 'network.layers.in'\nvalues = [12, 13]\n"
    faults = faults_of(tmp_path, text)
    assert any("13 units" in fault.message for fault in faults)
    assert {fault.line for fault in faults if "13 units" in fault.message} == {line_of(BASE + text, "values = [12")}


def test_zipped_axes_of_different_length_are_refused_at_the_sweep(tmp_path):
    axes = "\n[sweep]\n[[sweep.axis]]\npath = 'seed'\nvalues = [1]\nzip = 'z'\n"
    axes += "[[sweep.axis]]\npath = 'dynamics.dt'\nvalues = [0.1, 0.2]\nzip = 'z'\n"
    (fault,) = faults_of(tmp_path, axes)
    assert fault.line == line_of(BASE + axes, "[sweep]")


def test_a_scenario_without_a_sweep_is_told_how_to_write_one(tmp_path):
    (fault,) = faults_of(tmp_path, "")
    assert "add [[sweep.axis]]" in fault.hint


def test_coordinates_are_numbers_in_the_unit_of_the_key_or_labels(tmp_path):
    found = check_design(loaded_sweep(tmp_path)).coordinates
    assert found == {
        "devices.feedback.mismatch_sigma": [0.0, 0.1, 0.4],
        "learning.scheme": ["centred, beta 0.2", "four points"],
    }


def instances(loaded):
    found = check_design(loaded)
    return [
        make_point_scenario(loaded, found.dims, point).scenario.chip.instance for point in list_points(found.dims, 2)
    ]


def test_common_random_numbers_are_the_same_chips_at_every_point(tmp_path):
    assert instances(loaded_sweep(tmp_path)) == [0, 1] * 6
    apart = SWEEP.replace("replicates = 2", "replicates = 2\ncommon_random_numbers = false")
    assert instances(loaded_sweep(tmp_path, apart)) == list(range(12))


def test_ids_name_the_content_and_not_the_place_of_its_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, moved = check_design(loaded_sweep(tmp_path / "a")), check_design(loaded_sweep(tmp_path / "b"))
    assert first.ids == moved.ids
    assert len(set(first.ids)) == 12
    blocks = dict(np.load(tmp_path / "b" / "parameters.npz"))
    np.savez(tmp_path / "b" / "parameters.npz", **blocks | {"bias/l1": blocks["bias/l1"] + 0.1})
    changed = check_design(load_scenario(tmp_path / "b" / "small.toml")).ids
    assert set(changed).isdisjoint(first.ids)


def test_more_values_keep_the_ids_of_the_points_before(tmp_path):
    first = check_design(loaded_sweep(tmp_path)).ids
    more = check_design(loaded_sweep(tmp_path, SWEEP.replace('"40 %"]', '"40 %", 0.7]'))).ids
    assert set(first) < set(more)
