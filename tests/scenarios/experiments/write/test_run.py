"""The experiment that compares write policies: from a scenario to its tables, its figure and its answer."""

import numpy as np
import pytest

import nudgelab
from learning.policies.accumulate import Accumulate
from learning.policies.direct import Direct
from learning.policies.transfer import TransferWrites
from scenarios.build import make_setup
from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.experiments.write.run import iterate_batches, list_compared_policies
from scenarios.experiments.write.sheets import make_cosine_sheet, make_cost_sheet, make_term_sheet
from scenarios.experiments.write.tables import label_policies
from scenarios.experiments.write.words import describe_limits, describe_remarks, find_worst_place, list_write_numbers
from scenarios.results.store import Variable

CELLS = {"kind": "soft-bounds", "step": 0.002, "step_sigma": 0.2, "cycle_sigma": 0.5, "rounding": "stochastic"}
POLICIES = [{"kind": "direct"}, {"kind": "accumulate", "bits": 6}, {"kind": "verify", "longest": 3}]
SCENARIO = {
    "schema": 1,
    "name": "writes",
    "network": {"layers": {"in": 2, "l1": 6, "out": 2}, "connections": ["in-l1", "l1-out", "out-l1"]},
    "devices": {"update": CELLS},
    "learning": {"scheme": {"kind": "centred", "beta": 0.1}, "optimiser": {"rate": 0.02}},
    "energy": {"per_pulse": 1e-12, "per_read": 1e-10},
    "task": {"kind": "two-moons", "samples": 40, "test_samples": 8, "batch": 16},
    "experiment": {"kind": "write", "batches": 7, "policies": POLICIES},
}


def load(**edits):
    return nudgelab.load(SCENARIO, {key.replace("__", "."): value for key, value in edits.items()})


@pytest.fixture(scope="module")
def result():
    return load().run()


@pytest.mark.figures
def test_a_comparison_has_a_figure(result):
    figure = result.figures["writes"].figure
    left, right = figure.axes
    assert len(left.lines) == 3 * 3 + 1
    assert right.get_yscale() == "log"
    assert [text.get_text() for text in left.get_xticklabels()] == ["in-l1", "l1-out", "out-l1"]


def test_every_policy_and_connection_has_its_numbers(result):
    group = result["write"]
    assert list(group["policy"]) == ["direct", "accumulate (bits 6)", "verify (longest 3)"]
    assert group["error"].shape == (3, 3, 9)
    assert (np.asarray(group["cosine"]) == np.asarray(group["cosine_kept"])).all()  # no write noise
    assert np.asarray(group["memory_bits"])[:, 0].tolist() == [32.0, 38.0, 64.0]
    assert (np.asarray(group["energy"]) > 0.0).all()
    assert np.asarray(group["cell_reads"])[:2].tolist() == [0.0, 0.0]
    assert np.asarray(group["given_up"])[2] > 0.0
    assert (np.asarray(group["pulses_most"]) >= np.asarray(group["pulses"])).all()


def test_the_same_scenario_gives_the_same_numbers(result):
    again = load().run()
    np.testing.assert_array_equal(np.asarray(again["write"]["cosine"]), np.asarray(result["write"]["cosine"]))


def test_a_chip_that_is_trained_asks_for_other_changes(result):
    trained = load(experiment__frozen=False).run()
    assert (np.asarray(trained["write"]["steps"]) != np.asarray(result["write"]["steps"])).all()
    assert "experiment.frozen" in " ".join(result.remarks)
    assert "experiment.frozen" not in " ".join(trained.remarks)


def test_the_tables_say_what_the_group_holds(result):
    group = result.stored["write"]
    cosines, terms, costs = make_cosine_sheet(group), make_term_sheet(group), make_cost_sheet(group)
    assert len(cosines.rows) == len(terms.rows) == 9
    assert len(costs.rows) == 3
    assert all(len(row) == len(sheet.columns) for sheet in (cosines, terms, costs) for row in sheet.rows)
    assert "write noise" not in terms.columns
    assert {"grain", "gain", "up/down", "cycle"} < set(terms.columns)


def test_the_answer_names_the_largest_term_of_the_worst_connection(result):
    group = dict(result.stored["write"])
    place = find_worst_place(group)
    assert f"{group['policy'].data[place.policy]} reaches a cosine of" in result.answer
    error = np.full((3, 3, 9), 0.1)
    terms = ["holds back", "whole steps", "not nominal", "up and down", "bounds", "pulse to pulse", "forget"]
    for k, words in enumerate([*terms, "noise of writes", "spread of the cells"]):
        loud = error.copy()
        loud[..., k] = 0.5
        made = group | {
            "error": Variable(("policy", "connection", "term"), loud),
            "cosine": Variable(("policy", "connection"), np.full((3, 3), 0.8)),
        }
        assert words in describe_limits(made)
        assert "50 %" in describe_limits(made)
    best = np.array([[0.1] * 3, [0.2] * 3, [0.9] * 3])
    read = group | {"cosine": Variable(("policy", "connection"), best)}
    assert "its tolerance and its tries" in describe_limits(read)
    for one in (made, read):
        limit = list_write_numbers(one)[1]
        assert f"{limit.value} of the requests; what would help" in describe_limits(one)
    still = group | {"error": Variable(("policy", "connection", "term"), np.zeros((3, 3, 9)))}
    assert "nothing limits" in describe_limits(still)


def test_remarks_tell_requests_below_a_step_and_cells_given_up(result):
    group = dict(result.stored["write"])
    told = " ".join(describe_remarks(group | {"steps": Variable(("connection",), np.array([0.3, 2.0, 5.0]))}))
    assert "less than one step of a cell (rms: 0.3 in in-l1)" in told
    assert "verify (longest 3): " in told
    assert "less than one step" not in " ".join(
        describe_remarks(group | {"steps": Variable(("connection",), np.array([1.3, 2.0, 5.0]))})
    )


def test_policies_are_told_apart_by_what_is_not_usual():
    policies = [Direct(), Accumulate(), Accumulate(threshold=2.5, seed=4), TransferWrites(rows=4)]
    names = ["direct", "accumulate", "accumulate (threshold 2.5)", "transfer tt2 (rows 4)"]
    assert label_policies(policies) == names


def test_the_batches_are_those_of_a_training():
    setup = make_setup(load().loaded)
    batches = list(iterate_batches(setup, 7))
    assert [len(batch.x) for batch in batches] == [16, 16, 8, 16, 16, 8, 16]
    assert [batch.epoch for batch in batches] == [0, 0, 0, 1, 1, 1, 2]


def test_without_a_list_the_policy_of_trainings_is_compared_with_none():
    setup = make_setup(load(experiment__policies=None, learning__write="accumulate").loaded)
    assert [policy.kind for policy in list_compared_policies(setup, setup.plan)] == ["direct", "accumulate"]
    setup = make_setup(load(experiment__policies=None).loaded)
    assert [policy.kind for policy in list_compared_policies(setup, setup.plan)] == ["direct"]


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (
            {"devices__update": None},
            "`accumulate` hands on whole steps, but the cells have none",
        ),
        ({"devices__feedback": {"storage": "copied"}}, "one number has several cells"),
        ({"devices__retention": {"leak_tau": 10.0}}, "they forget between writes"),
        ({"devices__comparator": {}}, "which coincidences and comparators would make others of"),
        ({"experiment__policies__1__threshold": 500.0}, "holds no sum of 500 steps"),
        ({"learning__write": {"kind": "transfer", "tail": 2.0}}, "changes nothing: only agad takes a mean"),
        ({"learning__write": "tiles", "devices__twin": {}}, "that the units feel, but a second board has none"),
        (
            {"learning__write": "tiles", "devices__weights": {"noise": {"relative": 0.1}}},
            "but noise of cells is that of one array",
        ),
        (
            {"learning__write": "transfer", "devices__update__one_sided": {}},
            "that pulses move both ways, but one-sided pairs only fill up",
        ),
        (
            {"learning__write": "transfer", "devices__update": {"kind": "verified", "error": [0.01]}},
            "`transfer` hands on whole steps, but the cells have none",
        ),
        (
            {"learning__write": "tiles", "devices__update__measured": "cells.npz"},
            "devices.update.measured tells of one",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(edits, words):
    with pytest.raises(nudgelab.ScenarioError) as error:
        load(**edits)
    assert words in " ".join(str(error.value).split())


def test_the_cost_counts_every_batch():
    loaded = load().loaded
    assert estimate_workload(loaded.scenario, read_outline(loaded.scenario.task, None)).estimates == 7 * 16


FAST = {"kind": "transfer", "version": "chopped", "chop": 0.5, "rows": 4, "fast_rate": 5.0, "slow_rate": 0.2}
AGAD = {"kind": "transfer", "version": "agad"}
FINE = {"kind": "tiles", "tiles": 3, "gamma": 0.2, "carry_every": 3}


@pytest.fixture(scope="module")
def arrays():
    return load(experiment__policies=[{"kind": "direct"}, FAST, AGAD, FINE]).run()


def test_further_arrays_have_their_pulses_bits_and_cells(arrays):
    group = arrays["write"]
    assert np.asarray(group["cells_per_weight"]).tolist() == [1, 2, 2, 3]
    pulses = np.asarray(group["array_pulses"])
    assert np.isfinite(pulses).sum(axis=2)[:, 0].tolist() == [1, 2, 2, 3]
    np.testing.assert_array_equal(pulses[..., 0], np.asarray(group["pulses"]))
    assert pulses[1, 0, 1] > 0.0
    assert pulses[3, 0, 2] > pulses[0, 0, 0]
    assert np.asarray(group["memory_bits"])[:, 0].tolist() == pytest.approx([32.0, 64.0 + 1 / 6, 128.0, 32.0])
    assert (np.asarray(group["cell_reads"])[1:] > 0.0).all()


def test_no_law_foretells_further_arrays(arrays):
    """Absent, not zero."""
    assert np.isnan(np.asarray(arrays["write"]["forecast"])[1:]).all()


def test_the_table_tells_pulses_by_array(arrays):
    sheet = make_cosine_sheet(arrays.stored["write"])
    assert [row[3].count("+") for row in sheet.rows] == [0, 1, 1, 2] * 3
    assert "-: no law tells it" in sheet.note


def test_scales_and_turns_are_told(arrays):
    """Of agad nothing can be written in 7 batches: signs turn every 10 reads, of 2 or 6 rows in turn."""
    told = " ".join(describe_remarks(arrays.stored["write"]))
    assert "every weight is written at a scale of its own" in told
    assert "signs turn less than once in 7 batches (every 20 in in-l1, 60 in l1-out, 20 in out-l1)" in told
    assert "signs turn before fast cells follow, and leave" in told
    moved = np.asarray(arrays["write"]["cosine"])
    assert np.isnan(moved[2]).all()


def test_a_policy_of_another_scale_is_judged_by_its_cosine():
    group = load(experiment__policies=[FAST | {"version": "tt2", "chop": 0.1}]).run().stored["write"]
    words = describe_limits(group)
    assert "that every cell has a scale of its own, and follows late" in words
    cosine = np.asarray(group["cosine"].data)[0].min()
    assert f"{100 * np.sqrt(cosine**-2 - 1):.3g} % of the requests" in words
