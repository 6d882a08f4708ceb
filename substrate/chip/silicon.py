"""One piece of silicon: a wiring, its programmed parameters and one draw of its devices, at no moment in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..dynamics.machine import available_threads
from ..protocol import Readout
from .causes import CAUSES, causes, without
from .design import Design, Fabrication
from .tally import Tally
from .weights import Fabric

Array = NDArray[np.float64]


class Silicon:
    """What stays the same while a chip settles and is read; only writes change it.

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
        self._fabric = Fabric(design, programmed, fabrication)
        self.programmed = self._fabric.programmed
        """Requested parameters by block."""
        self.effective = self._fabric.effective
        """Parameters the units really feel, by block."""
        self.writer = self._fabric.writer
        """The cells as they are written, and what they keep beside their weights."""
        self.membranes = self._fabric.membranes
        """Time constants, transfer curves and noise of the units."""
        self.time_constants = self.membranes.tau
        """Time constant of every membrane, in units of tau, (units,)."""
        self._machine = self._fabric.machine(threads or available_threads())

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
        kept = self.programmed | self.writer.kept
        return type(self)(self.design.replace(**parts), kept, self.fabrication, self._machine.threads)

    def reprogrammed(self, blocks: Mapping[str, Array]) -> Self:
        """Return the same silicon with other parameters in some of its blocks."""
        kept = self.programmed | self.writer.kept | dict(blocks)
        return type(self)(self.design, kept, self.fabrication, self._machine.threads)

    @property
    def causes(self) -> list[str]:
        """Names of the imperfections of this chip, see `substrate.chip.causes`."""
        return causes(self.design)

    def without(self, *names: str) -> Self:
        """Return the same silicon and programmed parameters with the named causes of error ideal.

        Raises
        ------
        ValueError
            If a name is no cause.
        """
        return self.variant(**without(self.design, *names)._asdict())

    def ideal(self) -> Self:
        """Return the chip as designed: the same programmed parameters, no imperfection."""
        return self.without(*CAUSES)

    @property
    def tally(self) -> Tally:
        """Counts of the writes since the chip was made, by block; never changes once it is given out."""
        return Tally(*(counts.copy() for counts in self._fabric.tally))

    @property
    def held(self) -> Mapping[str, Array]:
        """What the cells keep of the programmed parameters, by block."""
        return self._fabric.held

    @property
    def unreached(self) -> Mapping[str, int]:
        """Cells that could not take the weight they were programmed to when the chip was made, by block.

        It lies beyond the window, or beyond bounds of their own; where one number stands for both directions of a pair
        it is counted in the forward one.
        """
        return self._fabric.unreached

    @property
    def lost(self) -> int:
        """Requests to change a cell that were below what a pulse can do, since the chip was made."""
        return int(self._fabric.tally.lost.sum())
