"""Reading scenario files: limits, syntax, and the files they start from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..schema.head import SCHEMA
from .faults import (
    Finding,
    Origin,
    ScenarioError,
    ScenarioFault,
    ask_did_you_mean,
    find_similar,
    locate_findings,
    name_toml_type,
    shorten_text,
)
from .lines import Key, map_lines
from .places import CATALOGUE, PRESETS

Tree = dict[str, Any]
Origins = dict[Key, Origin]

_FILE_LIMIT = 1_000_000
_FILES_LIMIT = 32
_DEPTH_LIMIT = 16

_ALTERNATIVES = ({"steps", "max_steps", "duration"}, {"scheme", "schemes"})
"""Keys of one table that exclude each other: one of them replaces those of a base."""

_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_SYNTAX_HINTS = {
    "Invalid value": 'text stands in quotes: key = "value"',
    "Unescaped '\\'": "write paths with /, or in single quotes",
    "Invalid hex value": "write paths with /, or in single quotes",
    "Cannot": "the key or table stands twice",
    "Expected '='": "write key = value",
}


class RefusalError(Exception):
    """A file or an edit that cannot be used at all."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class FileReader:
    """Reads a file and its bases, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, path: Path, chain: list[Path]) -> tuple[Tree, Origins]:
        """Return the merged tree of `path`, which is a base of the last file in `chain`, and so on."""
        text = read_scenario_text(path)
        true_path = path.resolve()
        if true_path in chain:
            loop = " -> ".join(file.name for file in [*chain[chain.index(true_path) :], true_path])
            raise RefusalError(f"extends itself: {loop}", "remove one of these `extends`")
        self.count += 1
        if self.count > _FILES_LIMIT:
            raise RefusalError(f"more than {_FILES_LIMIT} files", "merge some of them")
        own, origins = _parse_toml(path, text)
        return self._on_bases(path, own, origins, [*chain, true_path])

    def read_tables(self, tables: Tree, path: Path) -> tuple[Tree, Origins]:
        """Return the merged tree of tables that were not read from a file; `path` names them."""
        own = {str(key): convert_to_toml(value) for key, value in tables.items()}
        origins: Origins = {key: Origin(str(path)) for key in list_keys(own)}
        if fault := find_toml_fault(own):
            raise locate_findings([fault], own, origins, path)
        return self._on_bases(path, own, origins, [])

    def _on_bases(self, path: Path, own: Tree, origins: Origins, chain: list[Path]) -> tuple[Tree, Origins]:
        """Return a tree on top of the files that it extends."""
        extends = own.pop("extends", [])
        merged: Tree = {}
        below: Origins = {}
        faults: list[ScenarioFault] = []
        for key, name in _list_bases(extends):
            try:
                base, base_origins = self.read(_find_base(path, name), chain)
            except RefusalError as refusal:
                finding = key, refusal.message, refusal.hint
                faults += locate_findings([finding], {"extends": extends}, origins, path).faults
            except ScenarioError as error:
                faults += error.faults
            else:
                merged = _merge_trees(merged, base)
                below |= base_origins
        if faults:
            raise ScenarioError(faults)
        return _merge_trees(merged, own), below | origins


def read_scenario_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    RefusalError
        If it cannot be read, is too large, or no text in UTF-8.
    """
    try:
        if path.is_dir():
            raise RefusalError("is a folder, not a scenario file", "name a file inside it")
        if not path.is_file():
            if path.exists() or str(path) == "-":
                words = "save it as a file first: paths in it start at its folder, and it is read more than once"
                raise RefusalError("is a pipe or device, not a scenario file", words)
            raise RefusalError("no such file", _find_similar_file(path))
        with path.open("rb") as file:
            raw = file.read(_FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        raise RefusalError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(raw) > _FILE_LIMIT:
        raise RefusalError(f"is larger than {_FILE_LIMIT // 1000} kB", "keep data in files of their own")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RefusalError(f"is not text in UTF-8 (line {line})", "save it as UTF-8 text") from error


def _find_similar_file(path: Path) -> str | None:
    """Return what may have been meant by a path that leads nowhere: a file beside it, or a name without a suffix."""
    if path.name in {file.stem for file in CATALOGUE.glob("*.toml")}:
        return f"that is a bundled scenario: `nudgelab show {path.name} > base.toml` writes it to a file"
    files = {file.stem: file.name for file in path.parent.glob("*.toml")}
    if path.name != str(path) or path.suffix:
        return ask_did_you_mean(files.get(find_similar(path.stem, files) or ""))
    names = {file.stem: file.stem for file in CATALOGUE.glob("*.toml")} | files
    if path.name in {file.stem for file in list_preset_files()}:
        return f"that is a preset: `nudgelab init my-chip --from {path.name}` starts from it"
    return (
        ask_did_you_mean(names.get(find_similar(path.stem, names) or ""))
        or "`nudgelab list` names the bundled scenarios"
    )


def _parse_toml(path: Path, text: str) -> tuple[Tree, Origins]:
    """Return the tree of one file with the origin of every key; refuse what no release can read."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScenarioError([_describe_syntax_fault(path, text, error)]) from error
    rows, lines = text.split("\n"), map_lines(text)

    def origin(key: Key) -> Origin:
        line = lines.get(key)
        return Origin(path, line, shorten_text(rows[line - 1].strip()) if line else None)

    fault = find_toml_fault(data)
    if fault:
        raise locate_findings([fault], data, {fault[0]: origin(fault[0])}, path)
    origins = {key: origin(key) for key in list_keys(data)}
    schema = data.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        newer = f"this file needs a newer release; this release reads schema {SCHEMA}"
        raise locate_findings([(("schema",), newer, "pip install --upgrade nudgelab")], data, origins, path)
    return data, origins


def _describe_syntax_fault(path: Path, text: str, error: Exception) -> ScenarioFault:
    if isinstance(error, RecursionError):
        return ScenarioFault((), "nested too deeply", f"use at most {_DEPTH_LIMIT} levels", str(path))
    match = _SYNTAX.fullmatch(str(error))
    if match is None:
        return ScenarioFault((), f"not valid TOML: {shorten_text(str(error))}", None, str(path))
    if match[2] is None:
        message, advice = "not valid TOML: the file ends too early", "close every bracket and quote"
        return ScenarioFault((), message, advice, str(path), text.count("\n") + 1)
    rows, line = text.split("\n"), int(match[2])
    hint = next((words for start, words in _SYNTAX_HINTS.items() if match[1].startswith(start)), None)
    source = shorten_text(rows[line - 1].strip())
    return ScenarioFault(
        (), f"not valid TOML: {shorten_text(match[1])} (column {match[3]})", hint, str(path), line, source
    )


def convert_to_toml(value: Any) -> Any:
    """Return what stands for a Python value in a TOML file: NumPy numbers and arrays, paths and tuples included."""
    if isinstance(value, Mapping):
        return {str(key): convert_to_toml(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [convert_to_toml(child) for child in value]
    if isinstance(value, PurePath):
        return str(value)
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def find_toml_fault(data: Tree) -> Finding | None:
    """Return where a tree is too deep or has whole numbers beyond 64 bits, which TOML does not allow."""
    level: list[tuple[Key, object]] = [((), data)]
    for _ in range(_DEPTH_LIMIT):
        level = [((*path, key), child) for path, node in level for key, child in _list_children(node)]
        for path, node in level:
            if isinstance(node, int) and node.bit_length() > 63:
                return path, "is beyond 64 bits", "write a smaller number"
    deep = [path for path, node in level if _list_children(node)]
    return (deep[0], "nested too deeply", f"use at most {_DEPTH_LIMIT} levels") if deep else None


def _list_children(node: object) -> list[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def list_keys(node: object, path: Key = ()) -> Iterator[Key]:
    """Yield the path of everything inside a tree."""
    for key, child in _list_children(node):
        yield (*path, key)
        yield from list_keys(child, (*path, key))


def _list_bases(names: object) -> Iterator[tuple[Key, object]]:
    if isinstance(names, list):
        yield from ((("extends", i), name) for i, name in enumerate(names))
    else:
        yield ("extends",), names


def _find_base(path: Path, name: object) -> Path:
    if not isinstance(name, str):
        raise RefusalError(f"must be the name of a file, is {name_toml_type(name)}", 'write extends = "base.toml"')
    if name.startswith("preset:"):
        return find_preset(name.removeprefix("preset:"))
    return path.parent / name


def list_preset_files() -> list[Path]:
    """Return the packaged files, in order of their names."""
    return sorted(PRESETS.glob("*.toml"))


def find_preset(name: str) -> Path:
    """Return the packaged file of this name.

    Raises
    ------
    RefusalError
        If there is none.
    """
    known = {path.stem: path for path in list_preset_files()}
    if name not in known:
        hint = ask_did_you_mean(find_similar(name, known)) or "presets are " + ", ".join(known)
        raise RefusalError(f"there is no preset {shorten_text(name)!r}", hint)
    return known[name]


def _merge_trees(below: Tree, above: Tree, path: Key = ()) -> Tree:
    """Return `above` on top of `below`: tables merge, anything else is replaced, alternatives make way."""
    chosen = [group for group in _ALTERNATIVES if group & above.keys()]
    merged = {key: value for key, value in below.items() if key in above or not any(key in group for group in chosen)}
    for key, value in above.items():
        old, here = below.get(key), (*path, key)
        if isinstance(old, dict) and isinstance(value, dict) and _is_same_thing(old, value, here):
            merged[key] = _merge_trees(old, value, here)
        else:
            merged[key] = value
    return merged


def _is_same_thing(old: Tree, new: Tree, path: Key) -> bool:
    """Tell whether the table `new` completes `old` at `path`; a new kind or new layers replace what was there."""
    return path != ("network", "layers") and ("kind" not in old or new.get("kind", old["kind"]) == old["kind"])
