"""Folders of well-known data sets are named, and answered with what to do; run or not, `check` says it."""

import pytest

from scenarios.data.datasets import DataError, load_task_data
from scenarios.data.foreign import KINDS, recognise_layout
from scenarios.schema.tasks import ArraysTask, IdxTask


def filled(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name.replace("*", "x").replace("?", ".")).write_bytes(b"")
    return folder


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.words} {kind.signs[0]}")
@pytest.mark.parametrize("inside", ["", "data-set", "deep/data-set"])
@pytest.mark.parametrize("task", [IdxTask, ArraysTask])
def test_every_known_folder_is_named_and_answered(tmp_path, kind, inside, task):
    filled(tmp_path / "given" / inside, [*kind.signs, "readme.txt"])
    with pytest.raises(DataError) as caught:
        load_task_data(task(kind="idx" if task is IdxTask else "arrays", path="given"), tmp_path, 4, None)
    assert kind.words in caught.value.message
    assert caught.value.hint == kind.cure


def test_a_folder_above_the_files_is_answered_with_the_path_to_add(tmp_path):
    filled(tmp_path / "FashionMNIST" / "raw", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"])
    assert recognise_layout(tmp_path)[1] == 'add "/FashionMNIST/raw" to task.path'


def test_a_folder_that_nobody_knows_is_told_as_before(tmp_path):
    assert recognise_layout(filled(tmp_path / "given", ["notes.txt"])) is None
    with pytest.raises(DataError, match="no train-images-idx3-ubyte in"):
        load_task_data(IdxTask(kind="idx", path="given"), tmp_path, 4, None)
