"""Rows that are made when they are asked for: of pictures in a file, in place of a whole array in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LazyRows(ABC):
    """What stands for an array (samples, columns): a slice is as lazy, places of samples give an array."""

    raw: NDArray[Any]
    """What the rows are made of, samples first; may lie in a file."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """Numbers of a row."""

    @abstractmethod
    def make(self, raw: NDArray[Any]) -> Array:
        """Return the rows (samples, columns) of some of `raw`, each made by itself."""

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and columns."""
        return len(self.raw), self.columns

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.raw)

    @overload
    def __getitem__(self, places: slice) -> Self: ...

    @overload
    def __getitem__(self, places: NDArray[np.int64]) -> Array: ...

    def __getitem__(self, places: slice | NDArray[np.int64]) -> Self | Array:
        """Return some rows, for a slice without making them."""
        if isinstance(places, slice):
            return replace(self, raw=self.raw[places])
        return self.make(self.gather(places))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all rows."""
        return np.asarray(self.make(np.asarray(self.raw)), dtype=dtype)

    def gather(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Return `raw` at some places; a file is read from its begin to its end."""
        order = np.argsort(places, kind="stable")
        found = np.empty((len(places), *self.raw.shape[1:]), self.raw.dtype)
        found[order] = self.raw[places[order]]
        return found


@dataclass(frozen=True)
class OneHotRows(LazyRows):
    """Targets of labels, (samples,): 1 at the class, 0 elsewhere."""

    classes: int

    @property
    def columns(self) -> int:
        """Numbers of a row."""
        return self.classes

    def make(self, raw: NDArray[Any]) -> Array:
        """Return the targets (samples, classes) of some labels."""
        return encode_one_hot(raw, self.classes)


def encode_one_hot(labels: NDArray[Any], width: int) -> Array:
    """Return the targets (samples, width) of labels: 1 at the class, 0 elsewhere."""
    targets = np.zeros((len(labels), width))
    targets[np.arange(len(labels)), labels] = 1.0
    return targets
