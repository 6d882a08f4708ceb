"""The data of a task: what is read, what is refused, and what the bundled images are."""

import gzip
import hashlib
import io
import re
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.data.datasets import DataError, load_task_data, read_outline
from scenarios.schema.tasks import ArraysTask, BundledTask, IdxTask

ROOT = Path(__file__).parents[3]
OFFICIAL = ROOT.parent / "shared" / "data" / "fashion-mnist"
BATCH = ROOT / "tests" / "data" / "reciprocal_sigmoid_xent" / "batch.npz"
STEMS = {
    "x": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
BUNDLED = BundledTask(kind="bundled")
ARRAYS = ArraysTask(kind="arrays", path="batch.npz")
IDX = IdxTask(kind="idx", path="images")
X, LABELS = np.arange(12.0).reshape(4, 3), np.array([0, 2, 1, 0])


def write_npz(folder, **arrays):
    np.savez(folder / "batch.npz", **arrays)


def images(samples=5, rows=2, columns=3, magic=2051):
    pixels = np.arange(samples * rows * columns, dtype=np.uint8)
    return struct.pack(">4I", magic, samples, rows, columns) + pixels.tobytes()


def labels(values=(0, 1, 2, 0, 1), magic=2049):
    return struct.pack(">2I", magic, len(values)) + bytes(values)


def write_idx(folder, packed=False, **files):
    (folder / "images").mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / "images" / (STEMS[name] + (".gz" if packed else ""))
        path.write_bytes(gzip.compress(content) if packed else content)


def refusal(task, folder, inputs, outputs=None):
    with pytest.raises(DataError) as caught:
        load_task_data(task, folder, inputs, outputs)
    assert caught.value.field in {"task.path", "task.name"}
    assert caught.value.hint
    return str(caught.value)


# The bundled images


def test_bundled_images_are_balanced_and_scaled(tmp_path):
    data = load_task_data(BUNDLED, tmp_path, 784, None)
    assert data.x.shape == (2000, 784)
    assert data.y.shape == (2000, 10)
    assert data.x_test.shape == (500, 784)
    assert data.y_test.shape == (500, 10)
    assert {array.dtype for array in data[:4]} == {np.dtype(float)}
    assert (data.x.min(), data.x.max()) == (0.0, 1.0)
    assert data.y.sum(axis=0).tolist() == [200.0] * 10
    assert data.y_test.sum(axis=0).tolist() == [50.0] * 10
    assert np.array_equal(data.y.argmax(axis=1), data.labels)


def test_bundled_arrays_have_the_digests_of_the_readme():
    folder = ROOT / "scenarios" / "data"
    stated = dict(re.findall(r"\| `(\w+)` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text()))
    with np.load(folder / "fashion-small.npz", allow_pickle=False) as arrays:
        actual = {name: hashlib.sha256(arrays[name].tobytes()).hexdigest() for name in arrays}
    assert actual == stated


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official Fashion-MNIST files are not beside this checkout")
def test_bundled_images_are_the_first_of_each_class():
    official = load_task_data(IdxTask(kind="idx", path="."), OFFICIAL, 784, None)
    bundled = load_task_data(BUNDLED, OFFICIAL, 784, None)

    def first(y, count):
        return np.sort(np.concatenate([np.flatnonzero(y[:, label])[:count] for label in range(10)]))

    train, test = first(official.y, 200), first(official.y_test, 50)
    assert np.array_equal(bundled.x, official.x[train])
    assert np.array_equal(bundled.y, official.y[train])
    assert np.array_equal(bundled.x_test, official.x_test[test])
    assert np.array_equal(bundled.y_test, official.y_test[test])


def test_bundled_misfit_names_the_task_by_name(tmp_path):
    message = refusal(BUNDLED, tmp_path, 100)
    assert message.startswith("task.name: ")
    assert "784 columns" in message


# Your own arrays


def test_reference_batch_is_read_as_it_is():
    task = ArraysTask(kind="arrays", path=BATCH.name)
    data = load_task_data(task, BATCH.parent, 12, None)
    with np.load(BATCH, allow_pickle=False) as batch:
        assert np.array_equal(data.x, batch["x"])
        assert np.array_equal(data.y, batch["y"])
    assert data.labels is None
    assert data.x_test.shape == (0, 12)
    assert data.y_test.shape == (0, 3)
    assert read_outline(task, BATCH.parent) == (4, 12, 3, 0, ())


def test_labels_become_targets(tmp_path):
    write_npz(tmp_path, x=X, y=LABELS, x_test=X[:2], y_test=LABELS[:2])
    data = load_task_data(ARRAYS, tmp_path, 3, None)
    assert data.y.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert data.y_test.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert data.labels.tolist() == LABELS.tolist()
    assert load_task_data(ARRAYS, tmp_path, 3, 5).y.shape == (4, 5)


def test_a_class_seen_in_the_test_part_only_counts(tmp_path):
    write_npz(tmp_path, x=X, y=LABELS, x_test=X[:1], y_test=np.array([6]))
    assert read_outline(ARRAYS, tmp_path).classes == 7
    assert load_task_data(ARRAYS, tmp_path, 3, None).y.shape == (4, 7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool, np.float16, ">f8"])
def test_arrays_are_converted_and_not_scaled(tmp_path, dtype):
    x = (X * 20).astype(dtype)
    write_npz(tmp_path, x=x, y=LABELS)
    data = load_task_data(ARRAYS, tmp_path, 3, None)
    assert data.x.dtype == np.dtype(float)
    assert np.array_equal(data.x, x)


def test_digest_follows_the_content_and_not_the_compression(tmp_path):
    def digest(save, x):
        save(tmp_path / "batch.npz", x=x, y=LABELS)
        return load_task_data(ARRAYS, tmp_path, x.shape[1], None).sha256

    last = X.copy()
    last[-1, -1] += 1
    others = {digest(np.savez, x) for x in (last, X.view(np.int64), np.hstack([X, X]))}
    assert digest(np.savez, X) == digest(np.savez_compressed, X)
    assert len(others - {digest(np.savez, X)}) == 3
    assert re.fullmatch("[0-9a-f]{64}", digest(np.savez, X))


BAD_ARRAYS = {
    "no x": ({"y": LABELS}, "no array x"),
    "no y": ({"x": X}, "no array y"),
    "half a test part": ({"x": X, "y": LABELS, "x_test": X}, "no array y_test"),
    "objects": ({"x": np.array([[{}]], dtype=object), "y": LABELS[:1]}, "type object"),
    "text": ({"x": X.astype(str), "y": LABELS}, "type <U"),
    "complex": ({"x": X + 1j, "y": LABELS}, "type complex128"),
    "flat": ({"x": X[0], "y": LABELS[:3]}, r"shape \(3,\)"),
    "cube": ({"x": X[None], "y": LABELS[:1]}, "reshape"),
    "number": ({"x": X, "y": np.array(1)}, r"shape \(\)"),
    "no samples": ({"x": X[:0], "y": LABELS[:0]}, "empty"),
    "no columns": ({"x": X[:, :0], "y": LABELS}, "empty"),
    "fewer labels": ({"x": X, "y": LABELS[:3]}, "4 and 3"),
    "fewer test labels": ({"x": X, "y": LABELS, "x_test": X, "y_test": LABELS[:1]}, "4 and 1"),
    "narrow test": ({"x": X, "y": LABELS, "x_test": X[:, :2], "y_test": LABELS}, "x and x_test"),
    "labels and targets": ({"x": X, "y": LABELS, "x_test": X, "y_test": np.eye(4)}, "y and y_test"),
    "nan": ({"x": np.where(X == 4, np.nan, X), "y": LABELS}, r"nan at \[1, 1\]"),
    "infinite": ({"x": np.where(X == 4, np.inf, X), "y": LABELS}, r"inf at \[1, 1\]"),
    "beyond double": ({"x": np.full((4, 3), np.longdouble("1e4000")), "y": LABELS}, "inf at"),
    "target nan": ({"x": X, "y": np.full((4, 2), np.nan)}, "y in .* nan"),
    "negative label": ({"x": X, "y": LABELS - 1}, "label -1"),
    "real labels": ({"x": X, "y": LABELS / 2}, "type float64.*integers"),
    "huge label": ({"x": X, "y": LABELS.astype(np.uint64) * np.uint64(2**62)}, "8 GB"),
    "one class": ({"x": X, "y": LABELS * 0}, "1 class.*at least 2"),
    "one target": ({"x": X, "y": X[:, :1]}, "1 class.*at least 2"),
}


@pytest.mark.parametrize(("arrays", "words"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_arrays_are_refused(tmp_path, arrays, words):
    write_npz(tmp_path, **arrays)
    assert re.search(words, refusal(ARRAYS, tmp_path, 3))


@pytest.mark.parametrize("y", [LABELS, np.eye(4)[:, :3]], ids=["labels", "targets"])
def test_data_that_do_not_fit_the_network(tmp_path, y):
    write_npz(tmp_path, x=X, y=y)
    assert "3 columns, the input layer 7 units" in refusal(ARRAYS, tmp_path, 7)
    assert "3 classes, the output layer 2 units" in refusal(ARRAYS, tmp_path, 3, 2)


def test_targets_need_exactly_the_output_units(tmp_path):
    write_npz(tmp_path, x=X, y=X)
    assert load_task_data(ARRAYS, tmp_path, 3, 3).y.tolist() == X.tolist()
    assert "3 classes, the output layer 5 units" in refusal(ARRAYS, tmp_path, 3, 5)


def write_member(folder, header, body=b"", version=(1, 0)):
    """Write an npz file whose x starts with a header that need not be true."""
    text = repr(header).encode().ljust(117) + b"\n"
    y = io.BytesIO()
    np.save(y, LABELS)
    with zipfile.ZipFile(folder / "batch.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + body)
        archive.writestr("y.npy", y.getvalue())


@pytest.mark.parametrize(
    ("shape", "dtype", "version", "words"),
    [
        ((4, 300_000_000), "|u1", (1, 0), "8 GB"),
        ((4, 2**70), "<f8", (1, 0), "8 GB"),
        ((-4, 3), "<f8", (1, 0), "empty"),
        ((4, 3), "<f8", (1, 0), "cannot be read"),
        ((4, 3), "<f8", (3, 0), "version 1.0"),
        ((4, 3), "nonsense", (1, 0), "cannot be read"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, shape, dtype, version, words):
    write_member(tmp_path, {"descr": dtype, "fortran_order": False, "shape": shape}, b"short", version)
    assert words in refusal(ARRAYS, tmp_path, 3)


def test_describe_needs_no_pixels(tmp_path):
    write_member(tmp_path, {"descr": "<f8", "fortran_order": False, "shape": (4, 3)})
    assert read_outline(ARRAYS, tmp_path) == (4, 3, 3, 0, ())


def test_a_member_without_suffix_does_not_stand_in(tmp_path):
    write_npz(tmp_path, x=X, y=LABELS)
    with zipfile.ZipFile(tmp_path / "batch.npz", "a") as archive:
        archive.writestr("x", b"something else")
    assert np.array_equal(load_task_data(ARRAYS, tmp_path, 3, None).x, X)


@pytest.mark.parametrize("path", ["absent.npz", ".", "nul\0.npz", "long" * 1000])
def test_a_file_that_is_not_there(tmp_path, path):
    assert "task.path" in refusal(ArraysTask(kind="arrays", path=path), tmp_path, 3)


# IDX files


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_flattened_and_scaled(tmp_path, packed):
    write_idx(tmp_path, packed, x=images(), y=labels(), x_test=images(2), y_test=labels((1, 0)))
    data = load_task_data(IDX, tmp_path, 6, None)
    assert np.array_equal(data.x, np.arange(30).reshape(5, 6) / 255)
    assert data.labels.tolist() == [0, 1, 2, 0, 1]
    assert data.x_test.shape == (2, 6)
    assert data.y_test.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert read_outline(IDX, tmp_path) == (5, 6, 3, 2, ())


def test_packing_does_not_change_the_digest(tmp_path):
    digests = set()
    for name, packed in (("plain", False), ("packed", True)):
        (tmp_path / name).mkdir()
        write_idx(tmp_path / name, packed, x=images(), y=labels())
        digests.add(load_task_data(IDX, tmp_path / name, 6, None).sha256)
    assert len(digests) == 1


def test_idx_without_a_test_part(tmp_path):
    write_idx(tmp_path, x=images(), y=labels())
    data = load_task_data(IDX, tmp_path, 6, 4)
    assert data.x_test.shape == (0, 6)
    assert data.y_test.shape == (0, 4)


GOOD = {"x": images(), "y": labels()}
BAD_IDX = {
    "no images": ({"y": labels()}, "no train-images-idx3-ubyte"),
    "no labels": ({"x": images()}, "no train-labels-idx1-ubyte"),
    "half a test part": (GOOD | {"x_test": images()}, "no t10k-labels-idx1-ubyte"),
    "other half": (GOOD | {"y_test": labels()}, "no t10k-images-idx3-ubyte"),
    "labels as images": (GOOD | {"x": labels(bytes(16))}, "starts with 2049, not 2051"),
    "images as labels": (GOOD | {"y": images()}, "starts with 2051, not 2049"),
    "little endian": (GOOD | {"y": struct.pack("<2I", 2049, 5) + bytes(5)}, "not 2049"),
    "empty file": (GOOD | {"x": b""}, "ends within its header"),
    "truncated": (GOOD | {"x": images()[:-1]}, "promises 30 bytes and holds 29"),
    "too long": (GOOD | {"y": labels() + b"1"}, "promises 5 bytes and holds more"),
    "counts differ": (GOOD | {"y": labels((0, 1))}, "5 and 2"),
    "no samples": ({"x": images(0), "y": labels(())}, "empty"),
    "no pixels": (GOOD | {"x": images(5, 0)}, "empty"),
    "bomb": (GOOD | {"x": struct.pack(">4I", 2051, 2**32 - 1, 2**32 - 1, 2**32 - 1)}, "8 GB"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("files", "words"), BAD_IDX.values(), ids=BAD_IDX)
def test_bad_idx_files_are_refused(tmp_path, files, words, packed):
    write_idx(tmp_path, packed, **files)
    assert words in refusal(IDX, tmp_path, 6)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:12] + b"\xff" * 9 + b[21:], lambda b: b"PK" + b])
def test_damaged_gzip_is_refused(tmp_path, damage):
    write_idx(tmp_path, packed=True, **GOOD)
    path = tmp_path / "images" / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    assert "train-images-idx3-ubyte.gz cannot be read" in refusal(IDX, tmp_path, 6)


def test_a_folder_that_is_not_there(tmp_path):
    assert "no folder" in refusal(IDX, tmp_path, 6)


# Arbitrary bytes

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only_data_errors(task, folder, inputs):
    with suppress(DataError):
        load_task_data(task, folder, inputs, None)
    with suppress(DataError):
        read_outline(task, folder)


@FUZZ
@given(content=st.binary(max_size=60), name=st.sampled_from(["x", "y"]), magic=st.booleans(), packed=st.booleans())
def test_any_bytes_as_idx_give_data_errors_only(tmp_path, content, name, magic, packed):
    for path in tmp_path.glob("images/*"):
        path.unlink()
    write_idx(tmp_path, packed, **GOOD | {name: GOOD[name][:4] * magic + content})
    only_data_errors(IDX, tmp_path, 6)


@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
@FUZZ
@given(content=st.binary(max_size=400), where=st.sampled_from(["file", "member", "header", "patch"]), at=st.integers(0))
def test_any_bytes_as_npz_give_data_errors_only(tmp_path, content, where, at):
    path = tmp_path / "batch.npz"
    if where == "patch":
        write_npz(tmp_path, x=X, y=LABELS)
        whole = path.read_bytes()
        start = at % len(whole)
        path.write_bytes(whole[:start] + content[:8] + whole[start + len(content[:8]) :])
    elif where == "file":
        path.write_bytes(content)
    else:
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) if where == "header" else b""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", magic + content)
            archive.writestr("y.npy", magic + content)
    only_data_errors(ARRAYS, tmp_path, 3)


@pytest.mark.parametrize(
    "header", ["(" * 5000, "-" * 9000 + "1", "{[]: 1}", "'" * 3, "{'descr': '<f8'}", "\n  1\n 2", "\0"]
)
def test_headers_that_upset_the_parser(tmp_path, header):
    text = header.encode()
    with zipfile.ZipFile(tmp_path / "batch.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
        archive.writestr("y.npy", b"")
    assert "cannot be read as an npz file" in refusal(ARRAYS, tmp_path, 3)
