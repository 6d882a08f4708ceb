"""A scenario file and edits to it in, a checked `Scenario` or readable faults out."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from pydantic import ValidationError

from substrate.network import topology

from ..schema.scenario import Scenario
from .device_presets import take_over
from .faults import Fault, Finding, Origin, ScenarioError, dotted, named, place, shorten
from .files import Files, Origins, RefusalError, Tree, keys_of, plain_value, unfit
from .lines import Key
from .messages import translate

_WEIGHTS_LIMIT = 4e9

_NO_EDIT = "not an edit", "write --set key.key=value, such as --set learning.scheme.beta=0.1"

TABLES = "<tables>"
"""Stands for the file of a scenario that was given as dictionaries."""


class Loaded(NamedTuple):
    """A valid scenario and where every part of it was written."""

    scenario: Scenario
    data: dict[str, Any]
    """What was written: bases and overrides applied, defaults not filled in."""

    origins: dict[Key, Origin]
    """Origin of every key, table and array item in `data`."""

    path: Path
    """The scenario file."""

    text: str
    """What it held when it was read."""

    def folder(self, *keys: str | int) -> Path:
        """Return the folder that a relative path written at `keys` starts from."""
        file = self.origins.get(keys, Origin(self.path)).file
        return file.parent if isinstance(file, Path) else Path.cwd()


class Change(NamedTuple):
    """One value to replace."""

    keys: tuple[str, ...]
    """Path of the key; items of arrays by number, as text."""

    value: Any
    """None leaves the key out."""

    source: Key
    """Where the value was written: a key of the scenario file."""


def load(source: Path | Tree, edits: Sequence[str] | Mapping[str, Any] = ()) -> Loaded:
    """Read and check a scenario.

    Parameters
    ----------
    source : Path or dict
        A TOML file; ``extends`` in it names files it starts from, relative to it. Or the same tables as
        dictionaries, in which relative paths start at the current folder.
    edits : sequence of str, or mapping of dotted key to value
        Edits such as ``learning.scheme.beta=0.1``, or ``{"learning.scheme.beta": 0.1}``, applied in order after the
        files.

    Returns
    -------
    Loaded

    Raises
    ------
    ScenarioError
        With everything that is wrong. Files that cannot be read at all are reported alone.
    """
    path = source if isinstance(source, Path) else Path(TABLES)
    try:
        data, origins = Files().read(path, []) if isinstance(source, Path) else Files().read_tables(source, path)
        text = path.read_text(encoding="utf-8") if isinstance(source, Path) else tomlkit.dumps(data)
    except RefusalError as refusal:
        raise ScenarioError([Fault((), refusal.message, refusal.hint, str(path))]) from refusal
    faults = []
    for edit in edits if not isinstance(edits, Mapping) else edits.items():
        words = edit if isinstance(edit, str) else f"{edit[0]} = {edit[1]!r}"
        origin = Origin(f"--set {shorten(' '.join(words.split()))}")
        try:
            edited = _edit(data, edit) if isinstance(edit, str) else _put(data, _keys(edit[0]), plain_value(edit[1]))
        except RefusalError as refusal:
            faults.append(Fault((), refusal.message, refusal.hint, str(origin.file)))
        else:
            origins = {edited[:n]: origin for n in range(1, len(edited))} | origins
            origins |= {key: origin for key in keys_of(data) if key[: len(edited)] == edited}
    return _checked(data, origins, path, text, faults)


def varied(loaded: Loaded, changes: Iterable[Change]) -> Loaded:
    """Return the scenario with some values replaced, and without its sweep.

    Raises
    ------
    ScenarioError
        With everything that is wrong, at the places where the values were written.
    """
    data = copy.deepcopy({key: value for key, value in loaded.data.items() if key != "sweep"})
    origins, faults = dict(loaded.origins), []
    for change in changes:
        origin = loaded.origins.get(change.source, Origin(loaded.path))
        if change.value is None:
            _leave_out(data, change.keys)
            continue
        try:
            edited = _put(data, change.keys, copy.deepcopy(change.value))
        except RefusalError as refusal:
            faults.append(Fault(change.keys, refusal.message, refusal.hint, str(origin.file), origin.line))
            continue
        origins = {edited[:n]: origin for n in range(1, len(edited))} | origins | {edited: origin}
        origins |= {(*edited, *key): origin for key in keys_of(change.value)}
    return _checked(data, origins, loaded.path, loaded.text, faults)


def _checked(data: Tree, origins: Origins, path: Path, text: str, faults: list[Fault]) -> Loaded:
    """Return the scenario that `data` describe, unless there are faults."""
    taken = take_over(data, origins)
    faults = faults + place(taken, data, origins, path).faults
    origins = {key: origins[key] for key in keys_of(data)}
    scenario, findings = _validate(data)
    faults += place(findings, data, origins, path).faults
    if scenario is None or faults:
        raise ScenarioError(faults)
    return Loaded(scenario, data, origins, path, text)


def faults_at(loaded: Loaded, findings: Iterable[Finding]) -> ScenarioError:
    """Return the error for faults found after loading, with the places where the keys were written.

    Parameters
    ----------
    loaded : Loaded
    findings : iterable of (path, message, hint)
        `path` is a tuple of keys and item numbers; `hint` may be None.
    """
    return place(findings, loaded.data, loaded.origins, loaded.path)


def _edit(data: Tree, text: str) -> Key:
    """Apply one ``a.b.c=value`` to `data` in place and return the path."""
    left, equals, right = text.partition("=")
    if not equals or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RefusalError(*_NO_EDIT)
    return _put(data, _keys(left), _value(right))


def _keys(text: str) -> list[str]:
    """Return the keys of a dotted path that can be set."""
    keys = [key.strip() for key in text.split(".")]
    if not all(keys):
        raise RefusalError(*_NO_EDIT)
    if keys[0] == "extends":
        raise RefusalError("`extends` cannot be set here", "write it in the file")
    return keys


def _put(data: Tree, keys: Sequence[str], value: object) -> Key:
    """Put a value into `data` in place and return its path."""
    branch: Any = value
    for key in reversed(keys):
        branch = {key: branch}
    fault = unfit(branch)
    if fault:
        raise RefusalError(*fault[1:])
    node: Any = data
    path: list[str | int] = []
    for key in keys[:-1]:
        path.append(_slot(node, key, path))
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[path[-1]]
    path.append(_slot(node, keys[-1], path))
    node[path[-1]] = value
    return tuple(path)


def _leave_out(data: Tree, keys: Sequence[str]) -> None:
    """Take a key out of its table in place, where it is."""
    table: Any = data
    for key in keys[:-1]:
        table = table.get(key) if isinstance(table, dict) else None
    if isinstance(table, dict):
        table.pop(keys[-1], None)


def _value(text: str) -> object:
    """Return a TOML value, or the text itself where it is none."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    return found["value"] if len(found) == 1 else text.strip()


def _slot(node: object, key: str, path: list[str | int]) -> str | int:
    """Return `key` as the table or array `node`, which stands at `path`, wants it."""
    if isinstance(node, dict):
        return key
    if not isinstance(node, list):
        raise RefusalError(f"{dotted(tuple(path))} is {named(node)}, not a table", "set it whole, or a key beside it")
    if key not in map(str, range(len(node))):
        raise RefusalError(f"{dotted(tuple(path))} has {len(node)} item(s), none numbered {key}", "the first item is 0")
    return int(key)


def _validate(data: Tree) -> tuple[Scenario | None, list[Finding]]:
    """Return the scenario, if `data` is one, and everything found wrong."""
    findings: list[Finding] = []
    scenario = None
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        findings = translate(error, Scenario, data, ("extends",))
    schema = data.get("schema")
    if schema == 1 and type(schema) is not int:  # true and 1.0 are equal to 1, and pydantic may take them
        findings = [finding for finding in findings if finding[0] != ("schema",)]
        findings.append((("schema",), f"must be a whole number, is {named(schema)}", "write schema = 1"))
    return scenario, findings + _wiring_faults(data, {path for path, *_ in findings})


def _wiring_faults(data: Tree, faulty: set[Key]) -> list[Finding]:
    """Return what is wrong with the layers and connections, except at the paths known to be `faulty`."""
    wiring = _wiring(data.get("network"))
    if wiring is None:
        return []
    found: list[Finding] = []
    for field, message, hint in topology.faults(*wiring):
        group, _, item = field.partition(".")
        last = (int(item) if group == "connections" else item,) if item else ()
        found.append((("network", group, *last), message, hint))
    if found or any(path[:2] == ("network", "layers") for path in faulty):
        return [finding for finding in found if finding[0] not in faulty]
    size = 8 * topology.Topology(*wiring).size
    if size > _WEIGHTS_LIMIT:
        message = f"the weights need {size / 1e9:.3g} GB, more than {_WEIGHTS_LIMIT / 1e9:g} GB"
        found.append((("network", "layers"), message, "use fewer units or fewer connections"))
    return found


def _wiring(network: object) -> tuple[dict[str, int], list[str]] | None:
    """Return layers and connections where they have the right types, whatever else is wrong."""
    if not isinstance(network, dict):
        return None
    layers, connections = network.get("layers"), network.get("connections")
    if not isinstance(layers, dict) or not isinstance(connections, list):
        return None
    good = all(type(size) is int for size in layers.values()) and all(isinstance(text, str) for text in connections)
    return (layers, connections) if good else None
