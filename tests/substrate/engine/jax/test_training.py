"""A whole training on the engine in JAX: few programs, the same bits when resumed, the numbers of the other engine."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

import nudgelab
from scenarios.experiments.watch import Interrupted
from scenarios.results import store
from substrate.engine.jax.programs.sweeps import search_rest
from substrate.engine.jax.programs.trajectory import advance
from tests.scenarios.experiments.train.test_run import Watch, assert_same
from tests.scenarios.files import MEASURE, write_scenario

pytestmark = pytest.mark.jax

TRAIN = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "train"\nepochs = 2\n'
EDITS = {"task.batch": 8, "dynamics.engine": "jax"}
MOST = 4
"""Programs of a network whose nudges are real: of a batch, of what is left over, and of the tests."""


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    """Return a training with 20 samples, of which the last batch of an epoch gets 4, and 10 for tests."""
    monkeypatch.setattr("scenarios.report.figures.draw_figures", lambda _: {})
    path, rng = write_scenario(tmp_path, TRAIN), np.random.default_rng(0)
    x, y = rng.uniform(size=(30, 12)), rng.integers(0, 3, 30)
    np.savez(tmp_path / "batch.npz", x=x[:20], y=y[:20], x_test=x[20:], y_test=y[20:])
    return nudgelab.load(path, EDITS)


def test_a_training_compiles_few_programs_and_a_resumed_one_none(scenario, tmp_path):
    advance.clear_cache()
    searches = search_rest._cache_size()
    scenario.run(tmp_path / "whole")
    compiled = advance._cache_size()
    assert 0 < compiled <= MOST
    with pytest.raises(Interrupted):
        scenario.run(tmp_path / "parts", watch=Watch(stop_after=4))
    scenario.run(tmp_path / "parts")
    assert advance._cache_size() == compiled
    assert search_rest._cache_size() == searches
    assert_same(tmp_path / "whole" / "run.h5", tmp_path / "parts" / "run.h5")


def test_a_training_has_the_numbers_of_the_other_engine(scenario, tmp_path):
    scenario.run(tmp_path / "jax")
    scenario.set({"dynamics.engine": "cpu"}).run(tmp_path / "cpu")
    jax, cpu = (store.read_result_file(tmp_path / name / "run.h5") for name in ("jax", "cpu"))
    for name in ("weights/l1-l2", "weights/out-l2"):
        first, second = (one[name]["programmed"].data for one in (jax, cpu))
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-10)
    for name in ("loss_test", "loss_train", "settled_time"):
        first, second = (one["metrics"][name].data for one in (jax, cpu))
        np.testing.assert_allclose(first, second, rtol=1e-9)
