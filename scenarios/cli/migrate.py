"""Show and write scenario files as they are written now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..api import RefusalError, migrate_file, write_migrated
from .console import print_error


def migrate_command(files: Sequence[Path], write: bool) -> int:
    """Print what changes in every file, write it if asked to, and return the exit code: 2 if any was refused."""
    code = 0
    for path in files:
        try:
            _migrate_one(path, write)
        except RefusalError as refusal:
            print_error(f"{path}: {refusal.message}" + (f" - {refusal.hint}" if refusal.hint else ""))
            code = 2
        except OSError as error:
            print_error(f"{path}: cannot be written ({error.strerror})")
            code = max(code, 1)
    return code


def _migrate_one(path: Path, write: bool) -> None:
    found = migrate_file(path)
    if not found.differs:
        click.echo(f"{path}: nothing to change")
        return
    for line in found.list_differences():
        click.echo(line)
    if write:
        click.echo(f"{path}: written; the file of before is {write_migrated(found)}")
    else:
        click.echo(f"{path}: not written; add --write")
