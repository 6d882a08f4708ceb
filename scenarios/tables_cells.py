"""The sampled cells of a chip as labelled variables, the nominal ones beside them."""

from __future__ import annotations

import numpy as np

from devices.cells import nominal
from devices.memory import Pulsed
from devices.retention import exponents
from substrate.chip import Chip

from .store import Group, Variable

_NAMES = {
    "step_up": "change by an up pulse before the law multiplies it",
    "step_down": "change by a down pulse, as a size",
    "low": "lower bound of the cell",
    "high": "upper bound of the cell",
    "bend_up": "slope (1/weight) or exponent of the up step",
    "bend_down": "slope or exponent of the down step, as a negative number",
    "reference": "weight of the reference device, which is subtracted",
}


def cell_variables(chip: Chip, block: str, dims: tuple[str, ...]) -> Group:
    """Return what the cells of a block are like, as drawn and, with the prefix `nominal_`, as designed.

    Where one number stands for both directions of a pair, these are the cells that keep it.
    """
    found: Group = {}
    if block in chip.writer.partners:
        return {
            name: variable._replace(data=np.transpose(variable.data))
            for name, variable in cell_variables(chip, chip.writer.partners[block], dims).items()
        }
    law = chip.design.update
    if isinstance(law, Pulsed):
        drawn, clean = chip.writer.cells[block], nominal(law)
        for name, text in _NAMES.items():
            found[name] = Variable(dims, getattr(drawn, name).copy(), long_name=text)
            found[f"nominal_{name}"] = Variable((), float(getattr(clean, name)), long_name=f"{text}, as designed")
    if block in chip.writer.forgetting:
        cells, drift = chip.writer.forgetting[block], chip.design.retention
        found["leak_rate"] = Variable(dims, cells.rate.copy(), "1/s", "rate of the leak")
        found["drift_exponent"] = Variable(
            dims, exponents(drift, chip.programmed[block], cells), long_name="exponent of the drift"
        )
    for name, array in chip.writer.kept.items():
        kind, _, owner = name.partition("/")
        if owner == block:
            unit, text = ("s", "time since the last write") if kind == "elapsed" else ("1", "felt on top of the weight")
            found[kind.replace("-", "_")] = Variable(dims, array.copy(), unit, text)
    return found
