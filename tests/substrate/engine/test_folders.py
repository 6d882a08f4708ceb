"""The cache of kernels: where it may be, and that nothing that happens to it ends or changes a computation."""

import errno
import importlib.util
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numba
import pytest
from numba.core.caching import CompileResultCacheImpl, IndexDataCacheFile

from substrate.engine.cpu import compile as compiling
from substrate.engine.folders import CacheFolder, add_checksum, find_folder, is_intact


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Let every place of a cache be below a folder of the test; no variable is set."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def temporary(folder):
    return folder / "temporary" / f"nudgelab-{os.getuid()}-k"


def test_the_folder_is_the_named_one_or_that_of_the_user(surroundings, monkeypatch):
    assert find_folder("k") == CacheFolder(surroundings / "home/.cache/nudgelab/k", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(surroundings / "xdg"))
    assert find_folder("k") == CacheFolder(surroundings / "xdg/nudgelab/k", {})
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_folder("k") == CacheFolder(surroundings / "home/.cache/nudgelab/k", {})
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(surroundings / "named"))
    assert find_folder("k") == CacheFolder(surroundings / "named/k", {})


def test_a_folder_named_from_the_working_folder_stays_where_it_is(surroundings, monkeypatch):
    monkeypatch.chdir(surroundings)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "named")
    assert find_folder("k").folder == surroundings / "named/k"


def no_home(_folder, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))


def home_in_a_file(folder, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv("HOME", str(folder / "file"))


def relative_home(_folder, monkeypatch):
    monkeypatch.setenv("HOME", "relative")


def read_only(folder, monkeypatch):
    (folder / "home").chmod(0o500)
    if os.geteuid() == 0:  # whom no mode stops
        monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc")


def working_folder_gone(folder, monkeypatch):
    (folder / "gone").mkdir()
    monkeypatch.chdir(folder / "gone")
    (folder / "gone").rmdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "named")


def writable_by_a_group(folder, _monkeypatch):
    (folder / "home/.cache/nudgelab/k").mkdir(parents=True)
    (folder / "home/.cache/nudgelab/k").chmod(0o770)


def writable_by_all(folder, _monkeypatch):
    (folder / "home/.cache/nudgelab/k").mkdir(parents=True)
    (folder / "home/.cache/nudgelab/k").chmod(0o707)


PLACES = [
    *(no_home, home_in_a_file, relative_home, read_only),
    *(working_folder_gone, writable_by_a_group, writable_by_all),
]


@pytest.mark.parametrize("change", PLACES)
def test_kernels_are_kept_with_temporary_files_where_the_first_place_is_no_good(surroundings, monkeypatch, change):
    change(surroundings, monkeypatch)
    found = find_folder("k")
    assert found.folder == temporary(surroundings)
    assert all(found.refused.values())
    assert bool(found.refused) == (change not in (no_home, relative_home))


@pytest.mark.parametrize("change", PLACES)
def test_kernels_are_not_kept_where_there_is_no_place(surroundings, monkeypatch, change):
    change(surroundings, monkeypatch)
    temporary(surroundings).mkdir(mode=0o777)
    temporary(surroundings).chmod(0o777)
    found = find_folder("k")
    assert found.folder is None
    assert found.refused[temporary(surroundings)] == "somebody else owns it or may write in it"
    monkeypatch.setattr(tempfile, "gettempdir", lambda: (_ for _ in ()).throw(FileNotFoundError))
    assert find_folder("k").folder is None


def test_a_folder_of_somebody_else_is_never_used(monkeypatch):
    first = find_folder("k").folder
    monkeypatch.setattr(os, "geteuid", lambda: first.stat().st_uid + 1)
    found = find_folder("k")
    assert found.folder is None
    assert set(found.refused.values()) == {"somebody else owns it or may write in it"}


def test_nobody_else_may_write_in_a_new_folder():
    before = os.umask(0)
    try:
        assert find_folder("k").folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_a_checksum_stands_behind_the_content(tmp_path):
    path = tmp_path / "file"
    good = add_checksum(bytes(range(200)))
    for content in (good, b"", good[:-1], good[1:], good + b"x", bytes(232)):
        path.write_bytes(content)
        assert is_intact(path) == (content == good)
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        assert not is_intact(path)
    assert not is_intact(tmp_path / "none")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Keep kernels in a folder of the test."""
    monkeypatch.setattr(compiling, "CACHE", CacheFolder(tmp_path / "kernels", {}))
    monkeypatch.setattr(compiling, "_unkept", [])
    (tmp_path / "kernels").mkdir(mode=0o700)
    return tmp_path / "kernels"


def twice():
    """Return a kernel, as a new process would make it."""

    def doubled(x):
        return 2.0 * x

    return compiling.kernel(doubled)


def compiled_now(kernel):
    """Run a kernel; tell whether it had to be compiled."""
    assert kernel(1.5) == 3.0
    return bool(kernel.stats.cache_misses)


def test_a_kernel_is_compiled_once(kept):
    assert compiled_now(twice())
    assert not compiled_now(twice())
    assert compiling.explain_unkept() == ""
    files = [path for path in kept.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(map(is_intact, files))


@pytest.mark.parametrize("which", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other", "folder", "lost"])
def test_a_damaged_file_is_compiled_again(kept, which, damage):
    compiled_now(twice())
    (path,) = kept.rglob(f"*.{which}")
    good = path.read_bytes()
    middle = len(good) // 2
    changed = {"empty": b"", "cut": good[:middle], "other": b"not a kernel" * 9}
    changed["flipped"] = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "lost":
        path.write_bytes(changed[damage])
    assert compiled_now(twice())
    told = compiling.explain_unkept()
    assert bool(told) == (damage == "folder")
    assert compiled_now(twice()) == (damage == "folder")


def test_the_setting_of_the_users_own_functions_stays_as_it_is(kept):
    before = numba.config.CACHE_DIR
    twice()
    assert before == numba.config.CACHE_DIR != str(kept)


def test_the_same_sources_elsewhere_and_younger_share_their_kernels(kept, tmp_path):
    kernels = []
    for place in ("here", "there"):
        path = tmp_path / place / "laws.py"
        path.parent.mkdir()
        path.write_text("def twice(x):\n    return 2.0 * x\n")
        spec = importlib.util.spec_from_file_location("laws", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        kernels.append(compiling.kernel(module.twice))
    assert [compiled_now(kernel) for kernel in kernels] == [True, False]


def interrupted(_self, _result):
    raise RuntimeError("no compiled object yet")


def test_machine_code_that_cannot_be_had_is_not_kept(kept, monkeypatch):
    monkeypatch.setattr(CompileResultCacheImpl, "reduce", interrupted)
    assert compiled_now(twice())
    assert compiling.explain_unkept() == f"{kept}: no compiled object yet"


def full(_self, _path):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_named_and_ends_nothing(kept, monkeypatch):
    monkeypatch.setattr(IndexDataCacheFile, "_open_for_write", contextmanager(full))
    assert compiled_now(twice())
    assert compiling.explain_unkept() == f"{kept}: No space left on device"


def test_a_folder_that_cannot_be_used_any_more_is_named(kept):
    kept.rmdir()
    kept.touch()
    assert compiled_now(twice())
    assert compiling.explain_unkept().startswith(str(kept))


def test_without_a_folder_nothing_is_kept_and_the_reason_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "CACHE", CacheFolder(None, {tmp_path: "Permission denied"}))
    kernel = twice()
    assert kernel(1.5) == 3.0
    assert kernel.stats.cache_path is None
    assert compiling.explain_unkept() == f"{tmp_path}: Permission denied"
