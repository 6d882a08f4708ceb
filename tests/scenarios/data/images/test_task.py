"""Tasks of pictures in scenarios: what `check` says of them, and that trainings see the same however they go."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.data.images.augment import PictureRows
from scenarios.experiments.train import batches as train_batches
from scenarios.experiments.watch import Interrupted
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.results.store import read_result_file
from scenarios.run.run import RunOptions, run_scenario
from scenarios.suspicions import find_suspicions
from tests.scenarios.experiments.train.test_run import Watch, assert_same

from .picture_files import CIFAR_10, write_cifar, write_imagenet

SCENARIO = """\
schema = 1
name = "pictures"

[network]
layers = { in = 768, l1 = 6, out = 10 }
connections = ["in-l1", "l1-out", "out-l1"]

[learning]
scheme = { kind = "centred", beta = 0.2 }

[task]
kind = "cifar"
path = "cifar"
shrink = 2
flip = true
crop = 2
std_factor = 1.5
batch = 4

[dynamics]
free = { duration = 4.0 }
nudged = { duration = 4.0 }

[experiment]
kind = "train"
epochs = 3
ledger = { every_epochs = 3, samples = 2 }
record = { samples = 1 }
"""


def load(folder, *edits, text=SCENARIO):
    if not (folder / "cifar").exists():
        write_cifar(folder / "cifar")
    path = folder / "pictures.toml"
    path.write_text(text)
    return load_scenario(path, edits)


def run(folder, *edits, watch=None, out="out"):
    return run_scenario(load(folder, *edits), RunOptions(folder / out, threads=1), watch or Watch())


@pytest.fixture
def shown(monkeypatch):
    """Return the inputs that training presents, by epoch and picture."""
    found = {}
    make = train_batches.EpochBatches.__getitem__

    def present(batches, number):
        batch = make(batches, number)
        found.update({(batch.epoch, i): row for i, row in zip(batch.ids.tolist(), batch.x, strict=True)})
        return batch

    monkeypatch.setattr(train_batches.EpochBatches, "__getitem__", present)
    return found


def test_check_reads_pictures_and_says_what_they_are(tmp_path):
    loaded = load(tmp_path)
    setup = make_setup(loaded)
    assert setup.taken == ["task.path = cifar: 15 training and 3 test samples of 768 inputs, 10 classes or outputs"]
    assert find_suspicions(loaded, setup) == []
    (tmp_path / "cifar" / CIFAR_10[1]).write_bytes(b"\x0b" + bytes(3072))
    with pytest.raises(ScenarioError, match=r"pictures.toml:13: task.path .*data_batch_2.bin, byte 0: the label 11"):
        make_setup(load(tmp_path))


def test_check_says_where_no_cache_can_be_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "relative")
    (taken,) = make_setup(load(tmp_path)).taken
    assert taken.endswith("outputs; in memory, for want of a cache: there is no cache folder of this user")


def test_layers_that_do_not_fit_are_told(tmp_path):
    with pytest.raises(ScenarioError, match=r"write in = \[32, 32, 3\]"):
        make_setup(load(tmp_path, "task.shrink=1"))
    make_setup(load(tmp_path, "network.layers.in=[16,16,3]"))


def test_coarse_labels_belong_to_cifar_100(tmp_path):
    with pytest.raises(ScenarioError, match=r'task.labels = "coarse": changes nothing: CIFAR-10 has one label'):
        load(tmp_path, "task.labels=coarse")


def test_the_id_follows_the_pictures_and_not_their_place(tmp_path):
    contents = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_cifar(tmp_path / place / "cifar", seed=seed)
        contents.append(make_setup(load(tmp_path / place)).content)
    assert contents[0] == contents[1] != contents[2]


def test_a_resumed_training_sees_the_same_pictures(tmp_path, shown):
    run(tmp_path)
    whole = dict(shown)
    assert whole.keys() == {(epoch, i) for epoch in range(3) for i in range(15)}
    assert not np.array_equal(whole[0, 0], whole[1, 0])
    shown.clear()
    for batches in (1, 5):
        with pytest.raises(Interrupted):
            run(tmp_path, watch=Watch(batches), out="halted")
    run(tmp_path, out="halted")
    assert shown.keys() == whole.keys()
    assert all(np.array_equal(shown[name], whole[name]) for name in whole)
    assert_same(tmp_path / "out" / "run.h5", tmp_path / "halted" / "run.h5")


def test_other_batches_see_the_same_pictures(tmp_path, shown):
    run(tmp_path)
    whole = dict(shown)
    shown.clear()
    run(tmp_path, "task.batch=15", out="whole")
    assert shown.keys() == whole.keys()
    assert all(np.array_equal(shown[name], whole[name]) for name in whole)


def test_tests_and_measurements_see_pictures_as_they_are(tmp_path):
    """With steps too small for any weight, flips and crops change nothing but what training counts."""
    still = ("learning.optimiser.rate=1e-300",)
    run(tmp_path, *still, out="a")
    run(tmp_path, *still, "task.flip=false", "task.crop=0", out="b")
    a, b = (read_result_file(tmp_path / name / "run.h5").groups for name in "ab")
    for name in ("loss_test", "error_test", "saturation"):
        assert np.array_equal(a["metrics"][name].data, b["metrics"][name].data)
    assert np.array_equal(a["settling"]["state"].data, b["settling"]["state"].data)
    assert not np.array_equal(a["metrics"]["loss_train"].data, b["metrics"]["loss_train"].data, equal_nan=True)


def test_nothing_but_batches_is_made_of_pictures(tmp_path, monkeypatch):
    """A training asks for no more inputs at once than a batch, a ledger or a part of a test needs."""
    make, made = PictureRows.make, []
    monkeypatch.setattr(PictureRows, "make", lambda rows, raw: made.append(len(raw)) or make(rows, raw))
    run(tmp_path)
    assert made
    assert max(made) == 3


def test_a_training_on_imagenet_runs(tmp_path):
    write_imagenet(tmp_path / "cifar")
    edits = ("experiment.epochs=1", "task.test_samples=1")
    text = SCENARIO.replace('kind = "cifar"', 'kind = "imagenet32"')
    run_scenario(load(tmp_path, *edits, text=text), RunOptions(tmp_path / "out", threads=1), Watch())
    group = read_result_file(tmp_path / "out" / "run.h5")["metrics"]
    assert np.isfinite(group["loss_test"].data).all()
