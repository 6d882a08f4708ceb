"""Cells whose weights fluctuate: a draw of all of them for a batch, and what units get of the faster ones.

Given the activities the noise of the drives is normal, independent from unit to unit if every device belongs to one of
them, with the variance ``D_i = sum_j sigma_ij^2 a_j^2 + sum_k sigma_ik^2 x_k^2 + sigma_ib^2``. That is taken at the
rest point of the free phase, once for all phases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ...dynamics.machine import Machine, UnitNoise
from ...engine.door import load_engine
from ...engine.threads import limit_blas_threads
from ...laws.law import LAWS
from ..cells import FabricatedCells
from ..design import Design
from .limits import find_cell_noise_fault
from .regimes import CellProcess, list_cell_processes

Array = NDArray[np.float64]

Held = Callable[[str], Array]
"""What the cells of a block are programmed to, as they hold it."""


class Rest(NamedTuple):
    """Where the free phase of a batch comes to rest."""

    inputs: Array
    """(batch, inputs)."""

    activity: Array
    """(batch, units)."""

    slopes: Array
    """``da/du`` (batch, units)."""

    state: Array
    """(batch, units)."""


class NoisyCells:
    """The noise of the cells of one chip.

    Parameters
    ----------
    design : Design
        Wiring, and noise of the cells.
    cells : FabricatedCells
        The devices as they were made.
    stream : callable
        ``stream(purpose)`` names the draws of the chip.

    Raises
    ------
    ValueError
        If the noise does not go with the rest of the design.
    """

    def __init__(self, design: Design, cells: FabricatedCells, stream: Callable[[str], Stream]) -> None:
        self._design, self._cells, self._stream = design, cells, stream
        if fault := find_cell_noise_fault(design):
            raise ValueError(f"{'.'.join(fault.key)}: {fault.words}; {fault.hint}")
        self._processes = list_cell_processes(design)

    @property
    def frozen(self) -> bool:
        """Tell whether any noise lasts longer than a batch."""
        return any(process.way == "frozen" for process in self._processes)

    @property
    def white(self) -> bool:
        """Tell whether any noise of the units is white."""
        return any(process.way == "white" for process in self._processes)

    @property
    def times(self) -> tuple[float, ...]:
        """Correlation times of the slow noise of the units, (processes,), in tau."""
        return tuple(process.time for process in self._processes if process.way == "drift")

    def draw_weights(self, shapes: Mapping[str, tuple[int, ...]], held: Held, name: str) -> Array:
        """Return by how much every cell is off for a batch, flat.

        Parameters
        ----------
        shapes : mapping of block name to tuple
            Of the cells, in the order of the result.
        held : callable
            See `Held`.
        name : str
            Names the draw.
        """
        off = {block: np.zeros(shape) for block, shape in shapes.items()}
        for process in (p for p in self._processes if p.way == "frozen"):
            for block in process.blocks:
                drawn = self._draw_block(process, block, shapes[block], held, name)
                off[block] += drawn
                for back in self._list_shared(block):
                    turned = self._design.topology.mirror(block, drawn / self._cells.gain(block))
                    off[back] += turned * self._cells.gain(back)
        return np.concatenate([block.ravel() for block in off.values()])

    def compute_frozen_variances(self, shapes: Mapping[str, tuple[int, ...]], held: Held) -> dict[str, Array]:
        """Return the variance of every cell by noise that lasts longer than a batch, by block; as `draw_weights`."""
        found = {block: np.zeros(shape) for block, shape in shapes.items()}
        for process in (p for p in self._processes if p.way == "frozen"):
            for block in process.blocks:
                own = sum(deviation**2 for deviation in self._deviations(process, block, held))
                found[block] += process.share * own * self._cells.gain(block) ** 2
                for back in self._list_shared(block):
                    turned = self._design.topology.mirror(block, process.share * own * np.ones(shapes[block]))
                    found[back] += turned * self._cells.gain(back) ** 2
        return found

    def compute_levels(self, machine: Machine, held: Held, rest: Rest) -> UnitNoise:
        """Return the noise that the units of a batch get, in units of their drift.

        White noise is the limit of short correlation times (Stratonovich's calculus). Under a law that holds the slope
        of a unit, ``F = -u + rho'(u) (h + xi)``, it adds the drive ``rho''(u)`` times its variance in the mean.
        """
        white, drifts = np.zeros_like(rest.activity), [np.zeros((0, *rest.activity.shape))]
        # A change of the drives moves the drift by the slope under some laws.
        law, push = LAWS[self._design.law], None
        factor = law.respond(np.ones(1), rest.slopes) ** 2
        for process, variance in self.list_variances(machine, held, rest):
            if process.way == "white":
                white += factor * variance
                if law.SLOPED:
                    moved = machine.transfer.curvature(rest.state) * variance
                    push = moved if push is None else push + moved
            elif process.way == "drift":
                drifts.append(np.sqrt(factor * variance)[None])
        known = UnitNoise(white, np.concatenate(drifts), push=push)
        return self._join_units(known, machine, held, rest) if self.white and self._cells_are_shared else known

    @property
    def _cells_are_shared(self) -> bool:
        return self._design.devices.feedback.storage == "shared-device" and bool(self._cells.partners)

    def _join_units(self, known: UnitNoise, machine: Machine, held: Held, rest: Rest) -> UnitNoise:
        """Return the noise with what devices that are read both ways do to two units at once.

        Such a device adds ``eta a_j`` to the drive of unit i and ``eta a_i`` to that of unit j: of the white noise of
        two units the covariance is ``sigma^2 a_i a_j`` times the responses of both. Since `a_j` follows the noise that
        moves unit j, the mean of ``eta a_j`` is not 0 but the drive ``sigma^2 a_i da_j/dh_j`` (Stratonovich).
        """
        law, units = LAWS[self._design.law], rest.activity.shape[1]
        response = law.respond(np.ones(1), rest.slopes) * np.ones_like(rest.activity)
        covariance = np.zeros((len(rest.activity), units, units))
        push = np.zeros_like(rest.activity) if known.push is None else known.push.copy()
        engine = load_engine(machine.dynamics)
        for process in (p for p in self._processes if p.way == "white"):
            level = np.sqrt(self._find_share(process, machine)) * np.ones(units)
            cross = self._sum_products(process, machine, held)
            moved = level / np.sqrt(machine.tau) * response * rest.slopes
            push += level * np.sqrt(machine.tau) * rest.activity * engine.drive(cross, moved)
            for c in self._design.topology.recurrent():
                pre, post = (self._design.topology.columns[end] for end in (c.pre, c.post))
                ends = [(level * response * rest.activity)[:, columns] for columns in (pre, post)]
                block = self._design.topology.blocks(cross.weights)[c.block]
                covariance[:, post, pre] += np.einsum("bi,bj,ij->bji", *ends, block)
        own = (machine.noise.thermal * machine.thermal) ** 2 + known.white
        covariance[:, np.arange(units), np.arange(units)] += own
        with limit_blas_threads():
            values, vectors = np.linalg.eigh(covariance)
            root = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ vectors.swapaxes(1, 2)
        return known._replace(root=root, push=push)

    def _sum_products(self, process: CellProcess, machine: Machine, held: Held) -> Machine:
        """Return a machine whose weights are the products of what a device does to both of the units that it moves."""
        flat = np.zeros_like(machine.weights)
        blocks = self._design.topology.blocks(flat)
        for block in process.blocks:
            for back in self._list_shared(block):
                own = np.sum([deviation**2 for deviation in self._deviations(process, block, held)], axis=0)
                turned = self._design.topology.mirror(block, np.asarray(own * self._cells.gain(block)))
                blocks[back][...] = turned * self._cells.gain(back)
                blocks[block][...] = self._design.topology.mirror(back, blocks[back])
        return machine._replace(weights=flat, prepared={})

    @staticmethod
    def _find_share(process: CellProcess, machine: Machine) -> Array:
        """Return the share of the variance of a process that counts, of every unit, (1 or units,)."""
        # White noise counts by what it makes of a bare leak: of a process of time t that is t/(tau + t).
        fast = process.way == "white" and process.time > 0.0
        return process.share * (process.time / (machine.tau + process.time) if fast else np.ones(1))

    def list_variances(self, machine: Machine, held: Held, rest: Rest) -> list[tuple[CellProcess, Array]]:
        """Return every process with the variance that it gives the drives of a batch, (batch, units)."""
        return [
            (p, self._find_share(p, machine) * self._sum_variances(p, machine, held, rest)) for p in self._processes
        ]

    def _draw_block(self, process: CellProcess, block: str, shape: tuple[int, ...], held: Held, name: str) -> Array:
        total = np.zeros(shape)
        for k, deviation in enumerate(self._deviations(process, block, held)):
            stream = self._stream(f"cell-noise/{process.time:g}/{k}/{block}/{name}")
            if process.noise.spectrum == "telegraph":
                total += deviation * np.where(stream.uniform(shape) < 0.5, -1.0, 1.0)
            else:
                total += deviation * stream.normal(shape)
        return np.asarray(np.sqrt(process.share) * total * self._cells.gain(block))

    def _deviations(self, process: CellProcess, block: str, held: Held) -> list[Array]:
        """Return the standard deviations of the devices of every polarity of a block; 0 where there is no trap."""
        noise, found = process.noise, []
        for k, conductance in enumerate(self._cells.list_conductances(block, held(block))):
            deviation = noise.compute_deviation(conductance)
            if noise.spectrum == "telegraph":
                trapped = self._stream(f"cell-trap/{k}/{block}").uniform(deviation.shape) < noise.fraction
                deviation = np.where(trapped, deviation, 0.0)
            found.append(deviation)
        return found

    def _sum_variances(self, process: CellProcess, machine: Machine, held: Held, rest: Rest) -> Array:
        """Return ``D_i`` (batch, units) of the blocks of a process."""
        topology, engine = self._design.topology, load_engine(machine.dynamics)
        inputs, flat = rest.inputs**2, np.zeros_like(machine.weights)
        blocks, total = topology.blocks(flat), np.zeros_like(rest.activity)
        for block in process.blocks:
            for deviation in self._deviations(process, block, held):
                blocks[block][...] += (self._cells.gain(block) * deviation) ** 2
                for back in self._list_shared(block):
                    turned = topology.mirror(block, deviation * np.ones_like(blocks[block]))
                    blocks[back][...] += (turned * self._cells.gain(back)) ** 2
        total += np.concatenate([topology.spread_bias(n, blocks[f"bias/{n}"]) for n in topology.names])
        for c in topology.connections:
            if c.pre == topology.input and c.block in process.blocks:  # no device of the input is read both ways
                total[:, topology.columns[c.post]] += engine.apply(c.kind, blocks[c.block], inputs)
        return total + engine.drive(machine._replace(weights=flat, prepared={}), rest.activity**2)

    def _list_shared(self, block: str) -> list[str]:
        """Return the blocks that are read from the same devices in the other direction."""
        if not self._cells_are_shared:
            return []
        return [back for back, forward in self._cells.partners.items() if forward == block]
