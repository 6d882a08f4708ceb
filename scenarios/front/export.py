"""A result in the formats of other programs: tables as CSV or Parquet, arrays as NetCDF or as an archive of NumPy."""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..results.disk import StoreWriteError, convert_write_errors, write_file
from ..results.store import Group, ResultData, Variable
from .labels import convert_to_dataset

if TYPE_CHECKING:
    import pandas as pd

ExportFormat = Literal["csv", "netcdf", "npz", "parquet"]

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

COLUMNS = "columns"
"""Name of the table that says what the columns of all other tables are."""

_INDEX = ["table", "group", "dimensions", "column", "unit", "meaning"]

_LONGEST = 80
"""Characters of the name of a table."""


def export_result(stored: ResultData, out: Path, kind: ExportFormat) -> list[Path]:
    """Write a result in another format; return the files.

    ``csv`` and ``parquet`` make a folder: one table for every group and every set of dimensions in it, a row for each
    element, its coordinates first; `columns` says what every table and column is, with its unit. A table is named by
    group and dimensions, a path by its last key, and cut at 80 characters, with a digest behind. ``netcdf`` makes one
    file of the same groups that any NetCDF-4 library opens; ``npz`` one archive with every array under ``group/name``,
    and the names of its axes under ``group/name.dims``. Complex numbers become a real and an imaginary part, statuses
    words in tables and integers elsewhere.

    Parameters
    ----------
    stored : ResultData
        What a result file holds.
    out : Path
        The folder, or the file.
    kind : {"csv", "netcdf", "npz", "parquet"}
        Format.

    Raises
    ------
    StoreWriteError
        If the system refuses, or the library that writes Parquet is absent.
    """
    if kind == "netcdf":
        return _write_netcdf(stored, out)
    if kind == "npz":
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **_list_arrays(stored))
        return _write_files(out.parent, {out.name: content.getbuffer()})
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise StoreWriteError("format parquet needs the library pyarrow: pip install pyarrow, or take csv")
    encode: Callable[[pd.DataFrame], bytes] = _encode_csv if kind == "csv" else _encode_parquet
    return _write_files(out, {f"{name}.{kind}": encode(table) for name, table in make_tables(stored).items()})


def make_tables(stored: ResultData) -> dict[str, pd.DataFrame]:
    """Return one table per group and set of dimensions, and the table `columns` of what all columns are."""
    import pandas as pd

    tables: dict[str, pd.DataFrame] = {}
    meanings, short = [], _shorten_dimensions(stored)
    for path, group in stored.groups.items():
        values = {name: v for name, v in group.items() if v.dims != (name,)}
        for dims in dict.fromkeys(v.dims for v in values.values()):
            file = _shorten_name("__".join([path.replace("/", "."), *(short[dim] for dim in dims)]))
            columns = _repeat_coordinates(group, dims, next(v for v in values.values() if v.dims == dims))
            for name, variable in values.items():
                if variable.dims == dims:
                    columns |= {column: data.ravel() for column, data in _split_values(name, variable, words=True)}
            for name in columns:
                known = (
                    group.get(name) or group.get(name.removesuffix("_real").removesuffix("_imag")) or Variable((), 0)
                )
                meanings.append((file, path, " ".join(dims), name, known.units, known.long_name))
            tables[file] = pd.DataFrame(columns)
    return {COLUMNS: pd.DataFrame(meanings, columns=_INDEX)} | tables


def _shorten_dimensions(stored: ResultData) -> dict[str, str]:
    """Return a short name of every dimension: the last key of a path, where no other dimension ends alike."""
    dims = dict.fromkeys(dim for group in stored.groups.values() for v in group.values() for dim in v.dims)
    ends = Counter(dim.rpartition(".")[2] for dim in dims)
    return {dim: end if ends[end := dim.rpartition(".")[2]] == 1 else dim for dim in dims}


def _shorten_name(name: str) -> str:
    """Return the name of a table; of a long one its beginning and a digest of the whole."""
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - len(digest) - 1]}-{digest}"


def _repeat_coordinates(group: Group, dims: tuple[str, ...], variable: Variable) -> dict[str, Any]:
    """Return the coordinate of every axis for every element, in the order of the elements."""
    shape = np.shape(variable.data)
    places = np.indices(shape).reshape(len(shape), math.prod(shape))
    return {dim: np.asarray(group[dim].data)[place] for dim, place in zip(dims, places, strict=True)}


def _split_values(name: str, variable: Variable, words: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the array of a variable under its name; a complex one as its two parts."""
    data = np.asarray(variable.data)
    if np.iscomplexobj(data):
        yield f"{name}_real", data.real
        yield f"{name}_imag", data.imag
    elif words and variable.flags is not None:
        yield name, np.vectorize(lambda flag: variable.flags(flag).name.lower(), otypes=[object])(data)  # type: ignore[misc]
    else:
        yield name, data


def _encode_csv(table: pd.DataFrame) -> bytes:
    return str(table.to_csv(index=False)).encode()


def _encode_parquet(table: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    return content.getvalue()


def _list_arrays(stored: ResultData) -> dict[str, Any]:
    """Return every array by path, with the names of its axes; texts as Unicode, nothing as an object."""
    found: dict[str, Any] = {"attributes": np.array([f"{key} = {value}" for key, value in stored.attributes.items()])}
    for path, group in stored.groups.items():
        for name, variable in group.items():
            for part, data in _split_values(name, variable):
                found[f"{path}/{part}"] = data.astype(str) if data.dtype.kind in "OTU" else data
                found[f"{path}/{part}.dims"] = np.array(variable.dims, dtype=str)
    return found


def _write_netcdf(stored: ResultData, out: Path) -> list[Path]:
    import xarray as xr

    groups: dict[str, Any] = {"/": xr.Dataset(attrs=dict(stored.attributes))}
    for path, group in stored.groups.items():
        parts = {
            part: variable._replace(data=data.astype(np.int8) if data.dtype == bool else data)
            for name, variable in group.items()
            for part, data in _split_values(name, variable)
        }
        groups[path] = convert_to_dataset(parts)
    with convert_write_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        xr.DataTree.from_dict(groups).to_netcdf(out, engine="h5netcdf")
    return [out]


def _write_files(folder: Path, contents: Mapping[str, bytes | memoryview]) -> list[Path]:
    with convert_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_file(folder / name, content)
    return [folder / name for name in contents]
