"""Files that are written whole, and the errors of files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreError(Exception):
    """A file of a result cannot be read or written; the text says why and what to try."""


class StoreReadError(StoreError):
    """A result file is missing, damaged or not ours."""


class StoreWriteError(StoreError):
    """The system refuses to write a file: disk full, folder missing or read-only."""


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write any file as a whole: afterwards either the new or the earlier file is there.

    Raises
    ------
    StoreWriteError
        When the system refuses. The temporary file is removed.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with convert_write_errors(path):
        _remove_stale(path)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)  # noqa: PTH105
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def convert_write_errors(path: Path) -> Iterator[None]:
    """Turn what the system refuses at `path` into a `StoreWriteError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreWriteError(f"cannot write {path}: {reason}; free some space or choose another folder") from error


def remove_file(path: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    if path.exists():  # a read-only folder refuses to remove even what is not there
        with convert_write_errors(path):
            path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove temporaries of this file whose process is gone."""
    for temporary in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        owner = temporary.name[len(path.name) + 1 : -len(".tmp")]
        if owner.isdecimal() and not _is_running(int(owner)):
            temporary.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
