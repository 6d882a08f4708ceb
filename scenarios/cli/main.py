"""The command line. Every command loads only what it needs, once Ctrl-C is listened to."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .completion import (
    SHELLS,
    complete_edit,
    complete_preset,
    complete_result,
    complete_scenario,
    write_completion_script,
)
from .interrupts import handle_interrupts, promise_json
from .surroundings import Command

if TYPE_CHECKING:
    from ..api import Scenario

_scenario = click.argument("scenario", shell_complete=complete_scenario)
_set = click.option(
    *("--set", "edits"),
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value, such as seed=3; KEY=null leaves a key out.",
    shell_complete=complete_edit,
)


def _read_scenario(name: str, edits: tuple[str, ...]) -> Scenario:
    from ..api import ScenarioError, load

    try:
        return load(name, edits)
    except ScenarioError as error:
        raise _make_exit(str(error)) from error


def _make_exit(text: str, code: int = 2) -> click.exceptions.Exit:
    from .console import print_error

    print_error(text)
    return click.exceptions.Exit(code)


def _parse_shard(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Return ``i/n`` as two numbers."""
    if text is None:
        return None
    share, _, shares = text.partition("/")
    if not (share.isdecimal() and shares.isdecimal() and int(share) < int(shares)):
        raise click.BadParameter(f"{text!r} is not I/N with I from 0 to N - 1, such as 0/4")
    return int(share), int(shares)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("nudgelab"), prog_name="nudgelab")
def main() -> None:
    """Simulate analog hardware that settles, and see where the error of its gradients comes from."""
    click.get_current_context().with_resource(handle_interrupts())


@main.command("list")
def list_() -> None:
    """List the bundled scenarios, presets and published devices."""
    from ..api import catalogue, list_presets, wrap_text
    from .console import find_width

    width = find_width()
    for heading, titles in ({"scenarios": catalogue()} | list_presets()).items():
        click.echo(f"{heading}:")
        size = min(max(map(len, titles)), width // 2)
        for name, title in titles.items():
            first, *rest = wrap_text(title, width - size - 4)
            lines = (
                [f"  {name:<{size}}  {first}"]
                if len(name) <= size
                else [f"  {name}", first.rjust(len(first) + size + 4)]
            )
            for line in (*lines, *(" " * (size + 4) + text for text in rest)):
                click.echo(line)


@main.command()
@_scenario
@_set
def check(scenario: str, edits: tuple[str, ...]) -> None:
    """Check a scenario and its files: all faults at once, with file and line, and what is suspicious."""
    from ..api import ScenarioError
    from .console import print_error, print_line

    loaded = _read_scenario(scenario, edits)
    try:
        found = loaded.check()
    except ScenarioError as error:
        raise _make_exit(str(error)) from error
    for line in found.warnings:
        print_error(line)
    for line in (*found.taken, f"{loaded.loaded.path.name}: {found}"):
        print_line(line)


@main.command()
@_scenario
@_set
def show(scenario: str, edits: tuple[str, ...]) -> None:
    """Print a scenario with all defaults, where each value comes from, and what it will cost."""
    click.echo(_read_scenario(scenario, edits).show(), nl=False)


@main.command()
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Put it into this folder instead.")
def schema(write: Path | None) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from .. import api

    try:
        click.echo(api.export_schema(write), nl=write is not None)
    except api.StoreWriteError as error:
        raise _make_exit(str(error), 1) from error


@main.command()
@click.argument("name", default="my-chip")
@click.option(
    "--from", "preset", metavar="PRESET", help="Start from a preset, such as rate-mlp.", shell_complete=complete_preset
)
def init(name: str, preset: str | None) -> None:
    """Write a commented scenario file to start from, with its schema beside it."""
    from ..api import StarterError, write_starter

    try:
        paths = write_starter(Path(), name, preset)
    except StarterError as error:
        raise _make_exit(str(error)) from error
    for path in paths:
        click.echo(str(path))


@main.command()
@_scenario
@_set
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete_edit,
    help="Measure the design again after this change, each on top of those before; in place of those of the file.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the result; default ./<name>-<id>.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads that share a batch; default: all cores.")
@click.option("--force", is_flag=True, help="Compute again even if the folder holds a result.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--fail-on-divergence", is_flag=True, help="Exit with 1 if the training diverged.")
def run(scenario: str, edits: tuple[str, ...], changes: tuple[str, ...], **flags: Any) -> None:
    """Run a scenario and print its answer; the same command goes on with an interrupted run."""
    if flags["as_json"]:
        promise_json()
    from .run import RunFlags, run_command

    raise click.exceptions.Exit(run_command(scenario, edits, RunFlags(changes=changes, **flags)))


@main.command()
@_scenario
@_set
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep; default ./<name>-<id>.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, help="Points that run at the same time.")
@click.option("--scheduler", metavar="ADDRESS|FILE", help="Use the workers of this Dask cluster.")
@click.option(
    "--shard", callback=_parse_shard, metavar="I/N", help="Run every N-th point from number I on; merge later."
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of one point; default: cores / workers.")
@click.option("--retry-failed", is_flag=True, help="Run points again that failed or were killed.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first point that fails.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def sweep(scenario: str, edits: tuple[str, ...], **flags: Any) -> None:
    """Run a scenario over values and chips; the same command goes on with an interrupted sweep."""
    if flags["scheduler"] and flags["shard"]:
        raise click.UsageError("--scheduler and --shard exclude each other")
    if flags["as_json"]:
        promise_json()
    from .sweep import SweepFlags, sweep_command

    raise click.exceptions.Exit(sweep_command(scenario, edits, SweepFlags(**flags)))


@main.command()
@click.argument("what", shell_complete=complete_result)
@_set
@click.option(
    "--format",
    "kind",
    type=click.Choice(["spice", "csv", "netcdf", "npz", "parquet"]),
    help="Default: csv of a result, spice of a scenario.",
)
@click.option("--sample", type=click.IntRange(0), help="spice: number of the training sample; default 0.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder, or file of netcdf and npz.")
@click.option("--device-models", is_flag=True, help="spice: write diodes as D cards, whose law in reverse is another.")
def export(what: str, edits: tuple[str, ...], **flags: Any) -> None:
    """Write a result for other programs, or the circuit of a scenario as SPICE decks.

    WHAT is the folder or file of a result, run or sweep; or a scenario: one sample, free, and at every nudge or clamp.
    """
    from .export import ExportFlags, export_command

    raise click.exceptions.Exit(export_command(what, edits, ExportFlags(**flags)))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--kind",
    required=True,
    type=click.Choice(["pulses", "reads", "weights", "transfer", "adc", "iv"]),
    help="What was measured.",
)
@click.option("--weight", metavar="QUANTITY", help='Conductance of a weight of 1, such as "25 uS".')
@click.option("--zero", metavar="QUANTITY", help='Conductance of a weight of 0, such as "5 uS"; default 0.')
@click.option("--bits", type=click.IntRange(1, 24), help="adc: resolution; default: by the largest code.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a preset for scenarios.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fit(files: tuple[Path, ...], kind: str, out: Path | None, as_json: bool, **options: Any) -> None:
    """Fit measured devices: laws, spreads and noise with intervals, as a preset that scenarios take."""
    from .fit import FitFlags, fit_command

    raise click.exceptions.Exit(fit_command(files, kind, options, FitFlags(out, as_json)))


@main.command()
@click.argument("what", metavar="RUN|SCENARIO", shell_complete=complete_scenario)
@_set
@click.option("--reads", type=click.IntRange(2, 100_000), default=20, show_default=True, help="Samples that are read.")
@click.option("--instance", type=click.IntRange(0), help="Number of the fabricated chip; default: of the scenario.")
@click.option("--from", "file", type=click.Path(path_type=Path), help="npz or HDF5 file of reads, in place of a chip.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a preset for scenarios.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def identify(what: str, edits: tuple[str, ...], out: Path | None, as_json: bool, **options: Any) -> None:
    """Find the spreads of a running chip from free reads alone: cells, offsets, noise of the reads."""
    from .fit import FitFlags, identify_command

    raise click.exceptions.Exit(identify_command(what, edits, options, FitFlags(out, as_json)))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), shell_complete=complete_result)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def merge(folder: Path, as_json: bool) -> None:
    """Put the points of a sweep together that are in a folder, after `sweep --shard`."""
    from .sweep import merge_command

    raise click.exceptions.Exit(merge_command(folder, as_json))


@main.command()
@click.argument("path", type=click.Path(path_type=Path), shell_complete=complete_result)
def report(path: Path) -> None:
    """Write report.html and the figures of a result again, or the card of a published device."""
    from .. import api

    try:
        files = api.report(path)
    except api.StoreReadError as error:
        raise _make_exit(str(error), 4) from error
    except api.StoreWriteError as error:
        raise _make_exit(str(error), 1) from error
    for written in files:
        click.echo(str(written))


@main.command("figure")
@click.argument("result", type=click.Path(path_type=Path), shell_complete=complete_result)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--width", type=click.Choice(["one-column", "two-column"]), default="one-column", show_default=True)
@click.option("--format", "kind", type=click.Choice(["pdf", "svg", "png"]), default="pdf", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; default ./<result>-figures.")
def figure_(result: Path, names: tuple[str, ...], **flags: Any) -> None:
    """Draw figures of a result, run or sweep, for a paper, and print their captions; without names all of them.

    One column is 85 mm wide, two are 178 mm.
    """
    from .figure import FigureFlags, figure_command

    raise click.exceptions.Exit(figure_command(result, names, FigureFlags(**flags)))


@main.command()
@click.argument("a", type=click.Path(path_type=Path), shell_complete=complete_result)
@click.argument("b", type=click.Path(path_type=Path), shell_complete=complete_result)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Compare two results, runs or sweeps: keys that differ, and figures that changed."""
    import json

    from .. import api
    from .console import make_console

    try:
        found = api.compare(a, b)
    except api.StoreReadError as error:
        raise _make_exit(str(error), 4) from error
    if as_json:
        click.echo(json.dumps(found.as_table(), default=str))
        return
    console = make_console()
    for sheet in found.sheets:
        api.print_sheet(sheet, console)


@main.command("mock-board")
@_scenario
@_set
@click.option("--port", metavar="PORT", help="Serve at this port, such as one end of a pair; default: at a new pair.")
@click.option(
    "--listen",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Listen at this socket of 127.0.0.1 instead; 0: any that is free.",
)
def mock_board(scenario: str, edits: tuple[str, ...], port: str | None, listen: int | None) -> None:
    """Serve the simulated chip of a scenario as a board at a serial port or a socket, until Ctrl-C.

    Prints the port that hardware.port names at the other end.
    """
    import threading

    from .. import api
    from .interrupts import StoppableWork, let_work_end

    if port is not None and listen is not None:
        raise click.UsageError("--port and --listen: a board serves at one of them")
    ended, loaded = threading.Event(), _read_scenario(scenario, edits)
    try:
        with let_work_end(StoppableWork(ended.set, lambda: True)):
            at = port if listen is None else listen
            api.serve_board(loaded, at, lambda name: print(name, flush=True), ended.is_set)
    except (api.ScenarioError, api.RunError) as error:
        raise _make_exit(str(error)) from error
    except KeyboardInterrupt:
        ended.set()


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), shell_complete=complete_scenario)
@click.option("--write", is_flag=True, help="Write the files; those of before are kept beside them as FILE.bak.")
def migrate(files: tuple[Path, ...], write: bool) -> None:
    """Show how older scenario files are written now, comments and all, or write them so."""
    from .migrate import migrate_command

    raise click.exceptions.Exit(migrate_command(files, write))


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete names and keys.

    For bash, put `eval "$(nudgelab completion bash)"` into ~/.bashrc; for zsh the same with zsh into ~/.zshrc; for fish
    write it to ~/.config/fish/completions/nudgelab.fish.
    """
    click.echo(write_completion_script(main, shell))


@main.command()
def info() -> None:
    """Print versions, threads, linear algebra and the folder of compiled kernels."""
    from ..api import describe_machine

    for name, value in describe_machine():
        click.echo(f"{name:<17} {value}")


if __name__ == "__main__":
    main()
