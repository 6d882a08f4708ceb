"""Figures of circuits in volts and siemens, and what would help them: a circuit has no units of a state and no dt."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.alarms import CIRCUIT_CURES, make_alarm_sheets
from scenarios.experiments.measure.sheets import make_ledger_sheet, make_signal_sheet
from scenarios.experiments.train.figures import draw_training
from scenarios.results.views import format_percent

BOARD = {
    "schema": 1,
    "name": "board",
    "network": {
        "law": "resistive",
        "nodes": {"x": "input", "a": "output", "b": "output"},
        "elements": [
            {"kind": "conductor", "name": f"r{k}", "between": between, "resistance": f"{k + 1} kohm", "learn": True}
            for k, between in enumerate([["x", "m"], ["m", "a"], ["a", "b"], ["b", "0"], ["m", "0"]])
        ],
    },
    "task": {"kind": "voltages", "inputs": [["1 V"], ["2 V"]], "targets": [["0.3 V", "0.1 V"], ["0.2 V", "0.4 V"]]},
    "experiment": {"kind": "measure", "samples": 2},
}
NUDGED = BOARD | {"learning": {"scheme": {"kind": "centred", "beta": "50 uS"}}}
CLAMPED = BOARD | {"learning": {"rule": {"kind": "coupled", "clamp": 0.1}}}


@pytest.fixture(scope="module", params=[NUDGED, CLAMPED], ids=["nudged", "clamped"])
def stored(request):
    return nudgelab.load(request.param).run().stored


def test_signals_are_in_volts(stored):
    size = "beta 50 uS" if stored["ledger"]["scheme"].data[0] == "centred, beta 50 uS" else "clamp 0.1"
    sheet = make_signal_sheet(stored["signal"], "")
    assert sheet.title == "Signal levels, rms per node"
    assert sheet.columns == ["layer", "voltage (V)", "exact dL/d current (V^2/A)", f"to be read at {size} (V)"]


def test_the_asymmetry_of_a_circuit_is_none_of_feedback():
    answer = nudgelab.load("circuits/lattice", ["experiment.samples=1"]).run().answer
    assert answer.startswith("Asymmetry of the circuit dominates: with centred")


def test_the_loss_of_a_training_is_in_square_volts():
    rates = {"learning": CLAMPED["learning"] | {"optimiser": {"coupled_rate": "20 uS/V^2"}}}
    result = nudgelab.load(CLAMPED | rates | {"experiment": {"kind": "train", "epochs": 2}}).run()
    assert draw_training(result.stored).axes[0].get_ylabel() == "loss (V^2 per sample)"


def test_what_a_clamp_moves_is_its_share_of_the_error():
    scenario = nudgelab.load(CLAMPED)
    chip, data = scenario.chip(), scenario.data
    chip.set_input(data.x)
    chip.settle()
    error = chip.read()["out"] - data.y
    evoked = scenario.run()["signal"]["evoked"].data[0, -1]
    np.testing.assert_allclose(evoked, 0.1 * np.sqrt((error**2).mean()), rtol=1e-9)


def test_a_rule_that_is_unknown_has_no_column(stored):
    assert "matching rule" not in make_ledger_sheet(stored, "").columns


def test_alarms_name_what_circuits_have():
    lost = nudgelab.load(NUDGED | {"dynamics": {"tolerance": 1e-14}}).run().stored
    lost["alarms"]["unsettled"].data[:] = 1.0
    (sheet,) = make_alarm_sheets(lost)
    assert sheet.rows[0][-1] == CIRCUIT_CURES["unsettled"]
    assert "dt" not in CIRCUIT_CURES["unsettled"]


def test_conductors_that_see_more_of_the_nudge_than_nodes_are_named():
    network = {
        "law": "resistive",
        "layers": {"in": 784, "h1": 64, "out": 10},
        "connections": ["in-h1", "h1-out"],
        "diodes": {"h1": "ideal"},
        "init": {"kind": "cut-uniform", "unit": "10 uS"},
    }
    tables = {
        "schema": 1,
        "name": "layers",
        "network": network,
        "physical": {"input_volts": "20 V"},
        "learning": {"scheme": {"kind": "centred", "beta": {"fraction": 0.3}}},
        "task": {"kind": "bundled"},
        "experiment": {"kind": "measure", "samples": 3},
    }
    result = nudgelab.load(tables).run()
    seen = read_finite_nudge(result["ledger/connections"])
    outputs = seen[list(result["ledger/connections"]["connection"].data).index("conductance/h1-out")]
    assert outputs == seen.max() > 2.0 * read_finite_nudge(result["ledger"]).max()
    assert result.answer.startswith("The finite nudge dominates")
    assert f"{format_percent(outputs)} of the exact batch gradient of connection conductance/h1-out" in result.answer


def read_finite_nudge(group):
    """Return the relative error of the finite nudge, (layers or connections,)."""
    return group["relative"].data[0, :, list(group["term"].data).index("finite_nudge")]
