"""Labelled tables of a training and of the chip itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learning.memory import count_memory_bits
from substrate.chip.budget import WriteCounts
from substrate.chip.chip import Chip
from substrate.network.topology import Topology

from ...boards.counts import LOSS_NAMES, TRANSFER_NAMES
from ...build import Setup
from ...results.store import Group, Variable
from ..measure.tables import SYMMETRY_DRAWS, list_layer_names, list_pair_names

Array = NDArray[np.float64]

_EPOCH_NAMES = {
    "epoch": "epochs completed",
    "loss_train": "mean cost while training",
    "error_train": "share of wrong classes while training",
    "unsettled_train": "share of samples that did not settle while training",
    "loss_test": "mean cost of the test samples",
    "error_test": "share of wrong classes of the test samples",
    "unsettled_test": "share of test samples that did not settle",
    "saturation": "share of units with less than 5 % of the largest slope",
    "homeostasis_loss": "2 |A|^2 / n, the loss of Jacobian homeostasis per unit",
    "symmetry_couplings": "|S|/(|S| + |A|) of the couplings W",
    "symmetry_reference": "|S|/(|S| + |A|) of W - 1",
    "symmetry_draws": SYMMETRY_DRAWS,
    "angle_weights": "angle between forward and feedback weights",
    "audit_checked": "settlings so far that were followed in time, too",
    "audit_elsewhere": "of these: the trajectory rests at another point",
    "clipped": "share of the conversions of the tests outside the range of the readout converter",
    "settlings": "settlings so far, per sample",
    "settled_time": "time spent settling so far, over all samples",
    "elapsed": "time of settlings, reads and writes so far, one after the other",
    "reads": "real reads of all units so far",
    "writes": "programming events so far",
    "pulses": "cells stepped so far",
    "energy": "energy spent so far",
    "cell_reads": "cells read one by one so far",
    "given_up": "cells so far that a policy left beside their request after its longest series of tries",
    **TRANSFER_NAMES,
    **LOSS_NAMES,
    "memory_bits": "digital memory of optimiser and write policy per cell, in bits",
    "cells_per_weight": "analog cells per weight: one in every array",
    "probes": "settlings with injected drives so far, per sample; part of `settlings`",
    "probes_unsettled": "of these: did not settle",
    "outputs_read": "real reads of some layers only so far, such as the outputs; not part of `reads`",
    "macs": "multiply-adds so far that the controller made to find errors",
    "lost": "requests of weights so far that moved no cell: below one step, or held back",
    "lost_bias": "the same of biases",
    "cut": "requests of weights so far for more pulses than one write gives",
    "cut_bias": "the same of biases",
    "refreshes": "one-sided pairs of weights refreshed so far",
    "refreshes_bias": "the same of biases",
    "refresh_pulses": "pulses that took, resets included; part of `pulses`",
    "refresh_pulses_bias": "the same of biases",
    "wall_s": "time the computation took",
}
_PROGRAMMED = "requested {} after the last write"
_EPOCH_UNITS = {"angle_weights": "degree", "settled_time": "tau", "elapsed": "tau", "energy": "J"} | dict.fromkeys(
    ("wall_s", "line_s"), "s"
)


def make_metrics_group(rows: list[dict[str, Array]], topology: Topology) -> Group:
    """Return the figures of every epoch as one group."""
    group: Group = {
        "epoch": Variable(("epoch",), np.array([int(row["epoch"]) for row in rows]), long_name=_EPOCH_NAMES["epoch"])
    }
    group["layer"] = list_layer_names(topology)
    if topology.pairs() and "angle_weights" in rows[0]:
        group["pair"] = list_pair_names(topology)
    if "lost" in rows[0]:
        group["connection"] = Variable(("connection",), np.array([c.name for c in topology.connections]))
    inner = {"saturation": ("layer",), "angle_weights": ("pair",)}
    inner |= dict.fromkeys(WriteCounts._fields, ("connection",)) | {
        f"{name}_bias": ("layer",) for name in WriteCounts._fields
    }
    for name in rows[0]:
        if name != "epoch":
            data = np.stack([row[name] for row in rows])
            dims = ("epoch", *inner.get(name, ()))
            group[name] = Variable(dims, data, _EPOCH_UNITS.get(name, "1"), _EPOCH_NAMES.get(name, ""))
    return group


def count_writes(chip: Chip, tally: WriteCounts) -> dict[str, Array]:
    """Return what became of writes by connection and, named `_bias`, by layer; nothing where writes are exact."""
    devices, found = chip.design.devices, {}
    if not any((devices.update, devices.comparator, devices.weights.window, devices.feedback.window)):
        return {}
    one = chip.writer.pairs is not None
    for name, counts in tally._asdict().items():
        if name in {"lost", "cut"} or one:
            by_block = dict(zip(chip.topology.shapes, counts, strict=True))
            found[name] = np.array([by_block[c.block] for c in chip.topology.connections])
            found[f"{name}_bias"] = np.array([by_block[f"bias/{layer}"] for layer in chip.topology.names])
    return found


def compute_memory_bits(setup: Setup) -> float:
    """Return the digital memory of optimiser and write policy, in bits per cell, mean over all cells."""
    learning, shapes = setup.learning, setup.design.topology.shapes
    bits = count_memory_bits(learning.optimiser, learning.write, shapes, setup.known_cells)
    cells = [math.prod(shapes[name]) for name in bits]
    return float(np.average([*bits.values()], weights=cells))


def stack_epochs(epochs: list[int], groups: list[Group]) -> Group:
    """Return one group out of the same group at several epochs, with a leading epoch dimension."""
    group: Group = {"epoch": Variable(("epoch",), np.array(epochs), long_name="epochs completed")}
    for name, variable in groups[0].items():
        if variable.dims == (name,) or name == "beta":
            group[name] = variable
        else:
            data = np.stack([np.asarray(other[name].data) for other in groups])
            group[name] = variable._replace(dims=("epoch", *variable.dims), data=data)
    return group


def make_parameter_groups(chip: Chip) -> dict[str, Group]:
    """Return the programmed parameters: a group per connection, the biases, the readout."""
    return make_record_groups(chip.topology, chip.programmed)


def make_record_groups(topology: Topology, blocks: Mapping[str, Array]) -> dict[str, Group]:
    """Return a controller's record of programmed parameters, by block, as those groups."""
    groups: dict[str, Group] = {
        f"weights/{c.name}": {
            "programmed": Variable(c.kind.dims, blocks[c.block].copy(), long_name=_PROGRAMMED.format("weight"))
        }
        for c in topology.connections
    }
    groups["weights/bias"] = {
        name: Variable(
            (topology.name_bias_dim(name),), blocks[f"bias/{name}"].copy(), long_name=_PROGRAMMED.format("bias")
        )
        for name in topology.names
    }
    if topology.classes is not None:
        groups["weights/readout"] = {
            "weight": Variable(("unit", "class"), blocks["readout/weight"].copy(), long_name="weight of the readout"),
            "bias": Variable(("class",), blocks["readout/bias"].copy(), long_name="bias of the readout"),
        }
    return groups
