"""What a chip is like, as labelled tables: its causes of error, its cells, what its readout met, its scales."""

from __future__ import annotations

import numpy as np

from devices.interface.converter import ClipCounts
from devices.programming.laws import Pulsed
from devices.programming.sampled import CellConstants, make_nominal_cells
from devices.synapse.retention import sample_drift_exponents
from substrate.chip.causes import classify_cause, list_unsettled_phases
from substrate.chip.chip import Chip
from substrate.chip.programming import Writer
from substrate.protocol import name_array_block
from substrate.settling.equilibrium import Audit

from ..results.store import Group, Variable
from ..schema.scenario import ScenarioSpec
from .cell_noise.tables import make_cell_noise_group

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


def make_cell_variables(chip: Chip, block: str, dims: tuple[str, ...]) -> Group:
    """Return what the cells of a block are like, as drawn and, with the prefix `nominal_`, as designed.

    Where one number stands for both directions of a pair, these are the cells that keep it.
    """
    found: Group = {}
    if block in chip.writer.partners:
        partner = chip.writer.partners[block]
        return {
            name: variable._replace(data=chip.mirror(partner, variable.data)) if variable.dims else variable
            for name, variable in make_cell_variables(chip, partner, dims).items()
        }
    law = chip.design.devices.update
    if isinstance(law, Pulsed):
        clean = make_nominal_cells(law)
        for name, text in _NAMES.items():
            for prefix, drawn in _list_cell_constants(chip.writer, block).items():
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
            dims, sample_drift_exponents(drift, chip.held[block], cells), long_name="exponent of the drift"
        )
    for name, array in chip.writer.kept.items():
        kind, _, owner = name.partition("/")
        if owner == block:
            unit, text = _KEPT[kind]
            found[kind.replace("-", "_")] = Variable(dims, array.copy(), unit, text)
    return found


def count_unreached_cells(chip: Chip, block: str) -> Group:
    """Return how many cells of a block could not take the weight they were given; nothing where all could."""
    count = chip.unreached.get(block, 0)
    text = "cells whose weight, as it was given, lies beyond the window or their own bounds"
    return {"unreached": Variable((), count, long_name=text)} if count else {}


def _list_cell_constants(writer: Writer, block: str) -> dict[str, CellConstants]:
    """Return the constants of the devices of a block, by the prefix of their names."""
    if writer.pairs is None:
        return {"": writer.cells[block]}
    plus, minus = writer.pairs.drawn[block]
    return {"": plus.cells, "minus_": minus.cells}


def make_device_groups(chip: Chip, start: Chip | None = None) -> dict[str, Group]:
    """Return what every connection and its cells are like, and the causes of error of the chip, if any.

    `start` is the chip as it was programmed at first, if it has been trained since.
    """
    names = chip.causes + list_unsettled_phases(chip.design)
    kinds = [classify_cause(chip.design, name) for name in names]
    groups: dict[str, Group] = {}
    if names:
        groups["causes"] = {
            "cause": Variable(("cause",), np.array(names), long_name="cause of error, by its name on the chip"),
            "kind": Variable(("cause",), np.array(kinds), long_name="how it enters an estimate"),
        }
    groups |= {
        f"devices/{c.name}": {
            "programmed": Variable(c.kind.dims, chip.programmed[c.block].copy(), long_name="requested weight"),
            "effective": Variable(c.kind.cell_dims, chip.effective[c.block].copy(), long_name="weight as fabricated"),
            **make_cell_variables(chip, c.block, c.kind.dims),
            **count_unreached_cells(start or chip, c.block),
        }
        for c in chip.topology.connections
    }
    biases: Group = {}
    for name in chip.topology.names:
        block = f"bias/{name}"
        found = make_cell_variables(chip, block, (chip.topology.name_bias_dim(name),))
        found |= count_unreached_cells(start or chip, block)
        biases |= {f"{key}_{name}": variable for key, variable in found.items()}
    groups |= {"devices/bias": biases} if biases else {}
    return groups | _make_array_groups(chip) | make_cell_noise_group(chip)


def _make_array_groups(chip: Chip) -> dict[str, Group]:
    """Return what further arrays of cells were asked for, and what their cells are like; nothing without any."""
    arrays, groups = range(1, 1 + len(chip.design.arrays.gains)), dict[str, Group]()
    places = {c.block: (f"arrays/{c.name}", c.kind.dims, "") for c in chip.topology.connections}
    places |= {
        f"bias/{name}": ("arrays/bias", (chip.topology.name_bias_dim(name),), f"_{name}")
        for name in chip.topology.names
    }
    for block, (place, dims, end) in places.items():
        for array in arrays:
            name = name_array_block(array, block)
            if name not in chip.stored:  # one number of a pair has its cells in the other direction
                continue
            text = "what was requested of the cells of a further array, before its gain"
            found = {"programmed": Variable(dims, chip.stored[name].copy(), long_name=text)}
            found |= {k: v for k, v in make_cell_variables(chip, name, dims).items() if not k.startswith("nominal_")}
            groups[place] = groups.get(place, {}) | {f"array_{array}_{key}{end}": one for key, one in found.items()}
    return groups


def make_readout_group(clipped: ClipCounts) -> Group:
    """Return what the readout converter met."""
    return {
        "conversions": Variable((), clipped.conversions, long_name="values converted, per unit and plane"),
        "clipped": Variable((), clipped.outside, long_name="of these: outside the range of the converter"),
    }


def make_audit_group(audit: Audit) -> Group:
    """Return what following some trajectories showed about the rest points found without time."""
    return {
        "checked": Variable((), audit.checked, long_name="settlings that were followed in time, too"),
        "elsewhere": Variable((), audit.elsewhere, long_name="of these: the trajectory rests at another point"),
        "restless": Variable((), audit.restless, long_name="of these: the trajectory does not come to rest"),
    }


def add_physical_units(groups: dict[str, Group], scenario: ScenarioSpec) -> None:
    """Add what is known in volts and seconds: the volts of an activity, the settled time of every epoch."""
    physical, tau = scenario.physical, scenario.tau
    if "signal" in groups and physical is not None and physical.activity_volts is not None:
        text = "output voltage of one unit of activity"
        groups["signal"]["activity_volts"] = Variable((), physical.activity_volts, "V", text)
    if "settling" in groups and physical is not None and (scale := physical.resolved().volt_scale) is not None:
        groups["settling"]["state_volts"] = Variable((), float(scale), "V", "voltage of one unit of state")
    if tau is None:
        return
    if "settling" in groups:
        groups["settling"]["tau_s"] = Variable((), float(tau), "s", "time constant")
    for name in {"metrics", "metrics_exact"} & groups.keys():
        seconds = groups[name]["settled_time"].data * tau
        groups[name]["settled_s"] = Variable(("epoch",), seconds, "s", "time spent settling so far, over all samples")
        if (elapsed := groups[name].get("elapsed")) is not None:
            words = "time of settlings, reads and writes so far"
            groups[name]["elapsed_s"] = Variable(("epoch",), elapsed.data * tau, "s", words)
