"""Where pictures are kept in the form that training reads: in a folder of this user, every file with a checksum.

A file is found by the content of what it was made of, so that it never has to be looked after: another source is
another file, a damaged one is made again, and all may be thrown away. Where no folder can be used, pictures are read
into memory, and nothing else changes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.engine.folders import find_user_cache, is_private

from ..arrays import convert_read_errors, find_path
from .records import RECORD, Records, sum_colours

_CHECKSUM = hashlib.sha256().digest_size
_SUMS = 9 * 8
_HEAD = _CHECKSUM + _SUMS
"""A file is its checksum, nine numbers of 8 bytes (see `sum_colours`), and the records."""


class KeptRecords(NamedTuple):
    """Pictures as they are used."""

    records: Records
    """In the cache, or in memory."""

    sums: NDArray[np.int64]
    """Pixels, their sums and those of their squares by colour, (3, 3)."""

    digest: bytes
    """Of sums and records."""

    trouble: str = ""
    """Why they are in memory; empty if they are not."""


def keep_records(name: str, sources: Sequence[Path], read: Callable[[Path], Records]) -> KeptRecords:
    """Return the pictures of some files, from the cache where they have been read before.

    Parameters
    ----------
    name : str
        Begin of the file's name, for people.
    sources : sequence of path
        In the order of the pictures.
    read : callable
        Gives the records of one of them.

    Raises
    ------
    DataError
        When a file cannot be read.
    """
    try:
        path = find_cache_folder() / f"{name}-{_hash_sources(sources)}.records"
        if (kept := _open_kept(path)) is None:
            _write_kept(path, map(read, sources))
            kept = _open_kept(path)
        if kept is not None:
            return kept
        trouble = f"{path.name} was damaged as it was written"
    except OSError as error:
        trouble = error.strerror or str(error)
    records = np.concatenate([read(path) for path in sources])
    sums = sum_colours(records)
    digest = hashlib.sha256(sums.tobytes())
    digest.update(records.data.cast("B"))
    return KeptRecords(records, sums, digest.digest(), trouble)


def find_cache_folder() -> Path:
    """Return the folder of pictures in the user's cache; it is made where it is missing.

    Raises
    ------
    OSError
        When there is none that belongs to this user alone.
    """
    above = find_user_cache()
    if above is None:
        raise OSError("there is no cache folder of this user")
    folder = above / "nudgelab" / "images"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not is_private(folder):
        raise OSError("somebody else owns the cache folder or may write in it")
    return folder


def _hash_sources(sources: Sequence[Path]) -> str:
    """Return a digest of what files hold, one after the other."""
    digest = hashlib.sha256()
    for path in sources:
        with convert_read_errors(path, "a file"), find_path(path).open("rb", buffering=0) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def _open_kept(path: Path) -> KeptRecords | None:
    """Return what a file of the cache holds; None where it is missing or damaged."""
    try:
        with path.open("rb", buffering=0) as file:
            checksum, size = file.read(_CHECKSUM), os.fstat(file.fileno()).st_size
            intact = hashlib.file_digest(file, "sha256").digest() == checksum
    except FileNotFoundError:
        return None
    if not intact or size <= _HEAD or (size - _HEAD) % RECORD:
        return None
    sums = np.fromfile(path, np.int64, 9, offset=_CHECKSUM).reshape(3, 3)
    records = np.memmap(path, np.uint8, "r", _HEAD, ((size - _HEAD) // RECORD, RECORD))
    return KeptRecords(records, sums, checksum)


def _write_kept(path: Path, parts: Iterator[Records]) -> None:
    """Write records as one file, under another name until it is complete."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w+b", buffering=0) as file:
            file.seek(_HEAD)
            sums = sum(map(partial(_append_records, file), parts), np.zeros((3, 3), np.int64))
            file.seek(_CHECKSUM)
            file.write(sums.tobytes())
            file.seek(_CHECKSUM)
            checksum = hashlib.file_digest(file, "sha256").digest()
            file.seek(0)
            file.write(checksum)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _append_records(file: BinaryIO, records: Records) -> NDArray[np.int64]:
    """Write records behind what is there; return their sums."""
    records.tofile(file)
    return sum_colours(records)
