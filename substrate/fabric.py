"""The cells of one chip: what was programmed, what the units feel, and how cells are written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from devices import activation, nudge
from devices.mismatch import cell_gains
from devices.neurons import time_constants
from devices.random import Stream

from .compile import single_threaded_blas
from .design import Design, Fabrication, checked
from .kernels import Circuit
from .protocol import Readout
from .tiles import Machine
from .topology import Connection, Topology
from .writing import Writer

Array = NDArray[np.float64]


class Fabric:
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
        If a block is missing or has the wrong shape.
    """

    def __init__(self, design: Design, programmed: Mapping[str, Array], fabrication: Fabrication) -> None:
        topology = design.topology
        self._design, self._fabrication = design, fabrication
        self.programmed = topology.blocks(np.empty(topology.size))
        """Requested parameters by block."""
        self.cells = np.empty(topology.size)
        """Parameters the units really feel, flat."""
        self.effective = topology.blocks(self.cells)
        """The same by block, as views."""
        self.lost = 0
        """Requests that were not 0 and moved no cell."""
        self._name, self._writes = "", 0
        self.writer = Writer(
            design.update, design.retention, topology.shapes, self._stream, programmed, design.measured_cells
        )
        """The cells as they are written."""
        self._gains = {c.block: self._drawn_gains(c) for c in topology.connections if topology.is_feedback(c)}
        self._programme(checked(topology, programmed))

    @property
    def readout(self) -> Readout | None:
        """The digital readout, or None for the mse cost."""
        if self._design.topology.classes is None:
            return None
        return Readout(self.effective["readout/weight"], self.effective["readout/bias"])

    def constant_drive(self, x: Array) -> Array:
        """Return the drive of the clamped input `x` (batch, inputs) plus bias, (batch, units)."""
        topology, blocks = self._design.topology, self.effective
        drive = np.tile(np.concatenate([blocks[f"bias/{n}"] for n in topology.names]), (len(x), 1))
        with single_threaded_blas():
            for c in topology.connections:
                if c.pre == topology.input:
                    drive[:, topology.columns[c.post]] += x @ blocks[c.block]
        return drive

    def restart(self, name: str) -> None:
        """Begin with a new batch: `name` names the draws of its writes, which are counted anew."""
        self._name, self._writes = name, 0

    def write(self, changes: Mapping[str, Array]) -> int:
        """Add `changes` to the programmed parameters through the write law of the cells; return the pulses it took.

        The readout is digital and takes every change as it is.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        """
        for block, change in changes.items():
            if block not in self.programmed or change.shape != self.programmed[block].shape:
                raise ValueError(f"{block!r} of shape {change.shape} is no block of this chip")
            if not np.isfinite(change).all():
                raise ValueError(f"the change of {block!r} is not finite")
        pulses, name = 0, f"{self._name}/{self._writes}"
        self.writer.wait()
        after = dict(self.programmed)
        for block, change in changes.items():
            if block.startswith("readout/"):
                after[block] = self.programmed[block] + change
                continue
            written = self.writer.write(block, self.programmed[block], change, name)
            after[block] = written.weight
            pulses += written.pulses
            self.lost += written.lost
        self._writes += 1
        self._programme(after)
        return pulses

    def _programme(self, blocks: Mapping[str, Array]) -> None:
        for name, block in blocks.items():
            self.programmed[name][...] = block
            felt = self.writer.felt(name, block)
            self.effective[name][...] = felt * self._gains[name] if name in self._gains else felt

    def _drawn_gains(self, connection: Connection) -> Array:
        shape = self._design.topology.shapes[connection.block]
        return cell_gains(shape, self._design.feedback.mismatch_sigma, self._stream(f"mismatch/{connection.block}"))

    def machine(self, threads: int) -> Machine:
        """Return the chip as the kernels take it; a write changes its weights, too.

        Raises
        ------
        ValueError
            If a time constant is not positive.
        """
        design, topology = self._design, self._design.topology
        colours, columns = topology.colours(), topology.columns
        readout = self.readout or Readout(np.zeros((topology.layers[topology.output], 0)), np.zeros(0))
        return Machine(
            edges=edges_of(topology),
            weights=self.cells,
            layers=np.array([(columns[n].start, columns[n].stop, colours[n]) for n in topology.names]),
            circuit=Circuit(nudge.CODES[design.cost], columns[topology.output].start, readout.weight, readout.bias),
            law=design.law,
            activation=activation.code_of(design.activation),
            table=activation.table_of(design.activation),
            dynamics=design.dynamics,
            tau=time_constants(topology.units, design.neurons.tau_sigma, self._stream("neurons/tau")),
            synapse_tau=design.neurons.synapse_tau,
            noise=design.noise,
            threads=threads,
        )

    def _stream(self, purpose: str) -> Stream:
        return Stream(self._fabrication.seed, purpose, self._fabrication.instance)


def edges_of(topology: Topology) -> NDArray[np.int64]:
    """Return the recurrent connections as the kernels take them: one row per connection, see `Machine.edges`."""
    colours, columns = topology.colours(), topology.columns
    edges = [
        (
            columns[c.pre].start,
            columns[c.post].start,
            *topology.shapes[c.block],
            topology.offsets[c.block],
            colours[c.post],
        )
        for c in topology.recurrent()
    ]
    return np.array(edges, dtype=np.int64).reshape(-1, 6)
