"""Circuits whose phases end by the clock: what is read too early, what helps, and what is refused."""

import copy

import numpy as np
import pytest

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.answer import make_answer
from scenarios.run.run import run_in_memory
from tests.scenarios.circuits.scenarios_of_circuits import EXPONENTIAL
from tests.scenarios.experiments.circuits.test_train import BOARD, LAYERS
from tests.scenarios.experiments.train.test_run import Watch


def make_clocked(taus=5.0, **changes):
    """Return a board whose phases last so many of its time constants, which are about 10 ns."""
    tables = copy.deepcopy(BOARD)
    tables["learning"] = {"scheme": {"kind": "centred", "beta": "1 uS"}}
    tables["physical"] = {"capacitance": "1 pF"}
    tables["experiment"] = {"kind": "measure", "samples": 3}
    duration = f"{10 * taus} ns"
    tables["dynamics"] = {"free": {"duration": duration}, "nudged": {"duration": duration}}
    return tables | changes


def run(tables, **edits):
    return run_in_memory(load_scenario(tables, edits), None, Watch())[0]


def find_settling(result):
    ledger = result["ledger"]
    return ledger["relative"].data[0, :, list(ledger["term"].data).index("settling")]


def test_reading_too_early_is_settling_and_longer_phases_help():
    early, late = run(make_clocked(3.0)), run(make_clocked(40.0))
    assert (find_settling(early) > 0.01).all()
    assert (find_settling(late) < 1e-9).all()
    answer = make_answer(early)
    assert answer.startswith("Settling dominates")
    assert "phases twice as long (dynamics.free, dynamics.nudged): cosine" in answer
    assert early["gradient"]["kept"].data.all()
    assert not early["alarms"]["unsettled"].data.any()


def test_diodes_and_amplifiers_are_followed_in_time():
    tables = {**EXPONENTIAL, "physical": {"capacitance": "1 pF"}, "experiment": {"kind": "measure", "samples": 1}}
    result = run({**tables, "dynamics": {"free": {"duration": "8 us"}, "nudged": {"duration": "8 us"}}})
    assert (find_settling(result) < 1e-6).all()


def test_a_training_reads_when_the_clock_says():
    plan = {"kind": "train", "epochs": 3}
    learning = BOARD["learning"]
    rest, late, early = (
        run(make_clocked(taus, experiment=plan, learning=learning)) if taus else run(BOARD | {"experiment": plan})
        for taus in (None, 60.0, 2.0)
    )
    name = "weights/conductance/elements"
    first, right, wrong = (result[name]["programmed"].data for result in (rest, late, early))
    np.testing.assert_allclose(right, first, rtol=1e-8)
    assert np.abs(wrong / first - 1.0).max() > 1e-3
    assert early["metrics"]["unsettled_train"].data[-1] == 1.0
    assert np.isfinite(early["metrics"]["loss_train"].data[1:]).all()


LINEAR = {**LAYERS, "network": {**LAYERS["network"], "diodes": {}}, "dynamics": {}}


def test_layers_under_a_clock_are_no_longer_settled_by_sweeps():
    tables = {**LINEAR, "experiment": {"kind": "measure", "samples": 2}, "physical": {"capacitance": "1 pF"}}
    tables |= {"learning": {"scheme": LAYERS["learning"]["scheme"]}}
    timed = run({**tables, "dynamics": {name: {"duration": "100 us"} for name in ("free", "nudged")}})
    whole = run(tables)
    for layer in ("h1", "out"):
        one, other = (result["gradient"][f"delta_estimated_{layer}"].data for result in (timed, whole))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * np.abs(other).max())


NUDGED = {"dynamics": {"nudged": {"duration": "1 us"}}}
REFUSED = {
    "no capacitor": ({"physical": {}}, "no capacitor holds the voltage"),
    "clamps": ({"learning": {"rule": "coupled"}}, "makes voltages jump: no phase can end by the clock"),
    "a second copy": ({"devices": {"drops": {"twin_sigma": 0.01}}}, "starts from a state of its own"),
    "curves": ({"experiment": {"kind": "settle", "duration": "1 us"}}, "experiment.duration is how long"),
    "a tolerance": ({"dynamics.tolerance": 1e-6}, "the clock ends every phase"),
    "evaluate": ({"experiment": {"kind": "evaluate"}, "learning": {}}, "evaluate has no such phase"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_clock_can_end_is_refused_in_words(case):
    edits, words = REFUSED[case]
    with pytest.raises(ScenarioError, match=words):
        run(make_clocked(), **edits)


def test_ideal_diodes_cannot_be_read_by_the_clock():
    tables = {**LAYERS, "learning": {"scheme": LAYERS["learning"]["scheme"]}, "experiment": {"kind": "measure"}}
    tables |= NUDGED | {"physical": {"capacitance": "1 pF", "input_volts": "200 V"}}
    with pytest.raises(ScenarioError, match="no phase can end by the clock with ideal diodes"):
        load_scenario(tables)


def test_input_nodes_behind_a_resistance_are_charged_too():
    result = run(make_clocked(80.0), **{"devices.inputs.resistance": "1 kohm"})
    assert (find_settling(result) < 1e-6).all()
