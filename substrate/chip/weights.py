"""The cells of one chip: what was programmed, what the units feel, and how cells are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.block import apply_block
from devices.interface import cost_force
from devices.interface.cost_force import Circuit
from devices.neuron.membrane import sample_drive_offsets
from devices.programming.comparator import apply_comparator

from ..dynamics.machine import Machine, UnitNoise
from ..engine.door import load_engine
from ..network.topology import Topology
from ..protocol import Readout, State
from .boards.arrays import ExtraCells
from .boards.noisy_cells import NoisyCells, Rest
from .boards.regimes import CellProcess
from .boards.second import SecondBoard
from .budget import WriteCounts
from .cells import FabricatedCells
from .design import Design, Fabrication, check_programmed_blocks
from .membranes import Membranes
from .programming import Writer

Array = NDArray[np.float64]


class ChipWeights:
    """Programmed and effective parameters of one chip; every cell keeps its own mismatch.

    Parameters
    ----------
    design : Design
        Wiring and devices.
    programmed : mapping of block name to array
        Requested parameters, and what an earlier chip kept beside them; copied.
    fabrication : Fabrication
        Names the draws.

    Raises
    ------
    ValueError
        If a block is missing or has the wrong shape, one number stands for two different weights, or a time
        constant, gain or slope is not positive.
    """

    def __init__(self, design: Design, programmed: Mapping[str, Array], fabrication: Fabrication) -> None:
        topology = design.topology
        self._design, self._fabrication, self._stream = design, fabrication, fabrication.stream
        self.programmed = {block: np.empty(shape) for block, shape in topology.shapes.items()}
        """Requested parameters by block."""
        self.cells = np.empty(topology.cell_count)
        """Parameters the units really feel, flat: one per cell."""
        self.effective = topology.blocks(self.cells)
        """The same by block, as views."""
        self.tally = WriteCounts.of(len(topology.shapes))
        """Counts of all writes."""
        self._places = {block: k for k, block in enumerate(topology.shapes)}
        self._name, self._writes = "", 0
        self._cells = FabricatedCells(design, self._stream)
        self._feeling = design.devices.acting("feel")
        self.extra = ExtraCells(design, fabrication, self._cells.partners, programmed)
        """The cells of further arrays."""
        self.stored: Mapping[str, Array] = self.programmed | self.extra.programmed
        """What the cells of every array were asked for; the first array by the names of the blocks."""
        self.writer = self._make_writer(programmed)
        """The cells as they are written."""
        offset = design.devices.neurons.offset
        self._offsets = sample_drive_offsets(topology.units, offset, self._stream("neurons/offset"))
        self.membranes = Membranes(design, fabrication)
        """Time constants, curves and noise of the units, as the cells load them."""
        self._noise = NoisyCells(design, self._cells, fabrication.stream)
        self._off, self._now = np.zeros(0), self.cells
        self._second = SecondBoard(twin, design, fabrication) if (twin := design.devices.twin) is not None else None
        self._prepared, self._unmoved = dict[Any, Any](), dict[str, Array]()
        self.held: dict[str, Array] = {}
        """What the cells keep of the requested parameters, by block: within the window and their own bounds."""
        self._conductances: dict[str, Array] = {}
        blocks = check_programmed_blocks(topology, programmed)
        _check_partners_equal(design, blocks, self._cells.partners)
        self._programme(self.extra.programmed | blocks)
        self.unreached = {name: self._beyond(name) for name in self._places if name not in self._cells.partners}
        """Cells that could not take the weight they were programmed to when the chip was made, by block.

        It lies beyond the window, or beyond bounds of their own; where one number stands for both directions of a pair
        it is counted in the forward one.
        """

    def _make_writer(self, kept: Mapping[str, Array]) -> Writer:
        """Return what writes the cells of all arrays; `kept` is what an earlier chip kept beside its weights."""
        design, shapes = self._design, self._design.topology.shapes | self.extra.shapes
        laws, mirror = (design.devices.update, design.devices.retention), design.topology.mirror
        return Writer(*laws, shapes, self._stream, kept, design.measured_cells, self._cells.partners, mirror)

    @property
    def readout(self) -> Readout | None:
        """The digital readout, or None for the mse cost."""
        if self._design.topology.classes is None:
            return None
        return Readout(self.effective["readout/weight"], self.effective["readout/bias"])

    @property
    def record(self) -> Mapping[str, Array]:
        """Requested parameters by block, summed over the arrays that the units feel."""
        if not any(self._design.arrays.gains):
            return self.programmed
        return {name: block + self.extra.sum_programmed(name) for name, block in self.programmed.items()}

    @property
    def frozen(self) -> bool:
        """Tell whether cells have noise that lasts longer than a batch."""
        return self._noise.frozen

    def constant_drive(self, x: Array, noisy: bool = True) -> Array:
        """Return the drive of the clamped input `x` (batch, inputs) plus bias and offset, (batch, units)."""
        blocks = self._design.topology.blocks(self._momentary_cells()) if noisy else self.effective
        return self._constant_drive(x, blocks)

    def present(self, machine: Machine) -> Machine:
        """Return the machine with the weights that the cells have during this batch."""
        return machine._replace(weights=self._momentary_cells()) if len(self._off) else machine

    def _momentary_cells(self) -> Array:
        """Return the effective parameters, flat, with what lasts longer than a batch of the noise of the cells."""
        if len(self._off) and self._now is self.cells:
            self._now = self.cells + self._off
        return self._now

    def compute_frozen_variances(self) -> dict[str, Array]:
        """Return the variance of every cell by noise that lasts longer than a batch, by block."""
        shapes = {block: cells.shape for block, cells in self.effective.items()}
        return self._noise.compute_frozen_variances(shapes, self._hold_block)

    def compute_unit_noise(self, machine: Machine, rest: Rest) -> UnitNoise:
        """Return what units get of the noise of their cells, around where a free phase comes to rest."""
        return self._noise.compute_levels(machine, self._hold_block, rest)

    def list_cell_variances(self, machine: Machine, rest: Rest) -> list[tuple[CellProcess, Array]]:
        """Return every process of the noise of the cells with the variance that it gives the drives, (batch, units)."""
        return self._noise.list_variances(machine, self._hold_block, rest)

    def _hold_block(self, name: str) -> Array:
        """Return what the cells of a block are programmed to, as it is read."""
        return self.writer.compute_effective(name, self.held[name])

    def twin(self, machine: Machine, constant: Array, x: Array) -> tuple[Machine, Array]:
        """Return the machine of the second board and its constant drive of `x`; without one, as given."""
        if self._second is None:
            return machine, constant
        cells = self._second.copy_cells(self.effective)
        if self._noise.frozen:
            cells = cells + self._draw_noise("twin/")
        drive = self._constant_drive(x, self._design.topology.blocks(cells)) + self._second.offsets
        return self._second.copy_machine(machine, cells, self._conductances), drive

    def _constant_drive(self, x: Array, blocks: Mapping[str, Array]) -> Array:
        topology = self._design.topology
        bias = np.concatenate([topology.spread_bias(n, blocks[f"bias/{n}"]) for n in topology.names])
        drive = np.tile(bias + self._offsets, (len(x), 1))
        engine = load_engine(self._design.dynamics)
        for c in topology.connections:
            if c.pre == topology.input:
                drive[:, topology.columns[c.post]] += engine.apply(c.kind, blocks[c.block], x)
        return drive

    def restart(self, name: str) -> None:
        """Begin with a new batch: `name` names the draws of its writes, which are counted anew, and of its weights."""
        self._name, self._writes, self._now = name, 0, self.cells
        if self._noise.frozen:
            self._off = self._draw_noise("")

    def _draw_noise(self, board: str) -> Array:
        """Return by how much every cell of a board is off during this batch, flat."""
        shapes = {name: block.shape for name, block in self.effective.items()}
        return self._noise.draw_weights(shapes, self._hold_block, f"{board}{self._name}")

    def write(self, changes: Mapping[str, Array]) -> int:
        """Add `changes` to the programmed parameters through the write law of the cells; return the pulses it took.

        The readout is digital and takes every change as it is.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        """
        for block, change in changes.items():
            if block not in self.stored or change.shape != self.stored[block].shape:
                raise ValueError(f"{block!r} of shape {change.shape} is no block of this chip")
            if not np.isfinite(change).all():
                raise ValueError(f"the change of {block!r} is not finite")
        pulses, name, after = 0, f"{self._name}/{self._writes}", {}
        self.writer.wait()
        for block, change in self._per_number(changes).items():
            if block.startswith("readout/"):
                after[block] = self.programmed[block] + change
                continue
            asked = self._decided(block, change, name)
            written = self.writer.write(block, self.held[block], asked, name)
            after[block] = written.weight
            pulses += written.pulses * self._copies(block)
            place = self._places[self.extra.find_block(block)]
            self.tally.lost[place] += written.lost
            self.tally.cut[place] += written.cut
            if asked is not change:
                self.tally.lost[place] += int(np.count_nonzero((change != 0.0) & (asked == 0.0)))
            self.tally.refreshes[place] += written.refreshes
            self.tally.refresh_pulses[place] += written.refresh_pulses * self._copies(block)
        self._writes += 1
        self._change(after)
        return pulses

    def perturb(self, moves: Mapping[str, Array]) -> None:
        """Move cells by `moves`, by block, from where they stand without any perturbation.

        Raises
        ------
        ValueError
            If a block does not exist, is one of the readout, or has another shape.
        """
        for block, move in moves.items():
            if block.startswith("readout/") or block not in self.effective or move.shape != self.effective[block].shape:
                raise ValueError(f"{block!r} of shape {move.shape} is no block of cells of this chip")
        for block, standing in self._unmoved.items():
            self.effective[block][...] = standing
        self._unmoved = {block: self.effective[block].copy() for block in moves}
        for block, move in moves.items():
            self.effective[block] += move
        self._prepared.clear()

    def correlate(
        self, delta: Mapping[str, State], presynaptic: Mapping[str, State], at: Mapping[str, State]
    ) -> dict[str, State]:
        """Return what the circuits beside the cells make of error and activity, see `substrate.protocol.Bench`.

        Pooling stands at the activities `at`.
        """
        engine = load_engine(self._design.dynamics)
        found = {
            c.block: engine.correlate(
                c.kind, presynaptic[c.pre], delta[c.post], self.effective[c.block], at.get(c.post), at.get(c.pre)
            )
            for c in self._design.topology.connections
            if c.pre in presynaptic and c.post in delta
        }
        return found | {f"bias/{n}": self._design.topology.sum_bias(n, d.sum(axis=0)) for n, d in delta.items()}

    def _decided(self, block: str, change: Array, name: str) -> Array:
        """Return what the comparators make of a requested change; without them, the request."""
        comparator, update = self._design.devices.comparator, self._design.devices.update
        if comparator is None:
            return change
        size = getattr(update, "step", None) if comparator.change is None else comparator.change
        if size is None:
            raise ValueError("devices.comparator.change: how large is a change? Give it, or devices.update with a step")
        own = self._stream(f"comparator/offset/{block}").normal(change.shape)
        fresh = self._stream(f"comparator/noise/{block}/{name}").normal(change.shape)
        return apply_comparator(comparator, size, change, own, fresh)

    def _per_number(self, changes: Mapping[str, Array]) -> dict[str, Array]:
        """Return the changes with those of the two directions of one number added up, under its forward block."""
        topology, summed = self._design.topology, dict(changes)
        for back, forward in self._cells.partners.items():
            if back in summed:
                change = topology.mirror(back, summed.pop(back))
                summed[forward] = summed[forward] + change if forward in summed else change
        return summed

    def _copies(self, block: str) -> int:
        """Return into how many cells each number of a block is written."""
        copied = self._design.devices.feedback.storage == "copied" and block in self._cells.partners.values()
        return 2 if copied else 1

    def _change(self, after: Mapping[str, Array]) -> None:
        """Move cells to `after`, and count those that stay although they were to move."""
        limited = {block: self.held[block] for block in after if self._is_limited(block)}
        touched = {block: after[block] != before for block, before in limited.items()}
        # A cell that is not touched keeps its request.
        kept = {b: np.where(touched[b], after[b], self.stored[b]) for b in limited}
        aged = dict(self.stored) if self.writer.forgetting else {}
        self._programme(aged | dict(after) | kept)
        for block, before in limited.items():
            stayed = int(np.count_nonzero(touched[block] & (self.held[block] == before)))
            self.tally.lost[self._places[self.extra.find_block(block)]] += stayed

    def _is_limited(self, name: str) -> bool:
        """Tell whether cells cannot take any weight."""
        cells, block = self.extra.find_cells(name, self._cells)
        return cells.limited(block) or self.writer.bounded(name)

    def _beyond(self, name: str) -> int:
        """Return how many cells of a block keep another weight because of a window or bounds of their own."""
        weight = self.programmed[name]
        kept = self.writer.within(name, self._cells.within(name, weight))
        return int(np.count_nonzero(kept != weight))

    def read_array(self, name: str) -> Array:
        """Return what there is to be read of the cells of a further array, of the shape of its block."""
        return self.extra.read(name, self._hold_block(name))

    def _programme(self, blocks: Mapping[str, Array]) -> None:
        self.perturb({})
        partners, mirror = self._cells.partners, self._design.topology.mirror
        mirrored = {back: mirror(f, blocks[f]) for back, f in partners.items() if f in blocks}
        for name, block in (dict(blocks) | mirrored).items():
            cells, own = self.extra.find_cells(name, self._cells)
            self.stored[name][...] = block
            self.held[name] = self.writer.within(name, cells.held(own, self.stored[name]))
        for name in self.extra.list_felt(blocks):
            felt = self._hold_block(name)
            self.effective[name][...] = self._cells.effective(name, felt)
            self.extra.add_to(self.effective[name], name, self._hold_block)
            self._feel(name)
            if self._design.synapse != "virtual-ground" and name.startswith("weight/"):
                self._conductances[name] = self._cells.conductance(name, felt)
        self._prepared.clear()
        self._now = self.cells
        self.membranes.follow(self._conductances)

    def _feel(self, name: str) -> None:
        """Let blocks of devices act on the effective weights of a block; biases and the readout are spared."""
        weights = self.effective[name]
        for part, block in self._feeling.items() if name.startswith("weight/") else ():
            own = self._stream(f"own/{part}/{name}").normal(weights.shape)
            weights[...] = apply_block(block, "feel", weights, own)

    def machine(self, threads: int) -> Machine:
        """Return the chip as the kernels take it; a write changes its weights, and what they load, too."""
        design, topology = self._design, self._design.topology
        colours, columns = topology.colours(), topology.columns
        readout = self.readout or Readout(np.zeros((topology.layers[topology.output], 0)), np.zeros(0))
        return Machine(
            edges=make_edges(topology),
            kinds=tuple(c.kind for c in topology.recurrent()),
            weights=self.cells,
            layers=np.array([(columns[n].start, columns[n].stop, colours[n]) for n in topology.names]),
            circuit=Circuit(
                cost_force.CODES[design.cost], columns[topology.output].start, readout.weight, readout.bias
            ),
            law=design.law,
            transfer=self.membranes.transfer,
            dynamics=design.dynamics,
            tau=self.membranes.tau,
            synapse_tau=design.devices.neurons.synapse_tau,
            noise=design.devices.noise,
            threads=threads,
            thermal=self.membranes.thermal,
            common=self.membranes.common,
            slew=self.membranes.slew,
            prepared=self._prepared,
            cells_white=self._noise.white,
            cell_times=self._noise.times,
        )


def _check_partners_equal(design: Design, blocks: Mapping[str, Array], partners: Mapping[str, str]) -> None:
    for back, forward in partners.items():
        if not np.array_equal(blocks[back], design.topology.mirror(forward, blocks[forward])):
            raise ValueError(
                f"{back!r} is not the transpose of {forward!r}, but one number stands for both: give equal parameters, "
                f'or devices.feedback.storage = "independent" in place of "{design.devices.feedback.storage}"'
            )


def make_edges(topology: Topology) -> NDArray[np.int64]:
    """Return the recurrent connections as the kernels take them: one row per connection, see `Machine.edges`."""
    colours, columns = topology.colours(), topology.columns
    edges = [
        (
            columns[c.pre].start,
            columns[c.post].start,
            topology.layers[c.pre],
            topology.layers[c.post],
            topology.offsets[c.block],
            colours[c.post],
        )
        for c in topology.recurrent()
    ]
    return np.array(edges, dtype=np.int64).reshape(-1, 6)
