"""Oracle side: a chip whose writes are taken apart, term by term, while a write policy writes it.

Of the request to the change of what the units feel every step has a name; the terms add up, write by write:

    handed on  = request      + policy
    k step     = handed on    + granularity       k: pulses that the cell got
    mean law   = k step       + gain + asymmetry + window
    kept       = mean law     + cycle + forgetting
    effective  = kept         + write noise + spread

The mean law follows the pulses of a write one by one through the states that they lead to: ``gain`` is what both
directions share of a step that is not nominal, ``asymmetry`` what the up step has more, ``window`` what bounds,
refreshes of pairs and the window of the cells take away. Up to the write noise all
is that of stored numbers; ``spread`` is what mismatch, wires and gains of paths make of their change. Where a weight
has several arrays of cells, every term is the sum over them, each times the gain with which the units feel it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.programming.laws import Pulsed
from devices.programming.mean_step import MeanWalk, walk_cells, walk_pairs
from substrate.chip.chip import Chip
from substrate.chip.programming import COMMON, NOISE
from substrate.protocol import name_array_block

Array = NDArray[np.float64]
Blocks = dict[str, Array]

TERMS = ("policy", "granularity", "gain", "asymmetry", "window", "cycle", "forgetting", "write_noise", "spread")
"""Terms from the request to the change of the effective weight, in this order."""

WRITTEN = TERMS[1:6]
"""Those of a single write."""


class WitnessedChip:
    """A bench that can be written; adds up the terms of every write, by block.

    Parameters
    ----------
    chip : Chip
        The chip, which is written.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        partners = chip.writer.partners
        names = [name for name in chip.topology.shapes if not name.startswith("readout/") and name not in partners]
        gains = (1.0, *chip.design.arrays.gains)
        self._owners = {name_array_block(n, name): (name, gain) for name in names for n, gain in enumerate(gains)}
        self._begin = {name: self._state(name) for name in self._owners}
        self._noise = {name: self._read_noise(name) for name in self._owners}
        self._effective = {name: chip.effective[name].copy() for name in names}
        self._left = {name: state.copy() for name, state in self._begin.items()}
        shapes = {name: self._begin[name].shape for name in names}
        self.handed: Blocks = {name: np.zeros(shape) for name, shape in shapes.items()}
        """Changes that were handed on, by block of stored numbers."""
        self.terms: dict[str, Blocks] = {
            name: {term: np.zeros(shape) for term in (*WRITTEN, "forgetting")} for name, shape in shapes.items()
        }
        """Sums of the terms of all writes, by block."""
        self.pulses: Blocks = {name: np.zeros(state.shape) for name, state in self._begin.items()}
        """Pulses of every cell, without those of refreshes, by block and, of further arrays, by their names."""
        self.fractions: dict[str, float] = dict.fromkeys(shapes, 0.0)
        """Sum over the writes of the mean of ``f (1 - f)``, where f is the part of a step in what was handed on."""

    def mirror(self, block: str, request: Array) -> Array:
        """Return a request as the reverse connection would be asked for it."""
        return self._chip.mirror(block, request)

    def read_cells(self, block: str, chosen: NDArray[np.bool_]) -> Array:
        """Return the effective weights of some cells."""
        return self._chip.read_cells(block, chosen)

    def write(self, changes: Mapping[str, Array]) -> None:
        """Write the chip and take apart what became of it."""
        chip, writer = self._chip, self._chip.writer
        asked = self._per_number(changes)
        common = {name: writer.kept[COMMON + name].copy() for name in asked if COMMON + name in writer.kept}
        changing = self._left if writer.forgetting else asked  # time goes by for all cells
        before = {name: np.array(writer.state(name, chip.held[name], waits=1)) for name in changing}
        chip.write(changes)
        for name, state in before.items():
            owner, gain = self._owners[name]
            self.terms[owner]["forgetting"] += gain * (state - self._left[name])
            self._left[name] = self._state(name)
        for name, handed in asked.items():
            self._take_apart(name, handed, before[name], common.get(name))

    def kept(self, block: str) -> Array:
        """Return what the cells of a block keep more than at the beginning, over all arrays that the units feel."""
        return self._add_up(block, lambda name: self._state(name) - self._begin[name])

    def noise(self, block: str) -> Array:
        """Return what the write noise of a block is more than at the beginning."""
        return self._add_up(block, lambda name: self._read_noise(name) - self._noise[name])

    def spread(self, block: str) -> Array:
        """Return what effective weights changed by more than what cells keep and the noise of their writes.

        Where a stored number has several cells they have no effective weight in common, and it is 0.
        """
        now, before = self._chip.effective[block], self._effective[block]
        if now.shape != self._begin[block].shape:
            return np.zeros_like(self._begin[block])
        return np.asarray(now - before - self.kept(block) - self.noise(block))

    def _add_up(self, block: str, find: Callable[[str], Array]) -> Array:
        """Return the sum over the arrays of a block, each times its gain; the first one as it is."""
        others = [(name, gain) for name, (owner, gain) in self._owners.items() if owner == block != name and gain]
        return np.asarray(sum((gain * find(name) for name, gain in others), start=find(block)))

    def _state(self, name: str) -> Array:
        return np.array(self._chip.writer.state(name, self._chip.held[name]))

    def _read_noise(self, name: str) -> Array:
        kept = self._chip.writer.kept.get(NOISE + name)
        return np.zeros(self._chip.held[name].shape) if kept is None else kept.copy()

    def _per_number(self, changes: Mapping[str, Array]) -> Blocks:
        """Return the changes of stored numbers, those of both directions added up as the chip does."""
        summed = {name: change for name, change in changes.items() if not name.startswith("readout/")}
        for back, forward in self._chip.writer.partners.items():
            if back in summed:
                change = self._chip.mirror(back, summed.pop(back))
                summed[forward] = summed[forward] + change if forward in summed else change
        return summed

    def _take_apart(self, name: str, handed: Array, before: Array, common: Array | None) -> None:
        """Add the terms of one write of a block, which closed at what its cells keep now."""
        chip, law, (owner, gain) = self._chip, self._chip.design.devices.update, self._owners[name]
        terms, now = self.terms[owner], self._state(name)
        # A cell that was given more than it can hold keeps that request until it moves.
        raw = chip.writer.within(name, chip.stored[name])
        self.handed[owner] += gain * handed
        if not isinstance(law, Pulsed):
            # Without pulses: the number that was programmed, where the request fits the cells.
            aimed = chip.writer.within(name, before + handed)
            touched = handed != 0.0
            scatter = np.where(touched, raw - aimed, 0.0)
            terms["cycle"] += gain * scatter
            terms["window"] += gain * (now - before - handed - scatter)
            return
        pulses = chip.writer.pulses[name]
        nominal = pulses * law.step
        part = np.abs(handed) / law.step % 1.0
        self.pulses[name] += np.abs(pulses)
        if name == owner:
            self.fractions[name] += float(np.mean(part * (1.0 - part)))
        walk = self._walk(name, before, common, pulses)
        mean = before + nominal + walk.gain + walk.asymmetry + walk.window
        cycle = np.where(pulses != 0, raw - mean, 0.0)
        terms["granularity"] += gain * (nominal - handed)
        terms["gain"] += gain * walk.gain
        terms["asymmetry"] += gain * walk.asymmetry
        terms["cycle"] += gain * cycle
        terms["window"] += gain * (now - before - nominal - walk.gain - walk.asymmetry - cycle)

    def _walk(self, name: str, before: Array, common: Array | None, pulses: NDArray[np.int32]) -> MeanWalk:
        """Return what the pulses of a write do in the mean."""
        writer, law = self._chip.writer, self._chip.design.devices.update
        assert isinstance(law, Pulsed)  # noqa: S101  only such have pulses
        if writer.pairs is None or common is None:
            cells = writer.cells[name]
            return walk_cells(law.shape(), cells, before + cells.reference, pulses, law.step)
        pair = writer.pairs.drawn[name]
        states = common + np.maximum(before, 0.0), common + np.maximum(-before, 0.0)
        return walk_pairs(law.shape(), (pair.plus.cells, pair.minus.cells), states, pulses, law.step)
