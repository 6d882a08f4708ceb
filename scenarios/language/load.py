"""A scenario file and edits to it in, a checked `Scenario` or readable faults out."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from pydantic import ValidationError

from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath, LayerSizes, PathSpec, find_wiring_faults

from ..schema.circuit.scenario import CIRCUIT, CircuitSpec
from ..schema.scenario import ScenarioSpec
from .device_presets import apply_device_presets
from .faults import (
    Finding,
    Origin,
    ScenarioError,
    ScenarioFault,
    format_dotted_key,
    get_value_at,
    locate_findings,
    name_toml_type,
    shorten_text,
)
from .files import FileReader, Origins, RefusalError, Tree, convert_to_toml, find_toml_fault, list_keys
from .lines import Key
from .messages import list_kinds_at, translate_errors

_WEIGHTS_LIMIT, _UNITS_LIMIT = 4e9, 1e8

_NO_VALUE = "null"
"""Stands for no value in a ``--set``; as a text it is written in quotes."""

_NO_EDIT = "not an edit", "write --set key.key=value, such as --set learning.scheme.beta=0.1"

AnySpec = ScenarioSpec | CircuitSpec
"""What a scenario file describes: a rate network or a circuit."""

TABLES = "<tables>"
"""Stands for the file of a scenario that was given as dictionaries."""


class LoadedScenario(NamedTuple):
    """A valid scenario and where every part of it was written."""

    spec: AnySpec
    data: dict[str, Any]
    """What was written: bases and overrides applied, defaults not filled in."""

    origins: dict[Key, Origin]
    """Origin of every key, table and array item in `data`."""

    path: Path
    """The scenario file."""

    text: str
    """What it held when it was read."""

    edits: dict[str, Any]
    """What was changed of what its files say, by dotted key in the order of the changes; None leaves a key out."""

    @property
    def scenario(self) -> ScenarioSpec:
        """The scenario of a rate network.

        Raises
        ------
        TypeError
            If it is that of a circuit.
        """
        if not isinstance(self.spec, ScenarioSpec):
            raise TypeError(f"{self.spec.name} is the scenario of a circuit")
        return self.spec

    def folder(self, *keys: str | int) -> Path:
        """Return the folder that a relative path written at `keys` starts from."""
        file = self.origins.get(keys, Origin(self.path)).file
        return file.parent if isinstance(file, Path) else Path.cwd()


class KeyChange(NamedTuple):
    """One value to replace."""

    keys: tuple[str, ...]
    """Path of the key; items of arrays by number, as text."""

    value: Any
    """None leaves the key out."""

    source: Key
    """Where the value was written: a key of the scenario file."""


def load_scenario(source: Path | Tree, edits: Sequence[str] | Mapping[str, Any] = ()) -> LoadedScenario:
    """Read and check a scenario.

    Parameters
    ----------
    source : Path or dict
        A TOML file; ``extends`` in it names files it starts from, relative to it. Or the same tables as
        dictionaries, in which relative paths start at the current folder.
    edits : sequence of str, or mapping of dotted key to value
        Edits such as ``learning.scheme.beta=0.1``, or ``{"learning.scheme.beta": 0.1}``, applied in order after the
        files. None as a value, or ``devices.noise=null``, leaves out a key that is written.

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
        data, origins = (
            FileReader().read(path, []) if isinstance(source, Path) else FileReader().read_tables(source, path)
        )
        text = path.read_text(encoding="utf-8") if isinstance(source, Path) else tomlkit.dumps(data)
    except RefusalError as refusal:
        raise ScenarioError([ScenarioFault((), refusal.message, refusal.hint, str(path))]) from refusal
    faults, edited_values = [], dict[str, Any]()
    for edit in edits if not isinstance(edits, Mapping) else edits.items():
        words = edit if isinstance(edit, str) else f"{edit[0]} = {edit[1]!r}"
        origin = Origin(f"--set {shorten_text(' '.join(words.split()))}")
        try:
            edited = _apply_edit(data, edit) if isinstance(edit, str) else _apply_pair(data, *edit)
        except RefusalError as refusal:
            faults.append(ScenarioFault((), refusal.message, refusal.hint, str(origin.file)))
        else:
            origins = {edited[:n]: origin for n in range(1, len(edited))} | origins
            origins |= {key: origin for key in list_keys(data) if key[: len(edited)] == edited}
            edited_values = _record_edit(edited_values, edited, get_value_at(data, edited))
    return _make_loaded(data, origins, path, text, faults, edited_values)


def make_change_edits(texts: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the edit that makes ``key=value`` texts the changes of a design, each a change of its own; none of none.

    Raises
    ------
    ScenarioError
        If a text is none.
    """
    changes = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            hint = "write --change key.key=value, such as --change devices.converters.readout.bits=10"
            raise ScenarioError([ScenarioFault((), "not a change", hint, f"--change {shorten_text(text)}")])
        if value.strip() == _NO_VALUE:
            hint = "write the value that it has without the key; the pages of keys tell it"
            words = f"a change sets keys, and leaves none out: {key.strip()} has no value"
            raise ScenarioError([ScenarioFault((), words, hint, f"--change {shorten_text(text)}")])
        changes.append({"set": {key.strip(): _parse_value(value)}})
    return [("experiment.change", changes)] if changes else []


def replace_values(loaded: LoadedScenario, changes: Iterable[KeyChange]) -> LoadedScenario:
    """Return the scenario with some values replaced, and without its sweep.

    Raises
    ------
    ScenarioError
        With everything that is wrong, at the places where the values were written.
    """
    data = copy.deepcopy({key: value for key, value in loaded.data.items() if key != "sweep"})
    origins, faults, edits = dict(loaded.origins), [], loaded.edits
    for change in changes:
        origin = loaded.origins.get(change.source, Origin(loaded.path))
        edits = _record_edit(edits, change.keys, change.value)
        if change.value is None:
            _remove_key(data, change.keys)
            continue
        try:
            edited = _put_value(data, change.keys, copy.deepcopy(change.value))
        except RefusalError as refusal:
            faults.append(ScenarioFault(change.keys, refusal.message, refusal.hint, str(origin.file), origin.line))
            continue
        origins = {edited[:n]: origin for n in range(1, len(edited))} | origins | {edited: origin}
        origins |= {(*edited, *key): origin for key in list_keys(change.value)}
    return _make_loaded(data, origins, loaded.path, loaded.text, faults, edits)


def _record_edit(edits: dict[str, Any], keys: Key, value: Any) -> dict[str, Any]:
    """Return the edits with one more, without those that it covers."""
    key = ".".join(map(str, keys))
    kept = {one: old for one, old in edits.items() if not f"{one}.".startswith(f"{key}.")}
    return kept | {key: copy.deepcopy(value)}


def _make_loaded(
    data: Tree, origins: Origins, path: Path, text: str, faults: list[ScenarioFault], edits: dict[str, Any]
) -> LoadedScenario:
    """Return the scenario that `data` describe, unless there are faults."""
    taken = apply_device_presets(data, origins)
    faults = faults + locate_findings(taken, data, origins, path).faults
    origins = {key: origins[key] for key in list_keys(data)}
    scenario, findings = _validate_tree(data)
    faults += locate_findings(findings, data, origins, path).faults
    if scenario is None or faults:
        raise ScenarioError(faults)
    return LoadedScenario(scenario, data, origins, path, text, edits)


def make_scenario_error(loaded: LoadedScenario, findings: Iterable[Finding]) -> ScenarioError:
    """Return the error for faults found after loading, with the places where the keys were written.

    Parameters
    ----------
    loaded : Loaded
    findings : iterable of (path, message, hint)
        `path` is a tuple of keys and item numbers; `hint` may be None.
    """
    return locate_findings(findings, loaded.data, loaded.origins, loaded.path)


def _apply_edit(data: Tree, text: str) -> Key:
    """Apply one ``a.b.c=value`` to `data` in place and return the path."""
    left, equals, right = text.partition("=")
    if not equals or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RefusalError(*_NO_EDIT)
    if right.strip() == _NO_VALUE:
        return _apply_pair(data, left, None)
    return _put_value(data, _split_key(left), _parse_value(right))


def _apply_pair(data: Tree, key: str, value: object) -> Key:
    """Put one value from Python into `data` in place, or leave its key out, and return the path."""
    keys = _split_key(key)
    if value is not None:
        return _put_value(data, keys, convert_to_toml(value))
    if not _remove_key(data, keys):
        hint = f"{_NO_VALUE}, or None from Python, leaves out a key of a table that is written there"
        raise RefusalError(f"{'.'.join(keys)} is not written in the scenario", hint)
    return tuple(keys)


def _split_key(text: str) -> list[str]:
    """Return the keys of a dotted path that can be set."""
    keys = [key.strip() for key in text.split(".")]
    if not all(keys):
        raise RefusalError(*_NO_EDIT)
    if keys[0] == "extends":
        raise RefusalError("`extends` cannot be set here", "write it in the file")
    return keys


def _put_value(data: Tree, keys: Sequence[str], value: object) -> Key:
    """Put a value into `data` in place and return its path."""
    branch: Any = value
    for key in reversed(keys):
        branch = {key: branch}
    fault = find_toml_fault(branch)
    if fault:
        raise RefusalError(*fault[1:])
    node: Any = data
    path: list[str | int] = []
    for key in keys[:-1]:
        path.append(_find_slot(node, key, path))
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[path[-1]]
    path.append(_find_slot(node, keys[-1], path))
    node[path[-1]] = value
    return tuple(path)


def _remove_key(data: Tree, keys: Sequence[str]) -> bool:
    """Take a key out of its table in place, and say whether it was there."""
    table: Any = data
    for key in keys[:-1]:
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict) or keys[-1] not in table:
        return False
    del table[keys[-1]]
    return True


def _parse_value(text: str) -> object:
    """Return a TOML value, or the text itself where it is none."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    return found["value"] if len(found) == 1 else text.strip()


def _find_slot(node: object, key: str, path: list[str | int]) -> str | int:
    """Return `key` as the table or array `node`, which stands at `path`, wants it."""
    if isinstance(node, dict):
        return key
    if not isinstance(node, list):
        raise RefusalError(
            f"{format_dotted_key(tuple(path))} is {name_toml_type(node)}, not a table",
            "set it whole, or a key beside it",
        )
    if key not in map(str, range(len(node))):
        raise RefusalError(
            f"{format_dotted_key(tuple(path))} has {len(node)} item(s), none numbered {key}", "the first item is 0"
        )
    return int(key)


def _validate_tree(data: Tree) -> tuple[AnySpec | None, list[Finding]]:
    """Return the scenario, if `data` is one, and everything found wrong."""
    findings: list[Finding] = []
    scenario: AnySpec | None = None
    network = data.get("network")
    circuit = isinstance(network, dict) and network.get("law") == CIRCUIT
    spec: type[AnySpec] = CircuitSpec if circuit else ScenarioSpec
    try:
        scenario = spec.model_validate(data)
    except ValidationError as error:
        findings = translate_errors(error, spec, data, ("extends",))
    schema = data.get("schema")
    if schema == 1 and type(schema) is not int:  # true and 1.0 are equal to 1, and pydantic may take them
        findings = [finding for finding in findings if finding[0] != ("schema",)]
        findings.append((("schema",), f"must be a whole number, is {name_toml_type(schema)}", "write schema = 1"))
    if circuit:
        return scenario, findings
    findings = [_point_to_circuits(finding, data) for finding in findings]
    return scenario, findings + _find_network_faults(data, {path for path, *_ in findings})


def _point_to_circuits(finding: Finding, data: Tree) -> Finding:
    """Return what is wrong with a rate network, with a hint where a kind is one that only circuits have."""
    path, message, hint = finding
    wrong = path[-1:] == ("kind",) and message.startswith("must be")
    if wrong and get_value_at(data, path) in list_kinds_at(CircuitSpec, path[:-1]):
        hint = f'only circuits have it: write network.law = "{CIRCUIT}"'
    return path, message, hint


def _find_network_faults(data: Tree, faulty: set[Key]) -> list[Finding]:
    """Return what is wrong with the layers and connections, except at the paths known to be `faulty`."""
    wiring = _read_wiring(data.get("network"))
    if wiring is None:
        return []
    found: list[Finding] = []
    for field, message, hint in find_wiring_faults(*wiring):
        found.append((("network", *field), message, hint))
    if found or any(path[:2] == ("network", "layers") for path in faulty):
        return [finding for finding in found if finding[0] not in faulty]
    whole = Topology(*wiring)
    if (units := sum(whole.layers.values())) > _UNITS_LIMIT:
        message = f"the layers have {units:.3g} units, more than {_UNITS_LIMIT:g}"
        return [*found, (("network", "layers"), message, "use fewer rows, columns or channels")]
    size = 8 * whole.size
    if size > _WEIGHTS_LIMIT:
        message = f"the weights need {size / 1e9:.3g} GB, more than {_WEIGHTS_LIMIT / 1e9:g} GB"
        found.append((("network", "layers"), message, "use fewer units or fewer connections"))
    return found


def _read_wiring(network: object) -> tuple[LayerSizes, list[PathSpec]] | None:
    """Return layers and connections where they have the right types, whatever else is wrong."""
    if not isinstance(network, dict):
        return None
    layers, connections = network.get("layers"), network.get("connections")
    if not isinstance(layers, dict) or not isinstance(connections, list):
        return None
    numbers = [size if isinstance(size, list) else [size] for size in layers.values()]
    if not all(type(n) is int for form in numbers for n in form):
        return None
    try:
        return layers, [path if isinstance(path, str) else ConvolutionPath.model_validate(path) for path in connections]
    except ValidationError:
        return None
