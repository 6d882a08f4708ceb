"""Where compiled kernels and programs are kept: in a folder that only this user can write.

What is loaded from the folder runs as machine code. A folder that somebody else owns or may write in is therefore
never used, and a kernel, whose file has a checksum, is compiled again where it was damaged. Where no folder can be
used, kernels are compiled in every process, and nothing else changes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_DIGEST = 32
"""Bytes of the checksum at the end of a file."""


class CacheFolder(NamedTuple):
    """The folder of what was compiled, and the folders that could not be used in its place."""

    folder: Path | None
    """Absent: kernels are compiled in every process."""

    refused: dict[Path, str]
    """Why, by folder, in the order in which they were tried."""


def find_folder(name: str) -> CacheFolder:
    """Return the first folder in which compiled kernels can be kept; it is made where it is missing.

    The candidates are `NUMBA_CACHE_DIR`, else the user's cache; then the folder of temporary files.

    Parameters
    ----------
    name : str
        Last part of the path; it tells apart what different sources compile to.
    """
    refused: dict[Path, str] = {}
    for folder in _iterate_cache_folders(name):
        try:
            folder = folder.absolute()  # noqa: PLW2901  the working folder may change later, or be gone already
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not is_private(folder):
                refused[folder] = "somebody else owns it or may write in it"
                continue
            with tempfile.TemporaryFile(dir=folder):
                return CacheFolder(folder, refused)
        except OSError as error:
            refused[folder] = error.strerror or str(error)
    return CacheFolder(None, refused)


def _iterate_cache_folders(name: str) -> Iterator[Path]:
    """Yield folders in which kernels may be kept, the best one first; those with no known place are left out."""
    given, user_cache = os.environ.get("NUMBA_CACHE_DIR"), find_user_cache()
    if given:
        yield Path(given) / name
    elif user_cache:
        yield user_cache / "nudgelab" / name
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError:
        return
    # One folder, not two: what lies in a folder of temporary files is safe from others only on its first level.
    yield temporary / f"nudgelab-{_get_user_id()}-{name}"


def find_user_cache() -> Path | None:
    """Return the folder that the user's programs keep caches in; relative paths are none, as the XDG rules say."""
    try:
        home = Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry of the user
        home = Path()
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return next((folder for folder in (given, home) if folder.is_absolute()), None)


def _get_user_id() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def is_private(folder: Path) -> bool:
    """Return whether the folder belongs to this user and nobody else may write in it; systems without users say yes."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def add_checksum(content: bytes) -> bytes:
    """Return content as it is kept: its checksum stands behind it."""
    return content + hashlib.blake2b(content, digest_size=_DIGEST).digest()


def is_intact(path: str | Path) -> bool:
    """Return whether a file holds what `add_checksum` made; a file that cannot be read does not."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    return add_checksum(content[:-_DIGEST]) == content
