"""Copies of a trained network: from a scenario to its numbers, its words, its tables and its figure."""

import numpy as np
import pytest

import nudgelab
from scenarios.data.datasets import read_outline
from scenarios.experiments.copy import run
from scenarios.experiments.copy.kind import KIND
from scenarios.experiments.copy.sheets import make_copies_sheet, make_stage_sheet
from scenarios.experiments.copy.tables import find_crossing
from scenarios.experiments.copy.tuning import TuningCurve
from scenarios.experiments.copy.words import describe_copies, describe_copy_remarks, list_copy_numbers, summarise_half
from scenarios.experiments.estimate import estimate_workload
from scenarios.language.faults import ScenarioError
from scenarios.results.store import Variable

SMALL = {
    "schema": 1,
    "name": "copies",
    "network": {
        "layers": {"in": 4, "l1": 6, "out": 2},
        "connections": ["in-l1", "l1-out", "out-l1"],
        "activation": "tanh",
        "cost": "mse",
    },
    "dynamics": {"mode": "equilibrium"},
    "devices": {
        "weights": {"mismatch_sigma": 0.1, "gain_sigma": 0.05},
        "neurons": {"offset_sigma": 0.05},
        "update": {"kind": "constant-step", "step": 0.002, "rounding": "stochastic"},
    },
    "learning": {"scheme": {"kind": "centred", "beta": 0.1}, "optimiser": {"rate": 0.3, "momentum": 0.0}},
    "task": {"kind": "teacher", "inputs": 4, "outputs": 2, "samples": 60, "test_samples": 30, "targets": "values"},
    "experiment": {"kind": "copy", "chips": 4, "epochs": 10},
}
SMALL["task"]["batch"] = 10
RECOVER = {"recover": {"epochs": 2, "every_batches": 2}}


def load(edits=None, **plan):
    experiment = {key: value for key, value in (SMALL["experiment"] | plan).items() if value is not None}
    return nudgelab.load(SMALL | {"experiment": experiment}, edits or {})


@pytest.fixture(scope="module")
def result():
    return load(calibrate="affine", **RECOVER).run()


def test_copies_lose_calibration_gives_back_and_training_more(result):
    group = result["copy"]
    assert group["chip"].values.tolist() == [1, 2, 3, 4]
    assert float(group["rise"].mean()) > 2.0 * float(group["rise_calibrated"].mean())
    np.testing.assert_array_equal(group["loss_recovered"].values[:, 0], group["loss_calibrated"].values)
    np.testing.assert_array_equal(group["rise"], group["loss_copied"] - float(group["loss_trained"]))
    assert group["step"].values.tolist() == [0, 2, 4, 6, 8, 10, 12]
    pulses = group["pulses"].values
    assert not pulses[:, 0].any()
    assert (np.diff(pulses, axis=1) > 0).all()
    assert (group["loss_further"].values[0], group["pulses_further"].values[0]) == (group["loss_trained"].values, 0)
    assert int(group["cells"]) == 4 * 6 + 2 * 6 * 2 + 6 + 2
    assert np.corrcoef(group["second_order"], group["rise"])[0, 1] > 0.99


def test_pulses_are_those_at_which_half_of_the_first_cost_is_back(result):
    group, calibrated = load(**RECOVER).run()["copy"], result["copy"]
    goal = float(group["loss_trained"]) + 0.5 * group["rise"].values
    for chip in range(4):
        at_half = np.interp(
            group["pulses_half"].values[chip], *(group[n].values[chip] for n in ("pulses", "loss_recovered"))
        )
        assert at_half == pytest.approx(goal[chip], rel=1e-9)
    given_back = calibrated["loss_calibrated"].values < goal
    assert given_back.any()
    assert not calibrated["pulses_half"].values[given_back].any()


def test_the_same_scenario_gives_the_same_numbers_and_a_copy_on_the_trained_chip_loses_nothing(result):
    again = load(calibrate="affine", **RECOVER).run()
    for name, values in result["copy"].items():
        np.testing.assert_array_equal(again["copy"][name].values, values.values)
    alike = load({"devices.weights": None, "devices.neurons": None}).run()
    assert not alike["copy"]["rise"].values.any()
    assert "they do not differ from it" in alike.answer


def test_the_first_chip_is_that_of_the_scenario_and_the_others_follow():
    group = load({"chip.instance": 5}, epochs=0).run()["copy"]
    assert int(group["trained_chip"]) == 5
    assert group["chip"].values.tolist() == [6, 7, 8, 9]


def test_the_chip_of_a_training_is_copied_from_its_result(tmp_path):
    load(kind="train", chips=None, epochs=3).run(out=tmp_path / "trained")
    parameters = {"network.parameters": str(tmp_path / "trained" / "run.h5")}
    found, here = (load(edits, epochs=n).run()["copy"] for edits, n in ((parameters, 0), ({}, 3)))
    for name, values in here.items():
        np.testing.assert_array_equal(found[name].values, values.values, err_msg=name)


def test_measured_weights_take_the_errors_of_the_trained_chip_along():
    """Errors of rows are large here, so that the trained chip's own ones are seen; its reads tell most of them."""
    programmed, measured = (load(weights=kind).run()["copy"] for kind in ("programmed", "measured"))
    assert abs(float(measured["law_shift"])) < 0.05 * abs(float(programmed["law_shift"]))
    assert float(measured["law_spread"]) == pytest.approx(float(programmed["law_spread"]), rel=0.2)
    assert float(measured["rise"].mean()) < float(programmed["rise"].mean())


@pytest.mark.parametrize("cells", ["readout", "gains"])
def test_cells_that_do_not_learn_stay(cells, monkeypatch):
    found = []
    tune = run.tune_chip

    def watch(setup, plan, chip, tuning, *rest):
        before = {name: block.copy() for name, block in chip.programmed.items()}
        curve = tune(setup, plan, chip, tuning, *rest)
        found.append((tuning.cells, before, chip.programmed))
        assert tuning.first == (0 if len(found) == 1 else plan.epochs)  # batches and noise of their own
        return curve

    monkeypatch.setattr(run, "tune_chip", watch)
    load({"devices.update": None}, recover={"epochs": 1, "cells": cells}).run()
    assert [kind for kind, *_ in found] == ["all", *[cells] * 5]
    for kind, before, after in found[1:]:
        moved = {name for name in before if not np.array_equal(before[name], after[name])}
        if kind == "readout":
            assert moved == {"weight/l1-out", "weight/out-l1", "bias/out"}
        else:
            factor = after["weight/in-l1"] / before["weight/in-l1"]
            np.testing.assert_allclose(factor, np.broadcast_to(factor[0], factor.shape), rtol=1e-9)


def test_a_goal_is_crossed_between_tests_by_a_straight_line():
    spent, loss = np.array([0.0, 10.0, 30.0]), np.array([4.0, 3.0, 1.0])
    assert find_crossing(spent, loss, 2.0) == 20.0
    assert find_crossing(spent, loss, 3.0) == 10.0
    assert find_crossing(spent, loss, 4.5) == 0.0
    assert np.isnan(find_crossing(spent, loss, 0.5))
    assert np.isnan(find_crossing(spent, np.array([4.0, np.nan, np.nan]), 2.0))


def test_the_words_say_what_the_group_holds(result):
    group = dict(result.stored["copy"])
    assert result.answer == describe_copies(group)
    assert "as it was programmed, the network of chip 0" in result.answer
    assert "on all 4 chips that lost anything" in result.answer
    assert len(list_copy_numbers(group)) == 3
    half = np.array([np.nan, 56.0, 112.0, np.nan])
    rise = np.array([1.0, 1.0, 1.0, -1.0])
    some = group | {"pulses_half": Variable(("chip",), half), "rise": Variable(("chip",), rise)}
    assert summarise_half(some).pulses.mean == pytest.approx(1.5)
    assert (summarise_half(some).lost, summarise_half(some).reached) == (3, 2)
    assert "on 2 of 3 chips that lost anything" in describe_copies(some)
    told = " ".join(describe_copy_remarks(some))
    assert "1 of 3 chips do not get half of it back" in told
    assert "1 of 4 copies lost nothing" in told
    none = some | {"pulses_half": Variable(("chip",), np.full(4, np.nan))}
    assert "on none of 3 chips" in describe_copies(none)
    assert list_copy_numbers(none)[-1].value == "not reached"
    gained = none | {"rise": Variable(("chip",), -(rise**2))}
    assert "there is nothing to bring back" in describe_copies(gained)


def test_what_is_lost_or_beyond_the_law_is_said(result):
    group = dict(result.stored["copy"])
    far = group | {"law": Variable((), 9.0), "second_order": Variable(("chip",), np.zeros(4))}
    told = " ".join(describe_copy_remarks(far))
    assert "does not hold the law" in told
    assert "is of higher order" in told
    lost = group | {
        "untold": Variable(("chip",), np.array([1, 0, 0, 0])),
        "unreached": Variable(("chip",), np.array([1, 0, 0, 3])),
        "unsettled_reads": Variable((), 7),
        "unrested": Variable((), 5),
        "unsettled_copied": Variable(("chip",), np.full(4, 0.5)),
        "diverged": Variable(("chip",), np.array([True, False, False, False])),
    }
    told = " ".join(describe_copy_remarks(lost))
    for words in (
        "7 reads that did not settle",
        "leaves out 5 samples",
        "0.25 units of a chip",
        "up to 3 of a chip",
        "50 % of the samples",
        "On 1 chips training diverged",
    ):
        assert words in told


def test_the_tables_and_metrics_say_what_the_group_holds(result):
    group = result.stored["copy"]
    stages, chips = make_stage_sheet(group), make_copies_sheet(group, 3)
    assert [row[0] for row in stages.rows[:3]] == ["trained chip", "copied as programmed", "rows calibrated"]
    assert len(chips.rows) == 3
    assert "1 more chips" in chips.note
    assert all(len(row) == len(sheet.columns) for sheet in (stages, chips) for row in sheet.rows)
    assert result.metrics["copy/rise_mean"] == pytest.approx(group["rise"].data.mean())
    assert result.metrics["copy/reached"] == 4.0
    assert not KIND.is_void(result.stored)
    assert KIND.failure({"copy": group}) == ""
    assert KIND.failure({"copy": group | {"rise": Variable(("chip",), np.full(4, np.nan))}})


@pytest.mark.figures
def test_copies_have_a_figure(result):
    (axes,) = result.figures["copies"].figure.axes
    assert axes.get_xlabel() == "pulses per cell"
    plain = load(epochs=0).run()
    assert [t.get_text() for t in plain.figures["copies"].figure.axes[0].get_xticklabels()] == ["copied"]


def test_what_the_law_does_not_know_is_said():
    told = load({"devices.neurons.slope_sigma": 0.05}, epochs=0).run()
    assert "it does not know neurons.gain_sigma or slope_sigma" in " ".join(told.remarks)
    assert "law" not in told["copy"]


REFUSED = [
    ({"devices.feedback.storage": "copied"}, {"weights": "measured"}, "one number stands for both"),
    ({"devices.feedback.storage": "copied"}, {"recover": {"cells": "gains"}}, "one number stands for both"),
    ({"network.activation": "dsilu"}, {"calibrate": "affine"}, "falls somewhere"),
    ({}, {"reads": 3}, "nothing is measured"),
    ({"learning.scheme": None}, {}, "nudge scheme"),
    ({"learning.scheme.beta": "auto"}, {}, "copy makes none"),
]


@pytest.mark.parametrize(("edits", "plan", "words"), REFUSED)
def test_what_does_not_go_together_is_refused_when_it_is_read(edits, plan, words):
    with pytest.raises(ScenarioError, match=words):
        load(edits, **plan)


def test_chips_that_do_not_settle_cannot_be_measured():
    short = {"dynamics.free": {"max_steps": 1, "tolerance": 1e-14}}
    with pytest.raises(nudgelab.RunError, match="no sample settles on chip 0, so that free reads tell nothing"):
        load(short, epochs=0, weights="measured").run()


def test_a_training_that_diverges_says_so(monkeypatch):
    monkeypatch.setattr(run, "tune_chip", lambda *_: TuningCurve([0], [0], [], "nothing settled"))
    with pytest.raises(nudgelab.RunError, match="training on the first chip diverged: nothing settled"):
        load().run()


def test_the_workload_counts_all_trainings_and_tests():
    loaded = load(calibrate="affine", **RECOVER).loaded
    work = estimate_workload(loaded.scenario, read_outline(loaded.scenario.task, None))
    assert work.estimates == 60 * (10 + 5 * 2)
    assert work.counts.free == 30 * (5 + 4 + 5 * 6) + 60 * 4
