"""Where packaged files are: scenarios, presets, the schema for editors."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]

PRESETS = _PACKAGE / "presets"
"""Files to start from, as ``extends = "preset:NAME"``."""

CATALOGUE = _PACKAGE / "catalogue"
"""Bundled scenarios, which the command line knows by name."""

SCHEMA_FILE = _PACKAGE / "nudgelab.schema.json"
"""The schema of scenario files, as it is printed."""


def find_catalogue() -> dict[str, Path]:
    """Return the bundled scenarios by name; what reproduces a paper is in a folder of its own, and comes last."""
    found = {path.relative_to(CATALOGUE).with_suffix("").as_posix(): path for path in CATALOGUE.rglob("*.toml")}
    return dict(sorted(found.items(), key=lambda item: ("/" in item[0], item[0])))


def read_title(text: str) -> str:
    """Return the comment in the first line of a scenario or preset; empty where it begins otherwise.

    A line for editors, ``#:schema ...``, is no such comment.
    """
    first = text.partition("\n")[0]
    return first.lstrip("# ").strip() if first.startswith("#") and not first.startswith("#:") else ""
