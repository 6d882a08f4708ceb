"""The command line: check, show, list, run, info. Every command loads only what it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from .faults import ScenarioError
from .load import Loaded, load

CATALOGUE = Path(__file__).parent / "catalogue"

_scenario = click.argument("scenario")
_set = click.option("--set", "edits", multiple=True, metavar="KEY=VALUE", help="Change one value, such as seed=3.")


def find(name: str) -> Path:
    """Return the path of a scenario: a file, or the name of a bundled one (a file wins)."""
    path = Path(name)
    bundled = CATALOGUE / f"{name}.toml"
    return bundled if not path.exists() and bundled.exists() else path


def _load(name: str, edits: tuple[str, ...]) -> Loaded:
    try:
        return load(find(name), edits)
    except ScenarioError as error:
        raise _stop(str(error)) from error


def _stop(text: str, code: int = 2) -> click.exceptions.Exit:
    click.echo(text, err=True)
    return click.exceptions.Exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("nudgelab"), prog_name="nudgelab")
def main() -> None:
    """Simulate analog hardware that settles, and see where the error of its gradients comes from."""


@main.command("list")
def list_() -> None:
    """List the bundled scenarios."""
    for path in sorted(CATALOGUE.glob("*.toml")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        click.echo(f"{path.stem:<14} {title}")


@main.command()
@_scenario
@_set
def check(scenario: str, edits: tuple[str, ...]) -> None:
    """Check a scenario: all faults at once, with file and line."""
    from .build import check as check_files

    loaded = _load(scenario, edits)
    try:
        check_files(loaded)
    except ScenarioError as error:
        raise _stop(str(error)) from error
    click.echo(f"{loaded.path.name}: good")


@main.command()
@_scenario
@_set
def show(scenario: str, edits: tuple[str, ...]) -> None:
    """Print a scenario with every default filled in, as TOML."""
    click.echo(_load(scenario, edits).scenario.to_toml(), nl=False)


@main.command()
@_scenario
@_set
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the result; default ./<name>-<id>.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads that share a batch; default: all cores.")
@click.option("--force", is_flag=True, help="Compute again even if the folder holds a result.")
def run(scenario: str, edits: tuple[str, ...], out: Path | None, threads: int | None, force: bool) -> None:
    """Run a scenario and print its answer."""
    loaded = _load(scenario, edits)
    from rich.console import Console

    from .run import RESULT, RunError
    from .run import run as compute
    from .store import StoreError
    from .store import load as load_result
    from .summary import show as show_summary

    try:
        done = compute(loaded, out, threads, force, _progress())
        result = load_result(done.folder / RESULT)
    except (ScenarioError, RunError) as error:
        raise _stop(str(error)) from error
    except StoreError as error:
        raise _stop(str(error), 4) from error
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    show_summary(result, console)
    console.print()
    if not done.computed:
        click.echo("This result was already complete; --force computes it again.", err=True)
    for path in done.files:
        click.echo(str(path))


@main.command()
def info() -> None:
    """Print versions, threads, linear algebra and the folder of compiled kernels."""
    import platform

    from substrate.compile import CACHE, blas_description
    from substrate.tiles import available_threads

    rows: dict[str, Any] = {
        "nudgelab": version("nudgelab"),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "numba", "h5py", "matplotlib", "pydantic")},
        "threads": available_threads(),
        "linear algebra": blas_description(),
        "compiled kernels": CACHE,
    }
    for name, value in rows.items():
        click.echo(f"{name:<17} {value}")


def _progress() -> Callable[[str], None]:
    def say(text: str) -> None:
        click.echo(f"  {text}", err=True)

    return say


if __name__ == "__main__":
    main()
