"""The command `export`: results for other programs, circuits for SPICE."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

import click

from .. import api
from .console import print_error

_ENDINGS = {"netcdf": ".nc", "npz": ".npz"}


class ExportFlags(NamedTuple):
    """Options of the command."""

    kind: str | None
    sample: int | None
    out: Path | None
    device_models: bool


def export_command(what: str, edits: tuple[str, ...], flags: ExportFlags) -> int:
    """Export a result or a scenario; return the exit code."""
    path = Path(what)
    kept = path.is_dir() or path.suffix == ".h5"
    kind = flags.kind or ("csv" if kept else "spice")
    if kind == "spice" and kept:
        raise click.UsageError(f"{what} is a result: SPICE decks are written of a scenario, such as circuits/board")
    if kind == "spice":
        return _export_decks(what, edits, flags)
    if not kept:
        raise click.UsageError(
            f"{what} is neither a folder nor a result file: {kind} is written of a result, such as run-1234/run.h5"
        )
    for name, given in {
        "--set": edits,
        "--sample": flags.sample is not None,
        "--device-models": flags.device_models,
    }.items():
        if given:
            raise click.UsageError(f"{name} has no effect on format {kind}: it changes SPICE decks of a scenario")
    return _export_arrays(path, kind, flags.out)


def _export_arrays(path: Path, kind: Any, out: Path | None) -> int:
    name = (path if path.is_dir() else path.parent).resolve().name
    try:
        files = api.open(path).export(out or Path(f"{name}-{kind}{_ENDINGS.get(kind, '')}"), kind)
    except api.StoreReadError as error:
        print_error(str(error))
        return 4
    except api.StoreWriteError as error:
        print_error(str(error))
        return 1
    for file in files:
        click.echo(str(file))
    return 0


def _export_decks(what: str, edits: tuple[str, ...], flags: ExportFlags) -> int:
    try:
        loaded = api.load(what, edits)
        folder = flags.out or Path(f"{loaded.name}-spice")
        decks = loaded.export(folder, sample=flags.sample or 0, device_models=flags.device_models)
    except (api.ScenarioError, api.RunError) as error:
        print_error(str(error))
        return 2
    except api.StoreWriteError as error:
        print_error(str(error))
        return 1
    for name in decks:
        click.echo(str(folder / name))
    click.echo(f"\nngspice -b {shlex.quote(str(folder / 'free.cir'))}")
    return 0
