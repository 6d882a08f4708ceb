"""Measurements of circuits from scenarios: amplifiers and their metric, clamps, noise, words."""

import numpy as np
import pytest

from learning.oracle.circuits.remedies import REMEDIES
from scenarios.experiments.measure.advice import CIRCUIT_WORDS, WORDS
from scenarios.experiments.measure.words import describe_asymmetry_parts
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.answer import make_answer
from scenarios.report.figures import list_figures
from scenarios.report.sheets import make_sheets
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


def test_the_parts_of_an_asymmetry_are_told():
    result = run(**{"devices.amplifiers": {"backward_sigma": 0.1}, "learning.metric": "none"})
    (sheet,) = [sheet for sheet in make_sheets(result, 8) if sheet.title.startswith("Parts of the asymmetry")]
    assert sheet.columns == ["scheme", "layer", "sample", "metric", "per node", "irreducible"]
    metric, per_node, rest = (float(cell.removesuffix(" %")) for cell in sheet.rows[1][3:])
    assert metric == pytest.approx(100.0, abs=15.0)  # 255/256 on equal amplifiers
    assert 1.0 < per_node < 30.0
    assert 0.1 < rest < per_node
    assert sheet.rows[4][:4] == ["", "out", "median", "0 %"]
    (told,) = describe_asymmetry_parts(result)
    assert told.startswith("Of the asymmetry in layer h1, 9")
    assert f"(rms): metric {sheet.rows[1][3]}, what nominal gains of amplifiers explain; per node" in told
    assert set(result["ledger/remedies"]["remedy"].data) == {"metric", "equal-gains"}
    rows = [label.get_text() for label in list_figures(result)["causes"].draw().axes[0].get_yticklabels()]
    assert rows[:4] == ["asymmetry", "- metric", "- per node", "- irreducible"]


def test_trims_are_advised_where_the_metric_does_not_fit():
    result = run(**{"devices.amplifiers": {"backward_sigma": 0.1, "forward_sigma": 0.1}})
    assert "a trim of B at every amplifier (devices.amplifiers): cosine 0.9" in make_answer(result)
    gains = result["ledger/remedies"]
    trims = list(gains["remedy"].data).index("trimmed-amplifiers")
    assert (gains["error"].data[trims] < 1e-4).all()
    assert (gains["error_before"].data[:2] > 0.01).all()


def test_an_asymmetry_of_nothing_has_no_parts():
    result = run(**{"phases.nudge": "held"})
    assert not [sheet for sheet in make_sheets(result, 8) if sheet.title.startswith("Parts")]
    assert describe_asymmetry_parts(result) == []


def test_a_finite_nudge_without_the_metric_is_still_another_goal():
    result = run(**{"learning.metric": "none", "learning.scheme.beta": {"fraction": 0.3}})
    group = result["ledger"]
    assert (group["goal"].data > 1e3 * group["nudge_bias"].data).all()


def test_causes_alone_and_removed_have_a_table_and_a_figure():
    devices = {"amplifiers": {"backward_sigma": 0.1}, "drops": {"noise": "1 mV", "offset_sigma": "5 mV"}}
    edits = {"devices": {**AMPLIFIED["devices"], **devices}, "experiment": {"kind": "measure", "samples": 2}}
    result = run(**edits, **{"experiment.interactions": True, "experiment.repeats": 3})
    group = result["ledger/interactions"]
    assert list(group["cause"].data) == ["amplifiers.backward_sigma", "drops.noise"]
    assert group["alone"].data.shape == group["removed"].data.shape == (1, 3, 2)
    (sheet,) = [sheet for sheet in make_sheets(result, 8) if sheet.title.startswith("Every cause alone")]
    assert [row[2] for row in sheet.rows[:5]] == [*group["cause"].data, "no cause", "all causes", "interaction"]
    assert len(list_figures(result)["interactions"].draw().axes) == 3


def test_interactions_without_any_cause_are_refused():
    with pytest.raises(ScenarioError, match="no cause of error in devices or dynamics"):
        run(devices={}, **{"experiment.interactions": True})


def test_gains_against_noise_are_those_of_one_measurement():
    result = run(**{"devices.drops": {"noise": "1 mV"}, "experiment.repeats": 8})
    gains, gradient = result["ledger/remedies"], result["gradient"]
    twice = list(gains["remedy"].data).index("larger-nudge")
    # Half the noise in other draws, 3 samples of 4 to 10 components: beyond 0.85 by chance in 1 of 1000 seeds.
    assert (gains["error"].data[twice] < 0.85 * gains["error_before"].data).all()
    name = gains["layer"].data[0]
    exact, measured = (gradient[f"delta_{kind}_{name}"].data for kind in ("exact", "estimated"))
    one = np.linalg.norm(measured[0] * 256.0 - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert gains["error_before"].data[0] == pytest.approx(np.median(one), rel=1e-6)
