"""Pictures are kept once, are found by what they were made of, and never come back damaged."""

import os
import stat
from functools import partial

import numpy as np
import pytest

from scenarios.data.images.cache import keep_records
from scenarios.data.images.cifar import read_cifar_records
from scenarios.data.images.records import pack_records, sum_colours

from .picture_files import draw_planes, to_rows, write_cifar

READ = partial(read_cifar_records, classes=(10,))


@pytest.fixture
def sources(tmp_path):
    """Return two files of pictures."""
    write_cifar(tmp_path)
    return [tmp_path / "data_batch_1.bin", tmp_path / "data_batch_2.bin"]


def keep(sources, read=READ):
    return keep_records("small", sources, read)


def refuse_to_read(path):
    raise AssertionError(f"{path} is read again")


def whole(kept):
    return kept.sums.tobytes() + np.asarray(kept.records).tobytes() + kept.digest


def test_files_are_read_once_and_mapped(sources, cache):
    first = keep(sources)
    again = keep(sources, refuse_to_read)
    assert isinstance(again.records, np.memmap)
    assert not again.records.flags.writeable
    assert whole(first) == whole(again)
    assert np.array_equal(np.asarray(again.records), np.concatenate([READ(path) for path in sources]))
    assert first.trouble == again.trouble == ""
    assert [path.suffix for path in cache.iterdir()] == [".records"]


def test_only_this_user_has_the_folder_and_the_files(sources, cache):
    keep(sources)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in cache.iterdir()] == [0o600]


def test_another_content_and_another_order_are_other_files(sources, cache):
    first = keep(sources)
    turned = keep(sources[::-1])
    assert np.array_equal(np.asarray(turned.records), np.roll(first.records, 3, axis=0))
    content = bytearray(sources[0].read_bytes())
    content[5] ^= 1
    time = sources[0].stat().st_mtime_ns
    sources[0].write_bytes(content)
    os.utime(sources[0], ns=(time, time))
    changed = keep(sources)
    assert np.count_nonzero(np.asarray(changed.records) != first.records) == 1
    assert len({first.digest, turned.digest, changed.digest}) == len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:20],
        lambda content: content[:104],
        lambda content: content[:-1],
        lambda content: content[:-3074],
        lambda content: content + b"1",
        lambda content: content[:50] + bytes([content[50] ^ 1]) + content[51:],
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    ],
)
def test_a_damaged_file_is_made_again(sources, cache, damage):
    first = whole(keep(sources))
    (path,) = cache.iterdir()
    intact = path.read_bytes()
    path.unlink()
    path.write_bytes(damage(intact))
    assert whole(keep(sources)) == first
    assert path.read_bytes() == intact


def test_a_read_that_fails_leaves_nothing(sources, cache):
    with pytest.raises(AssertionError):
        keep(sources, refuse_to_read)
    assert list(cache.iterdir()) == []


def make_a_file(cache, monkeypatch):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"")


def let_others_write(cache, monkeypatch):
    cache.mkdir(parents=True)
    cache.chmod(0o777)


def lose_home(cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "relative")


def fill_disk(cache, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scenarios.data.images.cache._append_records", refuse)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (make_a_file, "exists"),
        (let_others_write, "somebody else"),
        (lose_home, "no cache folder"),
        (fill_disk, "No space left"),
    ],
)
def test_without_a_cache_pictures_are_read_into_memory(sources, cache, monkeypatch, trouble, words):
    kept = whole(keep(sources))
    for path in cache.iterdir():
        path.unlink()
    cache.rmdir()
    cache.parent.rmdir()
    trouble(cache, monkeypatch)
    found = keep(sources)
    assert words in found.trouble
    assert not isinstance(found.records, np.memmap)
    assert whole(found) == kept
    assert not cache.is_dir() or list(cache.iterdir()) == []


def test_sums_are_exact():
    planes = draw_planes(5000)
    records = pack_records(np.zeros((5000, 2), np.uint8), planes)
    by_colour = planes.reshape(-1, 3, 1024).astype(np.int64)
    sums = sum_colours(records)
    assert sums[0].tolist() == [5000 * 1024] * 3
    assert np.array_equal(sums[1], by_colour.sum(axis=(0, 2)))
    assert np.array_equal(sums[2], (by_colour**2).sum(axis=(0, 2)))
    assert np.array_equal(records[:, 2:], to_rows(planes))
