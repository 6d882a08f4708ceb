"""Arrays in files: headers first, contents on demand, every kind of damage one kind of error."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST = 8 * 10**9
"""Largest array, in bytes, once it is double precision."""


class DataError(Exception):
    """A task's data cannot be used: the field of the scenario, what is wrong, and what to try."""

    def __init__(self, field: str, message: str, hint: str) -> None:
        super().__init__(field, message, hint)
        self.field, self.message, self.hint = field, message, hint

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.hint}"


def fault(message: str, hint: str) -> DataError:
    """Return the error of a task whose file is at fault."""
    return DataError("task.path", message, hint)


class Part(NamedTuple):
    """An array of a file of which only the header has been read."""

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], NDArray[Any]]


class Read(NamedTuple):
    """What a file that a scenario names holds."""

    value: Any
    """As the chip takes it."""

    digest: str
    """Of its numbers, whatever their compression or separators."""


def digest_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of named arrays: their names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn any damage met inside the context into a `DataError` that names the file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, tokenize and NumPy raise a dozen types for damage
        reason = str(error) or type(error).__name__
        raise fault(f"{path} cannot be read as {kind}: {reason}", "make or copy it again") from error


def npz_parts(path: Path, names: Iterable[str] | None = None) -> dict[str, Part]:
    """Return the parts of an npz file, all of them or those of `names` that are there.

    Raises
    ------
    DataError
        When the file is missing or damaged.
    """
    with reading(path, "an npz file"):
        if not path.is_file():
            raise fault(f"no file {path}", "give an npz file; paths start at the scenario file")
        with zipfile.ZipFile(path) as archive:
            present = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            wanted = present if names is None else [name for name in names if name in present]
            return {name: _npz_part(path, name, archive) for name in wanted}


def _npz_part(path: Path, name: str, archive: zipfile.ZipFile) -> Part:
    with archive.open(f"{name}.npy") as member:
        # Other versions only serve headers above 64 KiB, which no plain array has.
        if np.lib.format.read_magic(member) != (1, 0):
            raise fault(f"{name} in {path} is not npy version 1.0", "write it with numpy.savez")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    return Part(f"{name} in {path}", shape, dtype, partial(_read_npz, path, name))


def _read_npz(path: Path, name: str) -> NDArray[Any]:
    # Not numpy.load: it prefers a member called `x` over the `x.npy` whose header was checked.
    with reading(path, "an npz file"), zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def refuse_large(part: Part) -> None:
    """Refuse an array whose header claims more than 8 GB in double precision."""
    if math.prod(part.shape) * max(8, part.dtype.itemsize) > LARGEST:
        raise fault(f"{part.where} has the shape {part.shape}, above 8 GB", "keep fewer samples")
