"""The commands `fit` and `identify`: devices out of files, spreads out of a running chip."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

from .. import api
from .console import make_console, print_error
from .interrupts import print_json


class FitFlags(NamedTuple):
    """Options of both commands."""

    out: Path | None
    as_json: bool


def fit_command(files: tuple[Path, ...], kind: Any, options: dict[str, Any], flags: FitFlags) -> int:
    """Fit files, print what was found, write the preset; return the exit code."""
    try:
        return _show(api.fit(files, kind, **options), flags)
    except (api.FitError, api.StoreWriteError) as error:
        return _fail(error)


def identify_command(what: str, edits: tuple[str, ...], options: dict[str, Any], flags: FitFlags) -> int:
    """Identify a chip, print what was found, write the preset; return the exit code."""
    try:
        return _show(api.identify(what, edits, **options), flags)
    except (api.ScenarioError, api.FitError, api.RunError, api.StoreReadError, api.StoreWriteError) as error:
        return _fail(error)


def _show(found: api.FittedDevice, flags: FitFlags) -> int:
    files = found.write_preset(flags.out) if flags.out else []
    if flags.as_json:
        values = {name: one._asdict() for name, one in found.values.items()}
        told = {"values": values, "alternatives": found.alternatives, "notes": found.notes}
        print_json(told | {"files": [str(file) for file in files]})
        return 0
    console = make_console()
    api.print_sheet(found.sheet, console)
    for line in found.lines:
        api.print_paragraph(line, console)
    if not files:
        click.echo(f"\n{found.to_toml()}", nl=False)
    for file in files:
        click.echo(str(file))
    return 0


def _fail(error: Exception) -> int:
    print_error(str(error))
    return 1 if isinstance(error, api.StoreWriteError) else 4 if isinstance(error, api.StoreReadError) else 2
