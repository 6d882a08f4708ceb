"""A comparison that was stopped, wherever that was, goes on and ends with the bits of one that was not."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.watch import Interrupted
from tests.scenarios.experiments.rivals.test_rivals import SMALL

RIVALS = [
    {"rule": "pat"},
    {"rule": {"kind": "node-perturbation", "probes": 2}, "rate": 0.1},
    {"start": "spread-aware", "rule": "error-vector"},
]
EXPERIMENT = {
    "kind": "rivals",
    "rivals": RIVALS,
    "budget": {"settlings": 60},
    "chips": 2,
    "estimates": 2,
    "mismatch": [0.05, 0.2],
    "rates": [0.1, 0.3],
    "in_silico_epochs": 1,
}
SCENARIO = SMALL | {"experiment": EXPERIMENT, "task": SMALL["task"] | {"batch": 4}}


class Watch:
    """Asks to stop when it has been looked at so many times; what is done never becomes less."""

    def __init__(self, looks=np.inf):
        self.looks, self.seen, self.share, self.lines = looks, 0, 0.0, []

    def say(self, text):
        self.lines.append(text)

    def log_to(self, path):
        pass

    def advance(self, done, total, text):
        assert self.share <= done / total <= 1.0, text
        self.share = done / total

    def stopped(self):
        self.seen += 1
        return self.seen > self.looks


def run(folder, watch):
    return nudgelab.load(SCENARIO).run(folder, watch=watch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    watch = Watch()
    result = run(tmp_path_factory.mktemp("undisturbed") / "out", watch)
    assert watch.share > 0.95
    return result, watch.seen


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])  # before anything, amid pilots, at the second place
def test_a_stopped_comparison_goes_on_and_ends_with_the_same_bits(undisturbed, tmp_path, share):
    whole, looks = undisturbed
    first, second = Watch(int(share * looks)), Watch()
    with pytest.raises(Interrupted, match="the same command goes on"):
        run(tmp_path / "out", first)
    assert (tmp_path / "out" / "run.ckpt.h5").exists()
    resumed = run(tmp_path / "out", second)
    assert any(line.startswith("going on after") for line in second.lines)
    assert first.seen + second.seen < looks + 30  # at most one training is done again
    for name, values in whole["rivals"].variables.items():
        np.testing.assert_array_equal(resumed["rivals"][name].values, values.values, err_msg=name)
    assert not (tmp_path / "out" / "run.ckpt.h5").exists()
