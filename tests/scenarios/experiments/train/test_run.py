import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import pytest

from scenarios.cli.run import RunFlags, run_command
from scenarios.experiments.kind import RunError
from scenarios.experiments.train import checkpoint
from scenarios.experiments.watch import Interrupted
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
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


RECORDLESS = TRAIN.replace("record = { samples = 1 }\n", "")


class Watch:
    """Counts batches, and asks to stop after some of them; what is done never becomes less."""

    def __init__(self, stop_after=None):
        self.batches, self.stop_after, self.lines, self.share = 0, stop_after, [], 0.0

    def say(self, text):
        self.lines.append(text)

    def log_to(self, path):
        assert path.name == "run.log"

    def advance(self, done, total, text):
        assert 0 < done <= total, text
        assert done / total >= self.share, text
        self.share = done / total
        self.batches += 1

    def stopped(self):
        return self.stop_after is not None and self.batches >= self.stop_after


class Impatient(Watch):
    """Asks to stop when it has been looked at so many times."""

    def __init__(self, looks):
        super().__init__()
        self.looks = looks

    def stopped(self):
        self.looks -= 1
        return self.looks < 0


def compute(folder, edits=(), text=TRAIN, watch=None, out="out", force=False):
    path = write_scenario(folder, text)
    return run_scenario(load_scenario(path, edits), RunOptions(folder / out, force=force), watch or Watch())


def assert_same(a, b):
    """Compare two results array by array, outside provenance and wall clock."""
    first, second = store.read_result_file(a), store.read_result_file(b)
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
    result = store.read_result_file(undisturbed)
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
    result = store.read_result_file(undisturbed)
    for name in ("loss_test", "angle_weights", "saturation", "symmetry_couplings"):
        first, second = (result[group][name].data[0] for group in ("metrics", "metrics_exact"))
        np.testing.assert_array_equal(first, second)
    assert result["metrics"]["loss_train"].data[1] != result["metrics_exact"]["loss_train"].data[1]


def usual_and_slow(usual, *others):
    """Return parameters of which the default suite takes the usual ones."""
    return [*usual, *(pytest.param(value, marks=pytest.mark.slow) for value in others)]


# Amid the first training, at its end, amid the second.
@pytest.mark.parametrize("stop_after", usual_and_slow([4, 12, 18], 1, 11, 13, 23))
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


def test_a_training_of_noisy_cells_that_forget_goes_on_bit_for_bit(tmp_path):
    edits = ["devices.update.preset=reram-sb", "devices.retention.preset=pcm-joshi", "experiment.reference=false"]
    edits += ["experiment.epochs=3"]
    whole = compute(tmp_path, edits, out="whole").folder / "run.h5"
    with pytest.raises(Interrupted):
        compute(tmp_path, edits, watch=Watch(4))
    assert_same(whole, compute(tmp_path, edits).folder / "run.h5")
    cells = store.read_result_file(whole)["devices/in-l1"]
    assert (cells["elapsed"].data < 12.0).any()
    assert (cells["write_noise"].data != 0.0).any()


@pytest.mark.parametrize(
    "policy",
    usual_and_slow(
        [
            '{kind="accumulate", bits=4}',
            '{kind="verify", tolerance=0.1, longest=2}',
            '{kind="transfer", version="chopped", chop=0.3, slow_rate=0.1, gamma=0.1}',
        ],
        '{kind="batches", every=3}',
        '{kind="transfer", version="agad", chop=0.5, rows=4}',
        '{kind="tiles", gamma=0.2, carry_every=3}',
        '"low-rank"',
    ),
)
def test_what_a_write_policy_keeps_goes_on_bit_for_bit(tmp_path, policy):
    edits = [f"learning.write={policy}", 'devices.update={kind="constant-step", step=0.002, rounding="stochastic"}']
    edits += ["experiment.reference=false", "experiment.epochs=2"]
    whole = compute(tmp_path, edits, RECORDLESS, out="whole").folder / "run.h5"
    with pytest.raises(Interrupted):
        compute(tmp_path, edits, RECORDLESS, watch=Watch(4))
    assert_same(whole, compute(tmp_path, edits, RECORDLESS).folder / "run.h5")
    result = store.read_result_file(whole)
    bits = {"accumulate": 36.0, "verify": 64.0, "batches": 64.0}.get(policy.split('"')[1])
    assert bits is None or (result["metrics"]["memory_bits"].data == bits).all()
    rows = {row[0]: row[1] for row in next(s for s in make_sheets(result, 8) if s.title.startswith("Budget")).rows}
    assert float(rows["digital memory (bits per cell)"]) == result["metrics"]["memory_bits"].data[-1].round(1)
    if "transfer" in policy or "tiles" in policy:
        assert rows["analog cells per weight"] == ("3.0" if "tiles" in policy else "2.0")
        assert result["metrics"]["cell_reads"].data[-1] > 0
    if "verify" in policy:
        assert rows["reads of single cells"] == f"{result['metrics']['cell_reads'].data[-1]:,.0f}"
        assert result["metrics"]["given_up"].data[-1] > 0
        assert "cells left beside their request" in " ".join(rows)


def test_a_training_of_one_sided_pairs_goes_on_bit_for_bit_and_tells_what_was_lost(tmp_path):
    edits = [
        'devices.update={kind="soft-bounds", step=0.02, cycle_sigma=0.3, one_sided={refresh_above=0.3, reset=0.2}}',
        "experiment.reference=false",
        "learning.optimiser.rate=0.5",
        "experiment.epochs=3",
    ]
    whole = compute(tmp_path, edits, RECORDLESS, out="whole").folder / "run.h5"
    with pytest.raises(Interrupted):
        compute(tmp_path, edits, RECORDLESS, watch=Watch(4))
    assert_same(whole, compute(tmp_path, edits, RECORDLESS).folder / "run.h5")
    result = store.read_result_file(whole)
    metrics, cells = result["metrics"], result["devices/in-l1"]
    assert {metrics[name].dims for name in ("lost", "refreshes", "refresh_pulses")} == {("epoch", "connection")}
    assert metrics["lost_bias"].dims == ("epoch", "layer")
    assert list(metrics["connection"].data) == ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"]
    assert (np.diff(metrics["lost"].data, axis=0) >= 0).all()
    assert (metrics["lost"].data[0] == 0).all()
    assert (metrics["lost"].data[-1] > 0).all()
    spent = metrics["refresh_pulses"].data[-1].sum() + metrics["refresh_pulses_bias"].data[-1].sum()
    assert 0 < spent < metrics["pulses"].data[-1]
    assert (cells["step_up"].data == cells["nominal_step_up"].data).all()
    assert cells["common"].data.min() >= 0.0
    assert (cells["minus_reset"].data == 0.2).all()
    rows = {row[0]: row[1] for row in next(s for s in make_sheets(result, 8) if s.title.startswith("Budget")).rows}
    assert rows["pulses of refreshes"] == f"{spent:,.0f}"
    lost = next(words for words in rows if words.startswith("requests of in-l1 lost"))
    assert rows[lost] == f"{metrics['lost'].data[-1, 0]:,.0f}"
    share = metrics["lost"].data[-1, 0] / (6 * cells["programmed"].data.size)
    assert f"({100.0 * share:.1f} %)" in lost


@pytest.mark.parametrize("looks", usual_and_slow([0, 6, 14], 1, 3, 7, 8, 29))
def test_a_training_stopped_amid_its_tests_goes_on_bit_for_bit(tmp_path, undisturbed, looks):
    """The first eight looks come between the steps of the measurement before the first batch."""
    with pytest.raises(Interrupted):
        compute(tmp_path, watch=Impatient(looks))
    log, _ = checkpoint.read_checkpoint(store.read_result_file(tmp_path / "out" / "run.ckpt.h5"))
    assert len(log.rows) - log.trainee.epoch in (0, 1)
    assert (looks < 8) == (not log.rows)
    assert_same(undisturbed, compute(tmp_path).folder / "run.h5")


def test_a_training_stops_between_the_parts_of_a_test(tmp_path):
    path = write_scenario(tmp_path, "".join(line for line in TRAIN.splitlines(True) if "ledger" not in line))
    arrays = dict(np.load(tmp_path / "batch.npz"))
    arrays |= {"x_test": np.tile(arrays["x"], (100, 1)), "y_test": np.tile(arrays["y"], (100, 1))}
    np.savez(tmp_path / "batch.npz", **arrays)
    loaded = load_scenario(path)
    with pytest.raises(Interrupted):
        run_scenario(loaded, RunOptions(tmp_path / "out"), Impatient(1))
    assert not checkpoint.read_checkpoint(store.read_result_file(tmp_path / "out" / "run.ckpt.h5"))[0].rows
    stopped, whole = (run_scenario(loaded, RunOptions(tmp_path / out), Watch()).folder for out in ("out", "whole"))
    assert_same(whole / "run.h5", stopped / "run.h5")


def test_a_divergence_stopped_amid_its_tests_stays_one(tmp_path):
    edits, watch = ["dynamics.dt=3.0", "experiment.ledger.every_epochs=1"], Impatient(8)
    with pytest.raises(Interrupted):
        compute(tmp_path, edits, watch=watch)
    assert checkpoint.read_checkpoint(store.read_result_file(tmp_path / "out" / "run.ckpt.h5"))[0].failure
    stopped, whole = compute(tmp_path, edits), compute(tmp_path, edits, out="whole")
    assert_same(whole.folder / "run.h5", stopped.folder / "run.h5")


def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path, undisturbed):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.ckpt.h5").write_bytes(b"damaged")
    watch = Watch()
    done = compute(tmp_path, watch=watch)
    assert any(line.startswith("starting anew: cannot read") for line in watch.lines)
    assert watch.batches == 24
    assert_same(undisturbed, done.folder / "run.h5")


def test_the_checkpoint_of_another_scenario_is_not_overwritten(tmp_path):
    with pytest.raises(Interrupted):
        compute(tmp_path, ["seed=9"], watch=Watch(3))
    path = tmp_path / "out" / "run.ckpt.h5"
    before = path.read_bytes()
    for text in (TRAIN, MEASURE):
        with pytest.raises(RunError, match=r"run\.ckpt\.h5 is from another scenario.* --force"):
            compute(tmp_path, text=text)
    assert path.read_bytes() == before
    watch = Watch()
    assert compute(tmp_path, watch=watch, force=True).computed
    assert (watch.batches, path.exists()) == (24, False)


def test_a_forced_training_goes_on_too(tmp_path, undisturbed):
    shutil.copytree(undisturbed.parent, tmp_path / "out")
    with pytest.raises(Interrupted):
        compute(tmp_path, watch=Watch(5), force=True)
    assert not (tmp_path / "out" / "run.h5").exists()
    watch = Watch()
    done = compute(tmp_path, watch=watch, force=True)
    assert watch.batches == 19
    assert_same(undisturbed, done.folder / "run.h5")


def test_a_full_disk_costs_a_checkpoint_and_not_the_training(tmp_path, undisturbed, monkeypatch):
    replace = os.replace

    def refuse(source, target):
        if target.name == "run.ckpt.h5":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    watch = Watch()
    done = compute(tmp_path, watch=watch)
    assert sum("goes on without a new checkpoint" in line and "No space" in line for line in watch.lines) == 2
    assert_same(undisturbed, done.folder / "run.h5")
    with pytest.raises(store.StoreWriteError, match="No space"):
        compute(tmp_path, watch=Watch(3), out="other")


@pytest.mark.parametrize(("seconds", "expected"), [("60", [4, 8]), ("1e-9", list(range(1, 9)))])
def test_a_checkpoint_is_kept_at_the_end_of_each_training_and_when_time_has_passed(
    tmp_path, monkeypatch, seconds, expected
):
    watch, kept, save = Watch(), [], checkpoint.write_checkpoint
    monkeypatch.setattr(checkpoint, "write_checkpoint", lambda *what: (kept.append(watch.batches), save(*what)))
    compute(tmp_path, [f"experiment.checkpoint_seconds={seconds}", "experiment.epochs=2"], watch=watch)
    assert kept == expected


def test_a_checkpoint_has_as_many_arrays_after_many_epochs(tmp_path):
    sizes = []
    for stop_after in (3, 11):
        with pytest.raises(Interrupted):
            compute(tmp_path, ["experiment.ledger.every_epochs=1"], watch=Watch(stop_after), out=f"out{stop_after}")
        groups = store.read_result_file(tmp_path / f"out{stop_after}" / "run.ckpt.h5").groups
        sizes.append(sum(len(group) for group in groups.values()))
    assert sizes[0] == sizes[1]


def test_a_checkpoint_reads_back_as_it_was(tmp_path):
    with pytest.raises(Interrupted):
        compute(tmp_path, watch=Watch(9))
    path = tmp_path / "out" / "run.ckpt.h5"
    log, programmed = checkpoint.read_checkpoint(store.read_result_file(path))
    assert (log.trainee.epoch, log.trainee.batch) == (4, 1)
    assert list(log.measured) == [0, 4]
    assert [int(row["epoch"]) for row in log.rows] == [0, 1, 2, 3, 4]
    assert set(programmed) == set(log.trainee.memory)


def test_a_diverging_training_is_a_result_with_a_reason(tmp_path):
    done = compute(tmp_path, ["dynamics.dt=3.0"])
    result = store.read_result_file(done.folder / "run.h5")
    assert result.attributes["status"] == "diverged"
    assert "every sample of a batch diverged" in result.attributes["reason"]
    assert result.attributes["last_epoch"] == 1
    assert "metrics_exact" not in result.groups
    assert not compute(tmp_path, ["dynamics.dt=3.0"]).computed


def test_evaluate_tells_the_spread_over_chips(tmp_path):
    text = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "evaluate"\nchips = 5\n'
    group = store.read_result_file(compute(tmp_path, text=text).folder / "run.h5")["evaluate"]
    assert list(group["chip"].data) == [0, 1, 2, 3, 4]
    assert len(set(group["loss"].data)) == 5
    ideal = compute(tmp_path, ["devices.feedback.mismatch_sigma=0"], text=text, out="ideal")
    assert len(set(store.read_result_file(ideal.folder / "run.h5")["evaluate"]["loss"].data)) == 1


def test_the_weights_of_a_training_can_be_evaluated(tmp_path, undisturbed):
    text = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "evaluate"\nchips = 1\n'
    text = text.replace('"parameters.npz"', f'"{undisturbed}"')
    group = store.read_result_file(compute(tmp_path, text=text).folder / "run.h5")["evaluate"]
    trained = store.read_result_file(undisturbed)["metrics"]
    assert group["loss"].data[0] < trained["loss_train"].data[1]
    assert not compute(tmp_path, text=text).computed
    settled = compute(tmp_path, text=MEASURE, out="measured").folder / "run.h5"
    with pytest.raises(ScenarioError, match="holds no weights"):
        compute(tmp_path, text=text.replace(str(undisturbed), str(settled)), out="other")


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing(tmp_path):
    """Ten processes killed amid the work: the same arrays as an undisturbed run."""
    text = TRAIN.replace("epochs = 6", "epochs = 40\ncheckpoint_seconds = 0.01").replace(
        "every_epochs = 4", "every_epochs = 10"
    )
    begin = time.monotonic()
    undisturbed = compute(tmp_path, text=text, out="undisturbed").folder / "run.h5"
    longest = (time.monotonic() - begin) / 6
    out, kept = tmp_path / "out", tmp_path / "out" / "run.ckpt.h5"
    # Children of a server that has everything imported: a start takes a fraction of the training.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scenarios.cli.run"])
    rng, kills = np.random.default_rng(7), 0

    def stamp():
        return kept.stat().st_mtime_ns if kept.exists() else 0

    while kills < 10 or not (out / "report.html").exists():
        process = context.Process(target=run_command, args=(tmp_path / "small.toml", [], RunFlags(out=out, quiet=True)))
        before = stamp()
        process.start()
        while process.is_alive() and stamp() == before:
            time.sleep(0.005)
        process.join(float(rng.uniform(0.0, longest)) if kills < 10 else None)
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if process.exitcode == 0:
            assert (out / "report.html").exists()
            assert not kept.exists()
            assert_same(undisturbed, out / "run.h5")
            if kills < 10:
                (out / "run.h5").unlink()
                (out / "report.html").unlink()
    assert_same(undisturbed, out / "run.h5")


def test_a_training_in_equilibrium_mode_tells_what_its_audits_found(tmp_path):
    done = compute(
        tmp_path, ["dynamics.mode=equilibrium", "dynamics.audit=2", "experiment.reference=false"], RECORDLESS
    )
    result = store.read_result_file(done.folder / "run.h5")
    checked = result["metrics"]["audit_checked"].data
    assert (checked > 0).all()
    assert any(line.startswith(f"Audit: 0 of {checked.sum()} settlings rest") for line in list_remarks(result))
    result["metrics"]["audit_checked"].data[:] = 0
    assert not any(line.startswith("Audit") for line in list_remarks(result))
