"""A simulated chip seen through rounded numbers: what a line makes of it, without a line, sample by sample or not."""

from __future__ import annotations

import numpy as np

from substrate.hardware.bench import HardwareBench, compute_held_force

COUNTS = 32_767


class RoundedChip:
    """A chip whose inputs, reads, drives and requests are rounded, `finer` times as finely as codes of 16 bits."""

    correlate = HardwareBench.correlate

    def __init__(self, chip, scales, finer=1):
        self.chip, self._scales, self._finer = chip, scales, finer

    def __getattr__(self, name):
        return getattr(self.chip, name)

    def _round(self, name, values):
        scale, offset, *_ = getattr(self._scales, name)
        return offset + scale / self._finer * np.rint((values - offset) / (scale / self._finer))

    def set_input(self, x, ids=None, epoch=0, purpose=""):
        self._x = np.asarray(x, dtype=np.float64)
        self.chip.set_input(self._round("input", self._x), ids, epoch, purpose)

    def settle(self, nudge=None, start="zero"):  # noqa: ARG002
        topology = self.chip.topology
        if nudge is None:
            found = self.chip.settle()
            self._free = self._look()
            return found
        drive, first = np.zeros_like(self._free), topology.columns[topology.output].start
        drive[:, first:] = -nudge.beta.real * compute_held_force(self.readout, self._free[:, first:], nudge.target)
        found = self.chip.settle_injected(topology.split(self._round("dac", drive)))
        self._look()
        return found

    def _look(self):
        read = self.chip.read()
        self._read = self._round("adc", np.concatenate([read[name] for name in self.chip.topology.names], axis=1))
        return self._read

    def read(self, waits=False):  # noqa: ARG002
        return {self.chip.topology.input: self._x} | self.chip.topology.split(self._read)

    def write(self, changes):
        self.chip.write({name: self._round_request(name, change) for name, change in changes.items()})

    def _round_request(self, name, change):
        size = np.abs(change).max(initial=0.0) / (COUNTS * self._finer)
        return change if size == 0.0 or name.startswith("readout/") else size * np.rint(change / size)
