"""How far a run is: a bar on a terminal, a line now and then elsewhere, and every line in a log file."""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import indent
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from substrate.engine.door import is_compiling

from ..report.terminal import find_error_width, wrap_lines

SILENCE = 4.0
"""Seconds after which a run says what it is doing."""

INTERVAL = 10.0
"""Seconds between two lines of progress where there is no terminal, and in the log file."""


class Progress:
    """Tells on the standard error how far a run is; use it in a ``with`` statement.

    Parameters
    ----------
    quiet : bool
        Show nothing; the log file is written all the same.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar = None if quiet else _make_bar()
        self._task: TaskID | None = None
        self._log: Path | None = None
        self._early: list[str] = []
        self._logging = True
        self._told = monotonic()
        self._begin, self._first, self._done = self._told, 0, -1
        self._stopped = False
        self._stage, self._heard, self._over = "starting", self._told, threading.Event()

    def __enter__(self) -> Self:
        if not self._quiet:
            threading.Thread(target=self._break_silence, daemon=True, name="progress").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._bar:
            self._bar.stop()

    def log_to(self, path: Path) -> None:
        """Append every line, those told so far included, to a file as well; its folder exists."""
        self._log = path
        early, self._early = self._early, []
        self._append(path, early)

    def say(self, text: str) -> None:
        """Tell one line."""
        self._stage, self._heard = text, monotonic()
        self._write(text)
        self._note(text)

    def advance(self, done: int, total: int, text: str) -> None:
        """Tell that `done` of `total` steps of the work are done, and in words how it goes."""
        now = self._heard = monotonic()
        self._stage = text
        if self._done < 0 or done < self._done:
            self._begin, self._first = now, done
        self._done = done
        if self._bar:
            self._move(self._bar, done, total, text)
        if now - self._told >= INTERVAL:
            self._told = now
            line = f"{text} ({100 * done // max(total, 1)} %{self._left(now, total)})"
            if self._bar is None:
                self._write(line)
            self._note(line)

    @property
    def moving(self) -> bool:
        """Whether some of the work is done, so that there is something to lose."""
        return self._done >= 0

    def stop(self) -> None:
        """Ask the run to end at the next good moment."""
        self._stopped = True

    def stopped(self) -> bool:
        """Return whether the run should end."""
        return self._stopped

    def _break_silence(self) -> None:
        """Say what goes on when nothing was told for a while: after `SILENCE` seconds, and then ever less often."""
        since, wait = self._heard, SILENCE
        while not self._over.wait(0.5):
            if self._heard != since:
                since, wait = self._heard, SILENCE
            silent = monotonic() - since
            if silent > wait:
                wait *= 2.0
                what = "compiling kernels, once for this machine" if is_compiling() else f"still at: {self._stage}"
                self._write(f"{what} ({silent:.0f} s)")

    def _move(self, bar: Bar, done: int, total: int, text: str) -> None:
        if self._task is None:
            bar.start()
            self._task = bar.add_task(text, total=total)
        bar.update(self._task, completed=done, total=total, description=text)

    def _left(self, now: float, total: int) -> str:
        """Return how long the rest will take, from the speed since this run began."""
        if self._done == self._first:
            return ""
        rest = (now - self._begin) * (total - self._done) / (self._done - self._first)
        return f", about {timedelta(seconds=round(rest))} left"

    def _write(self, text: str) -> None:
        if self._quiet:
            return
        width = find_error_width()
        told = indent(wrap_lines(text, None if width is None else width - 2), "  ")
        if self._bar:
            self._bar.console.print(Text(told), soft_wrap=True)
        else:
            print(told, file=sys.stderr, flush=True)

    def _note(self, text: str) -> None:
        line = f"{datetime.now().astimezone().isoformat(timespec='seconds')}  {text}\n"
        if self._log is None:
            self._early.append(line)
        elif self._logging:
            self._append(self._log, [line])

    def _append(self, path: Path, lines: list[str]) -> None:
        try:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(lines)
        except OSError as error:
            self._logging = False
            self._write(f"cannot write {path} ({error.strerror}): the run goes on without a log")


def _make_bar() -> Bar | None:
    """Return a bar if the standard error is a terminal that can show one."""
    console = Console(stderr=True, highlight=False)
    if not (sys.stderr.isatty() and console.is_interactive):
        return None
    words = TextColumn("  {task.description}", markup=False)
    return Bar(words, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True)
