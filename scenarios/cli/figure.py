"""The command `figure`: figures of a result for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

from .. import api
from .console import find_width, print_error


class FigureFlags(NamedTuple):
    """Options of the command."""

    width: Any
    kind: str
    out: Path | None


def figure_command(path: Path, names: tuple[str, ...], flags: FigureFlags) -> int:
    """Draw figures of a kept result into a folder, and print files and captions; return the exit code."""
    try:
        figures = api.open(path).figures
    except api.StoreReadError as error:
        print_error(str(error))
        return 4
    if unknown := [name for name in names if name not in figures]:
        there = ", ".join(figures) or "none"
        raise click.UsageError(f"{path} has no figure {', '.join(map(repr, unknown))}: there are {there}")
    folder = flags.out or Path(f"{(path if path.is_dir() else path.parent).resolve().name}-figures")
    for name in names or figures:
        drawing = figures.draw(name, width=flags.width)
        try:
            drawing.save(folder / f"{name}.{flags.kind}")
        except api.StoreWriteError as error:
            print_error(str(error))
            return 1
        click.echo(str(folder / f"{name}.{flags.kind}"))
        for line in api.wrap_text(drawing.caption, find_width() - 2):
            click.echo(f"  {line}")
    return 0
