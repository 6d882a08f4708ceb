"""A board whose chip is simulated: the same primitives, answered by a `Chip`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..chip.chip import Chip
from ..dynamics.methods import Phase
from ..protocol import SettlingResult, Status
from .board import Board, BoardError, BoardInfo, Codes, Ending, Pulses
from .scales import Scales, make_scales

Array = NDArray[np.float64]


class ChipBoard(Board):
    """A simulated chip on a board.

    Parameters
    ----------
    chip : Chip
        The chip, already programmed.
    info : BoardInfo
        What the board tells of itself, its scales included, which are exact.
    tau : float
        Seconds that one tau takes.
    presented : int
        Samples that were clamped before: the noise of later ones is another.
    """

    def __init__(self, chip: Chip, info: BoardInfo, tau: float = 1.0, presented: int = 0) -> None:
        self.chip, self._info, self._tau = chip, info, tau
        self._scales: Scales = make_scales(info, {}, {})
        self._presented, self._written = presented, info.written
        self._time: float | None = None
        self._asked: dict[str, Array] = {}
        self._input: Array | None = None

    def warm_up(self) -> None:
        """Settle once both ways, so that no request has to wait until kernels are compiled."""
        before, (inputs, *units) = self._presented, self._info.layers.values()
        self.clamp(np.zeros(inputs, dtype=np.int16))
        for inject in (None, np.zeros(sum(units), dtype=np.int16)):
            self.go(inject, None)
        self.sample()
        self._presented, self._input = before, None

    def info(self) -> BoardInfo:
        """Return what the board tells of itself, with the lines of pulses carried out."""
        return self._info.model_copy(update={"written": self._written})

    def clamp(self, codes: Codes) -> None:
        """Clamp the inputs; every presentation has noise of its own."""
        self._write_asked()
        self._presented += 1
        self._input = self._scales.input.decode(codes)[None]
        self._present(self.chip, self._input)

    def go(self, inject: Codes | None, time: float | None) -> Ending:
        """Let the chip settle: freely from zero, or under a drive from its last free state."""
        self._keep_time(time, self._find_input())
        if inject is None:
            settled = self.chip.settle()
        else:
            settled = self.chip.settle_injected(self.chip.topology.split(self._scales.dac.decode(inject)[None]))
        return self._describe_ending(settled)

    def sample(self) -> Codes:
        """Return the activities as the chip's own converters show them."""
        self._find_input()
        read = self.chip.read()
        values = np.concatenate([np.real(read[name][0]) for name in self.chip.topology.names])
        return self._scales.adc.encode(values)[0]

    def pulse(self, pulses: Pulses) -> None:
        """Keep what is asked of cells; they are written together before the chip does anything else."""
        block, first, counts, size = pulses
        if block not in self.chip.shapes:
            raise BoardError(f"no block {block!r}: {', '.join(self.chip.shapes)}")
        change = self._asked.setdefault(block, np.zeros(self.chip.shapes[block]))
        if not 0 <= first <= change.size - len(counts):
            raise BoardError(f"{len(counts)} cells from {first} on: {block} has {change.size}")
        if self._info.step is not None and size != self._info.step:
            raise BoardError(f"a pulse of {size:g}: those of this board are of {self._info.step:g}")
        change.reshape(-1)[first : first + len(counts)] += size * counts
        self._written += 1

    def close(self) -> None:
        """Write what was asked."""
        self._write_asked()

    def keep(self) -> dict[str, Array]:
        """Return what the chip holds by block, what its cells keep beside, lines carried out and samples clamped."""
        self._write_asked()
        counts = {"written": self._written, "presented": self._presented}
        return self.chip.kept | {name: np.array(float(count)) for name, count in counts.items()}

    def _write_asked(self) -> None:
        asked, self._asked = self._asked, {}
        if asked:
            self.chip.write(asked)

    def _find_input(self) -> Array:
        if self._input is None:
            raise BoardError("nothing is clamped: CLAMP comes first")
        return self._input

    def _present(self, chip: Chip, x: Array) -> None:
        chip.set_input(x, np.array([self._presented]), purpose=f"board/{self._written}/")

    def _keep_time(self, time: float | None, x: Array) -> None:
        """Let settlings last so many seconds from now on; None: as long as before."""
        self._write_asked()
        dynamics = self.chip.design.dynamics
        if time in (self._time, None) or dynamics.mode == "equilibrium":
            return
        phase = Phase(duration=time / self._tau)
        self.chip = self.chip.variant(dynamics=dynamics.model_copy(update={"free": phase, "nudged": phase}))
        self._present(self.chip, x)
        self._time = time

    def _describe_ending(self, settled: SettlingResult) -> Ending:
        residual = float(settled.residual[0])
        return Ending(Status(int(settled.status[0])), residual, float(settled.time[0]) * self._tau)
