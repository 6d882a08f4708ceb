"""Settling curves of circuits: their ends are rest points, and what cannot be followed is refused."""

import copy
import re

import numpy as np
import pytest

from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.answer import make_answer
from scenarios.report.figures import list_figures
from scenarios.report.sheets import make_sheets
from scenarios.run.run import run_in_memory
from tests.scenarios.experiments.circuits.test_train import BOARD, LAYERS
from tests.scenarios.experiments.train.test_run import Watch

CURVES = {"kind": "settle", "duration": "1 us", "points": 60}


def make_curves(**edits):
    tables = copy.deepcopy(BOARD)
    tables["learning"] = {"scheme": {"kind": "centred", "beta": "20 uS"}}
    tables |= {"physical": {"capacitance": "1 pF"}, "experiment": CURVES}
    return run_in_memory(load_scenario(tables, edits), None, Watch())[0]


@pytest.mark.parametrize("nudge", ["continuous", "held"])
def test_curves_end_where_the_circuit_rests(nudge):
    result = make_curves(**{"phases.nudge": nudge})
    measured = {"experiment": {"kind": "measure", "samples": 2}, "phases": {"nudge": nudge}}
    tables = {**copy.deepcopy(BOARD), **measured}
    tables["learning"] = {"scheme": {"kind": "centred", "beta": "20 uS"}}
    rest = run_in_memory(load_scenario(tables), None, Watch())[0]
    group = result["settling"]
    assert (group["status"].data == 0).all()
    assert list(group["phase"].data) == ["free", "beta +2e-05 S", "beta -2e-05 S"]
    out = np.flatnonzero(group["layer"].data == "out")
    free = group["state"].data[0, -1][:, out]
    assert free == pytest.approx(rest["free"]["voltage_out"].data, rel=1e-6)
    # Both nudged ends lie on either side of the free one; a held nudge is as far on both.
    away = group["state"].data[1:, -1][:, :, out] - free
    assert (away[0] * away[1] < 0.0).all()
    ratio = np.abs(away[0] / away[1])
    assert (np.abs(ratio - 1.0) < 1e-3).all() == (nudge == "held")


def test_curves_have_words_a_table_and_a_figure():
    result = make_curves()
    assert re.search(r"All 6 recorded settlings came to rest within 1 us", make_answer(result))
    assert [sheet.title for sheet in make_sheets(result, 5)] == ["Settling of the recorded samples"]
    assert list_figures(result)["settling"].draw().axes[0].get_xlabel() == "time (us)"


def test_a_circuit_that_is_followed_too_shortly_is_told():
    result = make_curves(**{"experiment.duration": "1 ns"})
    assert "did not settle" in make_answer(result)


REFUSED = {
    "capacitance": ({"physical": {}}, "no capacitor holds the voltage"),
    "clamps": ({"learning": {"rule": "coupled"}, "physical": {"capacitance": "1 pF"}}, "no settling curves"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(case):
    changes, words = REFUSED[case]
    tables = {**copy.deepcopy(BOARD), "learning": {}, "experiment": CURVES, **changes}
    with pytest.raises(ScenarioError, match=words):
        run_in_memory(load_scenario(tables), None, Watch())


def test_ideal_diodes_have_no_curves():
    tables = {**copy.deepcopy(LAYERS), "dynamics": {}, "learning": {}, "experiment": CURVES}
    with pytest.raises(ScenarioError, match="ideal diodes"):
        load_scenario(tables)
