"""What Tab completes: names of scenarios and presets, keys, folders of results; and the script that tells a shell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from .. import api

SHELLS = ("bash", "zsh", "fish")

_RESULTS = ("run.h5", "sweep.h5")


def write_completion_script(command: click.Command, shell: str) -> str:
    """Return the lines that let a shell complete the command line.

    A key ends with ``=`` or ``.`` and goes on: bash must not put a blank behind it.
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.BadParameter(f"{shell!r} is none of {', '.join(SHELLS)}")
    text = made(command, {}, "nudgelab", "_NUDGELAB_COMPLETE").source()
    return text.replace("COMPREPLY+=($value)", 'COMPREPLY+=($value); [[ "$value" == *[.=] ]] && compopt -o nospace')


def complete_scenario(_context: click.Context, _option: click.Parameter, text: str) -> list[CompletionItem]:
    """Return bundled scenarios and files of TOML, and let the shell add folders where there is neither."""
    found = {name: title for name, title in api.catalogue().items() if name.startswith(text)}
    files = [path for path in _list_beside(text) if path.suffix == ".toml"]
    # The shell forgets what stands before this one.
    items = [CompletionItem(text, type="file"), *_make_items(found.items())]
    return [*items, *(CompletionItem(str(path)) for path in files)]


def complete_edit(_context: click.Context, _option: click.Parameter, text: str) -> list[CompletionItem]:
    """Return how a key may go on; values are not known."""
    return [] if "=" in text else _make_items(api.complete_key(text).items())


def complete_preset(_context: click.Context, _option: click.Parameter, text: str) -> list[CompletionItem]:
    """Return presets to start from."""
    found = (
        (path.stem, api.read_title(path.read_text(encoding="utf-8")))
        for path in sorted(api.PRESETS.glob("*.toml"))
        if path.stem.startswith(text)
    )
    return _make_items(found)


def complete_result(_context: click.Context, _option: click.Parameter, text: str) -> list[CompletionItem]:
    """Return folders of results; where there are none, let the shell add files and folders."""
    found = [path for path in _list_beside(text) if any((path / name).exists() for name in _RESULTS)]
    return [CompletionItem(str(path)) for path in found] or [CompletionItem(text, type="file")]


def _list_beside(text: str) -> list[Path]:
    """Return the files and folders whose paths begin so."""
    above, slash, last = text.rpartition("/")
    try:
        return sorted(path for path in Path(above + slash or ".").iterdir() if path.name.startswith(last))
    except OSError:
        return []


def _make_items(found: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    """Return candidates with their meanings; a line break in one would end it."""
    return [CompletionItem(name, help=" ".join(words.split())) for name, words in found]
