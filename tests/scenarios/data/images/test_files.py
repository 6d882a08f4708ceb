"""Published files of pictures: what is read of them, and which damage is named where."""

import hashlib
import lzma
import re
from pathlib import Path

import numpy as np
import pytest

from scenarios.data.arrays import DataError
from scenarios.data.datasets import load_task_data, read_outline
from scenarios.data.images.cifar import read_cifar_records
from scenarios.data.images.imagenet32 import read_imagenet_records
from scenarios.schema.tasks import CifarTask, ImageNetTask

from .picture_files import CIFAR_10, draw_planes, pickle_batch, to_rows, write_cifar, write_cifar_100, write_imagenet

TRUE = Path(__file__).parents[5] / "shared" / "data"
CIFAR = CifarTask(kind="cifar", path="cifar")
CIFAR_100 = CifarTask(kind="cifar", path="cifar", name="cifar-100")
IMAGENET = ImageNetTask(kind="imagenet32", path="imagenet")


def refusal(task, folder, inputs=3072, outputs=None):
    with pytest.raises(DataError) as caught:
        load_task_data(task, folder, inputs, outputs)
    assert caught.value.hint
    return str(caught.value)


def scaled(planes, train):
    """Return the inputs of pictures, colour by colour in double precision, by mean and spread of the training ones."""
    by_colour = train.reshape(-1, 3, 1024).astype(float)
    mean, spread = by_colour.mean(axis=(0, 2)), by_colour.std(axis=(0, 2))
    return (to_rows(planes).reshape(-1, 1024, 3) - mean).reshape(len(planes), -1) / np.tile(spread, 1024)


def test_cifar_10_is_read_by_row_column_and_colour(tmp_path):
    labels, planes = write_cifar(tmp_path / "cifar")
    data = load_task_data(CIFAR, tmp_path, 3072, None)
    assert np.allclose(np.asarray(data.x), scaled(planes[:15], planes[:15]), rtol=0, atol=1e-12)
    assert np.allclose(np.asarray(data.x_test), scaled(planes[15:], planes[:15]), rtol=0, atol=1e-12)
    assert data.labels.tolist() == labels[:15].tolist()
    assert np.array_equal(np.asarray(data.y), np.eye(10)[labels[:15]])
    assert np.array_equal(np.asarray(data.y_test), np.eye(10)[labels[15:]])
    assert read_outline(CIFAR, tmp_path) == (15, 3072, 10, 3, (32, 32, 3))


@pytest.mark.parametrize(("labels", "column", "classes"), [("fine", 1, 100), ("coarse", 0, 20)])
def test_cifar_100_has_two_labels(tmp_path, labels, column, classes):
    both, planes = write_cifar_100(tmp_path / "cifar")
    task = CIFAR_100.model_copy(update={"labels": labels})
    data = load_task_data(task, tmp_path, 3072, None)
    assert data.labels.tolist() == both[:6, column].tolist()
    assert np.asarray(data.y_test).shape == (4, classes)
    assert np.allclose(np.asarray(data.x), scaled(planes[:6], planes[:6]), rtol=0, atol=1e-12)
    assert load_task_data(task, tmp_path, 3072, 128).y.shape == (6, 128)


@pytest.mark.parametrize("npz", [False, True])
def test_imagenet_is_read_from_both_forms(tmp_path, npz):
    labels, planes = write_imagenet(tmp_path / "imagenet", npz=npz)
    data = load_task_data(IMAGENET, tmp_path, 3072, None)
    assert data.labels.tolist() == (labels[:20] - 1).tolist()
    assert np.asarray(data.y_test).argmax(axis=1).tolist() == [labels[20] - 1, 999]
    assert np.allclose(np.asarray(data.x), scaled(planes[:20], planes[:20]), rtol=0, atol=1e-12)
    assert read_outline(IMAGENET, tmp_path) == (20, 3072, 1000, 2, (32, 32, 3))


def test_pictures_are_named_by_what_they_are_and_not_by_their_files(tmp_path):
    digests = []
    for place, options in {"a": {}, "b": {"npz": True}, "c": {"seed": 1}}.items():
        write_imagenet(tmp_path / place / "imagenet", **options)
        digests.append(load_task_data(IMAGENET, tmp_path / place, 3072, None).sha256)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("size", "byte", "value", "words"),
    [
        (3073, None, None, "3072 bytes, no whole number of pictures"),
        (3073, 3073, 10, r"byte 3073: the label 10, and labels go up to 9"),
        (3074, 0, 20, r"byte 0: the label 20, and labels go up to 19"),
        (3074, 3075, 100, r"byte 3075: the label 100, and labels go up to 99"),
    ],
)
def test_the_first_bad_byte_of_cifar_is_named(tmp_path, size, byte, value, words):
    content = bytearray(3 * size)
    if byte is None:
        content = content[:3072]
    else:
        content[byte] = value
        content[-size:] = b"\xff" * size
    (tmp_path / "batch.bin").write_bytes(content)
    with pytest.raises(DataError, match=f"batch.bin.*{words}"):
        read_cifar_records(tmp_path / "batch.bin", (10,) if size == 3073 else (20, 100))


@pytest.mark.parametrize("size", [0, 1, 3074, 2 * 3073 - 1])
def test_other_sizes_are_refused(tmp_path, size):
    (tmp_path / "batch.bin").write_bytes(bytes(size))
    with pytest.raises(DataError, match=f"{size} bytes"):
        read_cifar_records(tmp_path / "batch.bin", (10,))


PLANES = draw_planes(2)
BAD_BATCHES = {
    "a text": (b"Vdata\n.", "no `data` with `labels`"),
    "no labels": (b"}Vdata\nVx\ns.", "no `data` with `labels`"),
    "data in a list": (b"}(Vdata\n]Vlabels\n]u.", "no array of bytes"),
    "another size": (pickle_batch(PLANES[:, :3071], [1, 2]), "no array of bytes"),
    "flat": (pickle_batch(PLANES.reshape(1, 6144), [1]), "no array of bytes"),
    "one label": (pickle_batch(PLANES, [1]), "no 2 whole numbers"),
    "label 0": (pickle_batch(PLANES, [1, 0]), "label 1 is 0"),
    "label 1001": (pickle_batch(PLANES, [1001, 1]), "label 0 is 1001"),
    "a text as a label": (pickle_batch(PLANES, [1, 1])[:-6] + b"Vx\neu.", "no 2 whole numbers"),
    "a name": (b"cos\nsystem\n.", "byte 0: asks for 'os.system'"),
}


@pytest.mark.parametrize(("content", "words"), BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_bad_batches_are_refused(tmp_path, content, words):
    (tmp_path / "val_data").write_bytes(content)
    with pytest.raises(DataError, match=f"val_data.*{words}"):
        read_imagenet_records(tmp_path / "val_data")


BAD_NPZ = {
    "objects": ({"data": np.array([{}], dtype=object), "labels": [1]}, "cannot be read"),
    "real numbers": ({"data": PLANES / 2, "labels": [1, 1]}, "no array of bytes"),
    "real labels": ({"data": PLANES, "labels": [1.0, 1.5]}, "no 2 whole numbers"),
    "label 0": ({"data": PLANES, "labels": [1, 0]}, "label 1 is 0"),
    "no data": ({"labels": [1]}, "no `data` with `labels`"),
}


@pytest.mark.parametrize(("arrays", "words"), BAD_NPZ.values(), ids=BAD_NPZ)
def test_bad_npz_batches_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "val_data.npz", **arrays)
    with pytest.raises(DataError, match=f"val_data.npz.*{words}"):
        read_imagenet_records(tmp_path / "val_data.npz")


def test_missing_files_are_named(tmp_path):
    assert "no folder" in refusal(CIFAR, tmp_path)
    write_cifar(tmp_path / "cifar")
    (tmp_path / "cifar" / CIFAR_10[2]).unlink()
    assert "no data_batch_3.bin in" in refusal(CIFAR, tmp_path)
    assert 'it looks like CIFAR-10 in binary; set task = { kind = "cifar"' in refusal(CIFAR_100, tmp_path)
    assert "no train_data_batch_1 in" in refusal(IMAGENET.model_copy(update={"path": "."}), tmp_path / "cifar")


def test_more_pictures_than_there_are_and_layers_that_do_not_fit(tmp_path):
    write_cifar(tmp_path / "cifar")
    assert "task.samples: 16 pictures are asked for, and the files have 15" in refusal(
        CIFAR.model_copy(update={"samples": 16}), tmp_path
    )
    assert "task.test_samples" in refusal(CIFAR.model_copy(update={"test_samples": 4}), tmp_path)
    assert "x has 3072 columns, the input layer 768 units" in refusal(CIFAR, tmp_path, 768)
    assert "x has 768 columns" in refusal(CIFAR.model_copy(update={"shrink": 2}), tmp_path)
    assert "y has 10 classes, the output layer 9 units" in refusal(CIFAR, tmp_path, 3072, 9)


def test_pictures_of_one_grey_cannot_be_scaled(tmp_path):
    write_cifar(tmp_path / "cifar")
    for name in CIFAR_10:
        rows = np.fromfile(tmp_path / "cifar" / name, np.uint8).reshape(-1, 3073)
        rows[:, 1025:2049] = 7
        rows.tofile(tmp_path / "cifar" / name)
    assert "all green pixels" in refusal(CIFAR, tmp_path)


def decode(path, labels):
    """Return the records of a published file out of the compressed differences it is stored as."""
    content = np.frombuffer(lzma.decompress(path.read_bytes()), np.uint8)
    count = content.size // (3072 + labels)
    planes = content[labels * count :].reshape(3, count, 32, 32)
    planes = np.cumsum(np.cumsum(planes, axis=3, dtype=np.uint8), axis=2, dtype=np.uint8)
    planes[0] += planes[1]
    planes[2] += planes[1]
    named = content[: labels * count].reshape(labels, count).T
    return np.concatenate([named, planes.transpose(1, 0, 2, 3).reshape(count, 3072)], axis=1)


@pytest.mark.slow
@pytest.mark.skipif(not (TRUE / "cifar-10").is_dir(), reason="the true CIFAR-10 is not beside this checkout")
def test_the_true_cifar_10_has_its_published_statistics(tmp_path):
    (tmp_path / "cifar").mkdir()
    table = (TRUE / "cifar-10" / "README.md").read_text()
    stated = dict(re.findall(r"(\w+\.bin) \| [0-9a-f]{32} \| ([0-9a-f]{64})", table))
    for name in CIFAR_10:
        rows = decode(TRUE / "cifar-10" / f"{name.removesuffix('.bin')}.res.xz", 1)
        assert hashlib.sha256(rows.tobytes()).hexdigest() == stated[name]
        rows.tofile(tmp_path / "cifar" / name)
    data = load_task_data(CIFAR, tmp_path, 3072, None)
    assert (len(data.x), len(data.x_test)) == (50_000, 10_000)
    assert np.allclose(data.x.mean / 255, [0.49140, 0.48216, 0.44653], rtol=0, atol=6e-6)
    assert np.allclose(data.x.spread / 255, [0.24703, 0.24349, 0.26159], rtol=0, atol=6e-6)
    assert np.bincount(data.labels).tolist() == [5000] * 10


@pytest.mark.skipif(not (TRUE / "cifar-100").is_dir(), reason="the true CIFAR-100 is not beside this checkout")
def test_a_part_of_the_true_cifar_100_is_balanced(tmp_path):
    (tmp_path / "cifar").mkdir()
    for name in ("train", "test"):
        decode(TRUE / "cifar-100" / f"{name}_subset.res.xz", 2).tofile(tmp_path / "cifar" / f"{name}.bin")
    fine = load_task_data(CIFAR_100, tmp_path, 3072, None)
    coarse = load_task_data(CIFAR_100.model_copy(update={"labels": "coarse"}), tmp_path, 3072, None)
    assert np.bincount(fine.labels).tolist() == [50] * 100
    assert np.bincount(coarse.labels).tolist() == [250] * 20
    assert np.allclose(fine.x.mean / 255, [0.507, 0.487, 0.441], rtol=0, atol=0.01)
