"""What several points of a sweep share, so that it is read or drawn once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_KEPT = 8


class Shelf:
    """Results of pure functions by their arguments; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` gives, from an earlier call with the same key if there was one.

        Parameters
        ----------
        key : hashable
            Everything the result depends on; of a file its `stamp`.
        make : callable
            Without arguments.
        """
        if key not in self._found:
            self._found[key] = make()
            for stale in list(self._found)[:-_KEPT]:
                del self._found[stale]
        found: T = self._found[key]
        return found


def make_stamp(path: Path) -> Hashable:
    """Return what tells that a file or a folder of files is the same as before, without reading it."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        sizes = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    except OSError:
        return str(path), None
    return str(path.resolve()), sizes
