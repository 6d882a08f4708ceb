"""The result file: groups of labelled arrays in plain HDF5, written whole and opened by xarray as it is.

Format 1: every axis of every array has a dimension scale in its own group; booleans are int8 with
``dtype = "bool"``; enumerations are int8 with CF flags; strings are variable-length UTF-8. Behind the
last byte of HDF5 stands a seal (`seal`).
"""

from __future__ import annotations

import errno
import io
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .disk import StoreError, StoreReadError, StoreWriteError, write_file
from .seal import append_seal, check_seal
from .variables import Group, Variable, complete_groups, list_parents, make_flags, refuse_text

__all__ = [
    "FORMAT",
    "Group",
    "ResultData",
    "StoreError",
    "StoreReadError",
    "StoreWriteError",
    "Variable",
    "make_result_data",
    "open_result_file",
    "read_result_file",
    "read_similar_groups",
    "write_result_file",
]

FORMAT = 1
"""Version of the file layout that this release writes and reads."""

_COMPRESS_ABOVE = 32 * 1024
_CHUNK = 1024 * 1024
_LOCKED = {errno.EAGAIN, errno.ENOLCK, 524}  # 524: a network file system without locks; it has no name


@dataclass(frozen=True)
class ResultData:
    """The whole content of a result file; holds no open file."""

    attributes: dict[str, str | int | float]
    """Of the file: `title`, `format`, `Conventions`, `software`, `created`, `status` and the caller's own."""

    groups: dict[str, Group]
    """By slash path; only groups that hold variables."""

    def __getitem__(self, path: str) -> Group:
        """Return one group, such as ``"gradient/l1-l2"``."""
        return self.groups[path]


def write_result_file(path: Path, groups: Mapping[str, Group], attributes: Mapping[str, str | int | float]) -> None:
    """Write a result file as a whole: afterwards either the new or the earlier file is there, readable.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    groups : mapping of slash path to Group
        A dimension without a coordinate takes that of a parent group, else an integer index from 0.
    attributes : mapping
        `software` is required and starts with ``nudgelab``. `title` defaults to the file's stem, `created`
        to now, `status` to ``complete``. `format` and `Conventions` are ours.

    Raises
    ------
    ValueError
        When something cannot be stored: bad names, sizes that disagree, objects. Nothing is written.
    StoreWriteError
        When the system refuses: disk full, folder missing or read-only. The temporary file is removed.
    """
    write_file(path, _make_file_bytes(complete_groups(groups), _make_root_attributes(path, attributes)))


def make_result_data(groups: Mapping[str, Group], attributes: Mapping[str, str | int | float]) -> ResultData:
    """Return what `load` would return of the file that `save` would write, without a file.

    Raises
    ------
    ValueError
        When something cannot be stored.
    """
    content = io.BytesIO(_make_file_bytes(complete_groups(groups), _make_root_attributes(Path("run"), attributes)))
    with h5py.File(content, "r") as file:
        return _read_content(file)


def read_result_file(path: Path) -> ResultData:
    """Read a result file completely.

    Flags come back as int8 with an enumeration of upper-case names, automatic indices as ordinary variables.

    Parameters
    ----------
    path : Path
        A file written by `save`.

    Returns
    -------
    Result
        Every variable as a NumPy array with the type that was saved.

    Raises
    ------
    StoreReadError
        When the file is missing, unreadable, truncated, unfinished, not ours or of another format.
    """
    with open_result_file(path) as file:
        return _read_content(file)


def _read_content(file: h5py.File) -> ResultData:
    attributes = {name: value if isinstance(value, str) else value.item() for name, value in file.attrs.items()}
    return ResultData(attributes, dict(_read_groups(file)))


@contextmanager
def open_result_file(path: Path) -> Iterator[h5py.File]:
    """Open a result file that is ours, finished, and to the last bit what was written.

    Raises
    ------
    StoreReadError
        As `load`; also when what is done with the open file fails.
    """
    try:
        whole = check_seal(path)
        if whole is False:
            raise ValueError("its content is not what was written")
        with h5py.File(path, "r", locking="best-effort") as file:
            _refuse_foreign_file(path, file.attrs)
            if whole is None:
                raise ValueError("it has no seal: it was cut off, changed by another program, or is of an older build")
            yield file
    except StoreReadError:
        raise
    except FileNotFoundError as error:
        raise StoreReadError(f"{path} does not exist; check the name, or run the scenario that writes it") from error
    except Exception as error:  # a file that others wrote makes the library fail in any way
        raise StoreReadError(f"cannot read {path}: {_explain_unreadable(path, error)}") from error


def read_similar_groups(
    path: Path, groups: Sequence[str], models: dict[str, Variable], skipped: Callable[[str], bool]
) -> dict[str, Group]:
    """Read some groups of one of many files that are alike; several times as fast as `load`.

    Parameters
    ----------
    path : Path
        A file written by `save`.
    groups : sequence of str
        Paths of the groups; one that the file does not have is left out.
    models : dict of path to Variable
        Names and dimensions from the files before; starts empty and is filled here.
    skipped : callable
        Tells of a dimension whether its variables are left out.

    Raises
    ------
    StoreReadError
        When the file cannot be read.
    """
    with open_result_file(path) as file:
        found = {name: dict(_read_similar_variables(file[name], models, skipped)) for name in groups if name in file}
    return {name: group for name, group in found.items() if group}


def _read_similar_variables(
    group: h5py.Group, models: dict[str, Variable], skipped: Callable[[str], bool]
) -> Iterator[tuple[str, Variable]]:
    for name in group:
        place = f"{group.name}/{name}"
        if place not in models and isinstance(group[name], h5py.Dataset):
            models[place] = _read_variable(group[name])
        model = models.get(place)
        if model is not None and not any(map(skipped, model.dims)):
            item = group[name]
            text = model.data.dtype.kind == "U"
            yield name, model._replace(data=np.asarray(item.asstr()[()], str) if text else np.asarray(item[()]))


def _explain_unreadable(path: Path, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in _LOCKED:
        return "it is locked; close the program that has it open, or set HDF5_USE_FILE_LOCKING=FALSE"
    if number is not None:
        return f"{os.strerror(number)}; choose a readable file"
    if not h5py.is_hdf5(path):
        return "it is not an HDF5 file; choose a result file of nudgelab"
    return f"it is truncated or damaged ({error}); copy it again or repeat the run"


def _refuse_foreign_file(path: Path, attributes: h5py.AttributeManager) -> None:
    found = attributes.get("format")
    if not str(attributes.get("software")).startswith("nudgelab") or not isinstance(found, np.integer):
        raise StoreReadError(f"{path} is an HDF5 file, but not a result file of nudgelab; choose another file")
    if found != FORMAT:
        advice = "install a newer release" if found > FORMAT else "repeat the run with this release"
        raise StoreReadError(f"{path} has format {found}, this release reads format {FORMAT}; {advice}")
    if "status" not in attributes:
        raise StoreReadError(f"{path} was not finished: it has no status; repeat the run")


def _make_root_attributes(path: Path, attributes: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    """Return the root attributes in file order, `status` last."""
    if not str(attributes.get("software")).startswith("nudgelab"):
        raise ValueError(f"attribute 'software' is {attributes.get('software')!r}, must be 'nudgelab <version>'")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    ours: dict[str, str | int | float] = {"title": path.stem, "format": FORMAT, "Conventions": "CF-1.11"}
    head = ours | {"software": "", "created": created, "status": "complete"} | dict(attributes)
    head |= {"format": FORMAT, "Conventions": "CF-1.11", "status": head.pop("status")}
    for name, value in head.items():
        if not isinstance(value, str | int | float) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
            raise ValueError(f"attribute {name!r} is {value!r}, must be a string, a float or an integer of 64 bits")
        refuse_text(f"attribute {name!r}", str(value))
    return head


def _make_file_bytes(groups: Mapping[str, Group], head: Mapping[str, str | int | float]) -> memoryview:
    """Return the bytes of the file.

    They are made in memory because the HDF5 library can crash the process when a disk fills up under it.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=True) as file:
        for path, variables in groups.items():
            for part in [*list_parents(path), path]:
                if part not in file:
                    file.create_group(part, track_order=True)
            for name, variable in variables.items():
                _write_variable(file[path], name, variable)
        for name, value in head.items():
            file.attrs[name] = int(value) if isinstance(value, bool) else value
    append_seal(buffer)
    return buffer.getbuffer()


def _write_variable(group: h5py.Group, name: str, variable: Variable) -> None:
    data, kind = variable.data, variable.data.dtype.kind
    attributes: dict[str, Any] = {"long_name": variable.long_name}
    options: dict[str, Any] = {}
    if kind != "U":
        attributes["units"] = variable.units
        options = _choose_layout(variable.dims, data)
    if kind == "U":
        data, options["dtype"] = data.astype(object), h5py.string_dtype()
    elif kind == "b":
        data, attributes["dtype"] = data.astype(np.int8), "bool"
    elif kind == "f":
        options["fillvalue"] = attributes["_FillValue"] = data.dtype.type(np.nan)
    if variable.flags is not None:
        attributes["flag_values"] = np.array([int(flag) for flag in variable.flags], np.int8)
        attributes["flag_meanings"] = " ".join("_".join(flag.name.lower().split()) for flag in variable.flags)
    dataset = group.create_dataset(name, data=data, **options)
    for key, value in attributes.items():
        dataset.attrs[key] = value
    if variable.dims == (name,):
        dataset.make_scale(name)
        return
    for axis, dim in zip(dataset.dims, variable.dims, strict=True):
        axis.attach_scale(group[dim])


def _choose_layout(dims: tuple[str, ...], data: np.ndarray) -> dict[str, Any]:
    """Return chunks and compression: settling curves are read one sample at a time, the rest in long rows."""
    if data.nbytes <= _COMPRESS_ABOVE:
        return {}
    chunks = list(data.shape)
    if dims[:3] == ("phase", "time", "sample") and len(dims) > 3:
        chunks[0] = chunks[2] = 1
    while math.prod(chunks) * data.itemsize > _CHUNK:
        axis = next(axis for axis, size in enumerate(chunks) if size > 1)
        chunks[axis] = -(-chunks[axis] // 2)
    return {"chunks": tuple(chunks), "compression": "gzip", "compression_opts": 1, "shuffle": True}


def _read_groups(group: h5py.Group) -> Iterator[tuple[str, Group]]:
    variables = {name: _read_variable(item) for name, item in group.items() if isinstance(item, h5py.Dataset)}
    if variables:
        yield group.name[1:], variables
    for item in group.values():
        if isinstance(item, h5py.Group):
            yield from _read_groups(item)


def _read_variable(dataset: h5py.Dataset) -> Variable:
    attributes = dataset.attrs
    scales = [dataset] if dataset.is_scale else [axis[0] for axis in dataset.dims]
    dims = tuple(scale.name.rpartition("/")[2] for scale in scales)
    if h5py.check_string_dtype(dataset.dtype):
        data = np.asarray(dataset.asstr()[()], dtype=str)
    else:
        data = np.asarray(dataset[()])
    if attributes.get("dtype") == "bool":
        data = data.astype(bool)
    return Variable(dims, data, attributes.get("units", "1"), attributes["long_name"], _read_flags(attributes))


def _read_flags(attributes: h5py.AttributeManager) -> type[IntEnum] | None:
    if "flag_meanings" not in attributes:
        return None
    return make_flags(attributes["flag_meanings"], attributes["flag_values"])
