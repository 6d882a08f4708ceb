"""What is found out about a device or a running chip from measurements: files are fitted, chips identified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from .scenario import Edits, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..results.store import ResultData
    from .fitted import FittedDevice

_SCENARIO = "scenario.toml"

FitKind = Literal["pulses", "reads", "weights", "transfer", "adc", "iv"]
"""What a file holds."""


def fit(
    files: str | Path | Sequence[str | Path],
    kind: FitKind,
    *,
    weight: str | float | None = None,
    zero: str | float | None = None,
    bits: int | None = None,
) -> FittedDevice:
    """Return what measurements of devices say: laws and spreads with intervals of 90 %.

    Parameters
    ----------
    files : str, Path or sequence of them
        Text tables with a line of names, npz or HDF5 files; devices of several files are told apart.
    kind : {"pulses", "reads", "weights", "transfer", "adc", "iv"}
        `pulses`: columns ``device,direction,weight``, what was read after each pulse, +1 up, -1 down, 0 none;
        `reads`: ``time,value`` and optionally ``device``; `weights`: ``target,measured``;
        `transfer`: ``input,output`` and optionally ``device``; `adc`: ``input,code`` of a ramp or ``code,count`` of
        its histogram; `iv`: ``voltage,current`` and optionally ``device``.
    weight, zero : str or float, optional
        Conductances of a weight of 1 and of 0, such as "25 uS", for numbers in siemens.
    bits : int, optional
        Resolution of a converter; absent: by its largest code.

    Raises
    ------
    FitError
        If a file cannot be read or fitted; the text names the file, what is wrong, and what is allowed.
    """
    from ..fitting.fit import FitOptions, fit_files
    from .fitted import FittedDevice

    paths = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    found = fit_files(paths, kind, FitOptions(weight, zero, bits))
    return FittedDevice(found, f"own measurement: {', '.join(path.name for path in paths)}", f"nudgelab fit, {kind}")


def identify(
    what: str | Path,
    edits: Edits = (),
    reads: int = 20,
    instance: int | None = None,
    file: str | Path | None = None,
) -> FittedDevice:
    """Return the spreads of a running chip, that of a scenario or as a kept training left it.

    Parameters
    ----------
    what : str or Path
        The name or the file of a scenario, or the folder of a run.
    edits, reads, instance, file
        As those of `load` and `Scenario.identify`.

    Raises
    ------
    ScenarioError
        If the scenario is faulty, or a file of it does not fit.
    StoreReadError
        If the folder holds no run.
    FitError
        If nothing can be identified.
    """
    from ..results.store import StoreReadError, read_result_file
    from ..run.run import RESULT

    folder = Path(what)
    if not folder.is_dir():
        return load(what, edits).identify(reads, instance, file=file)
    if not (folder / _SCENARIO).exists():
        raise StoreReadError(f"{folder} holds no {_SCENARIO}: name the folder of a run, or a scenario")
    programmed = _read_programmed(read_result_file(folder / RESULT))
    return load(folder / _SCENARIO, edits).identify(reads, instance, file=file, programmed=programmed)


def _read_programmed(result: ResultData) -> dict[str, NDArray[np.float64]]:
    """Return the weights and biases that a training ended with, by block; empty where nothing was trained."""
    found = {
        f"weight/{group.removeprefix('weights/')}": variables["programmed"].data
        for group, variables in result.groups.items()
        if group.startswith("weights/") and "programmed" in variables
    }
    biases = result.groups.get("weights/bias", {})
    return found | {f"bias/{name}": variable.data for name, variable in biases.items()}
