"""One circuit in operation: what is clamped, settles, is read and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from devices.circuit.components import CircuitDevices, DropReading, OutputCircuit
from devices.random import Stream

from ..protocol import Budget, Nudge, SettlingResult
from .circuit import Array, CircuitGraph, compute_power
from .contrast import contrast_drops
from .design import CircuitDesign, apply_spreads, draw_spreads, place_blocks
from .rest import TOLERANCE, CircuitRest, find_circuit_rest
from .system import CircuitDrive, CircuitSystem, apply_nothing, assemble_system


class _Presentation(NamedTuple):
    """What is clamped now, and what its noise is called."""

    x: Array
    held: Array
    ids: NDArray[np.int64]
    names: str


class CircuitChip:
    """A circuit that settles; implements `substrate.protocol.CircuitBench`.

    Parameters
    ----------
    design : CircuitDesign
        Elements, and what is learned of them.
    programmed : mapping of block name to array
        Learned parameters, in siemens, volts and amperes; copied, and clipped to what the elements can have.
    seed, instance : int
        Names of the piece of hardware.
    """

    readout = None
    """Circuits answer with voltages."""

    def __init__(
        self, design: CircuitDesign, programmed: Mapping[str, Array], seed: int = 0, instance: int = 0
    ) -> None:
        self.design, self.seed, self.instance = design, seed, instance
        self.programmed: dict[str, Array] = {}
        """Learned parameters by block."""
        self.limited = dict.fromkeys(design.blocks, 0)
        """Parameters of every block that stand at a bound of their own."""
        self._spread = draw_spreads(design, seed, instance)
        self._systems: dict[bool, CircuitSystem] = {}
        self._put({name: np.array(programmed[name], dtype=np.float64) for name in design.blocks})
        self.budget = Budget()
        """What has been asked of the circuit so far."""
        self._clamped_now = self._present(np.zeros((0, design.inputs[1])), None, "")
        self._free: CircuitRest | None = None
        self.rest: CircuitRest | None = None
        """Where it rested last."""
        self._phase = "free"

    @property
    def layers(self) -> Mapping[str, int]:
        """Nodes of every layer, the input first."""
        return dict([self.design.inputs]) | {name: len(nodes) for name, nodes in self.design.layers.items()}

    @property
    def metrics(self) -> Mapping[str, float]:
        """Factor of the squared drops by block, from the nominal gains of amplifiers."""
        return {name: block.metric for name, block in self.design.blocks.items()}

    @property
    def effective(self) -> CircuitGraph:
        """The circuit that is there."""
        return self.system().circuit

    def system(self, twin: bool = False) -> CircuitSystem:
        """Return the equations of the circuit, or of its second copy."""
        if twin not in self._systems:
            circuit = place_blocks(self.design, self.programmed)
            self._systems[twin] = assemble_system(apply_spreads(circuit, self.design.devices, self._spread, twin))
        return self._systems[twin]

    def variant(self, devices: CircuitDevices | None = None, **parts: Any) -> Self:
        """Return the same hardware and parameters with other parts of the design, or other devices."""
        if devices is not None:
            parts["devices"] = devices
        return type(self)(self.design._replace(**parts), self.programmed, self.seed, self.instance)

    @property
    def limited_share(self) -> float:
        """Share of the learned parameters that stand at a bound of their own."""
        return sum(self.limited.values()) / max(1, sum(values.size for values in self.programmed.values()))

    @property
    def clamped_share(self) -> Array:
        """Share of the free nodes that diodes or clamps hold, at the last settling, (batch,)."""
        return np.zeros(0) if self.rest is None else np.asarray(self.rest.clamped.mean(axis=1))

    @property
    def is_random(self) -> bool:
        """Whether two measurements of one batch differ."""
        return self.design.devices.random

    def make_quiet(self) -> Self:
        """Return the same circuit without noise."""
        drops = self.design.devices.drops.model_copy(update={"noise": 0.0})
        return self.variant(self.design.devices.model_copy(update={"drops": drops}))

    def make_ideal(self, precision: Literal["double"] | None = None) -> Self:  # noqa: ARG002  it is always double
        """Return the same circuit with ideal reads, nudges and targets."""
        ideal = {"drops": DropReading(), "nudge": OutputCircuit()}
        return self.variant(self.design.devices.model_copy(update=ideal))

    def make_complete(self) -> Self:
        """Return the same circuit, ideal but for its elements, that settles to the last digit."""
        return self.make_ideal().variant(tolerance=min(TOLERANCE, self.design.tolerance))

    def try_write(self, block: str, change: Array) -> Array:
        """Return what the elements of a block would keep of a change, which is not written."""
        asked = self.programmed[block] + change
        kept = self._bound(block, asked)
        return np.where(kept == asked, change, kept - self.programmed[block])

    def set_input(
        self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, purpose: str = "", repeat: int = 0
    ) -> None:
        """Put voltages `x` (batch, inputs) on the inputs; `repeat` names another draw of the noise."""
        self._clamped_now = self._present(x, ids, f"{purpose}{epoch}/{repeat}")
        self._free = self.rest = None

    def _present(self, x: Array, ids: NDArray[np.int64] | None, names: str) -> _Presentation:
        own = np.arange(len(x)) if ids is None else ids
        return _Presentation(x, self.design.feeds.apply(x), own, names)

    def settle(self, nudge: Nudge | None = None, start: Literal["zero", "free"] = "zero") -> SettlingResult:
        """Let the circuit come to rest, freely or with a nudge at its outputs.

        A current ``beta (V - target)`` leaves every output; a held nudge keeps what it is at the free state.

        Raises
        ------
        ValueError
            If a nudge swings or is complex, or comes before a free settling.
        """
        held = self._clamped_now.held
        drive = apply_nothing(held, len(self.design.circuit.outputs))
        if nudge is None:
            self._phase = "free"
            return self._follow(drive, start)
        if nudge.wave is not None or complex(nudge.beta).imag != 0.0:
            raise ValueError("circuits take real, constant nudges: use a scheme such as centred or one-sided")
        beta = self.design.devices.nudge.gain * complex(nudge.beta).real
        signs = np.ones(len(held)) if nudge.signs is None else nudge.signs
        target = self._shift_targets(nudge.target)
        self._phase = f"{complex(nudge.beta).real:.17g}"
        if self.design.nudge == "held":
            current = (beta * signs)[:, None] * (self._free_outputs() - target)
            return self._follow(drive._replace(current=current), start)
        return self._follow(drive._replace(beta=beta * signs, target=target), start)

    def clamp(self, eta: float, target: Array) -> SettlingResult:
        """Let the circuit come to rest with its outputs at ``V0 + eta (target - V0)``, from the free state.

        Raises
        ------
        ValueError
            If no free settling came before.
        """
        free, held = self._free_outputs(), self._clamped_now.held
        step = eta * self.design.devices.nudge.gain
        self._phase = f"clamped {eta:.17g}"
        drive = apply_nothing(held, free.shape[1])
        return self._follow(drive._replace(clamped=free + step * (self._shift_targets(target) - free)), "free")

    def _shift_targets(self, target: Array) -> Array:
        return target + self.design.devices.nudge.offset_sigma * self._spread.targets

    def _free_outputs(self) -> Array:
        if self._free is None:
            raise ValueError("let the circuit settle freely first: settle() without a nudge")
        return self._free.voltages[:, self.design.circuit.outputs]

    def _follow(self, drive: CircuitDrive, start: Literal["zero", "free"]) -> SettlingResult:
        begin = self._free.unknowns if start == "free" and self._free is not None else None
        rest = find_circuit_rest(self._settling_system(), drive, begin, self.design.tolerance)
        self.rest = rest
        if self._phase == "free":
            self._free = rest
        self.budget = self.budget.plus(Budget(settlings=len(drive.held)))
        return SettlingResult(rest.status, rest.steps, rest.residual, np.zeros(len(drive.held)))

    def _settling_system(self) -> CircuitSystem:
        """Return the equations of the copy that settles: what is not free does so in the second, where there is one."""
        return self.system(twin=self.design.devices.drops.twin_sigma > 0.0 and self._phase != "free")

    @property
    def power(self) -> Array:
        """Power that all elements turn into heat at the last settling, (batch,), in watt.

        Raises
        ------
        ValueError
            If nothing has settled for this input.
        """
        if self.rest is None:
            raise ValueError("nothing has settled for this input: call settle first")
        return compute_power(self._settling_system().circuit, self.rest.voltages)

    def read(self, waits: bool = False) -> dict[str, Array]:  # noqa: ARG002  voltages are not held in a capacitor
        """Return the voltages of the last settling per layer (batch, nodes), the inputs included.

        Raises
        ------
        ValueError
            If nothing has settled for this input.
        """
        if self.rest is None:
            raise ValueError("nothing has settled for this input: call settle first")
        self.budget = self.budget.plus(Budget(reads=len(self._clamped_now.x)))
        return {self.design.inputs[0]: self._clamped_now.x} | {
            name: self.rest.voltages[:, nodes] + self._draw_read_noise(name, len(nodes))
            for name, nodes in self.design.layers.items()
        }

    def _draw_read_noise(self, layer: str, width: int) -> Array | float:
        sigma = self.design.devices.drops.noise
        if sigma == 0.0:
            return 0.0
        stream = Stream(self.seed, f"circuit/read/{self._clamped_now.names}/{self._phase}/{layer}", self.instance)
        return sigma * stream.normal_rows(self._clamped_now.ids, width)

    def contrast(
        self, after: Mapping[str, Array], before: Mapping[str, Array], keep: NDArray[np.bool_]
    ) -> dict[str, Array]:
        """Return what elements measure of two reads, by block: see `substrate.protocol.CircuitBench`."""
        one, two = (self._expand(read)[keep] for read in (after, before))
        measured, offset = contrast_drops(self.design.circuit, one, two), self.design.devices.drops.offset_sigma
        found = {}
        for name, block in self.design.blocks.items():
            found[name] = np.asarray(measured[block.kind].sum(axis=0)[block.elements])
            if offset > 0.0 and block.kind != "current":
                found[name] += (
                    2.0
                    * offset
                    * self._spread.drops[name]
                    * self._sum_drop_changes(block.kind, one - two)[block.elements]
                )
        return found

    def _sum_drop_changes(self, kind: str, change: Array) -> Array:
        """Return the change of the drops of all elements of a kind, summed over samples; that of gates times s."""
        circuit = self.design.circuit
        ends = circuit.conductors if kind == "conductance" else circuit.transistors
        total = (change[:, ends.a] - change[:, ends.b]).sum(axis=0)
        return np.asarray(total if kind == "conductance" else circuit.transistors.transconductance * total)

    def _expand(self, read: Mapping[str, Array]) -> Array:
        """Return the voltages of all nodes (batch, nodes) behind a read: amplifiers drive theirs from what was read."""
        nodes = self.system().nodes
        unknowns = np.zeros((len(self._clamped_now.x), nodes.unknowns))
        for name, members in self.design.layers.items():
            unknowns[:, nodes.unknown[members]] = read[name]
        return nodes.expand(unknowns, self._clamped_now.held)

    def write(self, changes: Mapping[str, Array]) -> None:
        """Add `changes` to the learned parameters, as far as their elements can follow.

        Raises
        ------
        ValueError
            If a block does not exist, has another shape or a change is not finite; nothing is written.
        """
        for name, change in changes.items():
            if name not in self.programmed or change.shape != self.programmed[name].shape:
                raise ValueError(f"{name!r} with shape {change.shape}: blocks are {self._describe_blocks()}")
            if not np.isfinite(change).all():
                raise ValueError(f"{name!r}: a change is not finite")
        if changes:
            self._put({name: self.programmed[name] + change for name, change in changes.items()})
            self.budget = self.budget.plus(Budget(writes=1))

    def imprint(self, after: Mapping[str, Array], before: Mapping[str, Array], shares: Mapping[str, float]) -> None:
        """Change every parameter by a share, by block, of what its element measures of two reads."""
        everything = np.ones(len(self._clamped_now.x), dtype=bool)
        measured = self.contrast(after, before, everything)
        self.write({name: shares[name] * block for name, block in measured.items() if shares.get(name, 0.0) != 0.0})

    def _put(self, blocks: Mapping[str, Array]) -> None:
        """Programme blocks within the bounds of their elements."""
        for name, values in blocks.items():
            low, high = self.design.bounds(self.design.blocks[name].kind)
            self.programmed[name] = kept = self._bound(name, values)
            self.limited[name] = int(np.count_nonzero((kept <= low) | (kept >= high)))
        self._systems.clear()

    def _bound(self, block: str, values: Array) -> Array:
        """Return the nearest values that the elements of a block can have."""
        kind, levels = self.design.blocks[block].kind, self.design.devices.weights.levels
        low, high = self.design.bounds(kind)
        kept = np.clip(values, low, high)
        if kind != "conductance" or levels is None:
            return np.asarray(kept)
        step = (high - low) / (levels - 1)
        return np.asarray(low + step * np.round((kept - low) / step))

    def _describe_blocks(self) -> str:
        return ", ".join(f"{name} {values.shape}" for name, values in self.programmed.items())
