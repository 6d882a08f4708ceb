"""Measurements of circuits from scenarios: amplifiers and their metric, clamps, noise, words."""

import numpy as np
import pytest

from learning.oracle.circuits.remedies import REMEDIES
from scenarios.experiments.measure.advice import CIRCUIT_WORDS, WORDS
from scenarios.language.load import load_scenario
from scenarios.report.answer import make_answer
from scenarios.run.run import run_in_memory
from tests.scenarios.experiments.circuits.test_train import BOARD
from tests.scenarios.experiments.train.test_run import Watch

AMPLIFIED = {
    "schema": 1,
    "name": "amplified",
    "network": {
        "law": "resistive",
        "layers": {"in": 784, "h1": 5, "h2": 4, "out": 10},
        "connections": ["in-h1", "h1-h2", "h2-out"],
        "amplifiers": {name: {"forward": 4.0, "backward": 0.25} for name in ("h1", "h2")},
        "init": {"kind": "cut-uniform", "unit": "10 uS"},
    },
    "devices": {"weights": {"window": ["0.1 uS", "1 mS"]}},
    "learning": {"scheme": {"kind": "centred", "beta": {"fraction": 1e-4}}},
    "task": {"kind": "bundled"},
    "experiment": {"kind": "measure", "samples": 3},
}


def run(**edits):
    return run_in_memory(load_scenario(AMPLIFIED, edits), None, Watch())[0]


def errors(result, term):
    ledger = result["ledger/connections"]
    return ledger["relative"].data[0][:, list(ledger["term"].data).index(term)]


def test_the_metric_makes_amplified_layers_symmetric():
    result = run()
    assert errors(result, "asymmetry").max() < 1e-12
    assert result["gradient"]["cosine"].data.min() > 1.0 - 1e-6


def test_without_the_metric_every_layer_is_scaled():
    result = run(**{"learning.metric": "none"})
    names = list(result["ledger/connections"]["connection"].data)
    found = dict(zip(names, errors(result, "asymmetry"), strict=True))
    # m is 1, 16 and 256 from the output back, so 0, 15/16 and 255/256 of the gradient are missing.
    assert found["conductance/h2-out"] < 1e-12
    assert found["conductance/h1-h2"] == pytest.approx(15 / 16, rel=1e-9)
    assert found["conductance/in-h1"] == pytest.approx(255 / 256, rel=1e-9)


def test_a_spread_of_the_gains_within_a_layer_is_what_no_metric_cures():
    result = run(**{"devices.amplifiers": {"backward_sigma": 0.15}})
    assert errors(result, "asymmetry").max() > 0.01
    one = AMPLIFIED["network"]["amplifiers"]["h1"]
    edits = {"network.amplifiers": {"h1": {**one, "backward": 0.3}, "h2": {"forward": 2.0, "backward": 0.25}}}
    assert errors(run(**edits), "asymmetry").max() < 1e-12


def test_the_largest_cause_is_told_and_read_noise_is_one():
    result = run(**{"devices.drops": {"noise": "1 mV"}, "experiment.repeats": 3})
    assert make_answer(result).startswith("Noise")
    assert np.isfinite(result["ledger"]["spread"].data).any()


def test_nodes_that_diodes_hold_and_the_critical_nudge_are_kept():
    result = run(**{"network.diodes": {"h1": "ideal"}, "devices.amplifiers": {"offset_sigma": "1 mV"}})
    group = result["gradient"]
    assert 0.0 < group["clamped"].data.mean() < 1.0
    assert (group["critical_nudge"].data > 0.0).all()
    assert group["nudge_share"].data[0] == pytest.approx(1e-4, rel=1.0)


def test_the_advice_carries_what_it_was_measured_to_gain():
    result = run(**{"learning.scheme": {"kind": "centred", "beta": {"fraction": 0.4}}})
    answer = make_answer(result)
    assert "The finite nudge dominates" in answer
    assert "a nudge that is held (phases.nudge): cosine" in answer
    gains = result["ledger/remedies"]
    held = list(gains["remedy"].data).index("held-nudge")
    assert (gains["error"].data[held] < 0.1 * gains["error_before"].data).all()


def test_every_remedy_of_circuits_has_words():
    assert REMEDIES.keys() <= (WORDS | CIRCUIT_WORDS).keys()
    assert CIRCUIT_WORDS.keys() <= REMEDIES.keys()


def test_both_forms_of_layers_take_the_same_power():
    layers = {**AMPLIFIED["network"], "diodes": {"h1": "ideal"}}
    del layers["amplifiers"]
    fast = run(network=layers)["free"]["power"].data
    slow = run(network=layers, **{"devices.nudge.gain": 0.999})["free"]["power"].data
    assert (fast > 0.0).all()
    assert fast == pytest.approx(slow, rel=1e-9)


def test_error_vectors_are_measured_where_nothing_is_learned():
    elements = [{**element, "learn": False} for element in BOARD["network"]["elements"]]
    tables = {**BOARD, "network": {**BOARD["network"], "elements": elements}}
    tables |= {"learning": {"scheme": BOARD["learning"]["scheme"]}, "experiment": {"kind": "measure", "samples": 2}}
    result, _ = run_in_memory(load_scenario(tables), None, Watch())
    assert result["gradient"]["cosine"].data.min() > 0.99
    assert "ledger/connections" not in result.groups
    assert make_answer(result)
