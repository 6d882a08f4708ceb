"""The answer on the terminal, and as numbers for other programs; read from a result and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from substrate.protocol import has_settled

from ..drawing.sheet import Sheet
from ..results.store import Group, Result
from ..results.views import last_epoch, latest
from .answer import answer, remarks
from .sheets import sheets
from .terminal import lines_of, wrapped

_EPOCHS = 8
_MEASURED = {
    "gradient": {
        "cosine",
        "norm_ratio",
        "cosine_ep",
        "cosine_matching_rule",
        "angle_weights",
        "symmetry_couplings",
        "symmetry_reference",
        "homeostasis_loss",
    },
    "alarms": {"dead", "saturated", "unsettled"},
    "ledger": {"relative", "median"},
    "signal": {"activity", "delta", "evoked"},
    "nudge": {"bias", "variance", "mse", "cosine", "asymmetry", "best"},
}


def show(result: Result, console: Console) -> None:
    """Print the tables and the answer of a run."""
    for sheet in sheets(result, _EPOCHS):
        print_sheet(sheet, console)
    for line in [answer(result), *remarks(result)]:
        print_words(line, console)


def open_lines(path: Path) -> str:
    """Return the three lines of Python that open a result file."""
    return f'import xarray\nrun = xarray.open_datatree({str(path)!r}, engine="h5netcdf")\nprint(run)'


def metrics(result: Result) -> dict[str, float | None]:
    """Return the final numbers under stable keys; what is not a finite number becomes None.

    Returns
    -------
    dict
        Keys are slash paths like those of the result file: ``metrics/error_test`` of the last epoch,
        ``gradient/cosine/<scheme>/<layer>``, ``ledger/relative/<scheme>/<layer>/<term>`` of the last
        measured epoch, ``nudge/mse/<scheme>/<layer>``, ``evaluate/error_mean`` and so on;
        ``settling/settled`` is a fraction.
    """
    last = latest(result).groups
    found: dict[str, float] = {}
    if "metrics" in last:
        found["metrics/epoch"] = float(last["metrics"]["epoch"].data[-1])
        for path in ("metrics", "metrics_exact"):
            group = last_epoch(last.get(path, {}))
            found |= _flat(path, group, set(group))
        found["metrics/wall_s"] = float(np.nansum(last["metrics"]["wall_s"].data))
    if "evaluate" in last:
        found |= _over_chips(last["evaluate"])
    for path, names in _MEASURED.items():
        found |= _flat(path, last.get(path, {}), names)
    if "settling" in last:
        found["settling/settled"] = float(np.mean(has_settled(last["settling"]["status"].data)))
        found["settling/steps_max"] = float(last["settling"]["steps"].data.max())
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def _flat(path: str, group: Group, names: set[str]) -> dict[str, float]:
    """Return the numbers of some variables of a group under path, name and place in words."""
    found = {}
    for name, variable in group.items():
        if name not in names or variable.dims == (name,):
            continue
        for place in np.ndindex(variable.data.shape):
            words = [str(group[dim].data[i]) for dim, i in zip(variable.dims, place, strict=True)]
            found["/".join([path, name, *words])] = float(variable.data[place])
    return found


def _over_chips(group: Group) -> dict[str, float]:
    found = {"evaluate/chips": float(len(group["chip"].data))}
    for name in ("loss", "error", "unsettled"):
        good = group[name].data[np.isfinite(group[name].data)]
        found[f"evaluate/{name}_mean"] = float(good.mean()) if good.size else math.nan
        found[f"evaluate/{name}_std"] = float(good.std(ddof=1)) if good.size > 1 else math.nan
        found[f"evaluate/{name}_worst"] = float(good.max()) if good.size else math.nan
    return found


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print one table with its note."""
    for line in wrapped(sheet.title, console.width):
        console.print(Text(line, "italic"))
    for line in lines_of(sheet, console.width):
        console.print(Text(line), soft_wrap=True)
    if sheet.note:
        print_words(sheet.note, console)
    console.print()


def print_words(text: str, console: Console) -> None:
    """Print a paragraph: on a terminal its lines break between words, elsewhere it is one line."""
    for line in wrapped(text, console.width) if console.is_terminal else [text]:
        console.print(Text(line), soft_wrap=True)
