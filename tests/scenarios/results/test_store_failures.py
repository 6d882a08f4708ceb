"""The result file when things go wrong: crashes, full disks, files that are not ours."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from scenarios.results.store import StoreReadError, StoreWriteError, Variable, read_result_file, write_result_file
from tests.scenarios import result_files

ROOT = Path(__file__).parents[3]
HEAD = {"software": "nudgelab 0.1.0"}
GROUPS = {"g": {"v": Variable(("x",), np.arange(1000.0)), "text": Variable((), "text")}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run [1].h5"
    write_result_file(path, GROUPS, HEAD)
    return path


REWRITE = """
import sys, itertools, pathlib, numpy
from scenarios.results.store import Variable, write_result_file
for count in itertools.count(1):
    arrays = {f"v{k}": Variable(("x",), numpy.full(50_000, float(count))) for k in range(4)}
    write_result_file(pathlib.Path(sys.argv[1]), {"g": arrays}, {"software": "nudgelab 0", "count": count})
    if count == 1:
        print("started", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path, wait = tmp_path / "run.h5", np.random.default_rng(1)
    for _ in range(15):
        with subprocess.Popen([sys.executable, "-c", REWRITE, path], cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"started\n"
            time.sleep(wait.uniform(0.0, 0.1))
            process.send_signal(signal.SIGKILL)
        result = read_result_file(path)
        for number in range(4):
            assert (result["g"][f"v{number}"].data == result.attributes["count"]).all()
    write_result_file(path, {}, HEAD)
    assert list(tmp_path.iterdir()) == [path]


def test_stale_temporaries_are_removed_and_only_those(path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    stale = path.with_name(f"{path.name}.{ended.pid}.tmp")
    kept = [path.with_name(f"{path.name}.{os.getppid()}.tmp"), path.with_name(f"other.h5.{ended.pid}.tmp")]
    for file in (stale, *kept):
        file.touch()
    write_result_file(path, GROUPS, HEAD)
    assert sorted(path.parent.iterdir()) == sorted([path, *kept])


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failed_save_keeps_the_earlier_file(path, monkeypatch, call):
    def fail(*_):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreWriteError, match=r"cannot write .*No space left on device; free some space"):
        write_result_file(path, {}, HEAD)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_save_leaves_no_temporary(path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_result_file(path, {}, HEAD)
    assert list(path.parent.iterdir()) == [path]


def test_the_system_refusing_bytes_keeps_the_earlier_file(path):
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = {"g": {"v": Variable(("x",), np.random.default_rng(0).standard_normal(100_000))}}
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StoreWriteError, match="File too large"):
            write_result_file(path, large, HEAD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_folder(tmp_path):
    with pytest.raises(StoreWriteError, match=r"No such file or directory; .*another folder"):
        write_result_file(tmp_path / "none" / "run.h5", {}, HEAD)


def test_missing_file(tmp_path):
    with pytest.raises(StoreReadError, match=r"none\.h5 does not exist"):
        read_result_file(tmp_path / "none.h5")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(StoreReadError, match="Is a directory"):
        read_result_file(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not data at all\n"])
def test_not_hdf5(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(StoreReadError, match="not an HDF5 file"):
        read_result_file(tmp_path / "x.h5")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_truncated(path, part):
    os.truncate(path, int(part * path.stat().st_size))
    with pytest.raises(StoreReadError, match="truncated or damaged"):
        read_result_file(path)


def test_locked(path):
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreReadError, match="it is locked; close"):
            read_result_file(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, this release reads format 1; install a newer"),
        ({"format": 0}, "has format 0, this release reads format 1; repeat"),
        ({"format": "text"}, "not a result file of nudgelab"),
        ({"format": None}, "not a result file of nudgelab"),
        ({"software": "other 1.0"}, "not a result file of nudgelab"),
        ({"software": None, "list": [1, 2]}, "not a result file of nudgelab"),
        ({"status": None}, "not finished"),
    ],
)
def test_foreign_root_attributes(path, changes, message):
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            if value is None:
                del file.attrs[name]
            else:
                file.attrs[name] = value
    with pytest.raises(StoreReadError, match=message):
        read_result_file(path)


def test_a_missing_scale_is_damage(path):
    with h5py.File(path, "r+") as file:
        file["g"].create_dataset("stray", data=[1.0])
    with pytest.raises(StoreReadError, match="damaged"):
        read_result_file(path)


def mutated(content, random):
    """Return bytes with one of the damages that disks and copies do."""
    raw, at, size = bytearray(content), int(random.integers(len(content))), int(random.integers(1, 64))
    match random.integers(5):
        case 0:
            raw[at] ^= 1 << int(random.integers(8))
        case 1:
            del raw[at:]
        case 2:
            raw[at : at + size] = bytes(len(raw[at : at + size]))
        case 3:
            raw[at : at + size] = random.bytes(len(raw[at : at + size]))
        case _:
            for place in random.integers(len(raw), size=size).tolist():
                raw[place] ^= 1 << int(random.integers(8))
    return bytes(raw)


def test_a_damaged_file_is_refused(tmp_path):
    whole, path, refused = tmp_path / "whole.h5", tmp_path / "run.h5", 0
    result = result_files.result(result_files.measured())
    write_result_file(whole, result.groups, result.attributes)
    for seed in range(300):
        path.write_bytes(mutated(whole.read_bytes(), np.random.default_rng(seed)))
        if path.read_bytes() != whole.read_bytes():
            with pytest.raises(StoreReadError, match="cannot read"):
                read_result_file(path)
            refused += 1
    assert refused > 200


def test_a_number_that_another_program_changed_is_not_taken_for_ours(path):
    with h5py.File(path, "r+") as file:
        file["g/v"][3] = 4.0
    with pytest.raises(StoreReadError, match="damaged"):
        read_result_file(path)
