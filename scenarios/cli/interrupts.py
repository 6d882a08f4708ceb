"""Ctrl-C is obeyed within two seconds, whatever the main thread is doing.

Python handles a signal in the main thread, between two of its own instructions: not before the kernel, the
compilation or the solve that runs there is over. So the signal is told to a thread as well, which ends the
process where the main thread does not.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, NamedTuple

LIMIT = 1.0
"""Seconds that the main thread gets to end by itself."""

BROKEN_OFF = 130
"""Exit code of a process that was ended so."""

_LOOK = 0.1

_BROKEN_OFF_JSON = json.dumps({"status": "interrupted", "error": {"message": "broken off"}}) + "\n"


class StoppableWork(NamedTuple):
    """Work that ends in its own way when it is asked to."""

    ask: Callable[[], None]
    """Asks it to end; called from a thread, once."""

    saving: Callable[[], bool]
    """Tells whether something would be lost by ending it now."""


class _Listener(threading.Thread):
    """Hears of interrupts, asks polite work to end, and ends the process when nothing else does."""

    def __init__(self, ear: socket.socket) -> None:
        super().__init__(daemon=True, name="interrupts")
        self._ear, self._count, self._deadline = ear, 0, math.inf
        self.polite: StoppableWork | None = None
        self.promised = ""

    def become(self, polite: StoppableWork | None) -> None:
        """Go on with other work: interrupts of the work before are obeyed."""
        self.polite, self._count, self._deadline = polite, 0, math.inf

    def run(self) -> None:
        """Listen until the ear is closed."""
        while True:
            try:
                if select.select([self._ear], [], [], _LOOK)[0]:
                    heard = self._ear.recv(64)
                    if not heard:
                        return
                    for _ in range(heard.count(signal.SIGINT)):
                        self._hear()
            except (OSError, ValueError):
                return
            if monotonic() > self._deadline and not (self._count == 1 and self.polite and self.polite.saving()):
                _end_process(self.promised)

    def _hear(self) -> None:
        self._count += 1
        self._deadline = monotonic() + LIMIT
        if self.polite and self._count == 1:
            self.polite.ask()


_listeners: list[_Listener] = []
"""The one of this process, if there is one."""


def _end_process(promised: str) -> None:
    """End the process: files are written whole or not at all, so what lies on the disk is good."""
    with suppress(OSError, ValueError):
        os.write(1, promised.encode())
    show_cursor = "\033[?25h" if sys.stderr.isatty() else ""
    with suppress(OSError, ValueError):
        os.write(2, f"{show_cursor}broken off\n".encode())
    os._exit(BROKEN_OFF)


@contextmanager
def handle_interrupts() -> Iterator[None]:
    """Obey Ctrl-C within two seconds in this context; does nothing where signals go elsewhere."""
    if threading.current_thread() is not threading.main_thread() or _listeners:
        yield
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    listener = _Listener(ear)
    _listeners.append(listener)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        _listeners.clear()
        mouth.close()
        listener.join()
        ear.close()


@contextmanager
def let_work_end(work: StoppableWork) -> Iterator[None]:
    """Let the first interrupt in this context ask the work to end, and the second end the process."""
    for listener in _listeners:
        listener.become(work)
    try:
        yield
    finally:
        for listener in _listeners:
            listener.become(None)


def promise_json() -> None:
    """Let a program that reads the standard output get one JSON object, even from a command that is broken off."""
    for listener in _listeners:
        listener.promised = _BROKEN_OFF_JSON


def print_json(found: dict[str, Any]) -> None:
    """Print the JSON object that a command ends with."""
    for listener in _listeners:
        listener.promised = ""
    print(json.dumps(found))


def print_promised_json() -> None:
    """Print what was promised to a program that reads the standard output, if it has got nothing yet."""
    for listener in _listeners:
        print(listener.promised, end="")
        listener.promised = ""
