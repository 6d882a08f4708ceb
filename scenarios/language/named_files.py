"""The files that a scenario names: at which keys of the schema, where they lie, and the scenario without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from devices.parameters import NamesFile

from ..schema.circuit.scenario import CircuitSpec
from ..schema.scenario import ScenarioSpec
from .load import LoadedScenario

FileKey = tuple[str, ...]


def list_file_keys(model: type[BaseModel], above: FileKey = ()) -> Iterator[FileKey]:
    """Yield the path of every field of a model, and of the tables inside it, that names a file.

    Two kinds of table with the same key yield it twice.
    """
    for name, field in model.model_fields.items():
        here = (*above, field.alias or name)
        marks, tables = _inspect_annotation(field.annotation)
        if marks or any(isinstance(mark, NamesFile) for mark in field.metadata):
            yield here
        for table in tables:
            yield from list_file_keys(table, here)


def _inspect_annotation(annotation: Any) -> tuple[bool, list[type[BaseModel]]]:
    """Return whether one of the choices of a field names a file, and which of them are tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return False, [annotation]
    if get_origin(annotation) not in (Annotated, Union, UnionType):
        return False, []
    parts = get_args(annotation)
    inside = [_inspect_annotation(part) for part in parts]
    marked = any(isinstance(part, NamesFile) for part in parts) or any(marks for marks, _ in inside)
    return marked, [table for _, tables in inside for table in tables]


FILE_KEYS: tuple[FileKey, ...] = tuple(dict.fromkeys([*list_file_keys(ScenarioSpec), *list_file_keys(CircuitSpec)]))
"""Every key of a scenario that names a file."""


def find_named_files(loaded: LoadedScenario) -> dict[FileKey, Path]:
    """Return where the files of a scenario lie, by the keys that name them; they need not exist."""
    found = {key: _get_text_at(loaded.spec, key) for key in FILE_KEYS}
    return {key: loaded.folder(*key) / text for key, text in found.items() if text is not None}


def _get_text_at(value: Any, key: FileKey) -> str | None:
    for name in key:
        value = getattr(value, name, None)
    return value if isinstance(value, str) else None


def rename_file(node: Any, key: FileKey, rename: Callable[[str], str]) -> Any:
    """Return a tree of parameters or tables with the text at `key` renamed; the same tree where there is none."""
    if not key:
        return rename(node) if isinstance(node, str) else node
    name, rest = key[0], key[1:]
    if isinstance(node, BaseModel) and name in type(node).model_fields:
        return node.model_copy(update={name: rename_file(getattr(node, name), rest, rename)})
    return node | {name: rename_file(node[name], rest, rename)} if isinstance(node, dict) and name in node else node


def strip_file_paths(told: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a scenario without the paths of its files: only that a file is named is left."""
    for key in FILE_KEYS:
        told = rename_file(told, key, lambda _: "")
    if not told.get("experiment", {}).get("change"):
        return told
    changes = [one | {"set": rename_files_in_edits(one["set"], lambda _: "")} for one in told["experiment"]["change"]]
    return told | {"experiment": told["experiment"] | {"change": changes}}


def rename_files_in_edits(values: Mapping[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    """Return new values by dotted key with every path in them renamed."""
    return {key: rename_files_below(tuple(key.split(".")), value, rename) for key, value in values.items()}


def rename_files_below(keys: FileKey, value: Any, rename: Callable[[str], str]) -> Any:
    """Return what a scenario says at `keys` with every path in it renamed."""
    for key in FILE_KEYS:
        if key[: len(keys)] == keys:
            value = rename_file(value, key[len(keys) :], rename)
    return value


def separate_arrays(source: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """Return tables without arrays, and the arrays by the dotted key that names a file of them."""
    tables, arrays = dict(source), {}
    for key in FILE_KEYS:
        node, path = tables, list(key)
        while len(path) > 1 and isinstance(node.get(path[0]), Mapping):
            node[path[0]] = dict(node[path[0]])
            node = node[path.pop(0)]
        if len(path) == 1 and isinstance(node.get(path[0]), Mapping):
            arrays[".".join(key)] = node.pop(path[0])
    return tables, arrays
