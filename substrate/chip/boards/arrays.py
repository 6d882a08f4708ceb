"""Arrays of cells beside the first one of a block: what they keep, and what the units and a controller see of it.

Array n of a block has cells of the same devices, each with a draw of its own, and is written by the same law. The units
feel ``sum_n gain_n (W_n + r_n)`` on top of the first array, with the error r_n of what is subtracted from every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from ...protocol import name_array_block
from ..cells import FabricatedCells
from ..design import Design, Fabrication

Array = NDArray[np.float64]


class ExtraCells:
    """Cells of all arrays but the first, of every block with numbers of its own.

    Parameters
    ----------
    design : Design
        Wiring, devices and arrays.
    fabrication : Fabrication
        Names the draws.
    partners : mapping of block name to block name
        Blocks without a number of their own, and the block whose number it is.
    programmed : mapping of str to array
        What an earlier chip of the same silicon held in them; absent: 0.
    """

    def __init__(
        self,
        design: Design,
        fabrication: Fabrication,
        partners: Mapping[str, str],
        programmed: Mapping[str, Array],
    ) -> None:
        self._topology, self._partners = design.topology, partners
        self._places: dict[str, tuple[int, str]] = {}
        own = [b for b in design.topology.shapes if not b.startswith("readout/") and b not in partners]
        gains = design.arrays.gains
        self._gains = dict(enumerate(gains, start=1))
        self._arrays = {n: FabricatedCells(design, _name_streams(fabrication, n)) for n in self._gains}
        self.programmed: dict[str, Array] = {}
        """Requested parameters, by name of array and block."""
        self._errors: dict[str, Array] = {}
        for n in self._gains:
            for block in own:
                name, shape = name_array_block(n, block), design.topology.shapes[block]
                self._places[name] = n, block
                self.programmed[name] = np.array(programmed.get(name, np.zeros(shape)), dtype=np.float64, order="C")
                if sigma := design.arrays.reference_sigma:
                    self._errors[name] = sigma * fabrication.stream(f"array-reference/{name}").normal(shape)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every block of these arrays."""
        return {name: block.shape for name, block in self.programmed.items()}

    def find_block(self, name: str) -> str:
        """Return the block that an array belongs to; any other name as it is."""
        return self._places[name][1] if name in self._places else name

    def find_cells(self, name: str, first: FabricatedCells) -> tuple[FabricatedCells, str]:
        """Return the cells that a name stands for, and the block they know it by; `first` are those of the first."""
        array, block = self._places.get(name, (0, name))
        return (self._arrays[array] if array else first), block

    def read(self, name: str, kept: Array) -> Array:
        """Return what is read of cells that keep these weights, of the shape of the block."""
        array, block = self._places[name]
        read = np.broadcast_to(self._arrays[array].effective(block, kept), kept.shape)
        return read + self._errors[name] if name in self._errors else read

    def list_felt(self, names: Iterable[str]) -> list[str]:
        """Return the blocks whose effective weights change with these, each once: an array of gain 0 changes none."""
        touched = [self.find_block(k) for k in names if k not in self._places or self._gains[self._places[k][0]]]
        backs = {forward: back for back, forward in self._partners.items()}
        return list(dict.fromkeys(b for block in touched for b in (block, backs.get(block, block))))

    def add_to(self, effective: Array, block: str, kept: Callable[[str], Array]) -> None:
        """Add what the units feel of these arrays to the effective weights of a block, in place.

        Parameters
        ----------
        effective : array
            Those of the first array.
        block : str
            Which block.
        kept : callable
            Gives what the cells of an array keep, by its name.
        """
        own = self._partners.get(block, block)
        for array, gain in self._gains.items():
            name = name_array_block(array, own)
            if not gain or name not in self._places:
                continue
            if own == block:
                effective += gain * self.read(name, kept(name))
                continue
            turned = self._arrays[array].effective(block, self._topology.mirror(own, kept(name)))
            error = self._topology.mirror(own, self._errors[name]) if name in self._errors else 0.0
            effective += gain * (turned + error)

    def sum_programmed(self, block: str) -> Array | float:
        """Return what these arrays are asked to add to the weights of a block; 0 where the units feel none of them."""
        own: str = self._partners.get(block, block)
        found: Array | float = 0.0
        for array, gain in self._gains.items():
            name = name_array_block(array, own)
            if gain and name in self._places:
                asked = self.programmed[name]
                found = found + gain * (asked if own == block else self._topology.mirror(own, asked))
        return found


def _name_streams(fabrication: Fabrication, array: int) -> Callable[[str], Stream]:
    """Return what names the draws of the cells of an array."""
    return lambda purpose: fabrication.stream(f"array-{array}/{purpose}")
