"""The figure that a sweep is judged by, of every point: read from the merged file and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..experiments.kind import Headline, find_kind
from ..results.points import PointStatus
from ..results.store import Group, ResultData

Array = NDArray[np.float64]

_RULE = "cosine_matching_rule"


class DesignAxis(NamedTuple):
    """One dimension of the design as a reader sees it."""

    dim: int
    path: str
    values: NDArray[Any]
    """Numbers or texts, one per level."""

    @property
    def numeric(self) -> bool:
        """Whether the levels are numbers."""
        return bool(self.values.dtype.kind in "if")


class Metric(NamedTuple):
    """The figure of every point."""

    name: str
    words: str
    values: Array
    """Over (dimensions ..., replicate, series); nan where a point is not good."""

    series: list[str]
    """Such as layers."""

    rule: Array | None
    """The matching rule, of the same shape, where it was measured; else None."""

    cosine: bool
    """Whether large is good, with 1 the best."""

    unit: str = ""
    """What stands behind a number."""

    @property
    def worst(self) -> Array:
        """The worst series of every point, over (dimensions ..., replicate); nan where any is not known."""
        return np.asarray(self.values.min(axis=-1) if self.cosine else self.values.max(axis=-1))


def list_axes(result: ResultData) -> list[DesignAxis]:
    """Return every varied key that has more than one level, in order of the dimensions."""
    points, names = result["points"], result["points"]["status"].dims[:-1]
    found = []
    for k, dim in enumerate(names):
        own = [name for name, v in points.items() if v.dims == (dim,)]
        paths = [name for name in own if name != dim] or own
        found += [DesignAxis(k, path, points[path].data) for path in paths if len(points[path].data) > 1]
    return found


def find_metric(result: ResultData) -> Metric | None:
    """Return the figure that suits the experiment; None where no point has one."""
    for headline in find_kind(str(result.attributes["experiment"])).headlines:
        group = result.groups.get(headline.group, {})
        if headline.name in group and np.isfinite(group[headline.name].data).any():
            return _read_metric(result, group, headline)
    return None


def convert_to_percent(metric: Metric | None) -> Metric | None:
    """Return the figure as readers see it: shares in percent, all else as it is."""
    if metric is None or not metric.name.rpartition("/")[2].startswith("error"):
        return metric
    return metric._replace(values=100.0 * metric.values, words=f"{metric.words} (%)", unit=" %")


def make_metric_columns(metric: Metric) -> dict[str, Array]:
    """Return the figure by the name of a column, over (dimensions ..., replicate): the worst, then every series."""
    name = metric.name.rpartition("/")[2]
    single = {f"{name}_{series}": metric.values[..., s] for s, series in enumerate(metric.series) if series}
    return {f"{name}_worst": metric.worst} | single


def _read_metric(result: ResultData, group: Group, headline: Headline) -> Metric:
    place, name, over = headline
    variable, status = group[name], result["points"]["status"]
    shape, inner = status.data.shape, variable.dims[status.data.ndim :]
    good = (status.data == PointStatus.OK)[..., None]
    if over == "last":
        values, series = _find_last_numbers(variable.data.reshape(*shape, -1)), [""]
    elif over == "mean":
        values, series = _average_series(variable.data.reshape(*shape, -1)), [""]
    else:
        values, series = variable.data.reshape(*shape, -1), _make_series_labels(group, inner)
    rule = None
    if _RULE in group and inner[-1:] == ("layer",):
        spread = np.broadcast_to(
            group[_RULE].data.reshape(*shape, *[1] * (len(inner) - 1), -1), variable.data.shape
        ).reshape(*shape, -1)
        rule = np.where(good, spread, np.nan)
    return Metric(
        f"{place}/{name}", variable.long_name or name, np.where(good, values, np.nan), series, rule, name == "cosine"
    )


def _make_series_labels(group: Group, dims: tuple[str, ...]) -> list[str]:
    """Return a name for every place along the inner dimensions; what does not differ is left out."""
    columns = [[str(label) for label in group[dim].data] for dim in dims]
    grid = [", ".join(words) for words in _combine_labels([c for c in columns if len(c) > 1])]
    return grid or [""]


def _combine_labels(columns: list[list[str]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [()]
    for column in columns:
        rows = [(*row, word) for row in rows for word in column]
    return rows


def _find_last_numbers(curves: Array) -> Array:
    """Return the last number of every curve that is not nan, with an axis of one series."""
    there = np.isfinite(curves)
    last = curves.shape[-1] - 1 - there[..., ::-1].argmax(axis=-1)
    return np.where(there.any(axis=-1), np.take_along_axis(curves, last[..., None], -1)[..., 0], np.nan)[..., None]


def _average_series(values: Array) -> Array:
    """Return the mean of the numbers that are not nan, with an axis of one series."""
    there = np.isfinite(values)
    count = there.sum(axis=-1)
    total = np.where(there, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))[..., None]
