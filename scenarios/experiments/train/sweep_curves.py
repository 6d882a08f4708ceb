"""The trainings of a sweep: their curves over the epochs, and how they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...drawing.sheet import Sheet
from ...results.points import PointStatus
from ...results.store import Group, ResultData

Array = NDArray[np.float64]

_ROWS = 60


class EpochCurves(NamedTuple):
    """A figure of every training over its epochs."""

    epoch: NDArray[np.int64]

    values: Array
    """Over (dimensions ..., replicate, epoch); nan where a point is not good or has not got so far."""


def read_metric_curves(result: ResultData, name: str, group: str = "metrics") -> EpochCurves | None:
    """Return one figure of every epoch, such as ``error_test``; None where no training has it.

    Parameters
    ----------
    result : Result
        The merged file of a sweep of trainings.
    name : str
        Name in the group.
    group : str
        ``metrics``, or ``metrics_exact`` for the training with exact gradients.
    """
    found = result.groups.get(group, {})
    if name not in found or not np.isfinite(found[name].data).any():
        return None
    return EpochCurves(found["epoch"].data, _mask_failed_points(result, found[name].data))


def read_cosine_curves(result: ResultData) -> dict[str, EpochCurves]:
    """Return the cosine to the exact gradient by layer, of the scheme that trains; empty where none was measured."""
    group = result.groups.get("gradient", {})
    if "cosine" not in group or "epoch" not in group:
        return {}
    values = _mask_failed_points(result, _select_training_scheme(group))
    return {str(layer): EpochCurves(group["epoch"].data, values[..., k]) for k, layer in enumerate(group["layer"].data)}


def _select_training_scheme(group: Group) -> Array:
    """Return the cosine without the dimension of schemes: every point trains with the first one it has."""
    variable = group["cosine"]
    if "scheme" not in variable.dims:
        return np.asarray(variable.data)
    values = np.moveaxis(variable.data, variable.dims.index("scheme"), 0)
    found = values[0]
    for other in values[1:]:
        found = np.where(np.isfinite(found), found, other)
    return np.asarray(found)


def _mask_failed_points(result: ResultData, values: Array) -> Array:
    status = result["points"]["status"].data
    good = (status == PointStatus.OK).reshape(*status.shape, *[1] * (values.ndim - status.ndim))
    return np.where(good, values, np.nan)


def make_end_sheet(result: ResultData, places: Mapping[tuple[int, ...], str]) -> Sheet | None:
    """Return how the trainings end: error, cosines, what did not settle, and what it took.

    Parameters
    ----------
    result : Result
        The merged file of a sweep of trainings.
    places : mapping
        Name of every place of the design, without the replicate.
    """
    columns: dict[str, tuple[Array, float, str]] = {}
    for group, words in (("metrics", ""), ("metrics_exact", ", exact gradients")):
        if (error := read_metric_curves(result, "error_test", group)) is not None:
            columns[f"test error{words} (%)"] = find_last_number(error.values), 100.0, ".1f"
    for k, (layer, cosine) in enumerate(read_cosine_curves(result).items()):
        if k == 0:
            columns[f"cosine {layer}, before"] = cosine.values[..., 0], 1.0, ".3f"
            columns["mean"] = _average_numbers(cosine.values, axis=-1), 1.0, ".3f"
        columns["after" if k == 0 else f"{layer}, after"] = find_last_number(cosine.values), 1.0, ".3f"
    if (angles := read_metric_curves(result, "angle_weights")) is not None:
        columns["angle of pairs (degree)"] = find_last_number(angles.values.max(axis=-1)), 1.0, ".1f"
    if (unsettled := read_metric_curves(result, "unsettled_train")) is not None:
        columns["unsettled (%)"] = _average_numbers(unsettled.values, axis=-1), 100.0, ".2f"
    for name in ("settlings", "reads", "writes"):
        if (spent := read_metric_curves(result, name)) is not None:
            columns[name] = find_last_number(spent.values), 1.0, ".0f"
    if not columns:
        return None
    rows = [
        [words, *(_format_mean_spread(v[place], scale, digits) for v, scale, digits in columns.values())]
        for place, words in places.items()
    ]
    note = (
        "mean and standard deviation over replicates; mean: over the measurements of a training; angle: between "
        "forward and feedback weights, worst pair, at the end; unsettled: mean over all epochs; settlings of one "
        "sample, reads of all units and writes of all weights, in all"
    )
    return Sheet("Trainings", ["at", *columns], rows[:_ROWS], note=note)


def find_last_number(values: Array) -> Array:
    """Return the last number along the last axis that is not nan."""
    there = np.isfinite(values)
    place = values.shape[-1] - 1 - there[..., ::-1].argmax(axis=-1)
    return np.asarray(np.take_along_axis(values, place[..., None], -1)[..., 0])


def _average_numbers(values: Array, axis: int) -> Array:
    """Return the mean of the numbers that are not nan."""
    there = np.isfinite(values)
    total, count = np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def _format_mean_spread(values: Array, scale: float, digits: str) -> str:
    """Return mean and standard deviation of some replicates."""
    there = scale * values[np.isfinite(values)]
    if not len(there):
        return "-"
    spread = float(there.std(ddof=1)) if len(there) > 1 else 0.0
    return f"{there.mean():{digits}}" + (f" \u00b1 {spread:{digits}}" if spread > 0.0 else "")
