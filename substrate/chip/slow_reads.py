"""Noise of reads that is still there at the next read: 1/f and telegraph noise, along the time between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import Noise, jumps, later, switched
from devices.random import Stream

from .design import Fabrication

Array = NDArray[np.float64]


class SlowReads:
    """The slow noise behind all units of one chip, in one plane; a new batch finds it anew.

    The draw of a read depends on its name and the samples alone, and its correlation to the read before on the
    time between the two.

    Parameters
    ----------
    noise : Noise
        Levels in units of the activity.
    units : int
        How many are read.
    fabrication : Fabrication
        Names the draws.
    plane : int
        0 or 1.
    """

    def __init__(self, noise: Noise, units: int, fabrication: Fabrication, plane: int) -> None:
        self._noise, self._fabrication, self._units = noise, fabrication, units
        self._times = noise.octaves() if noise.read_flicker else np.zeros(0)
        self._jumps: Array | None = None
        if noise.telegraph is not None:
            streams = (self._stream(f"telegraph-{part}/{plane}") for part in ("height", "trap"))
            self._jumps = jumps(noise.telegraph, units, *streams)
        self.restart(np.zeros(0, dtype=np.int64))

    def restart(self, ids: NDArray[np.int64]) -> None:
        """Begin with a new batch of samples `ids` (batch,)."""
        self._ids, self._passed = ids, np.full(len(ids), np.inf)
        self._octaves = np.zeros((len(self._times), len(ids), self._units))
        self._trap = np.zeros((len(ids), self._units))

    def elapse(self, time: Array) -> None:
        """Let the time (batch,) pass, in tau; below 0 the next read was earlier: the processes look alike backwards."""
        self._passed = self._passed + time

    def now(self, name: str) -> Array:
        """Return the noise of the read `name`, (batch, units)."""
        found = np.zeros((len(self._ids), self._units))
        for k, time in enumerate(self._times):
            fresh = self._stream(f"read-octave{k}/{name}").normal_rows(self._ids, self._units)
            self._octaves[k] = later(self._octaves[k], self._kept(time), fresh)
            found += self._noise.read_flicker / np.sqrt(len(self._times)) * self._octaves[k]
        if self._jumps is not None and self._noise.telegraph is not None:
            fresh = self._stream(f"read-telegraph/{name}").uniform_rows(self._ids, self._units)
            self._trap = switched(self._trap, self._kept(self._noise.telegraph.time), fresh)
            found += self._jumps * self._trap
        self._passed = np.zeros(len(self._ids))
        return found

    def _kept(self, time: float) -> Array:
        # Before the first read all time has passed.
        return np.asarray(np.exp(-np.abs(self._passed) / time)[:, None])

    def _stream(self, purpose: str) -> Stream:
        return Stream(self._fabrication.seed, purpose, self._fabrication.instance)
