"""A chip on a board as experiments see it: a `Bench` on six primitives.

One sample is clamped at a time, so every settling runs through the batch sample by sample; before a nudged one each
sample settles freely again. The nudge is held: the controller computes ``e = dC/da`` from the free outputs as they were
read, and injects ``-beta e``. Readout, products of activity and error, and the record of what was written are digital.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..network.topology import Topology
from ..ports import BOARD_PORTS, PORTS, Port
from ..protocol import Bench, Budget, Nudge, Readout, SettlingResult, State, Status, has_settled
from .board import Board, BoardError, BoardInfo, Codes, Ending, Pulses
from .counts import Transfers
from .pulses import Mask, WriteLosses, make_pulses, pack_pulses, unpack_pulses
from .scales import Scales

Array = NDArray[np.float64]

_WAITING, _WRITTEN, _COUNTS, _SPENT = "waiting/", "written", "counts", "spent"
"""Names of what a bench keeps beside its record: lines that wait, how many the board has carried out, its counts, what
was asked of the chip."""


class BenchSetting(NamedTuple):
    """What a controller knows of a board and decides."""

    scales: Scales
    settle_time: float | None = None
    """Length of every settling, in tau; None: the board decides."""

    tau: float = 1.0
    """Seconds that one tau takes."""

    step: float | None = None
    """Change of a weight by one pulse; None: every line says how large its pulses are."""

    stuck: Mapping[str, Mask] = {}
    """Cells that are known not to move, by block."""

    tied: Mapping[str, str] = {}
    """Feedback block to forward block, where one number is stored for both directions: that of the forward block."""


class HardwareBench(Bench):
    """A chip on a board; implements `substrate.protocol.Bench` as far as `capabilities` go.

    Parameters
    ----------
    board : Board
        The chip's board, from which nothing else may write.
    info : BoardInfo
        What it told of itself.
    topology : Topology
        Wiring as the controller has it; dense connections only.
    programmed : mapping of block name to array
        What the cells and the digital readout hold, as far as the controller knows; copied.
    setting : BenchSetting
        Scales, length of settlings, pulses.
    """

    def __init__(
        self, board: Board, info: BoardInfo, topology: Topology, programmed: Mapping[str, Array], setting: BenchSetting
    ) -> None:
        self._board, self._info, self._setting, self.topology = board, info, setting, topology
        self.programmed = {name: np.array(programmed[name], dtype=np.float64) for name in topology.shapes}
        """The controller's record of what is programmed, by block; exact for the readout."""
        self._budget, self._before = Budget(), Transfers()
        self.spent_before = Budget()
        """What had been asked of the chip in earlier processes; `budget` has it, too."""
        self.resettlings = 0
        """Free settlings only to bring a sample back to its free state."""
        self.clipped = 0
        """Drives and inputs beyond the range of their converter so far."""
        self.at_end = 0
        """Reads of a unit that gave the lowest or the highest code."""
        self.losses = WriteLosses()
        """Requests that did not become the pulses they asked for."""
        self.tells_status = False
        """Whether the board has told how a settling ended."""
        self._waiting: list[Pulses] = []
        self._written = info.written
        self._input = np.zeros((0, topology.layers[topology.input]))
        self._free = self._read = np.zeros((0, topology.units))
        self._at: int | None = None

    @property
    def capabilities(self) -> frozenset[Port]:
        """Ports of a board with six primitives."""
        return BOARD_PORTS

    @property
    def connections(self) -> list[tuple[str, str]]:
        """(pre, post) layer of every connection."""
        return [c.ends for c in self.topology.connections]

    @property
    def layers(self) -> Mapping[str, int]:
        """Units of every layer, the clamped input first."""
        return self.topology.layers

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every block of weights and biases that cells hold."""
        return {name: shape for name, shape in self.topology.shapes.items() if not name.startswith("readout/")}

    @property
    def readout(self) -> Readout | None:
        """The digital readout, or None for the mse cost."""
        if self.topology.classes is None:
            return None
        return Readout(self.programmed["readout/weight"], self.programmed["readout/bias"])

    @property
    def budget(self) -> Budget:
        """What has been asked of the chip so far."""
        return self._budget

    @property
    def transfers(self) -> Transfers:
        """What went over the line so far, in earlier processes, too; nothing where there is no line."""
        line: Transfers = getattr(self._board, "transfers", Transfers())
        return self._before.plus(line._replace(resettlings=self.resettlings))

    def set_input(self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, purpose: str = "") -> None:  # noqa: ARG002
        """Take the batch `x` (batch, inputs); each sample is clamped when it settles.

        Raises
        ------
        ValueError
            If `x` is not a finite array of that shape.
        """
        x, inputs = np.ascontiguousarray(x, dtype=np.float64), self.topology.layers[self.topology.input]
        if x.ndim != 2 or x.shape[1] != inputs or not np.isfinite(x).all():
            raise ValueError(f"x has shape {x.shape}: must be finite and of shape (batch, {inputs})")
        self._input, self._at = x, None
        self._free = self._read = np.zeros((len(x), self.topology.units))

    def settle(self, nudge: Nudge | None = None, start: Literal["zero", "free"] = "zero") -> SettlingResult:
        """Let every sample settle and read it: freely from where the chip stands, or nudged from its free state.

        Raises
        ------
        ValueError
            If a nudge is complex or swings.
        """
        if nudge is None:
            self._read = np.zeros_like(self._free)
            endings = [self._settle_free(k) for k in range(len(self._input))]
            self._free = self._read
            return self._count_settlings(endings)
        if nudge.wave is not None or complex(nudge.beta).imag != 0.0:
            raise ValueError("a nudge that swings or is complex: a board holds constant real ones")
        if start == "zero":
            raise ValueError("a nudged settling from zero: on a board it begins at the free state")
        drive, first = np.zeros_like(self._free), self.topology.columns[self.topology.output].start
        signs = 1.0 if nudge.signs is None else nudge.signs[:, None]
        force = compute_held_force(self.readout, self._free[:, first:], nudge.target)
        drive[:, first:] = -complex(nudge.beta).real * signs * force
        return self._settle_driven(drive)

    def settle_injected(self, drive: Mapping[str, Array]) -> SettlingResult:
        """Let every sample settle from its free state with a constant drive per layer on top, and read it."""
        whole = np.zeros_like(self._free)
        for name, layer in drive.items():
            whole[:, self.topology.columns[name]] = layer
        found = self._settle_driven(whole)
        unsettled = int(np.count_nonzero(~has_settled(found.status))) if self.tells_status else 0
        self._spend(Budget(probes=len(whole), probes_unsettled=unsettled))
        return found

    def read(self, waits: bool = False) -> dict[str, State]:  # noqa: ARG002
        """Return the activities at the end of the last settling, per layer (batch, units); the input is known."""
        return {self.topology.input: self._input} | self.topology.split(self._read)

    def read_layers(self, layers: Collection[str]) -> dict[str, State]:
        """Return the activities of some unclamped layers at the end of the last settling."""
        split = self.topology.split(self._read)
        return {name: split[name] for name in layers}

    def correlate(
        self,
        delta: Mapping[str, State],
        presynaptic: Mapping[str, State],
        samples: NDArray[np.int64] | None = None,  # noqa: ARG002
    ) -> dict[str, State]:
        """Return products of activity and error by block, summed over the samples: the controller multiplies."""
        found = {
            c.block: c.kind.gradient(presynaptic[c.pre], delta[c.post])
            for c in self.topology.connections
            if c.pre in presynaptic and c.post in delta
        }
        self.count_macs(sum(block.size for block in found.values()) * len(next(iter(delta.values()), ())))
        return found | {f"bias/{name}": d.sum(axis=0) for name, d in delta.items()}

    def mirror(self, block: str, request: Array) -> Array:
        """Return a request for a connection, by block, as its reverse would be asked for the same change."""
        return self.topology.mirror(block, request)

    def write(self, changes: Mapping[str, Array]) -> None:
        """Request changes by block; the readout takes them as they are, cells get pulses.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        TransferError
            If the board does not answer; what is left to write waits, see `finish_write`.
        """
        for block, change in changes.items():
            if block not in self.programmed or change.shape != self.programmed[block].shape:
                raise ValueError(f"{block!r} of shape {change.shape} is no block of this chip")
            if not np.isfinite(change).all():
                raise ValueError(f"the change of {block!r} is not finite")
        cells = {name: change for name, change in changes.items() if not name.startswith("readout/")}
        for name in changes.keys() - cells.keys():
            self.programmed[name] += changes[name]
        for name, change in self._add_tied(cells).items():
            lines, losses = make_pulses(
                name, change, self._setting.step, self._info.chunk, self._setting.stuck.get(name)
            )
            self._waiting += lines
            self.losses = self.losses.plus(losses)
        self._spend(Budget(writes=int(bool(cells))))
        self._at = None
        self.finish_write()

    def finish_write(self) -> None:
        """Send every line of pulses that waits; one that fails stays, and so do all after it."""
        while self._waiting:
            self._board.pulse(self._waiting[0])
            self._record_pulses(self._waiting.pop(0))

    def count_macs(self, macs: int) -> None:
        """Enter multiply-adds of the controller, over all samples, into the budget."""
        self._spend(Budget(macs=macs))

    def keep(self) -> dict[str, Array]:
        """Return what a later process needs to go on with this chip: record, lines that wait, lines carried out."""
        waiting = {_WAITING + name: line for name, line in pack_pulses(self._waiting).items()}
        counts = np.array([*self.transfers, self.clipped, self.at_end, *self.losses])
        spent = np.array(self._budget, dtype=np.float64)
        return self.programmed | waiting | {_WRITTEN: np.array(float(self._written)), _COUNTS: counts, _SPENT: spent}

    def restore(self, kept: Mapping[str, Array]) -> None:
        """Go on where `keep` was called, and write what waited there.

        Raises
        ------
        BoardError
            If the chip was written by others since, or has forgotten.
        """
        for name, block in self.programmed.items():
            block[...] = kept[name]
        inside = {name.removeprefix(_WAITING): line for name, line in kept.items() if name.startswith(_WAITING)}
        spent = zip(Budget._fields, Budget(), kept[_SPENT].tolist(), strict=True)
        numbers: dict[str, Any] = {name: type(usual)(value) for name, usual, value in spent}
        self._budget = self.spent_before = Budget(**numbers)
        counts, told = kept[_COUNTS].tolist(), len(Transfers._fields)
        self._before = Transfers(*counts[:told])
        self.clipped, self.at_end, *lost = map(int, counts[told:])
        self.losses = WriteLosses(*lost)
        self._waiting, here = unpack_pulses(inside), self._written
        self._written = int(kept[_WRITTEN])
        while self._waiting and self._written < here:  # this line arrived, but not its reply
            self._record_pulses(self._waiting.pop(0))
        if here != self._written:
            raise BoardError(
                f"the chip has carried out {here} lines of pulses, but {self._written} when the checkpoint was kept: "
                "it was written by others or has forgotten; start anew, with another --out"
            )
        self.finish_write()

    def close(self) -> None:
        """Leave the chip."""
        self._board.close()

    def _add_tied(self, changes: Mapping[str, Array]) -> dict[str, Array]:
        """Return the changes with those of both directions of one number added up, under its forward block."""
        summed = dict(changes)
        for back, forward in self._setting.tied.items():
            if back in summed:
                change = self.mirror(back, summed.pop(back))
                summed[forward] = summed[forward] + change if forward in summed else change
        return summed

    def _settle_free(self, k: int, read: bool = True) -> Ending:
        """Clamp sample `k` and let it settle freely; unless it is only brought back, read it."""
        codes, outside = self._setting.scales.input.encode(self._input[k])
        self.clipped += outside
        self._board.clamp(codes)
        ending, self._at = self._go(None), k
        if read:
            self._sample(k)
        return ending

    def _settle_driven(self, drive: Array) -> SettlingResult:
        """Let every sample settle under a constant drive (batch, units) from its free state, and read it."""
        endings, self._read = [], np.zeros_like(self._free)
        for k, one in enumerate(drive):
            if self._at != k:
                self._spend(Budget(settlings=1, settled_time=self._tell_time(self._settle_free(k, read=False))))
                self.resettlings += 1
            codes, outside = self._setting.scales.dac.encode(one)
            self.clipped += outside
            endings.append(self._go(codes))
            self._at = None
            self._sample(k)
        return self._count_settlings(endings)

    def _go(self, inject: Codes | None) -> Ending:
        time = self._setting.settle_time
        return self._board.go(inject, None if time is None else time * self._setting.tau)

    def _sample(self, k: int) -> None:
        codes, adc = self._board.sample(), self._setting.scales.adc
        self._read[k] = adc.decode(codes)
        self.at_end += adc.count_ends(codes)
        self._spend(Budget(reads=1))

    def _tell_time(self, ending: Ending) -> float:
        """Return how long a settling took, in tau; 0 where nobody knows."""
        known = ending.time / self._setting.tau
        return (self._setting.settle_time or 0.0) if np.isnan(known) else known

    def _count_settlings(self, endings: list[Ending]) -> SettlingResult:
        time = np.array([self._tell_time(ending) for ending in endings])
        self._spend(Budget(settlings=len(endings), settled_time=float(time.sum())))
        self.tells_status |= any(ending.status is not None for ending in endings)
        status = [Status.STEP_LIMIT if ending.status is None else ending.status for ending in endings]
        residual = np.array([ending.residual for ending in endings])
        return SettlingResult(np.array(status, dtype=np.int64), np.zeros(len(endings), dtype=np.int64), residual, time)

    def _record_pulses(self, line: Pulses) -> None:
        """Enter a line that was carried out into the record."""
        place = slice(line.first, line.first + len(line.counts))
        self.programmed[line.block].reshape(-1)[place] += line.size * line.counts
        for back, forward in self._setting.tied.items():
            if forward == line.block:
                self.programmed[back][...] = self.mirror(forward, self.programmed[forward])
        self._written += 1
        counts = np.abs(line.counts.astype(np.int64))
        pulses = counts.sum() if self._setting.step else np.count_nonzero(counts)
        self._spend(Budget(pulses=int(pulses)))

    def _spend(self, spent: Budget) -> None:
        self._budget = self._budget.plus(spent)

    def _lack(self, port: Port) -> ValueError:
        return ValueError(f"a board has no port {port!r}: {PORTS[port]}")

    def perturb(self, signs: Mapping[str, Array], size: float) -> None:  # noqa: ARG002
        """Raise ValueError: a board has no dither line."""
        raise self._lack("dither")

    def read_cells(self, block: str, chosen: NDArray[np.bool_]) -> Array:  # noqa: ARG002
        """Raise ValueError: a board reads no cells."""
        raise self._lack("cell-read")

    def read_cycle(self) -> dict[str, State]:
        """Raise ValueError: no nudge swings on a board."""
        raise self._lack("cycle")

    def settle_errors(self, target: Array) -> SettlingResult:  # noqa: ARG002
        """Raise ValueError: a board has no adjoint state."""
        raise self._lack("adjoint")

    def read_errors(self) -> dict[str, Array]:
        """Raise ValueError: a board has no adjoint state."""
        raise self._lack("adjoint")

    def read_drives(self, offsets: Mapping[str, Array]) -> dict[str, Array]:  # noqa: ARG002
        """Raise ValueError: a board does not open its loop."""
        raise self._lack("drives")


def compute_held_force(readout: Readout | None, output: Array, target: Array) -> Array:
    """Return ``e = dC/da`` of the outputs (batch, outputs), see `devices.interface.cost_force`."""
    if readout is None:
        return output - target
    logits = output @ readout.weight + readout.bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = shares / shares.sum(axis=1, keepdims=True) - target
    return np.asarray(error @ readout.weight.T)
