"""One fabricated chip: a wiring, its programmed parameters and one draw of its devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices import activation, nudge
from devices.mismatch import FeedbackDevices, cell_gains
from devices.random import Stream

from .compile import single_threaded_blas
from .kernels import Circuit, Wiring
from .methods import Dynamics, Phase
from .protocol import Budget, Nudge, Readout, Settled, State
from .relaxation import Drive, Machine, activate, available_threads, relax
from .topology import Connection, Topology

Array = NDArray[np.float64]
Recorder = Callable[[State], object]


class Design(NamedTuple):
    """What every chip of one kind has in common."""

    topology: Topology
    activation: str
    cost: str
    dynamics: Dynamics
    feedback: FeedbackDevices = FeedbackDevices()


class Fabrication(NamedTuple):
    """Which piece of silicon: the same seed and instance give the same devices."""

    seed: int = 0
    instance: int = 0


class Chip:
    """A chip that settles; implements `substrate.protocol.Bench`.

    Parameters
    ----------
    design : Design
        Wiring, laws and devices.
    programmed : mapping of block name to array
        Requested parameters, shapes as in ``design.topology.shapes``; copied.
    fabrication : Fabrication
        Names the draw of the devices.
    threads : int, optional
        Threads that share the tiles of a batch; absent: all available cores. Never changes a result.

    Raises
    ------
    ValueError
        If a block is missing or has the wrong shape.
    """

    def __init__(
        self,
        design: Design,
        programmed: Mapping[str, Array],
        fabrication: Fabrication = Fabrication(),  # noqa: B008  immutable
        threads: int | None = None,
    ) -> None:
        self.design = design
        self.topology = design.topology
        self.fabrication = fabrication
        self.programmed = design.topology.blocks(np.empty(design.topology.size))
        """Requested parameters by block."""
        self._cells = np.empty(design.topology.size)
        self.effective = design.topology.blocks(self._cells)
        """Parameters the units really feel, by block."""
        self._gains = {
            c.block: self._drawn_gains(c) for c in design.topology.connections if design.topology.is_feedback(c)
        }
        self._programme(_checked(design.topology, programmed))
        self._budget = Budget()
        self._machine = self._wire(threads or available_threads())
        self._input = np.zeros((0, self.topology.layers[self.topology.input]))
        self._constant = np.zeros((0, self.topology.units))
        self.state: State = np.zeros((0, self.topology.units))
        """Membrane state at the end of the last settling, (batch, units)."""
        self._free = self.state

    @property
    def connections(self) -> list[tuple[str, str]]:
        """(pre, post) layer of every connection."""
        return [(c.pre, c.post) for c in self.topology.connections]

    @property
    def readout(self) -> Readout | None:
        """The digital readout, or None for the mse cost."""
        if self.topology.classes is None:
            return None
        return Readout(self.effective["readout/weight"], self.effective["readout/bias"])

    @property
    def constant_drive(self) -> Array:
        """Drive of the clamped input plus bias, (batch, units)."""
        return self._constant

    def set_input(self, x: Array) -> None:
        """Clamp the input layer to `x`, shape (batch, inputs), and reset all membranes to zero.

        Raises
        ------
        ValueError
            If `x` is not a finite array of that shape.
        """
        x = np.ascontiguousarray(x, dtype=np.float64)
        inputs = self.topology.layers[self.topology.input]
        if x.ndim != 2 or x.shape[1] != inputs or not np.isfinite(x).all():
            raise ValueError(f"x has shape {x.shape}: must be finite and of shape (batch, {inputs})")
        self._input = x
        self._constant = np.tile(
            np.concatenate([self.effective[f"bias/{n}"] for n in self.topology.names]), (len(x), 1)
        )
        with single_threaded_blas():
            for c in self.topology.connections:
                if c.pre == self.topology.input:
                    self._constant[:, self.topology.columns[c.post]] += x @ self.effective[c.block]
        self.state = self._free = np.zeros((len(x), self.topology.units))

    def settle(
        self,
        nudge: Nudge | None = None,
        start: Literal["zero", "free"] = "zero",
        record: tuple[int, Recorder] | None = None,
    ) -> Settled:
        """Let the chip settle, free or nudged, from zero or from the last free state.

        `record` = (every, callback) calls ``callback(state)`` at the start and after every so many steps.
        """
        begin = self._free if start == "free" else np.zeros_like(self._constant)
        if nudge is None:
            phase, beta, target = self.design.dynamics.free, 0.0 + 0.0j, np.zeros((len(begin), 0))
        else:
            phase, beta, target = self.design.dynamics.nudged, complex(nudge.beta), nudge.target
        every, callback = record or (None, None)
        self.state, settled = relax(self._machine, Drive(self._constant, beta, target), begin, phase, every, callback)
        if nudge is None:
            self._free = self.state
        time = float(settled.steps.sum()) * self.design.dynamics.dt
        self._budget = self._budget.plus(Budget(settlings=len(begin), settled_time=time))
        return settled

    def read(self) -> dict[str, State]:
        """Return the activities now, per layer (batch, units), the clamped input included."""
        planes = 2 if np.iscomplexobj(self.state) else 1
        self._budget = self._budget.plus(Budget(reads=planes * len(self.state)))
        return {self.topology.input: self._input} | self.topology.split(self.activity_of(self.state))

    def write(self, changes: Mapping[str, Array]) -> None:
        """Add `changes` to the programmed parameters; every cell keeps its own mismatch.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        """
        for name, change in changes.items():
            if name not in self.programmed or change.shape != self.programmed[name].shape:
                raise ValueError(f"{name!r} of shape {change.shape} is no block of this chip")
            if not np.isfinite(change).all():
                raise ValueError(f"the change of {name!r} is not finite")
        self._programme({name: self.programmed[name] + change for name, change in changes.items()})
        self._budget = self._budget.plus(Budget(writes=1))

    @property
    def budget(self) -> Budget:
        """What has been asked of the chip so far."""
        return self._budget

    def activity_of(self, state: State) -> State:
        """Return the activity ``rho(u)`` of any state of this chip, real or complex."""
        return activate(self._machine.activation, state)

    def continue_free(self, phase: Phase) -> State:
        """Return where the last free settling would end under another `phase`; the chip stays as it is."""
        nothing = np.zeros((len(self._free), 0))
        return relax(self._machine, Drive(self._constant, 0.0, nothing), self._free, phase)[0]

    def variant(self, *, dynamics: Dynamics | None = None, feedback: FeedbackDevices | None = None) -> Chip:
        """Return the same silicon and programmed parameters under other dynamics or feedback devices."""
        design = self.design._replace(
            dynamics=dynamics or self.design.dynamics, feedback=feedback or self.design.feedback
        )
        return Chip(design, self.programmed, self.fabrication, self._machine.threads)

    def ideal(self) -> Chip:
        """Return the chip as designed: the same programmed parameters, no imperfection."""
        return self.variant(feedback=FeedbackDevices())

    def _drawn_gains(self, connection: Connection) -> Array:
        stream = Stream(self.fabrication.seed, f"mismatch/{connection.block}", self.fabrication.instance)
        return cell_gains(self.topology.shapes[connection.block], self.design.feedback.mismatch_sigma, stream)

    def _programme(self, blocks: Mapping[str, Array]) -> None:
        for name, block in blocks.items():
            self.programmed[name][...] = block
            self.effective[name][...] = block * self._gains[name] if name in self._gains else block

    def _wire(self, threads: int) -> Machine:
        topology = self.topology
        edges = [
            (
                topology.columns[c.pre].start,
                topology.columns[c.post].start,
                *topology.shapes[c.block],
                topology.offsets[c.block],
            )
            for c in topology.recurrent()
        ]
        readout = self.readout or Readout(np.zeros((topology.layers[topology.output], 0)), np.zeros(0))
        return Machine(
            wiring=Wiring(np.array(edges, dtype=np.int64).reshape(-1, 5), self._cells),
            circuit=Circuit(
                nudge.CODES[self.design.cost], topology.columns[topology.output].start, readout.weight, readout.bias
            ),
            activation=activation.CODES[self.design.activation],
            dt=self.design.dynamics.dt,
            threads=threads,
        )


def _checked(topology: Topology, programmed: Mapping[str, Array]) -> dict[str, Array]:
    blocks = {}
    for name, shape in topology.shapes.items():
        if name not in programmed:
            raise ValueError(f"programmed parameters lack {name!r}, shape {shape}")
        block = np.array(programmed[name], dtype=np.float64, order="C")
        if block.shape != shape:
            raise ValueError(f"{name!r} has shape {block.shape}: must be {shape}")
        blocks[name] = block
    return blocks
