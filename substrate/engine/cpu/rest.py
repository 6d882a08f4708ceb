"""The driver of the sweep kernels: rest points of a batch, tile by tile."""

from __future__ import annotations

import numpy as np

from ...dynamics.machine import Drive, Machine, count_planes
from ...dynamics.methods import Phase
from ...protocol import SettlingResult, State
from ..lengths import make_search_options
from ..protocol import Relaxation
from ..sweeping import DEPTH
from .kernels.anderson import BEST, MARK, MEMORY, RATE, SLOT_DAMPING, Search
from .kernels.drift import Tile
from .kernels.sweeps import CHUNK, search_rest
from .tiles import (
    make_tile,
    make_unit_law,
    prepare_wiring,
    read_tile_rows,
    run_in_threads,
    sort_by_sample,
    split_into_tiles,
)


def find_rest_points(machine: Machine, drive: Drive, start: State, phase: Phase) -> Relaxation:
    """Find the rest point of every sample, see `substrate.engine.protocol.SettlingEngine.rest`."""
    units = machine.tau.shape[0]
    start = start[:, :units]
    planes = count_planes(drive, start)
    options = make_search_options(machine, drive, phase)
    parts = [
        _make_search_tile(machine, drive, start, samples, planes, options.damping)
        for samples in split_into_tiles(machine, len(start))
    ]
    wiring = prepare_wiring(machine)
    last = int(machine.layers[:, 2].max())
    first_law = make_unit_law(machine, drive.beta, planes, 0)
    second_law = make_unit_law(machine, drive.beta, planes, last)

    def find(part: tuple[Tile, Search]) -> None:
        tile, search = part
        search_rest(tile, search, wiring, machine.circuit, first_law, second_law, machine.layers, options)

    run_in_threads(find, parts, machine.threads)
    tiles = [tile for tile, _ in parts]
    state = np.concatenate([read_tile_rows(tile.y, tile.sample, planes) for tile in tiles])
    status, steps, residual = (
        np.concatenate([sort_by_sample(getattr(tile, name), tile.sample) for tile in tiles])
        for name in ("status", "steps", "residual")
    )
    return Relaxation(state, SettlingResult(status, steps, residual, np.zeros(len(state))), state)


def _make_search_tile(
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
