"""Pickles of arrays are read without running them: what they are, what is refused, and that nothing happens."""

import re
from pathlib import Path

import numpy as np
import pytest

from scenarios.data.arrays import DataError
from scenarios.data.images import arrays_only
from scenarios.data.images.arrays_only import read_pickled_arrays

from .attacks import ATTACKS, DEEP, HARMLESS, array

REAL = Path(__file__).parents[3] / "data" / "pickled"
READ = [*(f"protocol-{k}" for k in range(5)), "python-2"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder that is the working one, too, where a canary would show."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(folder, content):
    path = folder / "batch"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_pickled_arrays(path)
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("name", READ)
def test_real_files_are_read(name):
    found = read_pickled_arrays(REAL / f"{name}.pkl")
    with np.load(REAL / "expected.npz") as expected:
        assert found.keys() == set(expected)
        assert found["labels"] == expected["labels"].tolist()
        for key in ("data", "mean"):
            assert found[key].dtype == expected[key].dtype
            assert np.array_equal(found[key], expected[key])


def test_names_of_older_and_newer_releases_are_one(folder):
    content = (REAL / "protocol-2.pkl").read_bytes()
    assert b"numpy._core.multiarray" in content
    path = folder / "batch"
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_pickled_arrays(path)["labels"] == [1, 1000, 7]


def test_arrays_by_columns_keep_their_places(folder):
    path = folder / "batch"
    by_columns = array(shape=b"K\x03K\x02\x86", numbers=b"C\x06abcdef").replace(b"\x89C\x06", b"\x88C\x06")
    path.write_bytes(by_columns)
    assert read_pickled_arrays(path).tobytes() == b"adbecf"


def test_protocol_5_is_refused_by_the_name_it_asks_for(folder):
    content = (REAL / "protocol-5.pkl").read_bytes()
    words = refusal(folder, content)
    assert "numpy._core.numeric._frombuffer" in words
    assert content[: int(re.search(r"byte (\d+)", words)[1])].endswith(b"_frombuffer\x94")


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_at_a_byte_and_nothing_happens(folder, name):
    assert re.search(r", byte \d+: ", refusal(folder, ATTACKS[name]))
    assert [path.name for path in folder.iterdir()] == ["batch"]


@pytest.mark.parametrize("name", HARMLESS)
def test_odd_pickles_are_the_data_they_are(folder, name):
    content, value = HARMLESS[name]
    (folder / "batch").write_bytes(content)
    assert read_pickled_arrays(folder / "batch") == value
    assert [path.name for path in folder.iterdir()] == ["batch"]


@pytest.mark.parametrize(
    ("name", "at", "words"),
    [
        ("system, protocol 0", 0, "asks for 'os.system'"),
        ("system, protocol 4", 14, "asks for 'os.system'"),
        ("dotted name", 22, "asks for 'os.path.os.system'"),
        ("INST", 17, "INST"),
        ("rot13", 30, "encode"),
        ("trailing data", 1, "6 bytes follow"),
        ("complex array", 85, "type 'c8'"),
        ("negative side", 119, "shape"),
        ("fewer numbers", 115, r"shape \(3,\) and type uint8 with 2 bytes"),
        ("lying frame", 2, "frame"),
    ],
)
def test_a_refusal_says_where_and_what(folder, name, at, words):
    assert re.search(f", byte {at}: .*{words}", refusal(folder, ATTACKS[name]))


@pytest.mark.parametrize("name", ["deep tuples", "deep marks"])
def test_deep_nests_are_refused_at_once(folder, name):
    assert int(re.search(r"byte (\d+)", refusal(folder, ATTACKS[name]))[1]) < 10


def test_deep_lists_are_refused_where_the_first_is_put_into_another(folder):
    assert f"byte {DEEP}: " in refusal(folder, ATTACKS["deep lists"])


@pytest.mark.parametrize("name", READ)
def test_every_truncation_is_refused(folder, name):
    content = (REAL / f"{name}.pkl").read_bytes()
    for size in range(len(content)):
        refusal(folder, content[:size])


def test_mutations_raise_nothing_else(folder):
    """Every refusal has a byte: none is an exception that only the border of the reader turned into an error."""
    rng, path, refused = np.random.default_rng(3), folder / "batch", 0
    for name in READ:
        real = np.fromfile(REAL / f"{name}.pkl", np.uint8)
        for _ in range(250):
            content = real.copy()
            content[rng.integers(len(content), size=rng.integers(1, 4))] = rng.integers(256)
            content.tofile(path)
            try:
                read_pickled_arrays(path)
            except DataError as error:
                assert ", byte " in error.message  # noqa: PT017  the rest is no answer
                refused += 1
    assert refused > 500
    assert [found.name for found in folder.iterdir()] == ["batch"]


def test_no_more_than_so_many_instructions_are_followed(folder, monkeypatch):
    monkeypatch.setattr(arrays_only, "MOST_ITEMS", 10)
    (folder / "batch").write_bytes(b"](" + b"K\x01" * 6 + b"e.")
    assert read_pickled_arrays(folder / "batch") == [1] * 6
    assert "more than 10 instructions" in refusal(folder, b"](" + b"K\x01" * 7 + b"e.")


@pytest.mark.parametrize("content", [b"", bytes(21)])
def test_no_file_beyond_a_size_is_looked_at(folder, monkeypatch, content):
    monkeypatch.setattr(arrays_only, "MOST_BYTES", 20)
    assert f"has {len(content)} bytes" in refusal(folder, content)
