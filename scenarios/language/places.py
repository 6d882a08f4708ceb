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


def read_title(path: Path) -> str:
    """Return the comment in the first line of a scenario or preset."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip()
