"""Who is told how far an experiment is, and can stop it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Watch(Protocol):
    """Who is told how far a run is, and can stop it."""

    def say(self, text: str) -> None:
        """Tell one line."""
        ...

    def advance(self, done: int, total: int, text: str) -> None:
        """Tell how much of the work is done."""
        ...

    def log_to(self, path: Path) -> None:
        """Keep what is told in a file, too."""
        ...

    def stopped(self) -> bool:
        """Tell whether the run should end now, with a checkpoint."""
        ...


class Interrupted(Exception):  # noqa: N818  not an error: the run goes on when it is started again
    """The run was asked to stop and left a checkpoint."""
