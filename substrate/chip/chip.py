"""One fabricated chip in operation: what is clamped, settles and is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from devices.interface.converter import ClipCounts

from ..dynamics.machine import Drive, Machine, UnitNoise, count_planes
from ..dynamics.methods import Phase
from ..engine.door import load_engine
from ..engine.protocol import Average
from ..engine.threads import count_available_threads
from ..network.couplings import join_layers
from ..ports import ALL_PORTS, Port
from ..protocol import Budget, Nudge, Readout, SettlingResult, State
from ..settling.adjoint import relax_adjoint
from ..settling.equilibrium import Audit
from ..settling.probing import evoke_drives
from ..settling.recording import Recording
from ..settling.settler import Record, Settler
from .boards.limits import COMPLEX_NOISE
from .boards.noisy_cells import Rest
from .boards.regimes import CellProcess
from .budget import Account, WriteCounts
from .causes import CAUSES, list_causes, remove_causes
from .design import Design, Fabrication
from .nudging import add_nudge, apply_correction, compute_adjoint_force, make_free_drive
from .readout import ReadChain
from .weights import ChipWeights

Array = NDArray[np.float64]

_NOISE_REST = 1e-4
"""Largest drift at the rest point at which the noise of the cells is taken; units of the state."""


class Chip:
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
        self.design = design
        self.topology = design.topology
        self.fabrication = fabrication
        self._fabric = ChipWeights(design, programmed, fabrication)
        self.effective = self._fabric.effective
        """Parameters the units really feel, by block."""
        self.writer = self._fabric.writer
        """The cells as they are written, and what they keep beside their weights."""
        self.membranes = self._fabric.membranes
        """Time constants, transfer curves and noise of the units."""
        self.held: Mapping[str, Array] = self._fabric.held
        """What the cells keep of the programmed parameters, by block."""
        self.unreached: Mapping[str, int] = self._fabric.unreached
        """Cells that could not take the weight they were programmed to when the chip was made, by block."""
        self._machine = self._fabric.machine(threads or count_available_threads())
        self._account = Account(design)
        self._reader = ReadChain(design, fabrication)
        self._settler = Settler(self._machine, self.topology, design.paced_by, design.complete, fabrication.stream)
        self._gains = self._machine.transfer.gain
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
        self._unit_noise: UnitNoise | None = None
        self._at_free = False
        self.average: Average | None = None
        """Mean activity over the window of the last settling, if its phase has one."""

    @property
    def programmed(self) -> Mapping[str, Array]:
        """Requested parameters by block, summed over all arrays of cells that the units feel."""
        return self._fabric.record

    @property
    def stored(self) -> Mapping[str, Array]:
        """Requested parameters of every array of cells; the first one by the names of the blocks."""
        return self._fabric.stored

    @property
    def kept(self) -> dict[str, Array]:
        """What another chip object of the same silicon needs to go on: `stored`, and what `writer` keeps beside it."""
        return dict(self.stored) | self.writer.kept

    @property
    def machine(self) -> Machine:
        """The chip as an engine takes it; its arrays follow the writes."""
        return self._machine

    @property
    def capabilities(self) -> frozenset[Port]:
        """Every port: a simulated chip has all."""
        return ALL_PORTS

    @property
    def connections(self) -> list[tuple[str, str]]:
        """(pre, post) layer of every connection."""
        return [(c.pre, c.post) for c in self.topology.connections]

    @property
    def layers(self) -> Mapping[str, int]:
        """Units of every layer, the clamped input first."""
        return self.topology.layers

    @property
    def readout(self) -> Readout | None:
        """The digital readout, or None for the mse cost."""
        return self._fabric.readout

    def variant(self, **parts: Any) -> Self:
        """Return the same silicon and programmed parameters with other parts of the design, see `Design.replace`."""
        return type(self)(self.design.replace(**parts), self.kept, self.fabrication, self._machine.threads)

    def reprogrammed(self, blocks: Mapping[str, Array]) -> Self:
        """Return the same silicon with other parameters in some of its blocks."""
        first = {name: block - self._fabric.extra.sum_programmed(name) for name, block in blocks.items()}
        return type(self)(self.design, self.kept | first, self.fabrication, self._machine.threads)

    @property
    def causes(self) -> list[str]:
        """Names of the imperfections of this chip, see `substrate.chip.causes`."""
        return list_causes(self.design)

    def without(self, *names: str) -> Self:
        """Return the same silicon and programmed parameters with the named causes of error ideal.

        Raises
        ------
        ValueError
            If a name is no cause.
        """
        return self.variant(**remove_causes(self.design, *names)._asdict())

    def ideal(self) -> Self:
        """Return the chip as designed: the same programmed parameters, no imperfection."""
        return self.without(*CAUSES)

    @property
    def tally(self) -> WriteCounts:
        """Counts of the writes since the chip was made, by block; never changes once it is given out."""
        return WriteCounts(*(counts.copy() for counts in self._fabric.tally))

    @property
    def constant_drive(self) -> Array:
        """Drive of the clamped input plus bias, (batch, units); without the noise of cells."""
        return self._fabric.constant_drive(self._input, noisy=False) if self._fabric.frozen else self._constant

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
        self._gains, self._unit_noise = self._machine.transfer.gain, None
        named = np.arange(len(x)) if ids is None else ids
        self._reader.restart(named, self._names)
        self._settler.restart(named, self._names)
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
        record: Record | Recording = None,
    ) -> SettlingResult:
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
        dynamics, machine, constant, begin = self.design.dynamics, self._present, self._constant, self._begin(start)
        phase = dynamics.free if nudge is None else dynamics.nudged
        second = nudge is not None and self.design.devices.twin is not None
        if second:
            machine, constant = self._fabric.twin(machine, constant, self._input)
        drive = make_free_drive(self.design, self.fabrication, constant, self._ids, self._names, nudge)
        if nudge is not None:
            free = self.free_activity()
            shown = free if self.design.phases.nudge == "continuous" else self._free_output()
            drive = add_nudge(drive, nudge, self.design, machine, shown)
            machine, drive = apply_correction(machine, drive, self.design, self.programmed, self.effective, free)
        if isinstance(record, Recording):
            record = record.reserve(begin[:, : self.topology.units], dynamics, phase, drive.constant, drive.beta)
        settled = self._follow(machine, drive, begin, phase, record, board=int(second))
        if nudge is None:
            self._free, self._free_average, self._output, self._at_free = self._full, self.average, None, True
        return settled

    def settle_injected(self, drive: Mapping[str, Array]) -> SettlingResult:
        """Let the chip settle from its last free state with a constant `drive` per layer on top, (batch, units).

        ``tau du/dt = F`` at the net drive ``h + drive``, in units of the state. It takes the end of ``dynamics.nudged``
        and has noise of its own, but no nudge, correction or second copy of the cells.

        Raises
        ------
        ValueError
            If a layer does not exist or its drive does not fit, or the noise does not fit the dynamics.
        """
        added = join_layers(self.topology, drive, len(self._constant))
        whole = make_free_drive(self.design, self.fabrication, self._constant + added, self._ids, self._names, None)
        if self.design.phases.noise == "independent":
            self._injected += 1
            seed, instance, name = whole.names
            whole = whole._replace(names=(seed, instance, f"{name}/injected {self._injected}"))
        settled = self._follow(self._present, whole, self._free, self.design.dynamics.nudged)
        self._account.probed(settled.status)
        return settled

    def _follow(
        self, machine: Machine, drive: Drive, begin: State, phase: Phase, to: Record = None, board: int = 0
    ) -> SettlingResult:
        """Settle under a drive, from `begin` to the end of a phase on a board, and keep where it led."""
        if machine.cells_white or machine.cell_times:
            if count_planes(drive, begin) > 1:
                raise ValueError(f"devices.weights.noise: {COMPLEX_NOISE}")
            cells = self.unit_noise
            constant = drive.constant if cells.push is None else drive.constant + cells.push
            drive = drive._replace(cells=cells, constant=constant)
        relaxed = self._settler.follow(machine, drive, begin, phase, self._busy, to, board)
        self._gains = machine.transfer.gain
        self._reader.turn_to(board)
        self.state, self._full, self.average, self._cycle = relaxed.state, relaxed.full, relaxed.average, relaxed.cycle
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
        activity = self._show_activity() if self.average is None else self.average.mean
        read = self._reader.read(activity, waits)
        self._busy = max(self._busy, self._reader.conversion(waits))
        if self._at_free:
            self._output = np.ascontiguousarray(np.real(read))
        return {self.topology.input: self._input} | self.topology.split(read)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every block of weights and biases that cells hold."""
        return {name: shape for name, shape in self.topology.shapes.items() if not name.startswith("readout/")}

    def perturb(self, signs: Mapping[str, Array], size: float) -> None:
        """Move cells by ``size * signs``, by block, until the next call or write; loads of membranes stay as they are.

        Raises
        ------
        ValueError
            If a block does not exist, is one of the readout, or has another shape.
        """
        self._fabric.perturb({name: size * sign for name, sign in signs.items()})
        self._constant = self._fabric.constant_drive(self._input)

    def read_layers(self, layers: Collection[str]) -> dict[str, State]:
        """Return the activities of some unclamped layers, (batch, units) each, as a read of all would have them.

        Raises
        ------
        ValueError
            If a layer does not exist or is clamped.
        """
        if unknown := [name for name in layers if name not in self.topology.columns]:
            raise ValueError(f"a read of {unknown[0]!r}: must be an unclamped layer, one of {[*self.topology.columns]}")
        columns = [self.topology.columns[name] for name in layers]
        planes = 2 if np.iscomplexobj(self.state) else 1
        self._account.read_layers(planes * len(self.state), sum(c.stop - c.start for c in columns))
        activity = self.activity_of(self.state) if self.average is None else self.average.mean
        read = self._reader.read(activity, False, np.r_[tuple(columns)] if columns else np.zeros(0, dtype=np.int64))
        self._busy = max(self._busy, self._reader.conversion(False))
        split = self.topology.split(read)
        return {name: split[name] for name in layers}

    def count_macs(self, macs: int) -> None:
        """Enter multiply-adds of the controller, over all samples, into the budget."""
        self._account.computed(macs)

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
        read = self._reader.read_cycle(self._cycle, self.design.dynamics.dt)
        known = np.broadcast_to(self._input, (points, *self._input.shape))
        return {self.topology.input: known} | self.topology.split(read)

    def read_drives(self, offsets: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the drives change by, per layer (batch, units), when the outputs are held at ``a0 + offsets``.

        `a0` are the activities of the last free state, `offsets` are per unclamped layer in units of the activity.
        The change passes the noise of the read, and the converter with its range centred at 0; a unit of the state
        reads as one of the activity. The loop is open, so no noise of the membranes enters.

        Raises
        ------
        ValueError
            If a layer does not exist or its offsets do not fit.
        """
        change = evoke_drives(self._present, self._free, join_layers(self.topology, offsets, len(self._constant)))
        self._account.read(len(change))
        return self.topology.split(self._reader.read_signed(change))

    def settle_errors(self, target: Array) -> SettlingResult:
        """Let the adjoint state relax on transposed weights around the last free state (`substrate.settling.adjoint`).

        It takes the end of ``dynamics.nudged``, and the force on the outputs through the nudge circuit, which is that
        of the free output as it was read if nudges are held.
        """
        free = self._free[:, : self.topology.units].real
        shown = self.free_activity() if self.design.phases.nudge == "continuous" else self._free_output()
        force = compute_adjoint_force(self.design, self._machine, shown, target)
        found = relax_adjoint(self._present, free, self._constant, force, self.design.dynamics.nudged)
        self._errors = found.delta
        self._account.settled(len(free), float(found.settled.time.sum()))
        self._settler.elapse(np.maximum(found.settled.time, self._busy))
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

    def correlate(
        self,
        delta: Mapping[str, State],
        presynaptic: Mapping[str, State],
        samples: NDArray[np.int64] | None = None,
    ) -> dict[str, State]:
        """Return what the circuits beside the cells make of error and activity, see `substrate.protocol.Bench`."""
        at = presynaptic
        if samples is not None and not all(kind.linear for kind in self._machine.kinds):
            free = self.topology.split(self.free_activity()[samples])
            at = {self.topology.input: self._input[samples]} | free
        return self._fabric.correlate(delta, presynaptic, at)

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
        events = int(any(not name.startswith("readout/") for name in changes))
        self._account.written(self._fabric.write(changes), events)

    def read_cells(self, block: str, chosen: NDArray[np.bool_]) -> Array:
        """Return the effective weights of some cells of a block, (cells,), see `substrate.protocol.Bench`.

        Raises
        ------
        ValueError
            If the block has no cells, or not as many as are chosen from.
        """
        extra = block in self._fabric.extra.programmed
        cells = self._fabric.read_array(block) if extra else self.effective.get(block)
        if cells is None or block.startswith("readout/") or cells.shape != chosen.shape:
            raise ValueError(f"{block!r} has no cells of shape {chosen.shape} that can be read")
        self._account.read_cells(int(np.count_nonzero(chosen)))
        if not extra:
            return cells[chosen]
        units = self.topology.columns[self.topology.ends[self._fabric.extra.find_block(block)]]
        return self._reader.read_cells(cells, chosen, units)

    @property
    def budget(self) -> Budget:
        """What has been asked of the chip so far."""
        return self._account.budget

    def activity_of(self, state: State) -> State:
        """Return the activity ``rho(u)`` of any state of this chip, real or complex."""
        return load_engine(self.design.dynamics).activate(self._machine, state)

    @property
    def unit_noise(self) -> UnitNoise:
        """What the units get of the noise of their cells that is faster than a batch, for the input that is clamped."""
        if self._unit_noise is None:
            self._unit_noise = self._fabric.compute_unit_noise(self._machine, self._find_rest())
        return self._unit_noise

    @property
    def has_frozen_cells(self) -> bool:
        """Tell whether cells have noise that lasts longer than a batch."""
        return self._fabric.frozen

    def compute_frozen_variances(self) -> dict[str, Array]:
        """Return the variance of every cell by noise that lasts longer than a batch, by block."""
        return self._fabric.compute_frozen_variances()

    def list_cell_variances(self) -> list[tuple[CellProcess, Array]]:
        """Return every process of the noise of the cells with the variance that it gives the drives, (batch, units)."""
        return self._fabric.list_cell_variances(self._machine, self._find_rest())

    def _find_rest(self) -> Rest:
        """Return where the free phase comes to rest without noise, well enough for levels of noise."""
        state = self._settler.complete(self._constant, np.zeros_like(self._constant), _NOISE_REST)
        return Rest(self._input, np.real(self.activity_of(state)), self._machine.transfer.slope(state), state)

    @property
    def _present(self) -> Machine:
        """The machine with the weights of this batch."""
        return self._fabric.present(self._machine)

    def _show_activity(self) -> State:
        """Return the activity of the present state, with the gains of the board that has settled."""
        machine = self._machine
        shown = machine._replace(transfer=machine.transfer._replace(gain=self._gains))
        return load_engine(self.design.dynamics).activate(shown, self.state)

    def continue_free(self) -> State:
        """Return where the last free settling would come to rest, in double precision and without noise."""
        return self._settler.complete(self.constant_drive, self._free)

    @property
    def audit(self) -> Audit:
        """What audits of the equilibrium mode have found since the chip was made."""
        return self._settler.audit

    @property
    def clipped(self) -> ClipCounts:
        """How often the readout converter met a value outside its range since the chip was made."""
        return self._reader.clipped

    def _begin(self, start: Literal["zero", "free"]) -> State:
        if start == "free":
            return self._free
        return self._full.real if self.design.dynamics.start == "previous" else np.zeros_like(self._constant)

    def free_activity(self) -> Array:
        """Return the activities of the last free state, (batch, units)."""
        return np.ascontiguousarray(np.real(self.activity_of(self._free[:, : self.topology.units])))

    def _free_output(self) -> Array:
        """Return the activities of the last free state as they were read, (batch, units); read them if they were not.

        A window of that settling is averaged, as in every read.
        """
        if self._output is None:
            self._account.read(len(self._free))
            shown = self.free_activity() if self._free_average is None else np.real(self._free_average.mean)
            self._output = np.ascontiguousarray(np.real(self._reader.read(shown, waits=False)))
        return self._output
