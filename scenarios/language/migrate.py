"""Scenario files of before: what has moved since, and the same file, comments and all, as it is written now.

A file says by `schema` which version of the language it is written in. Every step of the chain below takes a document
of one version and moves what has its place elsewhere now; a file passes all steps from its own version on.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ..schema.head import SCHEMA
from .faults import name_toml_type
from .files import RefusalError, read_scenario_text

Document = MutableMapping[str, Any]

MOVED = {"dynamics.nudge": "phases.nudge", "devices.noise.phases": "phases.noise"}
"""Keys of files from before the first release that stand in another table now."""


def _move_phases(document: Document) -> Document:
    """Return the document with what says how phases follow each other in a table of its own."""
    moved = copy.deepcopy(document)
    for old, new in MOVED.items():
        _move_key(moved, old.split("."), new.split("."))
    _rename_paths(moved, MOVED)
    return moved


STEPS: tuple[tuple[int, Callable[[Document], Document]], ...] = ((1, _move_phases),)
"""Steps in their order, each with the version of files that need it; none of them changes its argument."""


class MigratedFile(NamedTuple):
    """A scenario file and what it becomes."""

    path: Path
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether there is anything to change."""
        return self.before != self.after

    def list_differences(self) -> Iterator[str]:
        """Yield the lines of a unified diff."""
        before, after = self.before.splitlines(), self.after.splitlines()
        yield from difflib.unified_diff(before, after, str(self.path), str(self.path), lineterm="")


def migrate_file(path: Path) -> MigratedFile:
    """Return a scenario file as it is written now; the file itself stays as it is.

    Raises
    ------
    RefusalError
        If it cannot be read, is no TOML or from a newer release, or says one thing in two places.
    """
    text = read_scenario_text(path)
    try:
        document = tomlkit.parse(text)
        found = tomlkit.dumps(migrate_document(document))
        tomlkit.parse(found)
    except (TOMLKitError, RecursionError) as error:
        raise RefusalError(f"not valid TOML: {error}", "`nudgelab check` says where") from error
    return MigratedFile(path, text, found)


def write_migrated(file: MigratedFile) -> Path:
    """Write a scenario file as it is written now, and return where the file of before is kept.

    Raises
    ------
    RefusalError
        If there is a file of before already, which would be lost.
    OSError
        If the system refuses.
    """
    kept = file.path.with_name(f"{file.path.name}.bak")
    if kept.exists():
        raise RefusalError(f"{kept.name} is there already", "move it away, or remove it")
    with kept.open("x", encoding="utf-8", newline="") as copied:
        copied.write(file.before)
    written = file.path.with_name(f"{file.path.name}.new")
    with written.open("w", encoding="utf-8", newline="") as made:
        made.write(file.after)
    written.replace(file.path)
    return kept


def migrate_document(document: Document) -> Document:
    """Return a scenario, or a part that others extend, as it is written now.

    Raises
    ------
    RefusalError
        If it is from a newer release, or says one thing in two places.
    """
    version = document.get("schema", SCHEMA)
    if type(version) is not int and not isinstance(version, tomlkit.items.Integer):
        raise RefusalError(f"schema is {name_toml_type(version)}, not a whole number", f"write schema = {SCHEMA}")
    if version > SCHEMA:
        raise RefusalError(f"needs a newer release; this release reads schema {SCHEMA}", None)
    for needed, step in STEPS:
        document = step(document) if version <= needed else document
    if version < SCHEMA:
        document["schema"] = SCHEMA
    return document


def _move_key(document: Document, old: list[str], new: list[str]) -> None:
    """Take a key out of its table, if it is there, and put it with its comment into another one."""
    table = _find_table(document, old[:-1])
    if table is None or old[-1] not in table:
        return
    item = table.item(old[-1]) if hasattr(table, "item") else table[old[-1]]
    above = _find_table(document, new[:-1])
    if above is not None and new[-1] in above:
        raise RefusalError(f"says both {'.'.join(old)} and {'.'.join(new)}", "remove one of them")
    table.pop(old[-1])
    for n in range(1, len(new)):
        if _find_table(document, new[:n]) is None:
            made = tomlkit.table() if isinstance(document, tomlkit.TOMLDocument) else {}
            inside = _find_table(document, new[: n - 1])
            if inside is None or new[n - 1] in inside:
                raise RefusalError(f"{'.'.join(new[:n])} is no table", "remove it")
            inside[new[n - 1]] = made
    place = _find_table(document, new[:-1])
    if place is not None:
        place[new[-1]] = item
    _remove_emptied_tables(document, old[:-1])


def _remove_emptied_tables(document: Document, keys: list[str]) -> None:
    """Remove the table at `keys`, which a key was taken out of, and those around it, as far as nothing is left there.

    A table with comments stays.
    """
    for n in range(len(keys), 0, -1):
        table, around = _find_table(document, keys[:n]), _find_table(document, keys[: n - 1])
        if table is None or around is None or len(table) or "#" in _write_table(table):
            return
        around.pop(keys[n - 1])


def _write_table(table: Any) -> str:
    """Return the text of an empty table: its comments, and the one behind its head."""
    return f"{table.as_string()}{table.trivia.comment}" if isinstance(table, tomlkit.items.Item) else ""


def _find_table(document: Document, keys: list[str]) -> Any:
    table: Any = document
    for key in keys:
        table = table.get(key) if isinstance(table, MutableMapping) else None
    return table if isinstance(table, MutableMapping) else None


def _rename_paths(document: Document, names: dict[str, str]) -> None:
    """Give the keys that axes of a sweep vary their new names."""
    axes = (_find_table(document, ["sweep"]) or {}).get("axis", [])
    for axis in axes if isinstance(axes, list) else []:
        if isinstance(axis, MutableMapping) and axis.get("path") in names:
            axis["path"] = names[axis["path"]]
        values = axis.get("values") if isinstance(axis, MutableMapping) else None
        for level in values if isinstance(values, list) else []:
            also: Any = level.get("also") if isinstance(level, MutableMapping) else None
            for old in names.keys() & also.keys() if isinstance(also, MutableMapping) else ():
                also[names[old]] = also.pop(old)
