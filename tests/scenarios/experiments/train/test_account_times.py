"""Time in the account: settlings, reads and writes, one after the other."""

import numpy as np
import pytest

import nudgelab
from scenarios.report.sheets import make_sheets
from tests.scenarios.experiments.rivals.test_rivals import SMALL

CLOCKED = {"free": {"duration": 10.0}, "nudged": {"duration": 5.0}}
SCENARIO = SMALL | {"dynamics": CLOCKED, "phases": {"read_time": 0.5, "write_time": 20.0}}
SCENARIO |= {"task": SMALL["task"] | {"batch": 4}, "experiment": {"kind": "train", "epochs": 2}}
RIVALS = [
    {"rule": "error-vector"},
    {"rule": "pat"},
    {"rule": {"kind": "node-perturbation", "probes": 2}},
]


def test_a_training_counts_reads_and_writes_in_time():
    group = nudgelab.load(SCENARIO).run()["metrics"]
    reads = group["reads"].values + group["outputs_read"].values + group["cell_reads"].values
    law = group["settled_time"].values + 0.5 * reads + 20.0 * group["writes"].values
    np.testing.assert_allclose(group["elapsed"].values, law, rtol=1e-12)
    assert group["elapsed"].values[-1] > group["settled_time"].values[-1] > 0.0


def test_without_times_the_account_is_what_it_was():
    result = nudgelab.load(SCENARIO | {"phases": {}}).run()
    assert "elapsed" not in result["metrics"].variables
    assert not any("with reads" in str(row) for sheet in make_sheets(result.stored, 8) for row in sheet.rows)


def test_times_may_be_seconds_and_are_told_in_both():
    physical = {"tau": "1 us"}
    phases = {"read_time": "0.5 us", "write_time": "20 us"}
    result = nudgelab.load(SCENARIO | {"physical": physical, "phases": phases}).run()
    plain = nudgelab.load(SCENARIO).run()
    group = result["metrics"]
    np.testing.assert_allclose(group["elapsed"].values, plain["metrics"]["elapsed"].values, rtol=1e-12)
    np.testing.assert_allclose(group["elapsed_s"].values, 1e-6 * group["elapsed"].values, rtol=1e-12)
    told = [row[0] for sheet in make_sheets(result.stored, 8) for row in sheet.rows]
    assert {"time with reads and writes (tau)", "time with reads and writes (s)"} <= set(told)


def test_rivals_are_compared_at_equal_time():
    """Of a rule with few settlings that are long to read, more batches fit."""
    experiment = {"kind": "rivals", "rivals": RIVALS, "budget": {"time": 3000.0}, "chips": 2, "estimates": 2}
    result = nudgelab.load(SCENARIO | {"experiment": experiment}).run()
    group = result["rivals"]
    each = 4 * np.array([10.0 + 2 * 5.0 + 3 * 0.5, 10.0 + 0.5, 10.0 + 4 * 5.0 + 5 * 0.5]) + 20.0
    np.testing.assert_array_equal(group["batches"].values[0, :, 0], 3000.0 // each)
    np.testing.assert_allclose(group["elapsed"].values[0, :, 0], each * (3000.0 // each), rtol=1e-12)
    assert "at a budget of 3000 tau" in result.answer


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"experiment": {"kind": "evaluate"}, "learning": {}}, "keeps no account of time"),
        (
            {
                "dynamics": {"mode": "equilibrium"},
                "experiment": {"kind": "rivals", "rivals": RIVALS, "budget": {"time": 10.0}},
            },
            "takes no time to settle",
        ),
    ],
)
def test_times_that_nothing_counts_are_refused(changes, words):
    with pytest.raises(nudgelab.ScenarioError, match=words):
        nudgelab.load(SCENARIO | changes).run()
