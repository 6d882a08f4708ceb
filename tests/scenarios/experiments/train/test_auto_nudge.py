"""A training whose size of a nudge was found searches for it once, however often it is stopped."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments import nudge_size
from scenarios.experiments.nudge_size import NAME
from scenarios.experiments.watch import Interrupted
from tests.scenarios.experiments.rivals.test_resume import Watch
from tests.scenarios.experiments.rivals.test_rivals import SMALL

SCENARIO = SMALL | {
    "experiment": {"kind": "train", "epochs": 2, "reference": True},
    "learning": {"scheme": {"kind": "centred", "beta": "auto", "rounds": 1}},
    "devices": {"noise": {"read": 0.001}},
    "task": SMALL["task"] | {"batch": 4},
}


@pytest.mark.parametrize("looks", [8, 20])  # amid the training, and amid that with exact gradients
def test_a_training_that_goes_on_keeps_the_size_that_was_found(tmp_path, monkeypatch, looks):
    searched, find = [], nudge_size.find_nudge_size
    monkeypatch.setattr(nudge_size, "find_nudge_size", lambda *given: searched.append(given) or find(*given))
    whole = nudgelab.load(SCENARIO).run(tmp_path / "whole", watch=Watch())
    with pytest.raises(Interrupted):
        nudgelab.load(SCENARIO).run(tmp_path / "out", watch=Watch(looks))
    resumed = nudgelab.load(SCENARIO).run(tmp_path / "out", watch=Watch())
    assert len(searched) == 2
    for name in ("metrics", "metrics_exact", NAME):
        for key, values in whole[name].variables.items():
            if key != "wall_s":
                np.testing.assert_array_equal(resumed[name][key].values, values.values, err_msg=f"{name}/{key}")
    assert whole["metrics"]["settlings"].values[0] > 0
