"""What is done with files beside running scenarios: lists, reports, starters, the schema, versions."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..language.files import list_preset_files
from ..language.places import find_catalogue, read_title

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .compare import Comparison
    from .result import Result, SweepResult
    from .scenario import Scenario


def catalogue() -> dict[str, str]:
    """Return the bundled scenarios, by name, each with its title."""
    return _read_titles(find_catalogue())


def list_presets() -> dict[str, dict[str, str]]:
    """Return what a scenario can start from, `presets` and published `devices`, by name, each with its title."""
    from ..language.device_presets import list_device_presets

    groups = {"presets": list_preset_files(), "devices": list_device_presets()}
    return {group: _read_titles({path.stem: path for path in paths}) for group, paths in groups.items()}


def _read_titles(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: read_title(path.read_text(encoding="utf-8")) for name, path in files.items()}


def report(path: str | Path) -> list[Path]:
    """Write the report and the figures of a kept run or sweep again, or the card of a published device.

    Parameters
    ----------
    path : str or Path
        The folder of a run or its result file, or that of a sweep, whose points are put together again; or the name
        of a device, whose card goes into the working folder.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    StoreReadError
        If there is no such result, or it is unreadable.
    StoreWriteError
        If a file cannot be written.
    """
    from ..language.device_presets import DEVICE_PRESETS, read_device_preset
    from ..language.faults import ask_did_you_mean, find_similar
    from ..report.cards import write_card
    from ..report.page import write_report
    from ..results.store import StoreReadError, read_result_file
    from ..run.run import RESULT
    from ..sweeps.folder import CUBE
    from .sweep import merge

    device, path = DEVICE_PRESETS / f"{path}.toml", Path(path)
    if not path.exists() and device.exists():
        card = Path(f"{path}.html")
        write_card(read_device_preset(device), card)
        return [card]
    if (path / CUBE).exists():
        return merge(path).files
    file = path / RESULT if path.is_dir() else path
    try:
        return write_report(read_result_file(file), file.parent)
    except StoreReadError as error:
        devices = [] if path.exists() else [preset.stem for preset in DEVICE_PRESETS.glob("*.toml")]
        meant = ask_did_you_mean(find_similar(str(path), devices))
        raise StoreReadError(" - ".join(filter(None, [str(error), meant]))) from error


def compare(a: Result | SweepResult | str | Path, b: Result | SweepResult | str | Path) -> Comparison:
    """Compare two results, runs or sweeps, or their folders: keys that differ, and figures that changed.

    Raises
    ------
    StoreReadError
        If one of them cannot be read.
    """
    from .compare import Comparison, read_side

    return Comparison(read_side(a), read_side(b))


def export_schema(folder: Path | None = None) -> str:
    """Return the JSON Schema of scenario files; with a folder, write it there and return the path of the file.

    Raises
    ------
    StoreWriteError
        If the system refuses.
    """
    from ..language.json_schema import FILE, format_json_schema
    from ..results.disk import convert_write_errors, write_file

    if folder is None:
        return format_json_schema()
    with convert_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE, format_json_schema().encode())
    return str(folder / FILE)


def describe_machine() -> list[tuple[str, str]]:
    """Return versions, threads, linear algebra and the folder of compiled kernels, each with its name."""
    from substrate.engine.door import CACHE
    from substrate.engine.threads import count_available_threads, describe_blas

    libraries = ("numpy", "scipy", "numba", "h5py", "matplotlib", "pydantic")
    return [
        ("nudgelab", version("nudgelab")),
        ("python", platform.python_version()),
        *((name, version(name)) for name in libraries),
        ("threads", str(count_available_threads())),
        ("linear algebra", describe_blas()),
        ("compiled kernels", str(CACHE.folder or "not kept")),
        *(("", f"not in {folder}: {reason}") for folder, reason in CACHE.refused.items()),
    ]


def serve_board(
    scenario: Scenario, at: str | int | None, told: Callable[[str], None], stopped: Callable[[], bool]
) -> None:
    """Serve the simulated chip of a scenario as a board at a serial port or a socket, until asked to stop.

    Parameters
    ----------
    scenario : Scenario
        With the chip; its table ``[hardware]``, if it has one, gives scales and losses of the line.
    at : str, int or None
        Port to serve at, such as one end of a pair of ports; number of a socket of this machine to listen at, 0 for any
        that is free; None: a new pair of ports is made.
    told : callable
        Is told the port to open at the other end, once the board listens.
    stopped : callable
        Tells whether to end.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If the port cannot be opened, or the scenario describes no chip that a board can have.
    """
    from substrate.hardware.board import BoardError, TransferError

    from ..boards.mock import serve_mock_board
    from ..build import Setup, make_any_setup
    from ..experiments.kind import RunError

    setup = make_any_setup(scenario.loaded)
    if not isinstance(setup, Setup):
        raise RunError("network.law: boards have rate networks, no circuits")
    try:
        serve_mock_board(setup, at, told, stopped)
    except (BoardError, TransferError) as error:
        raise RunError(str(error)) from error
