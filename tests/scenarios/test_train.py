import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from scenarios import checkpoint, store
from scenarios.faults import ScenarioError
from scenarios.load import load
from scenarios.run import Options, run
from scenarios.train import Interrupted
from tests.scenarios.files import MEASURE, write_scenario

TRAIN = (
    MEASURE[: MEASURE.index("[experiment]")].replace("[task]", "[task]\nbatch = 2")
    + """\
[experiment]
kind = "train"
epochs = 6
reference = true
ledger = { every_epochs = 4, samples = 3 }
record = { samples = 1 }
"""
)


class Watch:
    """Counts batches, and asks to stop after some of them."""

    def __init__(self, stop_after=None):
        self.batches, self.stop_after = 0, stop_after

    def say(self, text):
        assert text

    def log_to(self, path):
        assert path.name == "run.log"

    def advance(self, done, total, text):
        assert 0 < done <= total, text
        self.batches += 1

    def stopped(self):
        return self.stop_after is not None and self.batches >= self.stop_after


def compute(folder, edits=(), text=TRAIN, watch=None, out="out"):
    path = write_scenario(folder, text)
    return run(load(path, edits), Options(folder / out), watch or Watch())


def assert_same(a, b):
    """Compare two results array by array, outside provenance and wall clock."""
    first, second = store.load(a), store.load(b)
    assert first.groups.keys() == second.groups.keys()
    for name, group in first.groups.items():
        if name != "provenance":
            assert group.keys() == second[name].keys()
            for key, variable in group.items():
                if key != "wall_s":
                    np.testing.assert_array_equal(second[name][key].data, variable.data, err_msg=f"{name}/{key}")
    kept = ("status", "id", "reason", "last_epoch")
    assert {k: first.attributes.get(k) for k in kept} == {k: second.attributes.get(k) for k in kept}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return compute(tmp_path_factory.mktemp("undisturbed")).folder / "run.h5"


def test_a_training_leaves_the_contracted_groups(undisturbed):
    result = store.load(undisturbed)
    metrics, exact = result["metrics"], result["metrics_exact"]
    for group in (metrics, exact):
        assert list(group["epoch"].data) == list(range(7))
        assert group["saturation"].dims == ("epoch", "layer")
        assert group["angle_weights"].dims == ("epoch", "pair")
        assert np.isnan(group["loss_train"].data[0])
        assert np.isfinite(group["loss_train"].data[1:]).all()
        assert (np.diff(group["settled_time"].data) > 0).all()
    assert list(metrics["writes"].data) == [0, 2, 4, 6, 8, 10, 12]
    assert list(metrics["settlings"].data) == [12 * k for k in range(7)]
    assert list(metrics["reads"].data) == [12 * k for k in range(7)]
    assert metrics["loss_train"].data[-1] < metrics["loss_train"].data[1]
    assert list(result["gradient"]["epoch"].data) == [0, 4, 6]
    assert result["gradient"]["cosine"].dims == ("epoch", "scheme", "layer")
    assert result["ledger"]["relative"].dims == ("epoch", "scheme", "layer", "term")
    assert result["ledger"]["unsettled"].data.sum() == 0
    assert result["weights/l2-l1"]["programmed"].data.shape == (7, 8)
    assert (result["devices/l2-l1"]["effective"].data != result["weights/l2-l1"]["programmed"].data).all()
    assert "settling" in result.groups


def test_both_trainings_start_from_the_same_chip(undisturbed):
    result = store.load(undisturbed)
    for name in ("loss_test", "angle_weights", "saturation", "symmetry_couplings"):
        first, second = (result[group][name].data[0] for group in ("metrics", "metrics_exact"))
        np.testing.assert_array_equal(first, second)
    assert result["metrics"]["loss_train"].data[1] != result["metrics_exact"]["loss_train"].data[1]


@pytest.mark.parametrize("stop_after", [1, 4, 11, 12, 13, 18, 23])
def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, undisturbed, stop_after):
    watch = Watch(stop_after)
    with pytest.raises(Interrupted, match="the same command goes on"):
        compute(tmp_path, watch=watch)
    assert not (tmp_path / "out" / "run.h5").exists()
    second = Watch()
    done = compute(tmp_path, watch=second)
    assert watch.batches + second.batches == 24
    assert_same(undisturbed, done.folder / "run.h5")
    assert not (done.folder / "run.ckpt.h5").exists()


def test_a_checkpoint_of_another_scenario_or_a_damaged_one_is_not_used(tmp_path, undisturbed):
    for content in (b"damaged", None):
        with pytest.raises(Interrupted):
            compute(tmp_path, ["seed=9"] if content is None else (), watch=Watch(3))
        if content is not None:
            (tmp_path / "out" / "run.ckpt.h5").write_bytes(content)
        watch = Watch()
        done = compute(tmp_path, watch=watch)
        assert watch.batches == 24
        assert_same(undisturbed, done.folder / "run.h5")
        (done.folder / "run.h5").unlink()


def test_a_checkpoint_reads_back_as_it_was(tmp_path):
    with pytest.raises(Interrupted):
        compute(tmp_path, watch=Watch(9))
    path = tmp_path / "out" / "run.ckpt.h5"
    identity = store.load(path).attributes["id"]
    log, programmed = checkpoint.resume(checkpoint.load(path, identity))
    assert (log.trainee.epoch, log.trainee.batch) == (4, 1)
    assert list(log.measured) == [0, 4]
    assert [int(row["epoch"]) for row in log.rows] == [0, 1, 2, 3, 4]
    assert set(programmed) == set(log.trainee.memory)
    assert checkpoint.load(path, "another") is None
    assert checkpoint.load(tmp_path / "none", identity) is None


def test_a_diverging_training_is_a_result_with_a_reason(tmp_path):
    done = compute(tmp_path, ["dynamics.dt=3.0"])
    result = store.load(done.folder / "run.h5")
    assert result.attributes["status"] == "diverged"
    assert "every sample of a batch diverged" in result.attributes["reason"]
    assert result.attributes["last_epoch"] == 1
    assert "metrics_exact" not in result.groups
    assert not compute(tmp_path, ["dynamics.dt=3.0"]).computed


def test_evaluate_tells_the_spread_over_chips(tmp_path):
    text = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "evaluate"\nchips = 5\n'
    group = store.load(compute(tmp_path, text=text).folder / "run.h5")["evaluate"]
    assert list(group["chip"].data) == [0, 1, 2, 3, 4]
    assert len(set(group["loss"].data)) == 5
    ideal = compute(tmp_path, ["devices.feedback.mismatch_sigma=0"], text=text, out="ideal")
    assert len(set(store.load(ideal.folder / "run.h5")["evaluate"]["loss"].data)) == 1


def test_the_weights_of_a_training_can_be_evaluated(tmp_path, undisturbed):
    text = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "evaluate"\nchips = 1\n'
    text = text.replace('"parameters.npz"', f'"{undisturbed}"')
    group = store.load(compute(tmp_path, text=text).folder / "run.h5")["evaluate"]
    trained = store.load(undisturbed)["metrics"]
    assert group["loss"].data[0] < trained["loss_train"].data[1]
    assert not compute(tmp_path, text=text).computed
    settled = compute(tmp_path, text=MEASURE, out="measured").folder / "run.h5"
    with pytest.raises(ScenarioError, match="holds no weights"):
        compute(tmp_path, text=text.replace(str(undisturbed), str(settled)), out="other")


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing(tmp_path, undisturbed):
    """Twenty kills of the whole process, then the same arrays as an undisturbed run."""
    path = write_scenario(tmp_path, TRAIN)
    out = tmp_path / "out"
    words = [sys.executable, "-m", "scenarios.cli", "run", str(path), "--out", str(out), "-q"]
    rng = np.random.default_rng(7)
    whole = time.monotonic()
    subprocess.run([*words[:-1], "--out", str(tmp_path / "timed")], check=True, capture_output=True)
    whole = time.monotonic() - whole
    kills = 0
    while kills < 20:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(0.3, 1.0)) * whole)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if (out / "run.h5").exists():
            assert_same(undisturbed, out / "run.h5")
            (out / "run.h5").unlink()
    subprocess.run(words, check=True, capture_output=True)
    assert_same(undisturbed, out / "run.h5")
