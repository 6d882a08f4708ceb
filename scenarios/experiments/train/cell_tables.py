"""The sampled cells of a chip as labelled variables, the nominal ones beside them."""

from __future__ import annotations

from devices.programming.laws import Pulsed
from devices.programming.sampled import Cells, nominal
from devices.synapse.retention import exponents
from substrate.chip.chip import Chip
from substrate.chip.programming import Writer

from ...results.store import Group, Variable

_NAMES = {
    "step_up": "change by an up pulse before the law multiplies it",
    "step_down": "change by a down pulse, as a size",
    "low": "lower bound of the cell",
    "high": "upper bound of the cell",
    "bend_up": "slope (1/weight) or exponent of the up step",
    "bend_down": "slope or exponent of the down step, as a negative number",
    "reference": "weight of the reference device, which is subtracted",
}

_SIGNS = {"": "", "minus_": ", of the device that is subtracted"}
_KEPT = {
    "elapsed": ("s", "time since the last write"),
    "write-noise": ("1", "felt on top of the weight"),
    "common": ("1", "conductance that both devices of a pair have"),
}


def cell_variables(chip: Chip, block: str, dims: tuple[str, ...]) -> Group:
    """Return what the cells of a block are like, as drawn and, with the prefix `nominal_`, as designed.

    Where one number stands for both directions of a pair, these are the cells that keep it.
    """
    found: Group = {}
    if block in chip.writer.partners:
        partner = chip.writer.partners[block]
        return {
            name: variable._replace(data=chip.mirror(partner, variable.data)) if variable.dims else variable
            for name, variable in cell_variables(chip, partner, dims).items()
        }
    law = chip.design.devices.update
    if isinstance(law, Pulsed):
        clean = nominal(law)
        for name, text in _NAMES.items():
            for prefix, drawn in _drawn(chip.writer, block).items():
                found[prefix + name] = Variable(dims, getattr(drawn, name).copy(), long_name=text + _SIGNS[prefix])
            found[f"nominal_{name}"] = Variable((), float(getattr(clean, name)), long_name=f"{text}, as designed")
    if chip.writer.pairs is not None:
        for prefix, device in zip(("", "minus_"), chip.writer.pairs.drawn[block], strict=True):
            text = "what a reset leaves in the mean"
            found[f"{prefix}reset"] = Variable(dims, device.reset.copy(), long_name=text + _SIGNS[prefix])
    if block in chip.writer.forgetting:
        cells, drift = chip.writer.forgetting[block], chip.design.devices.retention
        found["leak_rate"] = Variable(dims, cells.rate.copy(), "1/s", "rate of the leak")
        found["drift_exponent"] = Variable(
            dims, exponents(drift, chip.held[block], cells), long_name="exponent of the drift"
        )
    for name, array in chip.writer.kept.items():
        kind, _, owner = name.partition("/")
        if owner == block:
            unit, text = _KEPT[kind]
            found[kind.replace("-", "_")] = Variable(dims, array.copy(), unit, text)
    return found


def unreached_variable(chip: Chip, block: str) -> Group:
    """Return how many cells of a block could not take the weight they were given; nothing where all could."""
    count = chip.unreached.get(block, 0)
    text = "cells whose weight, as it was given, lies beyond the window or their own bounds"
    return {"unreached": Variable((), count, long_name=text)} if count else {}


def _drawn(writer: Writer, block: str) -> dict[str, Cells]:
    """Return the constants of the devices of a block, by the prefix of their names."""
    if writer.pairs is None:
        return {"": writer.cells[block]}
    plus, minus = writer.pairs.drawn[block]
    return {"": plus.cells, "minus_": minus.cells}
