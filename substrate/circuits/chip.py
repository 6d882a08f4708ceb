"""One circuit in operation: what is clamped, settles, is read and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from devices.circuit.components import CircuitDevices, DropReading, OutputCircuit
from devices.random import Stream

from ..protocol import Budget, Nudge, SettlingResult
from .circuit import Array, CircuitGraph
from .contrast import contrast_drops
from .design import CircuitDesign, PhaseClock, place_blocks, trim_amplifiers
from .effects.energy import SettlingHeat, compute_heat
from .effects.noise import draw_fast_factors, draw_slow_factors, find_varied_rest
from .effects.spreads import apply_spreads, draw_spreads
from .effects.squarers import compute_squarer_errors, draw_squarers
from .motion.clock import follow_phase
from .rest import TOLERANCE, CircuitRest, find_circuit_rest
from .system import CircuitDrive, CircuitSystem, apply_nothing, assemble_system


class _Presentation(NamedTuple):
    """What is clamped now, and what its noise is called."""

    x: Array
    held: Array
    ids: NDArray[np.int64]
    names: str
    batch: str
    """What its slow noise is called."""


class _Settling(NamedTuple):
    """One settling of a batch."""

    circuit: CircuitGraph
    before: Array
    """Voltages of all nodes from which it began, (batch, nodes)."""

    after: Array

    @property
    def heat(self) -> SettlingHeat:
        return compute_heat(*self)


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
    drawn : str
        Name of the slow noise of conductances that it has for good; absent: every batch draws its own.
    """

    readout = None
    """Circuits answer with voltages."""

    def __init__(
        self,
        design: CircuitDesign,
        programmed: Mapping[str, Array],
        seed: int = 0,
        instance: int = 0,
        drawn: str = "",
    ) -> None:
        self.design, self.seed, self.instance, self._drawn = design, seed, instance, drawn
        self.programmed: dict[str, Array] = {}
        """Learned parameters by block."""
        self.limited = dict.fromkeys(design.blocks, 0)
        """Parameters of every block that stand at a bound of their own."""
        self._spread, self._squarers = draw_spreads(design, seed, instance), draw_squarers(design, seed, instance)
        self._systems: dict[bool, CircuitSystem] = {}
        self._clamped_now = self._present(np.zeros((0, design.inputs[1])), None, "")
        self._put({name: np.array(programmed[name], dtype=np.float64) for name in design.blocks})
        self.budget = Budget()
        """What has been asked of the circuit so far."""
        self._free: CircuitRest | None = None
        self.rest: CircuitRest | None = None
        """Where it rested last."""
        self._phase = "free"
        self._settlings: dict[str, _Settling] = {}

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
            devices = self.design.devices
            circuit = apply_spreads(place_blocks(self.design, self.programmed), devices, self._spread, twin)
            circuit = trim_amplifiers(self.design, circuit) if self.design.trimmed else circuit
            name = self._drawn or self._clamped_now.batch
            if devices.weights.noise.slow > 0.0 and name:
                stream = Stream(self.seed, f"circuit/slow{'/twin' * twin}/{name}", self.instance)
                g = circuit.conductors.g * draw_slow_factors(self.design, stream)
                circuit = circuit._replace(conductors=circuit.conductors._replace(g=g))
            self._systems[twin] = assemble_system(circuit)
        return self._systems[twin]

    def variant(self, devices: CircuitDevices | None = None, **parts: Any) -> Self:
        """Return the same hardware and parameters with other parts of the design, or other devices."""
        if devices is not None:
            parts["devices"] = devices
        return type(self)(self.design._replace(**parts), self.programmed, self.seed, self.instance, self._drawn)

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
        """Return the same circuit without noise; what its slow noise made of it stays."""
        return self.variant(self.design.devices.make_quiet())

    def draw_slow_noise(self, name: str) -> Self:
        """Return the circuit that a draw of the slow noise of conductances makes of this one, for good."""
        if self.design.devices.weights.noise.slow == 0.0:
            return self
        return type(self)(self.design, self.programmed, self.seed, self.instance, name)

    def make_ideal(self, precision: Literal["double"] | None = None) -> Self:  # noqa: ARG002  it is always double
        """Return the same circuit with ideal reads, nudges and targets."""
        ideal = {"drops": DropReading(), "nudge": OutputCircuit()}
        return self.variant(self.design.devices.make_quiet().model_copy(update=ideal))

    def make_complete(self) -> Self:
        """Return the same circuit, ideal but for its elements, that settles to the last digit."""
        return self.make_ideal().variant(tolerance=min(TOLERANCE, self.design.tolerance), clock=PhaseClock())

    @property
    def ends_by_clock(self) -> bool:
        """Whether the clock ends a phase, at rest or not; see `substrate.protocol.has_settled`."""
        return self.design.clock.is_on

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
        self._settlings = {}
        if self.design.devices.weights.noise.slow > 0.0 and not self._drawn:
            self._systems.clear()

    def _present(self, x: Array, ids: NDArray[np.int64] | None, names: str) -> _Presentation:
        own = np.arange(len(x)) if ids is None else ids
        return _Presentation(x, self.design.feeds.apply(x), own, names, f"{names}/{own[0]}" if len(own) else "")

    def settle(self, nudge: Nudge | None = None, start: Literal["zero", "free"] = "zero") -> SettlingResult:
        """Let the circuit come to rest, freely or with a nudge at its outputs, or go on until the clock ends the phase.

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
        system, tolerance = self.system(self._is_twin), self.design.tolerance
        circuit, noise = system.circuit, self.design.devices.weights.noise
        duration = self.design.clock.free if self._phase == "free" else self.design.clock.nudged
        at = np.zeros((len(drive.held), system.nodes.unknowns)) if begin is None else begin
        if duration is not None:
            rest = follow_phase(system, drive, at, duration)
        elif noise.fast > 0.0:
            factors = draw_fast_factors(self.design, self._name_stream("fast"), self._clamped_now.ids)
            g = circuit.conductors.g * factors
            circuit = circuit._replace(conductors=circuit.conductors._replace(g=g))
            rest = find_varied_rest(system, g, drive, begin, tolerance)
        else:
            rest = find_circuit_rest(system, drive, begin, tolerance)
        self.rest = rest
        if self._phase == "free":
            self._free = rest
        self._settlings[self._phase] = _Settling(circuit, system.nodes.expand(at, drive.held), rest.voltages)
        joules = 0.0
        if self.design.energy.settling_time is not None:
            joules = float(self._settlings[self._phase].heat.compute_joules(self.design.energy).sum())
        self.budget = self.budget.plus(Budget(settlings=len(drive.held), energy=joules))
        return SettlingResult(rest.status, rest.steps, rest.residual, np.full(len(drive.held), duration or 0.0))

    @property
    def _is_twin(self) -> bool:
        """Whether the second copy settles, where there is one: that is where all but free settlings take place."""
        return self.design.devices.drops.twin_sigma > 0.0 and self._phase != "free"

    def _name_stream(self, what: str) -> Stream:
        """Return the random numbers of one settling or read."""
        return Stream(self.seed, f"circuit/{what}/{self._clamped_now.names}/{self._phase}", self.instance)

    @property
    def heats(self) -> dict[str, SettlingHeat]:
        """Power at rest and heat of charging of every settling since inputs were set, by the name of what was applied.

        That is ``free``, the nudge in siemens, or the share of a clamp; of several settlings of one name, the last.
        """
        return {phase: settling.heat for phase, settling in self._settlings.items()}

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
        return self.heats[self._phase].power

    def read(self, waits: bool = False) -> dict[str, Array]:  # noqa: ARG002  voltages are not held in a capacitor
        """Return the voltages of the last settling per layer (batch, nodes), the inputs included.

        Raises
        ------
        ValueError
            If nothing has settled for this input.
        """
        if self.rest is None:
            raise ValueError("nothing has settled for this input: call settle first")
        reads, nodes = len(self._clamped_now.x), sum(len(nodes) for nodes in self.design.layers.values())
        self.budget = self.budget.plus(Budget(reads=reads, energy=self.design.energy.per_read * reads * nodes))
        return {self.design.inputs[0]: self._clamped_now.x} | {
            name: self.rest.voltages[:, nodes] + self._draw_read_noise(name, len(nodes))
            for name, nodes in self.design.layers.items()
        }

    def _draw_read_noise(self, layer: str, width: int) -> Array | float:
        drops = self.design.devices.drops
        sigma = drops.twin_noise if self._is_twin and drops.twin_noise is not None else drops.noise
        if sigma == 0.0:
            return 0.0
        stream = Stream(self.seed, f"circuit/read/{self._clamped_now.names}/{self._phase}/{layer}", self.instance)
        return sigma * stream.normal_rows(self._clamped_now.ids, width)

    def contrast(
        self, after: Mapping[str, Array], before: Mapping[str, Array], keep: NDArray[np.bool_]
    ) -> dict[str, Array]:
        """Return what elements measure of two reads, by block: see `substrate.protocol.CircuitBench`."""
        one, two = (self._expand(read)[keep] for read in (after, before))
        circuit = self.design.circuit
        measured, (g, mos) = contrast_drops(circuit, one, two), (circuit.conductors, circuit.transistors)
        found = {}
        for name, block in self.design.blocks.items():
            found[name] = np.asarray(measured[block.kind].sum(axis=0)[block.elements])
            if name in self._squarers:
                a, b = ((mos if block.kind == "gate" else g)[k][block.elements] for k in range(2))
                unit = mos.transconductance[block.elements] if block.kind == "gate" else 1.0
                drops = one[:, a] - one[:, b], two[:, a] - two[:, b]
                found[name] += unit * compute_squarer_errors(self._squarers[name], *drops)
        return found

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
            count = sum(int(np.count_nonzero(change)) for change in changes.values())
            self.budget = self.budget.plus(Budget(writes=1, energy=self.design.energy.per_write * count))

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
