"""Keep the command line going in any surroundings: outputs that are closed, full or read in part, settings of plots."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from .. import api
from .interrupts import BROKEN_OFF, print_promised_json


class OutputError(OSError):
    """The standard output refused what was written on it."""


class Command(click.Group):
    """Commands whose outputs may be closed, full, or read only in part: none of it ends in a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and leave the process with its exit code, or 1 if its output cannot be written."""
        _repair_streams()
        _forget_plot_settings()
        if not _has_working_folder():
            print("the working folder is gone: change to a folder that is there", file=sys.stderr)
            sys.exit(1)
        try:
            try:
                return super().main(*args, **extra)
            finally:
                sys.stdout.flush()
        except OutputError as error:
            if error.errno != errno.EPIPE:  # who stops reading, as `head` does, wants to hear no more
                print(f"the output cannot be written ({error.strerror})", file=sys.stderr)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; one that is interrupted has nothing to say but that, and wrong use is told in short lines."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if type(error).show is not click.UsageError.show:  # it shows the help instead
                raise
            raise click.UsageError(_wrap_error(error.format_message()), error.ctx) from error
        except KeyboardInterrupt:
            print_promised_json()
            print("broken off", file=sys.stderr)
            raise click.exceptions.Exit(BROKEN_OFF) from None


def _wrap_error(text: str) -> str:
    width = api.find_error_width()
    return api.wrap_lines(text, None if width is None else width - len("Error: "))


class _Stream(io.FileIO):
    """A standard stream that fails at most once, and then takes everything and keeps nothing."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.fileno(), "w", closefd=False)
        self._failed, self._tells = False, stream is sys.stdout

    def write(self, data: Any) -> int:
        if not self._failed:
            try:
                return super().write(data)
            except OSError as error:
                self._failed = True
                if self._tells:
                    raise OutputError(error.errno, error.strerror) from error
        return len(data)


def _repair_streams() -> None:
    """Give the process outputs that can be written on, whatever it was started with."""
    # A file that is opened later must not get the number of an output: what others print would end in it.
    while (unused := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(unused)
    sys.stdout, sys.stderr = (_repair_stream(stream) for stream in (sys.stdout, sys.stderr))


def _repair_stream(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="backslashreplace")
    if stream not in (sys.__stdout__, sys.__stderr__) or stream.isatty():
        return stream
    stream.flush()
    raw = io.BufferedWriter(_Stream(stream))
    return io.TextIOWrapper(raw, stream.encoding, "backslashreplace", line_buffering=stream is sys.stderr)


def _has_working_folder() -> bool:
    """Return whether relative paths mean something; the libraries that compile and plot rely on it, too."""
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False


def _forget_plot_settings() -> None:
    """Keep what is meant for other programs' plots away from ours: they are drawn into files, all in one look."""
    os.environ.pop("MPLBACKEND", None)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
