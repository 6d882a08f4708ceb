"""Trainings of circuits: they learn, and go on bit for bit after a stop."""

import numpy as np
import pytest

from scenarios.circuits.setup import make_circuit_setup
from scenarios.experiments.watch import Interrupted
from scenarios.language.load import load_scenario
from scenarios.report.answer import make_answer
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_in_memory, run_scenario
from tests.scenarios.experiments.train.test_run import Watch

BOARD = {
    "schema": 1,
    "name": "board",
    "network": {
        "law": "resistive",
        "nodes": {"x": "input", "y": "input", "out": "output", "b": {"held": "1 V"}},
        "elements": [
            {"name": f"R{a}{b}", "kind": "conductor", "between": [a, b], "conductance": f"{g} uS", "learn": True}
            for a, b, g in (("x", "n", 50), ("y", "n", 80), ("n", "out", 60), ("b", "out", 40), ("0", "n", 30))
        ],
    },
    "learning": {
        "scheme": {"kind": "centred", "beta": {"fraction": 0.05}},
        "optimiser": {"rate": "2000 uS^2/V^2"},
    },
    "task": {
        "kind": "voltages",
        "inputs": [["0.2 V", "0.9 V"], ["0.8 V", "0.1 V"], ["0.5 V", "0.5 V"]],
        "targets": [["0.6 V"], ["0.5 V"], ["0.55 V"]],
        "batch": 2,
    },
    "experiment": {"kind": "train", "epochs": 6, "reference": True, "ledger": {"every_epochs": 3, "samples": 3}},
}
LAYERS = {
    "schema": 1,
    "name": "layers",
    "network": {
        "law": "resistive",
        "layers": {"in": 784, "h1": 12, "out": 10},
        "connections": ["in-h1", "h1-out"],
        "diodes": {"h1": "ideal"},
        "init": {"kind": "cut-uniform", "unit": "10 uS"},
    },
    "physical": {"input_volts": "200 V"},
    "dynamics": {"sweeps": 4, "precision": "single"},
    "learning": {
        "scheme": {"kind": "centred", "beta": {"fraction": 0.1}},
        "optimiser": {"rate": "0.2 uS^2/V^2", "decay": 0.9},
    },
    "task": {"kind": "bundled", "batch": 8},
    "experiment": {"kind": "train", "epochs": 3, "samples": 200, "test_samples": 100},
}
CASES = {"board": BOARD, "layers": LAYERS}


def keep(folder, tables, watch=None, **edits):
    loaded = load_scenario(tables, edits)
    run_scenario(loaded, RunOptions(folder), watch or Watch())
    return store.read_result_file(folder / "run.h5")


@pytest.fixture(scope="module", params=CASES)
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return request.param, keep(folder, CASES[request.param])


def test_a_circuit_learns(whole):
    _, result = whole
    loss = result["metrics"]["loss_train"].data
    assert loss[-1] < 0.7 * loss[1]


def test_measured_gradients_train_like_exact_ones():
    result, _ = run_in_memory(load_scenario(BOARD), None, Watch())
    measured, exact = (result[name]["loss_train"].data[1:] for name in ("metrics", "metrics_exact"))
    assert measured == pytest.approx(exact, rel=0.02)


def test_a_stopped_training_goes_on_bit_for_bit(whole, tmp_path):
    name, result = whole
    batches = {"board": 2, "layers": 25}[name]
    for stop in (1, batches, 2 * batches + 1):
        folder = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            keep(folder, CASES[name], Watch(stop))
        again = keep(folder, CASES[name])
        for block in (path for path in result.groups if path.startswith("weights/")):
            assert np.array_equal(again[block]["programmed"].data, result[block]["programmed"].data)
        for column in ("loss_train", "error_test", "settlings", "limited"):
            same = again["metrics"][column].data, result["metrics"][column].data
            assert np.array_equal(*same, equal_nan=True), column


def test_a_training_is_told_in_words_and_tables(whole):
    _, result = whole
    assert "took the" in make_answer(result)
    titles = [sheet.title for sheet in make_sheets(result, 5)]
    assert "Training by epoch" in titles


def test_measurements_along_the_way_are_kept():
    result, _ = run_in_memory(load_scenario(BOARD), None, Watch())
    assert list(result["gradient"]["epoch"].data) == [0, 3, 6]
    assert (result["gradient"]["cosine"].data > 0.99).all()


def test_trained_parameters_can_be_given_to_another_run(tmp_path):
    trained = keep(tmp_path / "first", LAYERS)
    tables = {**LAYERS, "network": {**LAYERS["network"], "parameters": str(tmp_path / "first" / "run.h5")}}
    del tables["network"]["init"]
    tables |= {"experiment": {"kind": "evaluate", "chips": 1, "samples": 100}, "learning": {}}
    result = keep(tmp_path / "second", tables)
    assert result["evaluate"]["error"].data[0] == trained["metrics"]["error_test"].data[-1]


def test_levels_make_learning_coarse():
    edits = {"devices.weights": {"window": ["10 uS", "200 uS"], "levels": 4}}
    result, _ = run_in_memory(load_scenario(BOARD, edits), None, Watch())
    g = result["weights/conductance/elements"]["programmed"].data
    steps = (g - 10e-6) / (190e-6 / 3)
    assert steps == pytest.approx(np.round(steps), abs=1e-9)


def test_every_block_of_layers_learns_at_its_own_rate():
    own = {"in-h1": "0 S^2/V^2", "h1-out": "0.1 uS^2/V^2", "current/h1": "0.4 uS^2/V^2", "current/out": "0.2 uS^2/V^2"}
    once = {"experiment": {"kind": "train", "epochs": 1, "samples": 8}}
    tables = {**LAYERS, **once}, {**LAYERS, **once, "learning": {**LAYERS["learning"], "optimiser": {"rates": own}}}
    first, second = (run_in_memory(load_scenario(one), None, Watch())[0] for one in tables)
    loaded = load_scenario(tables[0])
    start = make_circuit_setup(loaded, loaded.spec).programmed
    for name, share in {"conductance/in-h1": 0.0, "conductance/h1-out": 0.5, "current/h1": 2.0}.items():
        one, two = (result[f"weights/{name}"]["programmed"].data - start[name] for result in (first, second))
        inside = (start[name] > 2.0 * np.abs(one)) | name.startswith("current")
        assert np.abs(one[inside]).max() > 0.0
        np.testing.assert_allclose(two[inside], share * one[inside], rtol=1e-3, atol=1e-12)


def test_the_reference_of_layers_is_what_a_held_nudge_teaches():
    tables = {**LAYERS, "phases": {"nudge": "held"}, "experiment": {**LAYERS["experiment"], "reference": True}}
    result, _ = run_in_memory(load_scenario(tables), None, Watch())
    measured, exact = (result[name]["loss_train"].data[1:] for name in ("metrics", "metrics_exact"))
    assert measured == pytest.approx(exact, rel=1e-3)
    assert (measured != exact).any()
