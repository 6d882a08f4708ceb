"""One fabricated chip: a wiring, its programmed parameters and one draw of its devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from devices import activation, nudge
from devices.mismatch import FeedbackDevices, cell_gains
from devices.neurons import NeuronDevices, time_constants
from devices.noise import Noise
from devices.random import Stream

from .averages import Average
from .compile import single_threaded_blas
from .design import Design, Fabrication, checked
from .equilibrium import Audit, settle_by_sweeps
from .kernels import Circuit, forces
from .methods import Dynamics, Phase
from .protocol import Budget, Nudge, Readout, Settled, State
from .recording import Recording
from .relaxation import activate, relax
from .tiles import Drive, Machine, available_threads
from .topology import Connection

Array = NDArray[np.float64]
Recorder = Callable[[State], object]


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
        Threads that share a batch; absent: all available cores. Never changes a result.

    Raises
    ------
    ValueError
        If a block is missing or has the wrong shape, or a time constant is not positive.
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
        self._programme(checked(design.topology, programmed))
        self._budget = Budget()
        self._machine = self._wire(threads or available_threads())
        self._input = np.zeros((0, self.topology.layers[self.topology.input]))
        self._constant = np.zeros((0, self.topology.units))
        self.state: State = np.zeros((0, self.topology.units))
        """Membrane state at the end of the last settling, (batch, units)."""
        self._free = self._full = self.state
        self._ids: NDArray[np.int64] | None = None
        self._names = (0, 0)
        self.average: Average | None = None
        """Mean activity over the window of the last settling, if its phase has one."""
        self.audit = Audit()
        """What audits of the equilibrium mode have found since the chip was made."""

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

    def set_input(self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, repeat: int = 0) -> None:
        """Clamp the input layer to `x`, shape (batch, inputs).

        All membranes go to zero, unless ``dynamics.start`` is `previous` and the batch is as large as
        the last one. `ids` (batch,), `epoch` and `repeat` name the draw of the noise.

        Raises
        ------
        ValueError
            If `x` is not a finite array of that shape.
        """
        x = np.ascontiguousarray(x, dtype=np.float64)
        inputs = self.topology.layers[self.topology.input]
        if x.ndim != 2 or x.shape[1] != inputs or not np.isfinite(x).all():
            raise ValueError(f"x has shape {x.shape}: must be finite and of shape (batch, {inputs})")
        self._input, self._ids, self._names = x, ids, (epoch, repeat)
        self._constant = np.tile(
            np.concatenate([self.effective[f"bias/{n}"] for n in self.topology.names]), (len(x), 1)
        )
        with single_threaded_blas():
            for c in self.topology.connections:
                if c.pre == self.topology.input:
                    self._constant[:, self.topology.columns[c.post]] += x @ self.effective[c.block]
        if self.design.dynamics.start == "zero" or len(self._full) != len(x):
            self._full = np.zeros((len(x), self.topology.units))
        self.state = self._free = self._full = self._full.real.copy()

    def settle(
        self,
        nudge: Nudge | None = None,
        start: Literal["zero", "free"] = "zero",
        record: tuple[int, Recorder] | Recording | None = None,
    ) -> Settled:
        """Let the chip settle, free or nudged, from its start or from the last free state.

        `record` = (every, callback) calls ``callback(state)`` at the start and after every so many
        steps; a `Recording` keeps selected samples and units.

        Raises
        ------
        ValueError
            If a complex nudge meets an activation without complex values, the noise does not fit the
            dynamics, or the recording would need too much memory.
        """
        dynamics = self.design.dynamics
        phase = dynamics.free if nudge is None else dynamics.nudged
        begin = self._begin(start)
        drive = self._drive(nudge, begin)
        if isinstance(record, Recording):
            record = record.reserve(begin[:, : self.topology.units], dynamics, phase, drive.constant, drive.beta)
        if dynamics.mode == "equilibrium":
            if record is not None:
                raise ValueError('a recording follows a trajectory: set dynamics.mode = "trajectory"')
            end = settle_by_sweeps(self._machine, drive, begin, phase)
            self.audit = self.audit.plus(end.audit)
            relaxed = end.relaxed
        else:
            relaxed = relax(self._machine, drive, begin, phase, *(record or (None, None)))
        self.state, self._full, self.average = relaxed.state, relaxed.full, relaxed.average
        if nudge is None:
            self._free = self._full
        time = float(relaxed.settled.time.sum())
        self._budget = self._budget.plus(Budget(settlings=len(begin), settled_time=time))
        return relaxed.settled

    def read(self) -> dict[str, State]:
        """Return the activities per layer (batch, units), now or averaged over the window of the last settling."""
        planes = 2 if np.iscomplexobj(self.state) else 1
        self._budget = self._budget.plus(Budget(reads=planes * len(self.state)))
        activity = self.activity_of(self.state) if self.average is None else self.average.mean
        return {self.topology.input: self._input} | self.topology.split(activity)

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
        return activate(self._machine, state)

    def continue_free(self, phase: Phase) -> State:
        """Return where the last free settling would go under `phase`, in double precision and without noise."""
        dynamics = self.design.dynamics.model_copy(update={"precision": "double", "mode": "trajectory"})
        machine = self._machine._replace(dynamics=dynamics, noise=Noise())
        drive = Drive(self._constant, 0.0, np.zeros((len(self._free), 0)))
        return relax(machine, drive, self._free, phase).state

    def variant(
        self,
        *,
        dynamics: Dynamics | None = None,
        feedback: FeedbackDevices | None = None,
        neurons: NeuronDevices | None = None,
        noise: Noise | None = None,
    ) -> Chip:
        """Return the same silicon and programmed parameters under other dynamics, devices or noise."""
        design = self.design
        design = design._replace(
            dynamics=dynamics or design.dynamics,
            feedback=feedback or design.feedback,
            neurons=neurons or design.neurons,
            noise=noise or design.noise,
        )
        return Chip(design, self.programmed, self.fabrication, self._machine.threads)

    def ideal(self) -> Chip:
        """Return the chip as designed: the same programmed parameters, no imperfection."""
        return self.variant(feedback=FeedbackDevices(), neurons=NeuronDevices(), noise=Noise())

    @property
    def time_constants(self) -> Array:
        """Time constant of every membrane, in units of tau, (units,)."""
        return self._machine.tau

    def _begin(self, start: Literal["zero", "free"]) -> State:
        if start == "free":
            return self._free
        previous = self.design.dynamics.start == "previous"
        return self._full.real if previous else np.zeros_like(self._constant)

    def _drive(self, nudge: Nudge | None, begin: State) -> Drive:
        """Return what is applied; a held nudge is a constant drive, with the force at the free state."""
        epoch, repeat = self._names
        design = self.design
        if design.noise.on and design.dynamics.noise_fault():
            raise ValueError(f"dynamics: {design.dynamics.noise_fault()}")
        beta = 0.0 + 0.0j if nudge is None else complex(nudge.beta)
        phase = "" if design.noise.phases == "common" else f"{beta.real:.17g} {beta.imag:.17g}"
        names = (self.fabrication.seed, self.fabrication.instance, f"{epoch}/{repeat}/{phase}")
        if nudge is None:
            return Drive(self._constant, 0.0, np.zeros((len(begin), 0)), self._ids, names)
        if beta.imag != 0.0 and not activation.is_holomorphic(design.activation):
            raise ValueError("network.activation has no complex values: use a scheme with real nudges, such as centred")
        if design.dynamics.nudge == "continuous":
            return Drive(self._constant, beta, nudge.target, self._ids, names)
        held: State = self._constant.astype(np.complex128 if beta.imag != 0.0 else np.float64)
        free = np.ascontiguousarray(np.real(self.activity_of(self._free[:, : self.topology.units])))
        force = np.empty((len(free), self.topology.layers[self.topology.output]))
        forces(free, np.ascontiguousarray(nudge.target, dtype=np.float64), self._machine.circuit, force)
        held[:, self.topology.columns[self.topology.output]] -= (beta if beta.imag != 0.0 else beta.real) * force
        return Drive(held, 0.0, nudge.target, self._ids, names)

    def _drawn_gains(self, connection: Connection) -> Array:
        stream = Stream(self.fabrication.seed, f"mismatch/{connection.block}", self.fabrication.instance)
        return cell_gains(self.topology.shapes[connection.block], self.design.feedback.mismatch_sigma, stream)

    def _programme(self, blocks: Mapping[str, Array]) -> None:
        for name, block in blocks.items():
            self.programmed[name][...] = block
            self.effective[name][...] = block * self._gains[name] if name in self._gains else block

    def _wire(self, threads: int) -> Machine:
        topology, design = self.topology, self.design
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
        readout = self.readout or Readout(np.zeros((topology.layers[topology.output], 0)), np.zeros(0))
        stream = Stream(self.fabrication.seed, "neurons/tau", self.fabrication.instance)
        return Machine(
            edges=np.array(edges, dtype=np.int64).reshape(-1, 6),
            weights=self._cells,
            layers=np.array([(columns[n].start, columns[n].stop, colours[n]) for n in topology.names]),
            circuit=Circuit(nudge.CODES[design.cost], columns[topology.output].start, readout.weight, readout.bias),
            law=design.law,
            activation=activation.code_of(design.activation),
            table=activation.table_of(design.activation),
            dynamics=design.dynamics,
            tau=time_constants(topology.units, design.neurons.tau_sigma, stream),
            synapse_tau=design.neurons.synapse_tau,
            noise=design.noise,
            threads=threads,
        )
