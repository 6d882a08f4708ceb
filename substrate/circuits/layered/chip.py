"""A layered circuit on the bench."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ...engine.door import FULL, DescentOptions, Imprint, LayeredCircuit, LayeredWiring
from ...engine.threads import count_available_threads
from ...protocol import Budget, Nudge, SettlingResult
from ..effects.energy import SettlingHeat
from .contrast import compare_reads, contrast_layers
from .design import (
    LayeredDesign,
    check_layered_design,
    check_programmed,
    check_shapes,
    clip_change,
    draw_factors,
    find_diode_bounds,
)
from .heat import LayeredSettling, compute_layered_heat
from .nudge import apply_output_nudge

Array = NDArray[np.float64]
Voltages = Mapping[str, Array]

MOST_SWEEPS = 1000
"""Sweeps of a settling that goes by its tolerance."""

COMPLETE = 1e-13
"""Tolerance of a circuit that is settled to the last digits."""

_ENDS = {"single": 1e-6, "double": 1e-12}
"""Tolerances by precision that sweeps reach; as many sweeps again bring layers of small currents to rest, too."""

_HELD = 1e30
"""Conductance of a node that a diode holds, beside which no current moves it."""


class LayeredChip:
    """One piece of hardware: sources, conductors, ideal diodes and current sources between layers of nodes.

    Voltages are in V, conductances and nudges in S, currents in A; the cost is ``|V_out - y|^2 / 2``.

    Parameters
    ----------
    design : LayeredDesign
        What it is made of.
    programmed : mapping of array
        Every block of ``design.blocks``; conductances within the window.
    threads : int, optional
        Threads that may work at once, as many as cores if absent; no number depends on it.
    seed, instance : int
        Names of the piece of hardware, by which its spread is drawn.

    Raises
    ------
    ValueError
        If the design describes no circuit, a block is missing or unknown, has another shape, or leaves the window.
    """

    readout = None
    """There is none: the output voltages are what is learnt."""

    ends_by_clock = is_random = False  # sweeps take no time
    """Two measurements of one batch are the same."""

    def __init__(
        self,
        design: LayeredDesign,
        programmed: Mapping[str, Array],
        threads: int | None = None,
        seed: int = 0,
        instance: int = 0,
    ) -> None:
        check_layered_design(design)
        check_programmed(design, programmed)
        self.design, self.budget = design, Budget()
        """What has been asked of the chip so far; `pulses` counts the parameters that a write reached."""
        sizes = tuple(design.layers.values())
        starts = np.cumsum([0, *sizes[1:]]).tolist()
        self.connections = design.connections
        """Both layers of every connection."""
        self._input, *names = design.layers
        self._columns = {name: slice(*starts[k : k + 2]) for k, name in enumerate(names)}
        low, high = find_diode_bounds(design)
        self._threads, self._names = threads, (seed, instance)
        self._factors = draw_factors(design, seed, instance)
        # What has a spread keeps its window here: that of what acts differs from conductor to conductor.
        window = (0.0, np.inf) if self._factors else design.window
        wiring = LayeredWiring(sizes, 2 if design.rails == "both" else 1, low, high, window, design.dtype)
        self._circuit = LayeredCircuit(wiring, threads or count_available_threads())
        self._currents = np.zeros(starts[-1])
        self._own: dict[str, Array] = {name: np.array(programmed[name]) for name in self._factors}
        for name, values in programmed.items():
            self._get_block(name)[...] = values * self._factors.get(name, 1.0)
        self._circuit.add_up()
        self._pending: Imprint | None = None
        self.set_input(np.zeros((0, sizes[0])))

    @property
    def metrics(self) -> Mapping[str, float]:
        """Factor of the squared drops by block: 1, since there are no amplifiers."""
        return dict.fromkeys(self.design.blocks, 1.0)

    def variant(self, **parts: Any) -> Self:
        """Return the same parameters in a circuit with other parts of the design."""
        return type(self)(self.design._replace(**parts), self.programmed, self._threads, *self._names)

    def make_quiet(self) -> Self:
        """Return the circuit itself: it has no noise."""
        return self

    def draw_slow_noise(self, name: str) -> Self:  # noqa: ARG002  as a circuit on a graph
        """Return the circuit itself: it has no noise."""
        return self

    def make_ideal(self, precision: Literal["double"] | None = None) -> Self:
        """Return the same circuit, in double precision if that is asked for."""
        return self if precision in (None, self.design.precision) else self.variant(precision=precision)

    def make_complete(self) -> Self:
        """Return the same circuit in double precision, which settles to the last digits."""
        return self.variant(precision="double", sweeps=None, tolerance=min(COMPLETE, self.design.tolerance))

    def try_write(self, block: str, change: Array) -> Array:
        """Return what the window would leave of a change, which is not written."""
        return change if block.startswith("current/") else clip_change(self.design, self.programmed[block], change)

    @property
    def layers(self) -> Mapping[str, int]:
        """Nodes of every layer, the input first."""
        return self.design.layers

    def set_input(self, x: Array, ids: NDArray[np.int64] | None = None, epoch: int = 0, purpose: str = "") -> None:  # noqa: ARG002  ideal sources have no noise
        """Hold the sources at `x` volts, (batch, inputs), until the next call; what is held back is done on the way."""
        if x.ndim != 2 or x.shape[1] != self.layers[self._input]:
            raise ValueError(f"x has shape {x.shape}: give (batch, {self.layers[self._input]}) volts")
        self._batch = len(x)
        self._x = self._fill(x)
        self._drive: NDArray[Any] | None = None
        self._prepare_drive()
        self._v = np.zeros((len(self._x), len(self._currents)), dtype=self.design.dtype)
        self._free: NDArray[Any] | None = None
        self._settlings: dict[str, LayeredSettling] = {}

    def settle(self, nudge: Nudge | None = None, start: Literal["zero", "free"] = "zero") -> SettlingResult:
        """Let the circuit settle from 0 V or from the last free state, nudged or not.

        A sample has settled if its residual is within the tolerance of the design: what is left of Kirchhoff's current
        law over the currents into the nodes, both as sums of magnitudes over the layers that move first; those that
        move last are at rest. Its `steps` are sweeps over all layers, and its `time` is 0: an equilibrium has none.
        Where a negative nudge leaves no stable equilibrium, a sample diverges.

        Raises
        ------
        ValueError
            If the nudge is complex, swings or does not fit the outputs, or there is no free state.
        """
        held = nudge is not None and self.design.nudge == "held"
        free = self._get_free() if held or start == "free" else None
        drive = self._prepare_drive()
        total = self._list_totals()
        if nudge is not None:
            drive = drive.copy()
            outputs = self._columns[self.connections[-1][1]]
            kept = free[: self._batch, outputs] if held and free is not None else None
            apply_output_nudge(nudge, drive[: self._batch, outputs], total[: self._batch, outputs], kept)
        v = np.zeros_like(drive) if free is None or start == "zero" else free.copy()
        fixed = self.design.sweeps
        options = DescentOptions(self.design.tolerance, fixed or MOST_SWEEPS, fixed is not None)
        status, steps, residual = self._circuit.settle(v, drive, total, options, self._batch)
        self._v = v
        name = "free" if nudge is None else f"{complex(nudge.beta).real:.17g}"
        self._settlings[name] = LayeredSettling(free if start == "free" else None, v)
        if nudge is None:
            self._free = v
        energy = self.design.energy
        spent = self._compute_heat(self._settlings[name]).compute_joules(energy) if energy.settling_time else 0.0
        self.budget = self.budget.plus(Budget(settlings=self._batch, energy=float(np.sum(spent))))
        return SettlingResult(status, steps, residual, np.zeros(self._batch))

    def refine(self) -> None:
        """Bring the last free state as near to rest as the precision of the simulation allows.

        Raises
        ------
        ValueError
            If there is no free state.
        """
        self._v = self._get_free()
        self._finish(self._v, self._prepare_drive(), self._list_totals(), bounded=True)

    def respond(self, current: Array) -> Array:
        """Return ``J^-1 I``, the voltages of the circuit linearised at the last free state: diodes hold their nodes.

        Parameters
        ----------
        current : array (batch, outputs)
            Currents `I` into the outputs, A.

        Returns
        -------
        array (batch, nodes)
            V, without the input.

        Raises
        ------
        ValueError
            If there is no free state.
        """
        free, total = self._get_free(), self._list_totals()
        v, drive = np.zeros_like(free), np.zeros_like(free)
        drive[: self._batch, self._columns[self.connections[-1][1]]] = current
        for part in (self._columns[name] for name in self.design.diodes):
            total[:, part][free[:, part] == 0.0] = _HELD
        self._finish(v, drive, total, bounded=False)
        return v[: self._batch].astype(np.float64)

    def _finish(self, v: NDArray[Any], drive: NDArray[Any], total: NDArray[Any], bounded: bool) -> None:
        """Sweep until the tolerance of the precision is met, and as often again."""
        options = DescentOptions(_ENDS[self.design.precision], MOST_SWEEPS, False)
        _, steps, _ = self._circuit.settle(v, drive, total, options, self._batch, bounded)
        again = DescentOptions(options.tolerance, max(1, int(steps.max(initial=0))), True)
        self._circuit.settle(v, drive, total, again, self._batch, bounded)

    def _get_free(self) -> NDArray[Any]:
        if self._free is None:
            raise ValueError("there is no free state: settle without a nudge after each new input")
        return self._free

    def _list_totals(self) -> NDArray[Any]:
        """Return the sum of the conductances of every node, (samples, nodes)."""
        total = np.empty((len(self._x), len(self._currents)), dtype=self.design.dtype)
        total[:] = self._circuit.total
        return total

    def read(self, waits: bool = False) -> dict[str, Array]:  # noqa: ARG002  an ideal read has no hold
        """Return the voltages now, per layer (batch, nodes), the input included."""
        joules = self.design.energy.per_read * self._batch * len(self._currents)
        self.budget = self.budget.plus(Budget(reads=self._batch, energy=joules))
        return {self._input: self._x[: self._batch].astype(np.float64), **self.state}

    @property
    def state(self) -> dict[str, Array]:
        """Voltages now of every layer that is not held, (batch, nodes)."""
        return {name: self._v[: self._batch, part].astype(np.float64) for name, part in self._columns.items()}

    @property
    def clamped_share(self) -> Array:
        """Share of conducting diodes now, (batch,); 0 without diodes."""
        nodes = [self._v[: self._batch, self._columns[name]] for name in self.design.diodes]
        return np.asarray((np.concatenate(nodes, axis=1) == 0.0).mean(axis=1)) if nodes else np.zeros(self._batch)

    @property
    def limited_share(self) -> float:
        """Share of the conductances that are as low as the window lets them be."""
        self._flush()
        own = [int(np.count_nonzero(values == self.design.window[0])) for values in self._own.values()]
        floored = sum(own) if own else self._circuit.count_floored()
        return floored / self._circuit.cells

    @property
    def programmed(self) -> dict[str, Array]:
        """All parameters by block, S and A."""
        return self.effective | {name: values.copy() for name, values in self._own.items()}

    @property
    def effective(self) -> dict[str, Array]:
        """Parameters that act, by block: those that were programmed, with the spread of this piece of hardware."""
        self._flush()
        return {name: self._get_block(name).astype(np.float64) for name in self.design.blocks}

    @property
    def power(self) -> Array:
        """Power that all conductors turn into heat now, ``sum g dV^2``, (batch,), in watt; diodes take none."""
        return self._compute_heat(LayeredSettling(None, self._v)).power

    @property
    def heats(self) -> dict[str, SettlingHeat]:
        """Heat of every settling since inputs were set or parameters changed, by what was applied."""
        return {name: self._compute_heat(settling) for name, settling in self._settlings.items()}

    def _compute_heat(self, settling: LayeredSettling) -> SettlingHeat:
        return compute_layered_heat(self.design, self.effective, self._x[: self._batch].astype(np.float64), settling)

    def contrast(self, after: Voltages, before: Voltages, keep: NDArray[np.bool_] | None = None) -> dict[str, Array]:
        """Return by how much two settlings of one batch differ in the slopes of the co-content, by block, twice.

        A conductance gets the square of its voltage after less that before, V^2, and a bias current -2 times the
        voltage of its node after less that before, V; both are summed over the samples. With nudges of `beta` after
        and ``-beta`` before they are ``4 beta dL/dg`` and ``4 beta dL/di``.

        Parameters
        ----------
        after, before : mapping of array
            What `read` returned.
        keep : bool array (batch,), optional
            Samples that count; absent: all.

        Raises
        ------
        ValueError
            If the inputs of both differ.
        """
        return contrast_layers(self.design, after, before, keep)

    def imprint(self, after: Voltages, before: Voltages, shares: Mapping[str, float]) -> None:
        """Change every parameter in its place by a share, by block, of what `contrast` returns, within the window.

        It is held back, and done with the next input in one walk over the conductances, or when these are needed.
        Conductances with a spread are changed as by `write`.

        Parameters
        ----------
        after, before : mapping of array
            What `read` returned for one batch.
        shares : mapping of float
            Change of a conductance per squared volt, S/V^2, and of a current per volt, by block; absent: none.

        Raises
        ------
        ValueError
            If the inputs of both differ.
        """
        if self._factors:
            self.write({name: shares.get(name, 0.0) * block for name, block in self.contrast(after, before).items()})
            return
        self._flush()
        changes, sums = compare_reads(after, before, self._input)
        d, s = (np.concatenate(list(part.values()), axis=1) for part in (changes, sums))
        own = tuple(shares.get(f"conductance/{pre}-{post}", 0.0) for pre, post in self.connections)
        self._pending = Imprint(self._fill(before[self._input]), self._fill(d), self._fill(s), own)
        self._drive = None
        for _, post in self.connections if self.design.bias == "current" else []:
            self._currents[self._columns[post]] -= 2.0 * shares.get(f"current/{post}", 0.0) * changes[post].sum(axis=0)
        self._account(sum(math.prod(shape) for name, shape in self.design.blocks.items() if shares.get(name)))

    def write(self, changes: Mapping[str, Array]) -> None:
        """Add changes to parameters, by block, within the window.

        Raises
        ------
        ValueError
            If a block is unknown or has another shape.
        """
        if not changes:
            return
        self._flush()
        check_shapes(self.design, changes)
        for name, change in changes.items():
            if name in self._factors:
                self._own[name] = np.clip(self._own[name] + change, *self.design.window)
                self._get_block(name)[...] = self._own[name] * self._factors[name]
            else:
                self._get_block(name)[...] += change
        self._circuit.add_up()
        self._drive = None
        self._account(sum(int(np.count_nonzero(change)) for change in changes.values()))

    def _account(self, cells: int) -> None:
        self._settlings = {}
        self.budget = self.budget.plus(Budget(writes=1, pulses=cells, energy=self.design.energy.per_write * cells))

    def _fill(self, rows: Array) -> NDArray[Any]:
        """Return samples in the precision of the simulation, filled up with samples at 0 V."""
        filled = np.zeros((-(-len(rows) // FULL) * FULL, rows.shape[1]), dtype=self.design.dtype)
        filled[: len(rows)] = rows
        return filled

    def _get_block(self, name: str) -> NDArray[Any]:
        """Return a block of parameters, to be changed in place."""
        kind, _, rest = name.partition("/")
        if kind == "current":
            return self._currents[self._columns[rest]]
        k = [f"{pre}-{post}" for pre, post in self.connections].index(rest)
        block = self._circuit.get_block(k)
        return block[0] if k == 0 and self.design.rails == "single" else block

    def _flush(self) -> None:
        """Do what is held back."""
        if self._pending is not None:
            self._circuit.imprint(self._pending)
            self._pending = None

    def _prepare_drive(self) -> NDArray[Any]:
        """Return the currents from all sources, (samples, nodes); what is held back is done on the way."""
        if self._drive is None:
            pending, self._pending = self._pending, None
            first = self._columns[self.connections[0][1]]
            self._drive = np.empty((len(self._x), len(self._currents)), dtype=self.design.dtype)
            self._drive[:] = self._currents
            circuit, x = self._circuit, self._x
            self._drive[:, first] += circuit.drive(x) if pending is None else circuit.imprint(pending, x)
        return self._drive
