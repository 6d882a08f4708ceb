"""Trainings by a model that learns of the chip on the way: a stop changes no bit, and what is kept is only the twin."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.watch import Interrupted
from tests.scenarios.experiments.rivals.test_resume import Watch
from tests.scenarios.experiments.rivals.test_rivals import SMALL

STEPS = {"update": {"kind": "constant-step", "step": 0.002, "step_sigma": 0.3}, "weights": {"mismatch_sigma": 0.2}}
TRAIN = {"kind": "train", "epochs": 3}


def load(model, **changes):
    learning = SMALL["learning"] | {"rule": {"kind": "pat", "model": model}}
    task = SMALL["task"] | {"batch": 4}
    return nudgelab.load(SMALL | {"experiment": TRAIN, "devices": STEPS, "learning": learning, "task": task} | changes)


@pytest.mark.parametrize("model", ["measured", "record"])
def test_a_training_that_was_stopped_ends_with_the_same_bits(tmp_path, model):
    whole = load(model).run(tmp_path / "whole", watch=Watch())
    with pytest.raises(Interrupted):
        load(model).run(tmp_path / "out", watch=Watch(12))
    resumed = load(model).run(tmp_path / "out", watch=Watch())
    plain = load("programmed").run()
    for name, values in whole["weights/l1-out"].variables.items():
        np.testing.assert_array_equal(resumed["weights/l1-out"][name].values, values.values)
    end = [float(r["metrics"]["loss_train"].values[-1]) for r in (whole, resumed, plain)]
    assert end[0] == end[1] != end[2]
    assert list(whole["metrics"]["settlings"].values) == list(plain["metrics"]["settlings"].values)


def test_a_record_goes_with_no_policy_that_reads_cells():
    learning = SMALL["learning"] | {"rule": {"kind": "pat", "model": "record"}, "write": "verify"}
    with pytest.raises(nudgelab.ScenarioError, match="knows no cell that is read back"):
        load("record", learning=learning).run()
