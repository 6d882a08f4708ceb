"""All points of a sweep in one labelled cube: the arrays of a result file with the axes of the sweep in front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..experiments.kind import list_kinds
from ..results.points import PointStatus, is_single
from ..results.store import Group, StoreReadError, Variable, read_similar_groups
from .folder import POINTS, SweepPlan
from .point import Outcome

_TIMES = ("wall_s",)
"""Figures of the machine that ran a point, not of the chip: they stay in the file of the point."""


class GroupStack:
    """One group of many points.

    Labels that differ between points, such as epochs of trainings that ended early, are united; nan fills the
    rest. A dimension of one label that differs, such as the scheme on an axis of schemes, is left out.

    Parameters
    ----------
    shape : tuple of int
        Shape of the design.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._labels: dict[str, list[Any]] = {}
        self._alone: dict[str, dict[tuple[int, ...], Any]] = {}
        self._models: dict[str, Variable] = {}
        self._data: dict[str, np.ndarray] = {}

    def add(self, place: tuple[int, ...], group: Group) -> None:
        """Add the group of one point."""
        figures = {name: v for name, v in group.items() if v.dims != (name,) and v.data.dtype.kind in "fiub"}
        labels: dict[str, list[Any]] = {}
        for variable in figures.values():
            for dim, size in zip(variable.dims, variable.data.shape, strict=True):
                labels[dim] = group[dim].data.tolist() if dim in group else list(range(size))
        for dim, own in labels.items():
            self._meet(dim, own, place)
            if dim in group:
                self._models.setdefault(dim, group[dim])
        for name, variable in figures.items():
            self._put(name, variable, place, labels)

    def _meet(self, dim: str, own: list[Any], place: tuple[int, ...]) -> None:
        """Make room for the labels of a point along one dimension."""
        if dim not in self._labels:
            self._labels[dim] = list(own)
            if len(own) == 1:
                self._alone[dim] = {}
        if dim in self._alone:
            if len(own) == 1:
                self._alone[dim][place] = own[0]
                return
            self._spread(dim, self._alone.pop(dim))
        new = [label for label in own if label not in self._labels[dim]]
        if new:
            self._grow(dim, new)

    def _spread(self, dim: str, alone: dict[tuple[int, ...], Any]) -> None:
        """Give every label a place of its own, where all points had a single one until now."""
        labels = list(dict.fromkeys(alone.values()))
        old, self._labels[dim] = self._data, labels
        self._data = {name: self._empty(name) for name in old}
        for name, array in old.items():
            dims = self._models[name].dims
            if dim not in dims:
                self._data[name] = array
                continue
            axis = dims.index(dim)
            for place, label in alone.items():
                target = np.moveaxis(self._data[name][place], axis, 0)
                target[labels.index(label)] = np.moveaxis(array[place], axis, 0)[0]

    def _grow(self, dim: str, new: list[Any]) -> None:
        before = len(self._labels[dim])
        self._labels[dim] = self._labels[dim] + new
        for name, old in self._data.items():
            dims = self._models[name].dims
            if dim in dims:
                self._data[name] = self._empty(name)
                axis = len(self._shape) + dims.index(dim)
                np.moveaxis(self._data[name], axis, 0)[:before] = np.moveaxis(old, axis, 0)

    def _empty(self, name: str) -> np.ndarray:
        inner = (1 if dim in self._alone else len(self._labels[dim]) for dim in self._models[name].dims)
        return np.full((*self._shape, *inner), np.nan)

    def _put(self, name: str, variable: Variable, place: tuple[int, ...], labels: dict[str, list[Any]]) -> None:
        if name not in self._data:
            self._models[name] = variable._replace(data=None)
            self._data[name] = self._empty(name)
        if self._models[name].dims != variable.dims:
            raise ValueError(
                f"{name} has the dimensions {variable.dims} in one point, {self._models[name].dims} in others"
            )
        index = [
            [0] if d in self._alone else [self._labels[d].index(text) for text in labels[d]] for d in variable.dims
        ]
        cell: Any = (*place, *np.ix_(*index))
        self._data[name][cell] = variable.data

    def group(self, names: tuple[str, ...]) -> Group:
        """Return the group with the dimensions `names` in front, labels of numbers in order."""
        left_out = {dim for dim, found in self._alone.items() if len(set(found.values())) > 1}
        done: Group = {}
        for dim in self._labels.keys() - left_out:
            if dim in self._models:
                done[dim] = self._models[dim]._replace(data=np.array(self._ordered(dim)))
        for name in self._data:
            model = self._models[name]
            dims = (*names, *(dim for dim in model.dims if dim not in left_out))
            done[name] = model._replace(dims=dims, data=self._in_order(name, left_out), flags=None)
        return done

    def _in_order(self, name: str, left_out: set[str]) -> np.ndarray:
        """Return an array with sorted labels and without the dimensions that are left out."""
        array, dims = self._data[name], self._models[name].dims
        for k, dim in reversed(list(enumerate(dims))):
            axis = len(self._shape) + k
            if dim in left_out:
                array = array.take(0, axis)
            else:
                order = [self._labels[dim].index(label) for label in self._ordered(dim)]
                array = array.take(order, axis)
        return array

    def _ordered(self, dim: str) -> list[Any]:
        labels = self._labels[dim]
        return labels if any(isinstance(label, str) for label in labels) else sorted(labels)


def make_cube(folder: Path, plan: SweepPlan, outcomes: Sequence[Outcome | None]) -> dict[str, Group]:
    """Return the groups of the merged file.

    Parameters
    ----------
    folder : Path
        The folder of the sweep.
    plan : Plan
    outcomes : sequence of Outcome or None
        In the order of the plan; None where a point has not run.

    Raises
    ------
    StoreReadError
        If the file of a point has gone bad since it was looked at.
    """
    stacks: dict[str, GroupStack] = {}
    models: dict[str, Variable] = {}
    status = np.full(plan.shape, PointStatus.MISSING, dtype=np.int8)
    for place, outcome in zip(plan.places(), outcomes, strict=True):
        if outcome is None:
            continue
        status[place] = PointStatus[outcome.status.upper()]
        if status[place] <= PointStatus.DIVERGED:
            path = folder / POINTS / f"{outcome.id}.h5"
            found = read_similar_groups(path, _list_kept_groups(), models, is_single)
            try:
                for name, group in found.items():
                    figures = {key: v for key, v in group.items() if key not in _TIMES}
                    stacks.setdefault(name, GroupStack(plan.shape)).add(place, figures)
            except Exception as error:
                text = f"{path} is damaged, or from another sweep ({error}); remove it and repeat the command"
                raise StoreReadError(text) from error
    axes = _make_axis_variables(plan)
    points: Group = {
        "status": Variable(plan.names, status, long_name="how the point ended", flags=PointStatus),
        "id": Variable(plan.names, np.array(plan.ids).reshape(plan.shape), long_name="name of its file in points"),
        "instance": Variable(plan.names, plan.instances(), long_name="fabricated chip"),
    }
    return {"points": axes | points} | {name: axes | stack.group(plan.names) for name, stack in stacks.items()}


def _make_axis_variables(plan: SweepPlan) -> Group:
    """Return the coordinates of the design."""
    found: Group = {}
    for dim in plan.dims:
        if dim.name not in dim.coordinates:
            found[dim.name] = Variable((dim.name,), np.arange(dim.size), long_name="number of the level")
        for path, values in dim.coordinates.items():
            found[path] = Variable((dim.name,), np.array(values), long_name=path)
    return found | {plan.names[-1]: Variable((plan.names[-1],), np.arange(plan.replicates), long_name=plan.replicate)}


def _list_kept_groups() -> tuple[str, ...]:
    """Return the groups that points have figures in."""
    return tuple(name for kind in list_kinds() for name in kind.kept)
