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
from .places import read_title

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

    low: Any = None
    """Lower end of an interval of 90 %, where it was fitted."""

    high: Any = None
    n: int | None = None
    """Numbers it was fitted to."""


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
    return _parse_preset(path, path.read_text(encoding="utf-8"))


def read_own_preset(path: Path) -> DevicePreset:
    """Return a device from a file of one's own, written as the packaged ones are.

    Raises
    ------
    ValueError
        With what is wrong, in words, and what to try behind a semicolon.
    """
    try:
        return _parse_preset(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ValueError(f"{path.name} cannot be read ({reason}); name a file, relative to the scenario") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}; write it with nudgelab fit") from error
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        words = "its tables are [sources.NAME] with paper, place, range and spread, and [update] and the like with"
        form = 'key = { value = 1.0, unit = "1", source = "NAME" } (and low, high, n)'
        raise ValueError(f"{path.name} is no preset of a device; {words} {form}") from error


def _parse_preset(path: Path, text: str) -> DevicePreset:
    data = tomllib.loads(text)
    sources = {name: PresetSource(**table) for name, table in data.pop("sources").items()}
    tables = {name: dict(_list_entries(table, "")) for name, table in data.items()}
    return DevicePreset(path.stem, read_title(text), tables, sources)


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
        found = _find_preset(own["preset"], block, origins.get(place))
        if not isinstance(found, _FoundPreset):
            findings.append((place, *found))
            del blocks[block]
            continue
        path, table = found.path, found.table
        values, lines = found.device.values(table), _map_preset_lines(path)
        if path.parent != DEVICE_PRESETS:
            # Its values say everything: the file need not lie beside a scenario that is written out.
            del own["preset"]
        if own.get("kind", values.get("kind")) != values.get("kind"):
            hint = f"remove `kind`, or `preset` with it; the preset is a {values.get('kind')}"
            findings.append((("devices", block, "kind"), "is another law than that of the preset", hint))
            del blocks[block]
            continue
        for key in _fill_in_values(own, values):
            # An item of an array stands on its line.
            named_key = tuple(part for part in key if isinstance(part, str))
            origins["devices", block, *key] = Origin(path, lines.get((table, *named_key)))
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


class _FoundPreset(NamedTuple):
    path: Path
    device: DevicePreset
    table: str
    """Which of its tables stands for the one of the scenario."""


def _find_preset(name: object, block: str, origin: Origin | None) -> _FoundPreset | tuple[str, str]:
    """Return a preset for a table of ``[devices]``, packaged or a file; or why there is none, and what to try."""
    known = {path.stem: path for path in list_device_presets()}
    fitting = [stem for stem, path in known.items() if find_preset_table(block) in read_device_preset(path).tables]
    hint = f"presets for {block} are {', '.join(fitting)}, or a file such as my-device.toml"
    if not isinstance(name, str):
        return f"must be the name of a preset, is {name_toml_type(name)}", hint
    if name.endswith(".toml"):
        folder = origin.file.parent if origin is not None and isinstance(origin.file, Path) else Path.cwd()
        path = folder / name
        try:
            device = read_own_preset(path)
        except ValueError as error:
            message, _, advice = str(error).partition("; ")
            return message, advice
    elif name in known:
        path, device = known[name], read_device_preset(known[name])
    else:
        return f"there is no preset {shorten_text(name)!r}", ask_did_you_mean(find_similar(name, fitting)) or hint
    table = block if block in device.tables else find_preset_table(block)
    if table not in device.tables:
        says = f"the preset {name!r} says nothing about {block}"
        return says, hint if path in known.values() else f"it has {', '.join(device.tables) or 'no tables'}"
    return _FoundPreset(path, device, table)
