"""What a controller takes the weights of a chip for while it trains it, beside what cells were programmed to.

Two twins follow a chip that is written. The *record* adds up what was requested and reads no cell back: with a spread
`s` of the steps of cells it drifts away from the chip by ``s |sum dW|``. The *measured* twin sees every free state that
a training reads anyway. At rest the net drive of a unit is a sum over the activities that it sees, and what its own
activity tells of it in excess of the twin is the twin's error `E`, in the directions of these activities:

    ``E <- E + q^2 A^T (q^2 A A^T + N)^-1 (h - A (W + E))``

with the activities `A` of a batch, the drives `h` they tell, what was programmed `W`, the spread `q` that is expected,
and the noise of the reads `N`: the best linear prediction of `learning.identification.weights`, batch after batch
(Kaczmarz's projections, Bull. Acad. Pol. Sci. A 35, 1937, where the noise is small). No settling is added.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import CorrectedModel, WritableBench

from .reads import DenseWiring, DriveCurve, FreeReads
from .weights import WeightPrior, estimate_effective_weights

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]
Memory = MutableMapping[str, Array]

RECORD, TWIN = "record/", "twin/"
"""Before the names of blocks, in what a training keeps: what was requested in all, and the error of the twin."""


class _Twin:
    """A backward model whose weights are corrected before it is used."""

    def __init__(self, model: CorrectedModel, programmed: Callable[[], Blocks], memory: Memory) -> None:
        self._model, self._programmed, self._memory = model, programmed, memory

    def backpropagate(
        self, activity: Blocks, force: Array, iterations: int | None = None
    ) -> tuple[dict[str, Array], int]:
        """Return error vectors with the corrected weights, see `substrate.protocol.BackwardModel`."""
        macs = self._correct(activity)
        delta, more = self._model.backpropagate(activity, force, iterations)
        return delta, macs + more

    def slopes(self, activity: Blocks) -> dict[str, Array]:
        """Return the slopes of the units, see `substrate.protocol.BackwardModel`."""
        return self._model.slopes(activity)

    @abstractmethod
    def _correct(self, activity: Blocks) -> int:
        """Correct the weights of the model by what is known now; return the multiply-adds that took."""


class RecordTwin(_Twin):
    """A model of the weights that were requested, whatever cells made of that."""

    def _correct(self, activity: Blocks) -> int:  # noqa: ARG002
        now = self._programmed()
        self._model.correct({name: self._memory.get(RECORD + name, block) - block for name, block in now.items()})
        return 0


class ExpectedSpread(NamedTuple):
    """What a controller expects of a chip that it identifies."""

    weights: float
    """Standard deviation of an effective weight around the programmed one, over the rms of its block."""

    read: float
    """Of the noise of a read."""


class MeasuredTwin(_Twin):
    """A model whose weights follow from the free states that were read; see above.

    Parameters
    ----------
    model : CorrectedModel
        Of the programmed weights.
    programmed : callable
        Gives what is programmed now, by block.
    memory : mutable mapping of array
        Keeps the error of the twin, by block.
    wiring : DenseWiring
        Of the chip.
    curve : DriveCurve
        From activities to drives, as designed.
    expected : ExpectedSpread
        Of the chip.
    """

    def __init__(
        self,
        model: CorrectedModel,
        programmed: Callable[[], Blocks],
        memory: Memory,
        wiring: DenseWiring,
        curve: DriveCurve,
        expected: ExpectedSpread,
    ) -> None:
        super().__init__(model, programmed, memory)
        self._wiring, self._curve, self._expected = wiring, curve, expected

    def _correct(self, activity: Blocks) -> int:
        now = {name: block for name, block in self._programmed().items() if not name.startswith("readout/")}
        mean = {name: block + self._memory.get(TWIN + name, 0.0) for name, block in now.items()}
        finite = np.logical_and.reduce([np.isfinite(a).all(axis=1) for a in activity.values()])
        if finite.any():
            reads = FreeReads({name: a[finite] for name, a in activity.items()}, int(np.count_nonzero(~finite)))
            prior = WeightPrior(mean, self._expect_deviations(now))
            found = estimate_effective_weights(self._wiring, reads, self._curve, self._expected.read, prior)
            self._memory.update({TWIN + name: value - now[name] for name, value in found.values.items()})
        self._model.correct({name: self._memory.get(TWIN + name, np.zeros_like(now[name])) for name in now})
        return self._count_macs(int(np.count_nonzero(finite)))

    def _expect_deviations(self, now: Blocks) -> dict[str, Array]:
        """Return the spread that is expected of every cell; of a bias that of the largest weights of its layer."""
        sizes = {name: float(np.sqrt(np.mean(block**2))) for name, block in now.items()}
        largest = max(size for name, size in sizes.items() if name.startswith("weight/")) or 1.0
        scale = {name: size if name.startswith("weight/") and size else largest for name, size in sizes.items()}
        return {name: np.full_like(block, self._expected.weights * scale[name]) for name, block in now.items()}

    def _count_macs(self, samples: int) -> int:
        """Return the multiply-adds of one system per unit: products of its rows, a solution for all its weights."""
        total = 0
        for layer in list(self._wiring.layers)[1:]:
            inputs = 1 + sum(self._wiring.layers[pre] for pre, post in self._wiring.connections if post == layer)
            total += self._wiring.layers[layer] * (2 * samples**2 * inputs + samples**3 // 3 + samples * inputs)
        return total


class RecordedCells:
    """Cells that are written through a record of what is requested of them.

    Parameters
    ----------
    bench : WritableBench
        The chip.
    programmed : callable
        Gives what is programmed now, by block: where the record begins.
    tied : mapping of block name to block name
        Feedback block to forward block, where one number stands for both.
    memory : mutable mapping of array
        Keeps the record.
    """

    def __init__(
        self, bench: WritableBench, programmed: Callable[[], Blocks], tied: Mapping[str, str], memory: Memory
    ) -> None:
        self._bench, self._tied, self._memory = bench, tied, memory
        for name, block in programmed().items():
            if not name.startswith("readout/"):
                memory.setdefault(RECORD + name, block.copy())

    def write(self, changes: Blocks) -> None:
        """Request changes of the chip, and enter them into the record."""
        self._bench.write(changes)
        partners = dict(self._tied) | {forward: back for back, forward in self._tied.items()}
        for name, change in changes.items():
            if (key := RECORD + name) in self._memory:
                self._memory[key] = self._memory[key] + change
            if name in partners:  # one number stands for both
                other = RECORD + partners[name]
                self._memory[other] = self._memory[other] + self.mirror(name, change)

    def read_cells(self, block: str, chosen: NDArray[np.bool_]) -> Array:
        """Read cells one by one, see `substrate.protocol.WritableBench`."""
        return self._bench.read_cells(block, chosen)

    def mirror(self, block: str, request: Array) -> Array:
        """Turn a request round, see `substrate.protocol.WritableBench`."""
        return self._bench.mirror(block, request)
