"""Published devices: values with their sources in packaged files, and how scenarios take them over."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import devices
from devices.hardware import list_block_classes

from .faults import Finding, Origin, ask_did_you_mean, find_similar, name_toml_type, shorten_text
from .files import Origins, Tree, list_keys
from .lines import Key, map_lines

DEVICE_PRESETS = Path(devices.__file__).parent / "presets"
"""Packaged devices, as ``update = { preset = "NAME" }``."""

USABLE = tuple(name for name, kinds in list_block_classes().items() if "preset" in kinds[0].model_fields)
"""Tables of ``[devices]`` that take a preset."""

_RIVALS = {
    "pelgrom": "mismatch_sigma",
    "mismatch_sigma": "pelgrom",
    "mirror": "gain_sigma",
    "input_pair": "offset_sigma",
    "offset_sigma": "input_pair",
    "capacitance": "noise",
    "full_scale": "range",
}
"""Keys of a preset that make way for another of the scenario, which says the same thing."""


class PresetEntry(NamedTuple):
    """One value of a preset."""

    value: Any
    unit: str
    source: str
    """Name of a source; empty for what is a choice of words, such as the kind of a law."""


class PresetSource(NamedTuple):
    """Where values come from."""

    paper: str
    place: str
    """Figure, table or formula."""

    range: str
    """Where they were fitted."""

    spread: str
    """How far published fits of the same device differ, or what else is known of it."""


class DevicePreset(NamedTuple):
    """A published device."""

    name: str
    title: str
    tables: dict[str, dict[str, PresetEntry]]
    """By table and key; a key of a table inside it is ``pelgrom.width``."""

    sources: dict[str, PresetSource]

    def values(self, table: str) -> dict[str, Any]:
        """Return the values of one table as a scenario would write them."""
        found: dict[str, Any] = {}
        for name, entry in self.tables[table].items():
            *above, key = name.split(".")
            inside = found
            for part in above:
                inside = inside.setdefault(part, {})
            inside[key] = copy.deepcopy(entry.value)
        return found


def list_device_presets() -> list[Path]:
    """Return the packaged devices, in order of their names."""
    return sorted(DEVICE_PRESETS.glob("*.toml"))


@cache
def read_device_preset(path: Path) -> DevicePreset:
    """Return a packaged device."""
    text = path.read_text(encoding="utf-8")
    data = tomllib.loads(text)
    sources = {name: PresetSource(**table) for name, table in data.pop("sources").items()}
    tables = {name: dict(_list_entries(table, "")) for name, table in data.items()}
    return DevicePreset(path.stem, text.splitlines()[0].lstrip("# "), tables, sources)


@cache
def _map_preset_lines(path: Path) -> dict[Key, int]:
    return map_lines(path.read_text(encoding="utf-8"))


def find_preset_table(block: str) -> str:
    """Return which table of a preset stands for a table of ``[devices]``: feedback cells are cells of weights."""
    return "weights" if block == "feedback" else block


def _list_entries(table: Tree, above: str) -> Iterator[tuple[str, PresetEntry]]:
    for key, value in table.items():
        if not isinstance(value, dict):
            yield above + key, PresetEntry(value, "", "")
        elif "value" in value:
            yield above + key, PresetEntry(**value)
        else:
            yield from _list_entries(value, f"{above}{key}.")


def apply_device_presets(data: Tree, origins: Origins) -> list[Finding]:
    """Fill in what ``{ preset = "NAME" }`` in the tables of ``[devices]`` stands for; what is written there wins.

    Parameters
    ----------
    data : dict
        Tree of a scenario; changed in place. A table whose preset cannot be used is left out.
    origins : dict
        Where every key was written; changed in place.

    Returns
    -------
    list
        What cannot be used: path, message, hint.
    """
    blocks = data.get("devices")
    findings: list[Finding] = []
    if not isinstance(blocks, dict):
        return []
    for block in [name for name in USABLE if isinstance(blocks.get(name), dict) and "preset" in blocks[name]]:
        own, place = blocks[block], ("devices", block, "preset")
        fault = _find_preset_fault(own["preset"], block)
        if fault is not None:
            findings.append((place, *fault))
            del blocks[block]
            continue
        path = DEVICE_PRESETS / f"{own['preset']}.toml"
        values, lines = read_device_preset(path).values(find_preset_table(block)), _map_preset_lines(path)
        if own.get("kind", values.get("kind")) != values.get("kind"):
            hint = f"remove `kind`, or `preset` with it; the preset is a {values.get('kind')}"
            findings.append((("devices", block, "kind"), "is another law than that of the preset", hint))
            del blocks[block]
            continue
        for key in _fill_in_values(own, values):
            # An item of an array stands on its line.
            named_key = tuple(part for part in key if isinstance(part, str))
            origins["devices", block, *key] = Origin(path, lines.get((find_preset_table(block), *named_key)))
    return findings


def _fill_in_values(own: Tree, values: Tree) -> Iterator[Key]:
    """Write into `own` what it does not say, and yield the path of everything written."""
    given = frozenset(own)
    for key, value in values.items():
        if key in given and isinstance(own[key], dict) and isinstance(value, dict):
            yield from ((key, *inside) for inside in _fill_in_values(own[key], value))
        elif key not in given and _RIVALS.get(key) not in given:
            own[key] = value
            yield from list_keys({key: value})


def _find_preset_fault(name: object, block: str) -> tuple[str, str] | None:
    """Return why a preset cannot be used for a table of ``[devices]``, and what to try."""
    known = {path.stem: path for path in list_device_presets()}
    fitting = [stem for stem, path in known.items() if find_preset_table(block) in read_device_preset(path).tables]
    hint = f"presets for {block} are {', '.join(fitting)}"
    if not isinstance(name, str):
        return f"must be the name of a preset, is {name_toml_type(name)}", hint
    if name not in known:
        return f"there is no preset {shorten_text(name)!r}", ask_did_you_mean(find_similar(name, fitting)) or hint
    return (f"the preset {name!r} says nothing about {block}", hint) if name not in fitting else None
