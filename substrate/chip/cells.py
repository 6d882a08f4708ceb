"""The cells of all connections of one chip: from what is requested of a weight to what the units feel of it.

Order of application: requested weight, window and levels, spread of the cells, wires, gain of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream
from devices.synapse.cell import WeightDevices, sample_path_gains
from devices.synapse.conductance import (
    PolarityDevices,
    clip_to_window,
    compute_conductances,
    compute_effective_weight,
    compute_weight_moments,
    program_weight,
    sample_polarity_devices,
)
from devices.synapse.measured import CellSample, MeasuredMap

from .design import Design
from .wires import End, compute_tiled_transfer

Array = NDArray[np.float64]


class FabricatedCells:
    """The cells as they were fabricated, one array per connection; a weight that is copied has many.

    Parameters
    ----------
    design : Design
        Wiring and devices.
    stream : callable
        ``stream(purpose)`` names the draws.

    Raises
    ------
    ValueError
        If cells behind wires are no pairs.
    """

    def __init__(self, design: Design, stream: Callable[[str], Stream]) -> None:
        topology, devices = design.topology, design.devices
        self._design, self._parts, self._stream = design, devices, stream
        feedback = devices.feedback.over(devices.weights)
        if devices.wires.segment and "single" in {feedback.cell, devices.weights.cell}:
            raise ValueError('devices.wires needs conductances: set devices.weights.cell = "pair"')
        self._connections = {c.block: c for c in topology.connections}
        self._kinds = {c.block: feedback if topology.is_feedback(c) else devices.weights for c in topology.connections}
        self._partners = {b.block: f.block for f, b in topology.pairs()} if devices.feedback.tied else {}
        shared = devices.feedback.storage == "shared-device"
        if shared:
            self._kinds |= {back: self._shared_kind() for back in self._partners}
        self._devices: dict[str, tuple[PolarityDevices, PolarityDevices | None]] = {}
        for block in self._kinds:
            forward = self._partners[block] if shared and block in self._partners else block
            positive, negative = self._made(forward)
            if forward != block:
                turn = self._connections[forward].kind.mirror
                positive, negative = positive.read_backwards(turn), negative.read_backwards(turn) if negative else None
            self._devices[block] = positive, negative
        self._gains = {block: self._path(block) for block in self._kinds}
        self._measured = {block: self._measured_law(block) for block in self._kinds}

    @property
    def partners(self) -> dict[str, str]:
        """Feedback block to forward block, for the pairs in which one number stands for both weights."""
        return self._partners

    def limited(self, block: str) -> bool:
        """Tell whether the cells of a block cannot take any weight."""
        return block in self._kinds and self._kinds[block].window is not None

    def within(self, block: str, weight: Array) -> Array:
        """Return the weights of a block cut to the window of its cells; other blocks take anything."""
        return clip_to_window(self._kinds[block], weight) if block in self._kinds else weight

    def held(self, block: str, weight: Array) -> Array:
        """Return what the cells of a block are programmed to when `weight` is requested; other blocks take anything."""
        return program_weight(self._kinds[block], weight) if block in self._kinds else weight

    def conductance(self, block: str, weight: Array) -> Array:
        """Return the conductance ``G+ + G-`` (pre, post) with which cells programmed to `weight` load a unit.

        A single device has that of its weight. Behind wires it is what the unit draws through them, by reciprocity.
        """
        positive, negative = self._devices[block]
        if negative is None:
            return np.abs(compute_effective_weight(self._kinds[block], weight, positive, None))
        both = compute_conductances(self._kinds[block], weight, positive, negative)
        plus, minus = (self._wired(block, g) if self._parts.wires.segment else g for g in both)
        return plus + minus

    def effective(self, block: str, weight: Array) -> Array:
        """Return the weights that the units feel when the cells of a block are programmed to `weight`.

        They broadcast to the cells.
        """
        if block not in self._kinds:
            return weight
        kind, (positive, negative) = self._kinds[block], self._devices[block]
        if self._parts.wires.segment == 0.0 or negative is None:
            law = self._measured[block]
            cells = compute_effective_weight(kind, weight, positive, negative) if law is None else law(weight)
            return cells * self._gains[block] if kind.path_sigma else cells
        plus, minus = (self._wired(block, g) for g in compute_conductances(kind, weight, positive, negative))
        return (plus - minus) * self._gains[block]

    def list_conductances(self, block: str, weight: Array) -> list[Array]:
        """Return what the devices of a block conduct when its cells are programmed to `weight`, 0 or more.

        One array for single devices, which have that of their weight, two for pairs. A bias is held by a cell like
        those of the forward weights, without their errors.
        """
        if block not in self._kinds:
            kind, one = self._parts.weights, PolarityDevices(np.ones(weight.shape), None, None)
            return [np.abs(weight)] if kind.cell == "single" else [*compute_conductances(kind, weight, one, one)]
        kind, (positive, negative), law = self._kinds[block], self._devices[block], self._measured[block]
        if negative is not None:
            return [*compute_conductances(kind, weight, positive, negative)]
        return [np.abs(compute_effective_weight(kind, weight, positive, None) if law is None else law(weight))]

    def gain(self, block: str) -> Array | float:
        """Return the gains of the paths behind the cells of a block; they broadcast to the cells."""
        return self._gains[block] if block in self._kinds and self._kinds[block].path_sigma else 1.0

    def _measured_law(self, block: str) -> Callable[[Array], Array] | None:
        """Return what turns programmed weights of a block into those of its measured cells; None for others."""
        shared = self._parts.feedback.storage == "shared-device"
        cell = self._partners.get(block, block) if shared else block
        found, turn = get_measured_cells(self._design, self._kinds[block], cell), self._connections[cell].kind.mirror
        if isinstance(found, MeasuredMap):
            found = MeasuredMap(self.held(cell, found.target), found.measured)
            return found.effective if cell == block else found.read_backwards(turn).effective
        if found is None:
            return None
        rank = self._stream(f"measured/{cell}").uniform(self._connections[cell].kind.cells)
        return partial(found.effective, rank=rank if cell == block else turn(rank))

    def _wired(self, block: str, conductance: Array) -> Array:
        """Return the conductances (pre, post) of one polarity as they act behind the wires."""
        wires, connection = self._parts.wires, self._connections[block]
        feedback = self._design.topology.is_feedback(connection)
        ends: tuple[End, End] = ("last", "first") if feedback and wires.ends == "opposite" else ("first", "last")
        # The lines of the post units of a feedback connection are rows of its arrays, see `Wires`.
        cells = connection.kind.mirror(conductance) if feedback else conductance
        rows, columns = wires.array or cells.shape
        found = compute_tiled_transfer(cells, (rows, columns), wires.segment, *ends)
        return connection.kind.reverse.mirror(found) if feedback else found

    def _shared_kind(self) -> WeightDevices:
        # The cell is the forward one; only the path belongs to the direction.
        feedback = self._parts.feedback.over(self._parts.weights)
        path = {"gain_sigma": feedback.gain_sigma, "mirror": feedback.mirror}
        return self._parts.weights.model_copy(update=path)

    def _made(self, block: str) -> tuple[PolarityDevices, PolarityDevices | None]:
        kind, shape = self._kinds[block], self._connections[block].kind.cells
        signs = ("", "-minus") if kind.cell == "pair" else ("",)
        devices = [
            sample_polarity_devices(
                shape,
                kind,
                self._stream(f"mismatch{s}/{block}"),
                self._stream(f"stuck{s}/{block}"),
            )
            for s in signs
        ]
        return devices[0], devices[1] if len(devices) > 1 else None

    def _path(self, block: str) -> Array:
        kind = self._connections[block].kind
        gains = sample_path_gains(kind.paths, self._kinds[block].path_sigma, self._stream(f"path-gain/{block}"))
        return kind.spread_paths(gains)


def get_measured_cells(design: Design, cells: WeightDevices, block: str) -> MeasuredMap | CellSample | None:
    """Return what was measured of the cells of a block, if their parameters name a file."""
    return (design.measured_weights or {}).get(block) if cells.measured is not None else None


class Spread(NamedTuple):
    """What the cells of one connection make of its weights over chips, as far as only one direction feels it."""

    shift: Array
    """Mean of what they hold less what is programmed, (pre, post)."""

    variance: Array
    """Variance of what they hold, (pre, post)."""

    path: float
    """Relative standard deviation of the gain of the path into each post unit."""


def compute_weight_spreads(design: Design, blocks: Mapping[str, Array]) -> dict[str, Spread]:
    """Return the spread of every connection over chips, by block.

    A cell that both directions share makes no asymmetry: its shift and its variance count as 0, the gains of its two
    paths do not. Wires are left out.

    Parameters
    ----------
    design : Design
        What the cells are like.
    blocks : mapping of block name to array
        Programmed weights.
    """
    topology, devices = design.topology, design.devices
    feedback = devices.feedback.over(devices.weights)
    one = devices.feedback.storage == "shared-device"
    shared = {c.block for pair in topology.pairs() for c in pair} if one else set()
    found = {}
    for c in topology.connections:
        cells, weight = (feedback if topology.is_feedback(c) else devices.weights), blocks[c.block]
        mean, variance = (
            (weight, 0.0 * weight) if c.block in shared else _compute_block_moments(design, cells, c.block, weight)
        )
        found[c.block] = Spread(mean - weight, variance, cells.path_sigma)
    return found


def _compute_block_moments(design: Design, cells: WeightDevices, block: str, weight: Array) -> tuple[Array, Array]:
    """Return mean and variance over chips of what the cells of a block hold; a measured chip is like no other."""
    asked, found = program_weight(cells, weight), get_measured_cells(design, cells, block)
    if found is None:
        return compute_weight_moments(cells, asked)
    if isinstance(found, CellSample):
        return found.moments(asked)
    return MeasuredMap(program_weight(cells, found.target), found.measured).effective(asked), 0.0 * asked
