"""Slow noise of the membranes, which runs on from one settling to the next and through the time in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import advance_ornstein_uhlenbeck
from devices.random import Stream

Array = NDArray[np.float64]

PLANES = ("", "-imaginary")
"""What the names of the noise say of the real and the imaginary plane, each a machine with noise of its own."""


class SlowState(NamedTuple):
    """Slow processes at the beginning of a settling."""

    name: str
    """Names the draws of this settling."""

    values: tuple[Array, ...]
    """By plane, (processes, batch, units); units of the state."""


class SlowDrive:
    """The slow processes that drive the membranes of one chip; a new batch finds them anew, stationary.

    Where a settling has no imaginary plane, the time it takes passes for the noise of that plane all the same.

    Parameters
    ----------
    times : array (processes,)
        Correlation times, in tau.
    units : int
        How many are driven.
    stream : callable
        ``stream(purpose)`` names the draws of this chip.
    board : str
        Ends the names of the settlings of a second board.
    """

    def __init__(self, times: Array, units: int, stream: Callable[[str], Stream], board: str = "") -> None:
        self._times, self._units, self._stream, self._board = times, units, stream, board
        self.restart(np.zeros(0, dtype=np.int64), "")

    @property
    def on(self) -> bool:
        """Tell whether there is any."""
        return len(self._times) > 0

    def restart(self, ids: NDArray[np.int64], name: str) -> None:
        """Begin with a new batch: `ids` (batch,) and `name` name the draws of its settlings, which are counted anew."""
        self._ids, self._name, self._settlings = ids, name, 0
        # Before the first settling all time has passed.
        self._passed = [np.full(len(ids), np.inf) for _ in PLANES]
        self._values = [np.zeros((len(self._times), len(ids), self._units if self.on else 0)) for _ in PLANES]

    def elapse(self, time: Array | float) -> None:
        """Let the time (batch,) pass between two settlings, in tau."""
        self._passed = [passed + time for passed in self._passed]

    def begin(self, planes: int, sizes: Array) -> SlowState:
        """Return the processes where the next settling, of so many planes, begins.

        Their standard deviations (processes, 1 or batch, 1 or units) are those of the settlings before.
        """
        self._settlings += 1
        name = f"{self._name}/{self._settlings}{self._board}"
        for plane in range(planes):
            if self._passed[plane].any():
                self._catch_up(plane, name, sizes)
        return SlowState(name, tuple(self._values[:planes]))

    def end(self, values: tuple[Array, ...], time: Array) -> None:
        """Keep where a settling that took `time` (batch,) left the processes of its planes."""
        self.elapse(time)
        for plane, value in enumerate(values):
            self._values[plane], self._passed[plane] = value, np.zeros(len(self._ids))

    def _catch_up(self, plane: int, name: str, sizes: Array) -> None:
        """Draw what the time since the last settling of a plane has made of its processes, exactly."""
        for k, (time, size) in enumerate(zip(self._times, sizes, strict=True)):
            stream = self._stream(f"noise{PLANES[plane]}/start/{k}/{name}")
            fresh = size * stream.normal_rows(self._ids, self._units)
            kept = np.exp(-self._passed[plane] / time)[:, None]
            self._values[plane][k] = advance_ornstein_uhlenbeck(self._values[plane][k], kept, fresh)
        self._passed[plane] = np.zeros(len(self._ids))
