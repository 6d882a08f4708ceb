"""From a machine and its batch to what the programs take, and back.

A batch is cut into tiles of at most `Dynamics.tile` samples, or as many as the network is wide enough for. A tile is
filled up to one of few sizes with samples that have ended before they begin: a batch that is a little smaller costs no
compilation. Both depend on batch and network alone, and so do the last bits of a result.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from devices.neuron import activation

from ...dynamics.machine import Drive, Machine
from ...network.connection import ConnectionKind
from ...protocol import State, Status
from ..stopping import RUNNING
from .programs.connections import pack_weight
from .programs.law import CurveArrays, ReadoutArrays
from .programs.spec import Cell, Inputs, KnownCouplings, Link, Spec

Array = Any

FINENESS = 16
"""Sizes of a tile between a power of two and the next."""


def make_spec(machine: Machine) -> Spec:
    """Return what programs for a machine are compiled for, as far as a settling does not decide it.

    Raises
    ------
    ValueError
        If the activation is the user's own, which is compiled for the processor.
    """
    if machine.transfer.code >= activation.OWN:
        raise ValueError('an activation of your own is compiled for the processor: set dynamics.engine = "cpu"')
    return Spec(
        units=len(machine.tau),
        law=machine.law,
        code=int(machine.transfer.code),
        links=_make_links(machine),
        layers=tuple(((first, stop), colour) for first, stop, colour in machine.layers.tolist()),
        cost=int(machine.circuit.cost),
        first_output=int(machine.circuit.first_output),
        precision=machine.dynamics.precision,
        pole=machine.synapse_tau > 0.0,
        slewed=len(machine.slew) > 0,
        method=machine.dynamics.method,
    )


def _make_links(machine: Machine) -> tuple[Link, ...]:
    return tuple(
        Link(kind, (pre, pre + n_pre), (post, post + n_post))
        for (pre, post, n_pre, n_post, *_), kind in zip(machine.edges.tolist(), machine.kinds, strict=True)
    )


def prepare_weights(machine: Machine) -> tuple[Array, ...]:
    """Return the weights of every link on the device that is in use; kept until they change."""
    key = "jax", machine.dtype, jax.config.jax_default_device
    kept = machine.prepared.get(key)
    if kept is not None and kept[0] is machine.weights:
        return tuple(kept[1])
    weights = tuple(pack_weight(kind, block) for kind, block in zip(machine.kinds, list_blocks(machine), strict=True))
    machine.prepared[key] = machine.weights, weights
    return weights


def list_blocks(machine: Machine) -> tuple[Array, ...]:
    """Return the block of every link in the numbers of the simulation; its copies where they differ."""
    starts = zip(machine.edges[:, 4].tolist(), machine.kinds, strict=True)
    blocks = [machine.weights[i : i + math.prod(kind.cells)].reshape(kind.cells) for i, kind in starts]
    return tuple(
        jnp.asarray(merge_equal_copies(kind, block), dtype=machine.dtype)
        for kind, block in zip(machine.kinds, blocks, strict=True)
    )


def merge_equal_copies(kind: ConnectionKind, cells: Array) -> Array:
    """Return the cells of a block as one kernel if all its copies are equal, else as they are.

    So a chip without errors takes the time of a shared kernel, and gives its bits.
    """
    first, *others = cells.reshape(-1, *kind.shape)
    return first if all(np.array_equal(first, other) for other in others) else cells


def make_cell(machine: Machine, device: Any = None) -> Cell:
    """Return the network in the numbers of the simulation, its weights on a device; absent: the one in use."""
    real, transfer, circuit = machine.dtype, machine.transfer, machine.circuit
    same = np.ones(1)
    curve = CurveArrays(
        np.asarray(transfer.table),
        np.asarray(transfer.gain if len(transfer.gain) else same, dtype=real),
        np.asarray(transfer.steep if len(transfer.steep) else same, dtype=real),
    )
    readout = ReadoutArrays(np.asarray(circuit.weight, dtype=real), np.asarray(circuit.bias, dtype=real))
    with jax.default_device(device):
        return Cell(prepare_weights(machine), curve, readout)


LARGEST = 2**26
"""Units of all samples of a tile, at most, if its size is not given."""


class Tile(NamedTuple):
    """Samples that one program settles."""

    samples: slice
    rows: int
    """Samples with those that fill it up."""

    device: Any = None
    """Accelerator that settles them; absent: the first one."""


def split_batch(machine: Machine, batch: int) -> list[Tile]:
    """Return the tiles of a batch, which take turns on all devices there are."""
    most = machine.dynamics.tile or max(1, LARGEST // len(machine.tau))
    devices = jax.local_devices()
    return [
        Tile(slice(first, min(first + most, batch)), count_rows(min(most, batch - first)), devices[k % len(devices)])
        for k, first in enumerate(range(0, max(batch, 1), most))
    ]


def count_rows(samples: int) -> int:
    """Return the samples of a tile when it is filled up: one of `FINENESS` sizes between two powers of two."""
    step: int = max(1, 2 ** (max(samples, 1) - 1).bit_length() // (2 * FINENESS))
    return max(1, -(-samples // step) * step)


def fill_rows(values: NDArray[Any], tile: Tile) -> NDArray[Any]:
    """Return the samples of a tile (batch, ...) with rows of zeros behind them."""
    part = values[tile.samples]
    filled = np.zeros((tile.rows, *part.shape[1:]), dtype=part.dtype)
    filled[: len(part)] = part
    return filled


def make_planes(values: State, tile: Tile, planes: int, real: Any) -> Array:
    """Return states (batch, n) of a tile with their planes first (planes, rows, n)."""
    part = fill_rows(values, tile)
    both = part[None] if planes == 1 else np.stack([part.real, part.imag])
    with np.errstate(over="ignore"):
        return np.asarray(both, dtype=real)


def read_planes(values: Array, tile: Tile) -> State:
    """Return what lies in planes (planes, rows, n) as samples (batch, n), in double precision."""
    found = np.asarray(values, dtype=np.float64)[:, : tile.samples.stop - tile.samples.start]
    return np.asarray(found[0] if len(found) == 1 else found[0] + 1j * found[1])


def make_inputs(machine: Machine, drive: Drive, tile: Tile, planes: int) -> Inputs:
    """Return what is applied to the samples of a tile."""
    real, circuit = machine.dtype, machine.circuit
    wanted = circuit.weight.shape[1] or len(machine.tau) - circuit.first_output
    target = np.zeros((tile.rows, wanted))
    given = drive.target[tile.samples]
    if given.shape[1] == wanted:
        target[: len(given)] = given
    signs = np.ones(len(drive.constant)) if drive.signs is None else drive.signs
    beta = np.ascontiguousarray(drive.beta, dtype=np.complex128).view(np.float64).reshape(-1, 2)
    return Inputs(
        make_planes(drive.constant, tile, planes, real),
        np.asarray(target, dtype=real),
        np.asarray(fill_rows(signs, tile), dtype=real),
        np.asarray(beta, dtype=real),
        _make_known(machine, drive, tile),
    )


def _make_known(machine: Machine, drive: Drive, tile: Tile) -> KnownCouplings | None:
    if drive.correction is None:
        return None
    weights, free = drive.correction
    with jax.default_device(tile.device):
        blocks = list(zip(machine.kinds, list_blocks(machine._replace(weights=weights)), strict=True))
        forward = tuple(pack_weight(kind, block) for kind, block in blocks)
        reverse = tuple(pack_weight(kind.reverse, kind.mirror(block)) for kind, block in blocks)
    return KnownCouplings(forward, reverse, make_planes(free, tile, 1, machine.dtype)[0])


def make_status(tile: Tile) -> Array:
    """Return the statuses at the beginning: those that fill the tile up have ended."""
    status = np.full(tile.rows, int(Status.SETTLED), dtype=np.int32)
    status[: tile.samples.stop - tile.samples.start] = RUNNING
    return np.asarray(status)


def read_rows(values: list[Array], tiles: list[Tile], number: Any) -> NDArray[Any]:
    """Return one number per sample of all tiles (batch,)."""
    parts = [np.asarray(v)[: t.samples.stop - t.samples.start] for v, t in zip(values, tiles, strict=True)]
    return np.concatenate(parts).astype(number)
