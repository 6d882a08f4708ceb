"""Which kind of file is fitted by what, and the units of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from devices.parameters import convert_quantity

from . import converter, current_voltage, pulses, realised, repeated, trains, transfer
from .columns import Column, Columns, read_columns
from .fitted import FitError, FitResult

Array = NDArray[np.float64]


class FitOptions(NamedTuple):
    """What files do not say."""

    weight: str | float | None = None
    """Conductance of a weight of 1, siemens, or text with a unit; absent: numbers are units of the weight."""

    zero: str | float | None = None
    """Conductance of a weight of 0."""

    bits: int | None = None
    """Resolution of a converter."""


class _Kind(NamedTuple):
    columns: Sequence[Column]
    fit: Callable[[Columns, FitOptions], FitResult]
    weights: tuple[str, ...] = ()
    """Columns that hold weights or conductances."""


_KINDS: dict[str, _Kind] = {
    "pulses": _Kind(trains.COLUMNS, lambda c, _: pulses.fit_pulses(c), ("weight",)),
    "reads": _Kind(repeated.COLUMNS, lambda c, _: repeated.fit_repeated_reads(c), ("value",)),
    "weights": _Kind(realised.COLUMNS, lambda c, _: realised.fit_realised_weights(c), ("target", "measured")),
    "transfer": _Kind(transfer.COLUMNS, lambda c, _: transfer.fit_transfer_curves(c)),
    "adc": _Kind(converter.COLUMNS, lambda c, o: converter.fit_converter(c, o.bits)),
    "iv": _Kind(current_voltage.COLUMNS, lambda c, _: current_voltage.fit_current_voltage(c)),
}


def fit_files(paths: Sequence[Path], kind: str, options: FitOptions) -> FitResult:
    """Return what files of one kind say together.

    Raises
    ------
    FitError
        If one cannot be read or fitted, an option does not belong to the kind, or there is no file or no such kind.
    """
    if kind not in _KINDS:
        raise FitError(f"kind = {kind!r}: must be one of {', '.join(_KINDS)}")
    if not paths:
        raise FitError("no file: name one or more")
    one = _KINDS[kind]
    if not one.weights and (options.weight is not None or options.zero is not None):
        raise FitError(
            f"weight and zero are conductances of weights, which files of {kind} do not hold: leave them out"
        )
    if kind != "adc" and options.bits is not None:
        raise FitError(f"bits belong to a converter, not to {kind}: leave them out")
    files = [read_columns(path, one.columns) for path in paths]
    found = one.fit(_convert_weights(_join_files(files), one.weights, options), options)
    return found._replace(notes=[*found.notes, *sorted({file.told for file in files} - {""})])


def _join_files(files: Sequence[Columns]) -> Columns:
    """Return the lines of all files below each other; each file has devices of its own."""
    first = files[0]
    if len(files) == 1:
        return first
    for other in files[1:]:
        if other.values.keys() != first.values.keys() or other.units != first.units:
            told = [
                ", ".join(f"{name} ({unit})" if unit else name for name, unit in f.units.items())
                for f in (first, other)
            ]
            raise FitError(f"{other.path.name} has {told[1]}, but {first.path.name} {told[0]}; give files of one form")
    values = {name: np.concatenate([file.values[name] for file in files]) for name in first.values}
    own = [file.values.get("device", np.zeros(len(next(iter(file.values.values()))))) for file in files]
    ranks = [np.unique(device, return_inverse=True)[1] for device in own]
    ends = np.cumsum([0, *(rank.max() + 1 for rank in ranks)])
    values["device"] = np.concatenate([rank + end for rank, end in zip(ranks, ends[:-1], strict=True)]).astype(
        np.float64
    )
    return Columns(first.path, values, first.units | {"device": ""})


def _convert_weights(columns: Columns, names: Sequence[str], options: FitOptions) -> Columns:
    """Return columns with conductances as weights: ``(G - zero)/weight``."""
    units = {columns.units[name] for name in names}
    if not names or (units <= {"", "V"} and options.weight is None and options.zero is None):
        return columns
    if "V" in units:
        raise FitError(f"{columns.path.name}: the numbers are in V, no conductances: leave weight and zero out")
    if options.weight is None:
        what = f"the numbers are in {', '.join(sorted(units))}" if units > {""} or units - {""} else "zero is given"
        raise FitError(f'{columns.path.name}: {what}; say what a weight of 1 is, --weight "25 uS", and of 0 (--zero)')
    one, zero = (
        _read_siemens(name, value) for name, value in (("weight", options.weight), ("zero", options.zero or 0.0))
    )
    if one <= 0.0:
        raise FitError(f"weight = {options.weight!r}: must be above 0")
    values = dict(columns.values)
    for name in names:
        values[name] = (values[name] - zero) / one
    return columns._replace(values=values, units=columns.units | dict.fromkeys(names, "weight"))


def _read_siemens(name: str, value: str | float) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return convert_quantity(value, "S")
    except PydanticCustomError as error:
        raise FitError(f'{name} = {value!r}: must be a conductance such as 25e-6 or "25 uS"') from error
