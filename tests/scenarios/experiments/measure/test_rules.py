"""Measurements and trainings by every rule that has error vectors: all that is told of them is told."""

import pytest

import nudgelab
from scenarios.experiments.measure.words import NAMES
from scenarios.report.answer import list_remarks
from scenarios.report.sheets import make_sheets
from tests.scenarios.experiments.rivals.test_rivals import SMALL

RULES = [
    "error-vector",
    "pat",
    "dfa",
    {"kind": "node-perturbation", "probes": 2},
    "layer-nudges",
]
SCENARIO = SMALL | {"devices": {"feedback": {"mismatch_sigma": 0.2}}, "task": SMALL["task"] | {"batch": 4}}
MEASURE = {"kind": "measure", "samples": 4, "repeats": 2}
TRAIN = {"kind": "train", "epochs": 1, "ledger": {"samples": 4, "repeats": 2}}


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(
    "experiment", [{"kind": "measure", "samples": 4, "repeats": 2}, TRAIN], ids=["measure", "train"]
)
def test_a_result_of_every_rule_can_be_told(rule, experiment):
    learning = SCENARIO["learning"] | {"rule": rule}
    result = nudgelab.load(SCENARIO | {"experiment": experiment, "learning": learning}).run()
    assert result.answer
    assert all(isinstance(remark, str) for remark in list_remarks(result.stored))
    assert make_sheets(result.stored, 20)
    assert list(result.figures)
    assert set(result["ledger"]["term"].values) <= set(NAMES)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"kind": "random-sign", "beta": 0.1}, "draws no signs"),
        ({"kind": "centred", "beta": "auto"}, "injects drives"),
    ],
)
def test_nudges_that_no_drive_makes_are_refused(scheme, words):
    learning = SMALL["learning"] | {"rule": "layer-nudges", "scheme": scheme}
    with pytest.raises(nudgelab.ScenarioError, match=words):
        nudgelab.load(SCENARIO | {"experiment": {"kind": "measure", "samples": 4}, "learning": learning}).run()
