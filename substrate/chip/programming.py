"""How the cells of one chip are written, and what they keep: pulses, write noise, leak and drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.programming.bounds import Ends, SampledCells, make_block_stream
from devices.programming.laws import Pulsed, Step, Verified
from devices.programming.sampled import CellConstants
from devices.random import Stream
from devices.synapse.retention import Retention, RetentionConstants, apply_retention, sample_retention

from ..engine.door import apply_pulses, make_cell_block, make_pulse_train
from .budget import WriteOutcome
from .one_sided import OneSidedBlocks

Array = NDArray[np.float64]

NOISE, ELAPSED, COMMON = "write-noise/", "elapsed/", "common/"
"""What a block keeps beside its weights: what is felt on top of them, the time since they were written, and the
conductance that both devices of a one-sided pair have."""


class Writer:
    """Cells of all blocks of a chip but the readout, which is digital.

    Parameters
    ----------
    law : Step, Verified or None
        How a cell is written; None: exactly as requested.
    retention : Retention
        How it forgets.
    shapes : mapping of block name to shape
        The blocks.
    stream : callable
        ``stream(purpose)`` names the draws of this chip.
    kept : mapping of str to array
        What an earlier chip of the same silicon kept beside its weights; see `kept`.
    partners : mapping of block name to block name, optional
        Blocks without a number of their own, and the block whose transpose they are.
    measured : mapping of str to array, optional
        Constants measured on real cells, ``<block>/<name>`` by the names of
        `devices.programming.sampled.CellConstants`.
    mirror : callable, optional
        ``mirror(block, weight)`` returns a weight as the block's partner holds it; only partners need it.

    Raises
    ------
    ValueError
        If a measured array has another shape than its block, or one-sided pairs are to forget.
    """

    def __init__(
        self,
        law: Step | Verified | None,
        retention: Retention,
        shapes: Mapping[str, tuple[int, ...]],
        stream: Callable[[str], Stream],
        kept: Mapping[str, Array],
        measured: Mapping[str, Array] | None = None,
        partners: Mapping[str, str] | None = None,
        mirror: Callable[[str, Array], Array] | None = None,
    ) -> None:
        self._law, self._retention, self._stream = law, retention, stream
        one = law.one_sided if isinstance(law, Pulsed) else None
        if one is not None and retention.on:
            raise ValueError("one-sided pairs do not forget yet: leave out devices.retention, or update.one_sided")
        self._mirror = mirror or (lambda _, weight: weight)
        self.partners = dict(partners or {})
        """Blocks that keep nothing themselves, and the block whose transpose they are."""
        shapes = {k: v for k, v in shapes.items() if not k.startswith("readout/") and k not in self.partners}
        self._drawn = SampledCells(law, shapes, stream, measured)
        self.cells: dict[str, CellConstants] = self._drawn.cells
        """Sampled constants of every pulsed cell, by block; of one-sided pairs see `pairs`."""
        self.pairs = (
            OneSidedBlocks(law, self._drawn.pairs, stream) if isinstance(law, Pulsed) and one is not None else None
        )
        """The one-sided pairs, if cells are such."""
        self._references = {name: cells.reference for name, cells in self.cells.items() if cells.reference.any()}
        self._moving = {name: make_cell_block(cells) for name, cells in self.cells.items()}
        self.forgetting: dict[str, RetentionConstants] = {}
        """Sampled constants of leak and drift, by block; empty where nothing is forgotten."""
        if retention.on:
            self.forgetting = {
                name: sample_retention(retention, shape, make_block_stream(stream, name))
                for name, shape in shapes.items()
            }
        self.pulses: dict[str, NDArray[np.int32]] = {}
        """Pulses that the last write gave every cell, with sign and without those of refreshes, by block."""
        self.kept: dict[str, Array] = {}
        """What the chip keeps beside its weights, by `NOISE`, `ELAPSED` or `COMMON` and block."""
        for name, shape in shapes.items():
            if isinstance(law, Pulsed) and law.write_noise > 0.0:
                self.kept[NOISE + name] = np.array(kept.get(NOISE + name, np.zeros(shape)))
            if one is not None:
                self.kept[COMMON + name] = np.array(kept.get(COMMON + name, self._drawn.rest(name)))
            if retention.on:
                self.kept[ELAPSED + name] = np.array(kept.get(ELAPSED + name, np.full(shape, retention.age)))

    def wait(self) -> None:
        """Let the time from one write to the next go by."""
        for name in self.forgetting:
            self.kept[ELAPSED + name] += self._retention.interval

    def bounded(self, block: str) -> bool:
        """Tell whether the cells of a block have bounds of their own."""
        return self._ends(self.partners.get(block, block)) is not None

    def within(self, block: str, weight: Array) -> Array:
        """Return the weights of a block that are nearest to `weight` within the bounds of its cells."""
        if block in self.partners:
            return self._as_partner(self.within, block, weight)
        ends = self._ends(block)
        return weight if ends is None else np.clip(weight, *ends)

    def _as_partner(self, what: Callable[[str, Array], Array], block: str, weight: Array) -> Array:
        """Return what happens to the weights of a block in the cells of its partner."""
        partner = self.partners[block]
        return self._mirror(partner, what(partner, self._mirror(block, weight)))

    def _ends(self, block: str) -> Ends | None:
        return self._drawn.ends(block, self.kept.get(COMMON + block))

    def state(self, block: str, weight: Array, waits: int = 0) -> Array:
        """Return what is left of the weights of a block that were written as `weight`, or will be after some waits."""
        if block in self.partners:
            return self._as_partner(self.state, block, weight)
        if block not in self.forgetting:
            return weight
        elapsed = self.kept[ELAPSED + block] + waits * self._retention.interval
        left = apply_retention(self._retention, weight, elapsed, self.forgetting[block])
        return self.within(block, left)

    def compute_effective(self, block: str, weight: Array) -> Array:
        """Return the effective weights of a block that were written as `weight`, noise of the writes included."""
        if block in self.partners:
            return self._as_partner(self.compute_effective, block, weight)
        state = self.state(block, weight)
        return state + self.kept[NOISE + block] if NOISE + block in self.kept else state

    def write(self, block: str, weight: Array, change: Array, name: str) -> WriteOutcome:
        """Change a block, as far as its cells can; `name` names the draws of this write."""
        if self._law is None and block not in self.forgetting:
            return WriteOutcome(weight + change, 0, 0)
        present, law = self.state(block, weight), self._law
        if isinstance(law, Pulsed):
            touched, done = self._pulsed(law, block, present, change, name)
        elif isinstance(law, Verified):
            touched = change != 0.0
            done = WriteOutcome(self._verified(law, block, present + change, name), int(np.count_nonzero(touched)), 0)
        else:
            touched, done = change != 0.0, WriteOutcome(present + change, 0, 0)
        if NOISE + block in self.kept and isinstance(law, Pulsed):
            fresh = law.write_noise * law.step * self._stream(f"write-noise/{block}/{name}").normal(change.shape)
            self.kept[NOISE + block] = np.where(touched, fresh, self.kept[NOISE + block])
        if block in self.forgetting:
            self.kept[ELAPSED + block] = np.where(touched, 0.0, self.kept[ELAPSED + block])
        unmoved = isinstance(law, Pulsed) and block not in self.forgetting
        return done if unmoved else done._replace(weight=np.where(touched, done.weight, weight))

    def _pulsed(
        self, law: Step, block: str, weight: Array, request: Array, name: str
    ) -> tuple[NDArray[np.bool_], WriteOutcome]:
        """Return which cells got a pulse, and what became of all."""
        if self.pairs is not None:
            self.pulses[block], self.kept[COMMON + block], done = self.pairs.step(
                block, weight, self.kept[COMMON + block], request, name
            )
            return self.pulses[block] != 0, done
        moving, reference = self._moving[block], self._references.get(block)
        rows = moving.low.shape
        cell = np.array(weight if reference is None else weight + reference, dtype=np.float64, order="C")
        new, counts = cell.reshape(rows), np.zeros(rows, dtype=np.int32)
        train = make_pulse_train(law, self._stream(f"write/{block}/{name}"), law.offset)
        wanted = np.ascontiguousarray(request, dtype=np.float64).reshape(rows)
        pulses, lost, cut = apply_pulses(moving._replace(weight=new), wanted, train, counts)
        self.pulses[block] = counts.reshape(request.shape)
        new, touched = new.reshape(request.shape), self.pulses[block] != 0
        if reference is not None:
            # Without a pulse every bit of the difference stays.
            new = np.where(touched, new - reference, weight)
        return touched, WriteOutcome(new, int(pulses), int(lost), int(cut))

    def _verified(self, law: Verified, block: str, target: Array, name: str) -> Array:
        target = self.within(block, target)
        error = np.maximum(np.polynomial.polynomial.polyval(np.abs(target) / law.w_max, law.error), 0.0)
        drawn = self._stream(f"write/{block}/{name}").normal(target.shape)
        return np.asarray(target + law.w_max * error * drawn)
