"""One fabricated chip in operation: what is clamped, settles and is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from devices.interface.converter import Clipped
from devices.neuron.noise import Noise

from ..dynamics.adjoint import relax_errors
from ..dynamics.completion import complete, settle_completely
from ..dynamics.equilibrium import Audit, settle_by_sweeps
from ..dynamics.machine import Drive, Machine
from ..dynamics.methods import Phase
from ..dynamics.recording import Recording
from ..dynamics.slow_drive import SlowDrive
from ..dynamics.trajectory import activate, longest, planes_of, relax
from ..dynamics.transfer import as_loaded
from ..dynamics.windows import Average
from ..engine.cpu.noise_step import largest_drift, substeps
from ..network.couplings import couplings_of, evoked, joined
from ..protocol import Budget, Nudge, Settled, State
from .budget import Account
from .correction import corrected
from .design import Design, Fabrication
from .nudging import adjoint_force, free_drive, nudged
from .readout import ReadChain
from .silicon import Silicon

Array = NDArray[np.float64]
Recorder = Callable[[State], object]
_Record = tuple[int, Recorder] | None


class Chip(Silicon):
    """A chip that settles; implements `substrate.protocol.Bench`.

    Parameters
    ----------
    design : Design
        Wiring, laws and devices.
    programmed : mapping of block name to array
        Requested parameters, shapes as in ``design.topology.shapes``, and what ``writer.kept`` held; copied.
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
        super().__init__(design, programmed, fabrication, threads)
        self._account = Account(design)
        self._reader = ReadChain(design, fabrication)
        self._slow = SlowDrive(design.devices.noise, self.topology.units, fabrication)
        self._busy = 0.0
        self._input = np.zeros((0, self.topology.layers[self.topology.input]))
        self._constant = np.zeros((0, self.topology.units))
        self.state: State = np.zeros((0, self.topology.units))
        """Membrane state at the end of the last settling, (batch, units)."""
        self._free = self._full = self.state
        self._ids: NDArray[np.int64] | None = None
        self._names = "0/0"
        self._errors: Array | None = None
        self._cycle: State | None = None
        self._injected = 0
        self._free_average: Average | None = None
        self._output: Array | None = None
        self._at_free = False
        self.average: Average | None = None
        """Mean activity over the window of the last settling, if its phase has one."""
        self.audit = Audit()
        """What audits of the equilibrium mode have found since the chip was made."""

    @property
    def constant_drive(self) -> Array:
        """Drive of the clamped input plus bias, (batch, units)."""
        return self._constant

    def set_input(
        self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, purpose: str = "", repeat: int = 0
    ) -> None:
        """Clamp the input layer to `x`, shape (batch, inputs).

        All membranes go to zero, unless ``dynamics.start`` is `previous` and the batch is as large as
        the last one. `ids` (batch,; absent: in order), `epoch`, `purpose` and `repeat` name the draw of the noise.

        Raises
        ------
        ValueError
            If `x` is not a finite array of that shape.
        """
        x = np.ascontiguousarray(x, dtype=np.float64)
        inputs = self.topology.layers[self.topology.input]
        if x.ndim != 2 or x.shape[1] != inputs or not np.isfinite(x).all():
            raise ValueError(f"x has shape {x.shape}: must be finite and of shape (batch, {inputs})")
        self._input, self._ids, self._names = x, ids, f"{purpose}{epoch}/{repeat}"
        self._errors, self._cycle, self._injected, self._busy = None, None, 0, 0.0
        self._free_average, self._output, self._at_free = None, None, False
        named = np.arange(len(x)) if ids is None else ids
        self._reader.restart(named, self._names)
        self._slow.restart(named, self._names)
        # The batch that is clamped names the writes, so that a resumed training goes on as an undisturbed one.
        self._fabric.restart(f"{self._names}/{named[0] if len(named) else 0}")
        self._constant = self._fabric.constant_drive(x)
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
            If the nudge or the noise does not fit the dynamics, or the recording would need too much memory.

        Notes
        -----
        A held nudge takes its force from the free output as it was read; a chip that was not read is read now. Slow
        noise goes on from the last settling of this input. No settling ends before the last read is converted,
        ``phases.hold_time`` and the read skew after it: what it takes less, the chip waits.
        """
        dynamics, machine, constant, begin = self.design.dynamics, self._machine, self._constant, self._begin(start)
        phase = dynamics.free if nudge is None else dynamics.nudged
        if nudge is not None:
            machine, constant = self._fabric.twin(machine, constant, self._input)
        drive = free_drive(self.design, self.fabrication, constant, self._ids, self._names, nudge)
        if nudge is not None:
            free = self._free_activity()
            shown = free if self.design.phases.nudge == "continuous" else self._free_output()
            drive = nudged(drive, nudge, self.design, machine, shown)
            if self.design.correction != "none":
                known = self.programmed if self.design.correction == "programmed" else self.effective
                machine, drive = corrected(machine, drive, self.topology, known, free)
        if isinstance(record, Recording):
            record = record.reserve(begin[:, : self.topology.units], dynamics, phase, drive.constant, drive.beta)
        settled = self._follow(machine, drive, begin, phase, record)
        if nudge is None:
            self._free, self._free_average, self._output, self._at_free = self._full, self.average, None, True
        return settled

    def settle_injected(self, drive: Mapping[str, Array]) -> Settled:
        """Let the chip settle from its last free state with a constant `drive` per layer on top, (batch, units).

        ``tau du/dt = F`` at the net drive ``h + drive``, in units of the state. It takes the end of ``dynamics.nudged``
        and has noise of its own, but no nudge, correction or second copy of the cells.

        Raises
        ------
        ValueError
            If a layer does not exist or its drive does not fit, or the noise does not fit the dynamics.
        """
        added = joined(self.topology, drive, len(self._constant))
        whole = free_drive(self.design, self.fabrication, self._constant + added, self._ids, self._names, None)
        if self.design.phases.noise == "independent":
            self._injected += 1
            seed, instance, name = whole.names
            whole = whole._replace(names=(seed, instance, f"{name}/injected {self._injected}"))
        settled = self._follow(self._machine, whole, self._free, self.design.dynamics.nudged)
        self._account.probed(settled.status)
        return settled

    def _follow(self, machine: Machine, drive: Drive, begin: State, phase: Phase, record: _Record = None) -> Settled:
        """Settle under a drive, from `begin` to the end of a phase, and keep where it led.

        A second copy of the cells has a load of its own; states are kept in the units of the first.
        """
        own, acting = self._machine.transfer, machine.transfer
        begin = as_loaded(begin, own, acting)
        if record is not None:
            every, keep = record
            record = every, lambda state: keep(as_loaded(state, acting, own))
        if self.design.complete:
            relaxed = settle_completely(machine, drive, begin)
        elif self.design.dynamics.mode == "equilibrium":
            if record is not None:
                raise ValueError('a recording follows a trajectory: set dynamics.mode = "trajectory"')
            end = settle_by_sweeps(machine, drive, begin, phase)
            self.audit = self.audit.plus(end.audit)
            relaxed = end.relaxed
        else:
            if self._slow.on:
                self._slow.elapse(max(0.0, self._busy - longest(machine, drive, phase)))
                drive = drive._replace(slow=self._slow.begin(planes_of(drive, begin)))
            relaxed = relax(self._shaken(machine), drive, begin, phase, *(record or (None, None)))
            self._slow.end(relaxed.slow, relaxed.settled.time)
        self.state, self._full = as_loaded(relaxed.state, acting, own), as_loaded(relaxed.full, acting, own)
        self.average, self._cycle = relaxed.average, relaxed.cycle
        self._account.settled(len(begin), float(relaxed.settled.time.sum()))
        self._pass(relaxed.settled.time)
        self._at_free = False
        return relaxed.settled

    def _pass(self, time: Array) -> None:
        """Let a settling of `time` (batch,) pass for the reads."""
        self._reader.elapse(np.maximum(time, self._busy))
        self._busy = 0.0

    def read(self, waits: bool = False) -> dict[str, State]:
        """Return the activities per layer (batch, units), now or averaged over the window of the last settling.

        They pass the hold, the noise of the read and the converter; the clamped input is known.
        `waits` says whether this read waits in the hold to be compared with a later one, as all reads
        of an estimate do but the last.
        """
        self._account.read((2 if np.iscomplexobj(self.state) else 1) * len(self.state))
        activity = self.activity_of(self.state) if self.average is None else self.average.mean
        read = self._reader.read(activity, waits)
        self._busy = max(self._busy, self._reader.conversion(waits))
        if self._at_free:
            self._output = np.ascontiguousarray(np.real(read))
        return {self.topology.input: self._input} | self.topology.split(read)

    def read_cycle(self) -> dict[str, State]:
        """Return the activities through the last cycle of a swinging nudge, per layer (points, batch, units).

        Every point is read when it is passed, a time step after the one before.

        Raises
        ------
        ValueError
            If the last nudge did not swing.
        """
        if self._cycle is None:
            raise ValueError("the last nudge did not swing: settle with a Nudge that has a wave")
        points, batch, _ = self._cycle.shape
        self._account.read((2 if np.iscomplexobj(self._cycle) else 1) * points * batch)
        step, read = np.full(batch, self.design.dynamics.dt), []
        self._reader.elapse(-points * step)
        for point in self._cycle:
            read.append(self._reader.read(point, waits=False))
            self._reader.elapse(step)
        known = np.broadcast_to(self._input, (points, *self._input.shape))
        return {self.topology.input: known} | self.topology.split(np.array(read))

    def read_drives(self, offsets: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the drives change by, per layer (batch, units), when the outputs are held at ``a0 + offsets``.

        `a0` are the activities of the last free state, `offsets` are per unclamped layer in units of the activity.
        The change ``W offsets`` passes the noise of the read, and the converter with its range centred at 0; a
        unit of the state reads as one of the activity. The loop is open, so no noise of the membranes enters.

        Raises
        ------
        ValueError
            If a layer does not exist or its offsets do not fit.
        """
        change = evoked(self.topology, self.effective, joined(self.topology, offsets, len(self._constant)))
        self._account.read(len(change))
        return self.topology.split(self._reader.read_signed(change))

    def settle_errors(self, target: Array) -> Settled:
        """Let the adjoint state relax on transposed weights around the last free state (`substrate.dynamics.adjoint`).

        It takes the end of ``dynamics.nudged``, and the force on the outputs through the nudge circuit, which is that
        of the free output as it was read if nudges are held.
        """
        free = self._free[:, : self.topology.units].real
        shown = self._free_activity() if self.design.phases.nudge == "continuous" else self._free_output()
        force = adjoint_force(self.design, self._machine, shown, target)
        couplings = couplings_of(self.topology, self.effective)
        found = relax_errors(self._machine, couplings, free, self._constant, force, self.design.dynamics.nudged)
        self._errors = found.delta
        self._account.settled(len(free), float(found.settled.time.sum()))
        self._slow.elapse(np.maximum(found.settled.time, self._busy))
        self._pass(found.settled.time)
        return found.settled

    def read_errors(self) -> dict[str, Array]:
        """Return the estimate of ``dL/d drive`` per layer (batch, units) that the adjoint state settled to.

        It passes the noise of the read, and the converter with its range centred at 0.

        Raises
        ------
        ValueError
            If no adjoint state has settled for this input.
        """
        if self._errors is None:
            raise ValueError("no error vectors have settled for this input: call settle_errors first")
        self._account.read(len(self._errors))
        return self.topology.split(self._reader.read_signed(self._errors))

    def correlate(self, delta: Mapping[str, State], presynaptic: Mapping[str, State]) -> dict[str, State]:
        """Return what the circuits beside the cells make of error and activity, by block, summed over the samples.

        A connection multiplies `presynaptic` of its pre layer with `delta` of its post layer, (batch, units) each, and
        a bias adds up `delta`; what lacks a factor is left out. Nothing is conjugated.
        """
        found = {
            c.block: c.kind.gradient(presynaptic[c.pre], delta[c.post])
            for c in self.topology.connections
            if c.pre in presynaptic and c.post in delta
        }
        return found | {f"bias/{layer}": d.sum(axis=0) for layer, d in delta.items()}

    def mirror(self, block: str, request: Array) -> Array:
        """Return a request for a connection, given by its block, as its reverse would be asked for the same."""
        return self.topology.mirror(block, request)

    def write(self, changes: Mapping[str, Array]) -> None:
        """Add `changes` to the programmed parameters, as the cells can; every cell keeps its own mismatch.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        """
        self._account.written(self._fabric.write(changes))

    @property
    def budget(self) -> Budget:
        """What has been asked of the chip so far."""
        return self._account.budget

    def activity_of(self, state: State) -> State:
        """Return the activity ``rho(u)`` of any state of this chip, real or complex."""
        return activate(self._machine, state)

    def continue_free(self) -> State:
        """Return where the last free settling would come to rest, in double precision and without noise."""
        drive = Drive(self._constant, 0.0, np.zeros((len(self._free), 0)))
        machine = self._machine._replace(noise=Noise(), dynamics=complete(self.design.dynamics))
        return settle_completely(machine, drive, self._free).state

    @property
    def clipped(self) -> Clipped:
        """How often the readout converter met a value outside its range since the chip was made."""
        return self._reader.clipped

    def _shaken(self, machine: Machine) -> Machine:
        """Return the machine with what its noise asks of steps and ends; noise that was taken away asks for steps."""
        noise = self.design.devices.noise if self.design.devices.noise.on else self.design.paced_by
        if noise is None:
            return machine
        couplings = couplings_of(self.topology, self.effective)
        fluctuation = largest_drift(machine, couplings, self.design.devices.noise)
        return machine._replace(substeps=substeps(machine, couplings, noise), fluctuation=fluctuation)

    def _begin(self, start: Literal["zero", "free"]) -> State:
        if start == "free":
            return self._free
        return self._full.real if self.design.dynamics.start == "previous" else np.zeros_like(self._constant)

    def _free_activity(self) -> Array:
        """Return the activities of the last free state, (batch, units)."""
        return np.ascontiguousarray(np.real(self.activity_of(self._free[:, : self.topology.units])))

    def _free_output(self) -> Array:
        """Return the activities of the last free state as they were read, (batch, units); read them if they were not.

        A window of that settling is averaged, as in every read.
        """
        if self._output is None:
            self._account.read(len(self._free))
            shown = self._free_activity() if self._free_average is None else np.real(self._free_average.mean)
            self._output = np.ascontiguousarray(np.real(self._reader.read(shown, waits=False)))
        return self._output
