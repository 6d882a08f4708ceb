"""Arrays in files: headers first, contents on demand, every kind of damage one kind of error."""

from __future__ import annotations

import hashlib
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..language.faults import find_similar, ask_did_you_mean

LARGEST = 8 * 10**9
"""Largest array, in bytes, once it is double precision."""


class DataError(Exception):
    """A task's data cannot be used: the field of the scenario, what is wrong, and what to try."""

    def __init__(self, field: str, message: str, hint: str) -> None:
        super().__init__(field, message, hint)
        self.field, self.message, self.hint = field, message, hint

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.hint}"


def make_data_error(message: str, hint: str) -> DataError:
    """Return the error of a task whose file is at fault."""
    return DataError("task.path", message, hint)


class LazyArray(NamedTuple):
    """An array of a file of which only the header has been read."""

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], NDArray[Any]]


Words = tuple[str, str]
"""What is wrong, and what to try."""


class FileContent(NamedTuple):
    """What a file that a scenario names holds."""

    value: Any
    """As the chip takes it."""

    taken: str
    """What the file was taken for, in words."""

    digest: str
    """Of its numbers, whatever their compression or separators."""

    faults: tuple[Words, ...] = ()
    """What does not fit, if a file is told more than one thing at once."""


def compute_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of named arrays: their names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def find_path(path: Path, folder: bool = False) -> Path:
    """Return the path of a file, or of a `folder`, that is there.

    Raises
    ------
    DataError
        If it is not; the hint says what is probably wrong with the path.
    """
    try:
        if path.is_dir() if folder else path.is_file():
            return path
        kind, other = ("folder", path.is_file()) if folder else ("file", path.is_dir())
    except (OSError, ValueError) as error:
        raise make_data_error(f"{str(path)[:200]!r} is no path ({error})", "paths start at the scenario file") from error
    if other:
        raise make_data_error(f"{path} is {'a file, not a folder' if folder else 'a folder, not a file'}", f"name a {kind}")
    raise make_data_error(f"no {kind} {path}", _describe_path(path))


def _describe_path(path: Path) -> str:
    """Return why a path leads nowhere, as far as its letters tell."""
    text = str(path)
    for pattern, words in _PATH_HINTS:
        if re.search(pattern, text):
            return words
    try:
        beside = {file.name.lower(): file.name for file in path.parent.iterdir()}
    except OSError:
        beside = {}
    meant = ask_did_you_mean(beside.get(find_similar(path.name, beside) or ""))
    return meant or "paths start at the scenario file"


_PATH_HINTS = (
    (r"(^|/)[A-Za-z]:[/\\]", "drives of Windows are unknown here: write the path as this system has it"),
    (r"\\", "write paths with / in place of \\"),
    (r"(^|/)~", "~ is not expanded: write the folder in full, or relative to the scenario file"),
    (r"\$", "variables are not expanded: write the folder in full, or relative to the scenario file"),
    (r"(^|/)[a-z]+:/", "give a path, not an address"),
    (r"\s$", "take the space at the end away"),
)
"""What a path that leads nowhere looks like, and what to do."""

_MAGIC = (
    (b"\x93NUMPY", "an npy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
    (b"MATLAB 5", "a MATLAB file"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (xls)"),
)


class OpenFile(NamedTuple):
    """A file that is open; whoever reads it begins at its start."""

    path: Path
    handle: BinaryIO


@contextmanager
def open_file(path: Path) -> Iterator[OpenFile]:
    """Open a file that a scenario names: once, for all that is read of it.

    Raises
    ------
    DataError
        If it is not there, or cannot be read.
    """
    with convert_read_errors(path, "a file"):
        handle = find_path(path).open("rb")
    with handle:
        yield OpenFile(path, handle)


def detect_file_type(file: OpenFile) -> str:
    """Return what a file is by its content: ``text``, ``an npz file``, ``an HDF5 file`` and so on."""
    with convert_read_errors(file.path, "a file"):
        file.handle.seek(0)
        head = file.handle.read(4096)
        if head.startswith(b"PK") and zipfile.is_zipfile(file.handle):
            with zipfile.ZipFile(file.handle) as archive:
                names = archive.namelist()
            if any(name.startswith("xl/") for name in names):
                return "a spreadsheet (xlsx)"
            return "an npz file" if any(name.endswith(".npy") for name in names) else "a zip file"
        if head.startswith(b"PK"):
            return "a damaged zip file or spreadsheet"
    known = [words for magic, words in _MAGIC if head.startswith(magic)]
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    if known or not head:
        return known[0] if known else "empty"
    return "a binary file" if b"\0" in head and not wide else "text"


_NPZ_HINTS = {
    "an npy file": "one array has no name: save all of them with numpy.savez(path, name=array, ...)",
    "text": "it is text, such as CSV: load it in Python and save it with numpy.savez(path, name=array, ...)",
    "an HDF5 file": "load it in Python (h5py) and save it with numpy.savez(path, name=array, ...)",
}


def describe_arrays(file: OpenFile) -> str:
    """Return the arrays of an npz file in words, with their shapes where their headers can be read."""
    shapes = {}
    for name in _list_npz_arrays(file):
        try:
            shapes[name] = f"{name} {read_npz_headers(file, [name])[name].shape}"
        except DataError:
            shapes[name] = name
    return ", ".join(list(shapes.values())[:20]) or "nothing"


def _list_npz_arrays(file: OpenFile) -> list[str]:
    with convert_read_errors(file.path, "an npz file"), zipfile.ZipFile(file.handle) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


@contextmanager
def convert_read_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn any damage met inside the context into a `DataError` that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, tokenize and NumPy raise a dozen types for damage
        reason = str(error) or type(error).__name__
        raise make_data_error(f"{path} cannot be read as {kind}: {reason}", "make or copy it again") from error


def read_npz_headers(file: OpenFile, names: Iterable[str] | None = None) -> dict[str, LazyArray]:
    """Return the parts of an npz file, all of them or those of `names` that are there; it stays open for them.

    Raises
    ------
    DataError
        When the file is damaged.
    """
    with convert_read_errors(file.path, "an npz file"):
        if (kind := detect_file_type(file)) != "an npz file":
            hint = _NPZ_HINTS.get(kind, "save arrays with numpy.savez(path, name=array, ...)")
            raise make_data_error(f"{file.path} is {kind}, not an npz file", hint)
        present = _list_npz_arrays(file)
        with zipfile.ZipFile(file.handle) as archive:
            wanted = present if names is None else [name for name in names if name in present]
            return {name: _read_npz_header(file, name, archive) for name in wanted}


def _read_npz_header(file: OpenFile, name: str, archive: zipfile.ZipFile) -> LazyArray:
    with archive.open(f"{name}.npy") as member:
        # Other versions only serve headers above 64 KiB, which no plain array has.
        if np.lib.format.read_magic(member) != (1, 0):
            raise make_data_error(f"{name} in {file.path} is not npy version 1.0", "write it with numpy.savez")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    return LazyArray(f"{name} in {file.path}", shape, dtype, partial(_read_npz_array, file, name))


def _read_npz_array(file: OpenFile, name: str) -> NDArray[Any]:
    # Not numpy.load: it prefers a member called `x` over the `x.npy` whose header was checked.
    whole = convert_read_errors(file.path, "an npz file")
    with whole, zipfile.ZipFile(file.handle) as archive, archive.open(f"{name}.npy") as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def refuse_large(part: LazyArray) -> None:
    """Refuse an array whose header claims more than 8 GB in double precision."""
    if math.prod(part.shape) * max(8, part.dtype.itemsize) > LARGEST:
        raise make_data_error(f"{part.where} has the shape {part.shape}, above 8 GB", "keep fewer samples")
