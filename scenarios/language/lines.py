"""Line numbers of the keys of a TOML text: `tomllib` reads the values, but forgets where they stood."""

from __future__ import annotations

import re

import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Array, InlineTable, Item, Table

Key = tuple[str | int, ...]

_GAP = re.compile(r"(?:[\s,]|#[^\n]*)*")


def map_lines(text: str) -> dict[Key, int]:
    """Return the line, from 1, of every key, table and array item of a TOML text.

    A table that is never opened by a header of its own stands where it first appears. The map is
    there for messages about other faults, so it never fails: a text that cannot be mapped
    reliably gives an empty map.

    Parameters
    ----------
    text : str
        The file, newlines untranslated.

    Returns
    -------
    dict
        Path of keys and item numbers, such as ``("learning", "schemes", 0, "beta")``, to line.
    """
    walk = _Walk()
    try:
        document = tomlkit.parse(text)
        if document.as_string() != text:
            return {}  # tomlkit moves parts of an array of tables together when others stand between them
        walk.body((), document)
    except Exception:  # noqa: BLE001  a report without lines is better than none
        return {}
    return walk.lines


class _Walk:
    """Follows a document in the order of its text and counts the newlines."""

    def __init__(self) -> None:
        self.line = 1
        self.lines: dict[Key, int] = {}

    def body(self, path: Key, container: Container) -> None:
        for key, item in container.body:
            if key is None:
                self.line += item.as_string().count("\n")
            else:
                self.item((*path, key.key), item)

    def item(self, path: Key, item: Item) -> None:
        self.line += item.trivia.indent.count("\n")
        if isinstance(item, AoT):
            self.lines.setdefault(path, self.line)
            for i, table in enumerate(item.body):
                self.item((*path, i), table)
        elif isinstance(item, Table):
            self.table(path, item)
        else:
            self.lines.setdefault(path, self.line)
            after = self.line + item.as_string().count("\n") + _count_newlines(item)
            self.inside(path, item)
            self.line = after

    def table(self, path: Key, table: Table) -> None:
        if table.is_super_table():
            self.lines.setdefault(path, self.line)
        else:
            self.lines[path] = self.line
            self.line += _count_newlines(table)
        self.body(path, table.value)

    def inside(self, path: Key, item: Item) -> None:
        if isinstance(item, InlineTable):
            self.body(path, item.value)
        elif isinstance(item, Array):
            self.array(path, item)

    def array(self, path: Key, array: Array) -> None:
        text, start, position = array.as_string(), self.line, 1
        for i, value in enumerate(array):
            item = tomlkit.item(value)  # some releases give plain booleans here
            gap = _GAP.match(text, position)
            position = gap.end() if gap else position
            self.line = start + text.count("\n", 0, position)
            self.item((*path, i), item)
            position += len(item.as_string())


def _count_newlines(item: Item) -> int:
    trivia = item.trivia
    return (trivia.comment_ws + trivia.comment + trivia.trail).count("\n")
