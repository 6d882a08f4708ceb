"""How a batch is cut into tiles and shared between threads, and what the kernels take of a machine and a tile.

Tile sizes depend on batch and network alone, and tiles run on Python threads over kernels that release the
lock. So a sample's result is the same bits for any number of threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...dynamics.machine import Drive, Machine
from ...laws.law import LAWS
from ...network.dense import Dense
from ...protocol import State
from ..stopping import RUNNING
from .kernels.callbacks import find_addresses
from .kernels.drift import Tile, UnitLaw, Wiring
from .kernels.product import count_padded_rows, count_panel_columns, pack_weights

Item = TypeVar("Item")

NARROW, FEW = 2**18, 32
"""Up to so many recurrent weights, they and a tile of at most so many samples stay in the second-level cache."""

MANY = 256
"""Most samples in a tile of a wider network, whose weights come from memory once per tile and step."""

SMALLEST = 16
"""A batch up to this size is one tile."""


def prepare_wiring(machine: Machine) -> Wiring:
    """Return the connections in the precision of the simulation; kept until the weights change.

    Raises
    ------
    ValueError
        If one of them is not dense.
    """
    require_dense(machine)
    kept: tuple[object, Wiring] | None = machine.prepared.get(machine.dtype)
    if kept is not None and kept[0] is machine.weights:
        return kept[1]
    panels, starts = pack_weights(machine.weights, machine.edges, machine.dtype)
    fed, rows = set(), []
    for (first_pre, first_post, pre, post, _, colour), start in zip(machine.edges.tolist(), starts, strict=True):
        rows.append((first_pre, first_post, pre, post, int(start), colour, int(first_post not in fed)))
        fed.add(first_post)
    rows += [(0, first, 0, stop - first, 0, c, 1) for first, stop, c in machine.layers.tolist() if first not in fed]
    wiring = Wiring(np.array(rows, dtype=np.int64), panels)
    machine.prepared[machine.dtype] = machine.weights, wiring
    return wiring


def require_dense(machine: Machine) -> None:
    """Raise ValueError if a connection is of a kind that this engine does not know."""
    if odd := [kind for kind in machine.kinds if not isinstance(kind, Dense)]:
        raise ValueError(f"the engine for processors settles dense connections only, not {odd[0]}: take another engine")


def compute_tile_size(batch: int, largest: int) -> int:
    """Return the samples of a tile: an even number of equal ones up to `largest`, or one up to `SMALLEST`."""
    if batch <= SMALLEST:
        return max(batch, 1)
    return -(-batch // (2 * -(-batch // (2 * largest))))


def split_into_tiles(machine: Machine, batch: int) -> list[slice]:
    """Return the tiles of a batch as ranges of samples; they depend on batch and network, not on threads."""
    weights = int((machine.edges[:, 2] * machine.edges[:, 3]).sum())
    rows = compute_tile_size(batch, FEW if weights <= NARROW else MANY)
    return [slice(first, min(first + rows, batch)) for first in range(0, max(batch, 1), rows)]


@functools.cache
def _get_thread_pool(helpers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(helpers)


def run_in_threads(work: Callable[[Item], object], items: list[Item], threads: int) -> None:
    """Do `work` on every item: this thread and those of a pool that stays take one after the other."""
    waiting = iter(items)

    def some() -> None:
        for item in waiting:
            work(item)

    # This thread works, too: to wake one that sleeps takes as long as a settling of few samples.
    helpers = min(threads, len(items)) - 1
    others = [_get_thread_pool(threads - 1).submit(some) for _ in range(helpers)]
    try:
        some()
    finally:
        for other in others:
            other.result()


def make_unit_law(machine: Machine, nudges: complex | NDArray[np.complex128], planes: int, colour: int = -1) -> UnitLaw:
    """Return what a unit does with its drive, as the kernels take it; `nudges` as in `Drive`."""
    real = np.ascontiguousarray(nudges, dtype=np.complex128).view(np.float64).reshape(-1, 2)
    return UnitLaw(
        law=LAWS[machine.law].CODE,
        activation=int(machine.transfer.code),
        table=machine.transfer.table,
        own=find_addresses(int(machine.transfer.code)),
        gain=machine.transfer.gain,
        steep=machine.transfer.steep,
        planes=int(planes),
        beta=real if real.any() else real[:0],
        colour=int(colour),
    )


def make_tile(machine: Machine, drive: Drive, start: State, samples: slice, planes: int, width: int) -> Tile:
    """Return one tile of the batch, state and drive copied in the precision of the simulation."""
    part, target = start[samples], np.array(drive.target[samples], dtype=np.float64, order="C")
    count, units = len(part), machine.tau.shape[0]
    rows = count_padded_rows(planes * count)
    y = np.zeros((rows, width), dtype=machine.dtype)
    constant = np.zeros((rows, units), dtype=machine.dtype)
    with np.errstate(over="ignore"):
        write_tile_rows(part, y[:, : part.shape[1]], planes)
        write_tile_rows(drive.constant[samples], constant, planes)
    sloped = LAWS[machine.law].SLOPED
    return Tile(
        y=y,
        a=np.zeros((rows, units), dtype=machine.dtype),
        h=np.zeros((rows, units), dtype=machine.dtype),
        slope=np.zeros((rows if sloped else 0, units), dtype=machine.dtype),
        rest=np.zeros((rows, count_panel_columns(machine.dtype().itemsize)), dtype=machine.dtype),
        constant=constant,
        target=target,
        sign=np.ones(count) if drive.signs is None else np.array(drive.signs[samples], dtype=np.float64),
        sample=np.arange(count, dtype=np.int64),
        active=np.full(1, count, dtype=np.int64),
        status=np.full(count, RUNNING, dtype=np.int64),
        steps=np.zeros(count, dtype=np.int64),
        residual=np.zeros(count),
    )


def write_tile_rows(z: State, rows: NDArray[Any], planes: int) -> None:
    """Write samples (batch, n) to rows, the imaginary plane of a sample after its real one."""
    rows[: planes * len(z) : planes] = z.real
    if planes == 2:
        rows[1 : 2 * len(z) : 2] = z.imag


def read_tile_rows(rows: NDArray[Any], index: NDArray[np.int64], planes: int) -> State:
    """Return the samples (batch, n) of rows, in their original order, in double precision."""
    count = len(index)
    z = rows[: planes * count : planes].astype(np.float64 if planes == 1 else np.complex128)
    if planes == 2:
        z.imag = rows[1 : 2 * count : 2]
    ordered = np.empty_like(z)
    ordered[index] = z
    return ordered


def sort_by_sample(values: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """Return the numbers per place of a tile in the order of its samples."""
    ordered = np.empty_like(values)
    ordered[index] = values
    return ordered
