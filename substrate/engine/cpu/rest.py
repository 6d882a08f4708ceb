"""The driver of the sweep kernels: rest points of a batch, tile by tile."""

from __future__ import annotations

import numpy as np

from ...dynamics.machine import Drive, Machine, count_planes
from ...dynamics.methods import Phase
from ...protocol import Settled, State
from ..lengths import make_search_options
from ..protocol import Relaxed
from ..sweeping import DEPTH
from .kernels.anderson import BEST, MARK, MEMORY, RATE, SLOT_DAMPING, Search
from .kernels.drift import Tile
from .kernels.sweeps import CHUNK, search_rest
from .tiles import cell_law, cut, from_rows, in_order, make_tile, prepare, share


def rest(machine: Machine, drive: Drive, start: State, phase: Phase) -> Relaxed:
    """Find the rest point of every sample, see `substrate.engine.protocol.SettlingEngine.rest`."""
    units = machine.tau.shape[0]
    start = start[:, :units]
    planes = count_planes(drive, start)
    options = make_search_options(machine, drive, phase)
    parts = [_part(machine, drive, start, samples, planes, options.damping) for samples in cut(machine, len(start))]
    wiring = prepare(machine)
    last = int(machine.layers[:, 2].max())
    first_law = cell_law(machine, drive.beta, planes, 0)
    second_law = cell_law(machine, drive.beta, planes, last)

    def find(part: tuple[Tile, Search]) -> None:
        tile, search = part
        search_rest(tile, search, wiring, machine.circuit, first_law, second_law, machine.layers, options)

    share(find, parts, machine.threads)
    tiles = [tile for tile, _ in parts]
    state = np.concatenate([from_rows(tile.y, tile.sample, planes) for tile in tiles])
    status, steps, residual = (
        np.concatenate([in_order(getattr(tile, name), tile.sample) for tile in tiles])
        for name in ("status", "steps", "residual")
    )
    return Relaxed(state, Settled(status, steps, residual, np.zeros(len(state))), state)


def _part(
    machine: Machine, drive: Drive, start: State, samples: slice, planes: int, damping: float
) -> tuple[Tile, Search]:
    units, layers, dtype = machine.tau.shape[0], machine.layers, machine.dtype
    tile = make_tile(machine, drive, start, samples, planes, units)
    rows, count = len(tile.y), len(tile.status)
    last = layers[:, 2].max()
    n = planes * int((layers[:, 1] - layers[:, 0])[layers[:, 2] == last].sum())
    memory = np.zeros((count, MEMORY))
    memory[:, SLOT_DAMPING] = damping
    memory[:, [BEST, MARK]] = np.inf
    memory[:, RATE] = 1.0
    search = Search(
        drift=np.zeros((planes * CHUNK, units), dtype=dtype),
        bare=np.zeros((rows, units - machine.circuit.first_output), dtype=dtype),
        **{name: np.zeros(n, dtype=dtype) for name in ("x", "g", "f")},
        **{name: np.empty((count, n), dtype=dtype) for name in ("old_g", "old_f")},
        **{name: np.empty((count, DEPTH * n), dtype=dtype) for name in ("dg", "df")},
        gram=np.zeros((count, DEPTH * DEPTH)),
        memory=memory,
    )
    return tile, search
