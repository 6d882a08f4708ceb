"""How wide the output is: as the variable COLUMNS says, or else as the terminal is, or else as suits a file."""

from __future__ import annotations

import shutil

import click
from rich.console import Console

from ..api import find_error_width, wrap_lines

_FILE = 120
"""Columns of tables and lists in a pipe or a file."""


def find_width() -> int:
    """Return the columns of the standard output."""
    return shutil.get_terminal_size((_FILE, 0)).columns


def print_error(text: str) -> None:
    """Print what went wrong, or what is suspicious, on the standard error, in lines as wide as it is."""
    click.echo(wrap_lines(text, find_error_width()), err=True)


def print_line(text: str) -> None:
    """Print a line on the standard output, which goes on below where something says how wide it is."""
    click.echo(wrap_lines(text, shutil.get_terminal_size((0, 0)).columns or None))


def make_console() -> Console:
    """Return where answers are printed; where nothing says how wide it is, sentences are not broken into lines."""
    unknown = shutil.get_terminal_size((0, 0)).columns == 0
    return Console(width=find_width(), soft_wrap=unknown, highlight=False)
