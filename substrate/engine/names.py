"""Names of the noise: which random numbers the membranes of a sample get, on every engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ..dynamics.machine import Drive, Machine
from ..dynamics.slow_drive import PLANES


def make_keys(machine: Machine, drive: Drive, planes: int) -> NDArray[np.uint64]:
    """Return the keys of the noise of a settling, (planes, sources, 2), in the order of `list_sources`."""
    seed, instance, phase = drive.names
    slow = "" if drive.slow is None else drive.slow.name
    named = [(source, slow if source.startswith("slow") else phase) for source in list_sources(machine)]
    names = [f"noise{plane}/{source}/{name}" for plane in PLANES[:planes] for source, name in named]
    keys = np.array([Stream(seed, name, instance).key() for name in names], dtype=np.uint64)
    return keys.reshape(planes, -1, 2)


def list_sources(machine: Machine) -> list[str]:
    """Return the names of the independent sources: white, common, then the slow ones of membranes and of cells."""
    return machine.noise.sources() + [f"slow-cells/{k}" for k in range(len(machine.cell_times))]


def find_ids(drive: Drive, samples: slice, count: int) -> NDArray[np.int64]:
    """Return the names of some samples of a batch, `count` of them."""
    ids = np.arange(samples.start, samples.start + count) if drive.ids is None else drive.ids[samples]
    return np.array(ids, dtype=np.int64)
