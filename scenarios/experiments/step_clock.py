"""How long a step takes on an engine that may run on any device: a few are measured where the run would be."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from devices.hardware import Devices
from substrate.chip.design import Design, Fabrication
from substrate.dynamics.methods import Phase

from ..initial import sample_initial_parameters

StepClock = Callable[[str], float]
"""Seconds of one step of Euler's method of one sample, real and without noise, in a precision."""

STEPS = 32
"""Steps that are measured."""

_FEW = 5e8
"""Products of one step that take a processor hundredths of a second: no more samples are tried at first."""

_SHORT = 0.1
"""Seconds of a measurement after which the whole batch is tried, too: small ones do not fill an accelerator."""


def make_step_clock(design: Design, batch: int) -> StepClock | None:
    """Return what measures the steps of a batch of samples; None where the rates of our own kernels are known.

    Parameters
    ----------
    design : Design
        Its imperfections are left out but for those of its weights: copies of a kernel take longer once they differ.
    batch : int
        Samples that settle together.
    """
    if design.dynamics.engine == "cpu":
        return None
    products, found = sum(c.kind.products for c in design.topology.recurrent()), dict[str, float]()

    def tell(precision: str) -> float:
        if precision not in found:
            rows = min(batch, max(1, int(_FEW / products)))
            taken = _measure_settling(design, precision, rows)
            if rows < batch and taken < _SHORT:
                rows, taken = batch, _measure_settling(design, precision, batch)
            found[precision] = taken / (STEPS * rows)
        return found[precision]

    return tell


def _measure_settling(design: Design, precision: str, rows: int) -> float:
    """Return the seconds in which some samples take `STEPS` steps, once the program is compiled."""
    from substrate.chip.chip import Chip  # noqa: PLC0415  it needs an engine

    topology, own, devices = design.topology, design.dynamics, design.devices
    cells = Devices(weights=devices.weights, feedback=devices.feedback)
    pace = {"mode": "trajectory", "method": "euler", "precision": precision, "free": Phase(steps=STEPS)}
    plain = Design(topology, design.activation, design.cost, own.model_copy(update=pace), cells, design.law)
    chip = Chip(plain, sample_initial_parameters(topology, 0.0, 0), Fabrication())
    chip.set_input(np.zeros((rows, topology.layers[topology.input])))
    chip.settle()
    begin = time.perf_counter()
    chip.settle()
    return time.perf_counter() - begin
