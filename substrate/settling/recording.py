"""Settling curves of selected samples and units, with the memory known before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dynamics.methods import Dynamics, Phase, count_whole_steps
from ..protocol import State

LIMIT = 2 * 2**30
"""Largest recording, in bytes, if nothing else is said."""


def times_kept(dynamics: Dynamics, phase: Phase, every: int) -> int:
    """Return how many states of a phase are kept at most, its begin and end included."""
    steps = phase.max_steps
    if phase.fixed:
        steps = phase.steps or count_whole_steps(phase.duration or 0.0, dynamics.dt)
        steps += count_whole_steps(phase.window, dynamics.dt)
    return 2 + -(-steps // every)


def size_fault(shape: tuple[int, int, int], planar: bool, limit: int) -> str:
    """Return in words that a recording (times, samples, units) takes more bytes than the limit; empty if it does not.

    `planar`: states are complex.
    """
    size = math.prod(shape) * (16 if planar else 8)
    words = f"recording {shape[0]} times {shape[1]} samples times {shape[2]} units takes {size / 2**20:.4g} MiB"
    return f"{words}, the limit is {limit / 2**20:.4g} MiB" if size > limit else ""


class Recording:
    """Keeps the state of selected samples and units at every so many steps.

    Parameters
    ----------
    every : int
        Steps between two kept states.
    samples, units : array of int, optional
        Which samples of the batch and units of the state; absent: all.
    limit : int
        Most bytes it may take.
    """

    def __init__(
        self,
        every: int = 1,
        samples: NDArray[np.int64] | None = None,
        units: NDArray[np.int64] | None = None,
        limit: int = LIMIT,
    ) -> None:
        self.every, self.samples, self.units, self.limit = every, samples, units, limit
        self._kept: NDArray[Any] = np.zeros((0, 0, 0))
        self._count = 0

    @property
    def states(self) -> NDArray[Any]:
        """States kept so far, (time, sample, unit)."""
        return self._kept[: self._count]

    def reserve(
        self, state: State, dynamics: Dynamics, phase: Phase, constant: State, beta: complex | State
    ) -> tuple[int, Callable[[State], object]]:
        """Make room for one settling; return what a settling takes.

        Raises
        ------
        ValueError
            If it would take more than the limit, or the method has steps of its own.
        """
        if dynamics.method == "rk45":
            raise ValueError("rk45 gives every sample steps of its own: record with a method of fixed steps")
        samples = len(state) if self.samples is None else len(self.samples)
        units = state.shape[1] if self.units is None else len(self.units)
        planar = np.iscomplexobj(state) or np.iscomplexobj(constant) or np.asarray(np.iscomplex(beta)).any()
        shape = (times_kept(dynamics, phase, self.every), samples, units)
        if fault := size_fault(shape, bool(planar), self.limit):
            raise ValueError(f"{fault}: record fewer samples, units or steps (every = {self.every})")
        self._kept, self._count = np.empty(shape, dtype=np.complex128 if planar else np.float64), 0
        return self.every, self._keep

    def _keep(self, state: State) -> None:
        part = state if self.samples is None else state[self.samples]
        self._kept[self._count] = part if self.units is None else part[:, self.units]
        self._count += 1
