"""Which sources can end up in a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = ("devices", "substrate")
"""What kernels are made of. Other packages may lie in the same folder, as they do where ours are installed."""

_IMPORT = re.compile(r"^from (\.*)([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def find_sources(first: list[Path], root: Path) -> list[Path]:
    """Return sources and all that they import of ours, directly or not, in order of their paths.

    Parameters
    ----------
    first : list of Path
        Where to begin.
    root : Path
        The folder of our packages.
    """
    found: set[Path] = set()
    left = list(first)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _iterate_imports(path, root)
    return sorted(found)


def _iterate_imports(path: Path, root: Path) -> Iterator[Path]:
    """Yield the sources of ours that a source imports; an import stands at the beginning of a line."""
    for dots, module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        if not dots and module.partition(".")[0] not in _PACKAGES:
            continue
        folder = path.parents[len(dots) - 1] if dots else root
        base = folder.joinpath(*module.split(".")) if module else folder
        for source in (base.with_suffix(".py"), *(base / f"{name}.py" for name in re.findall(r"\w+", names))):
            if source.is_file():
                yield source
