"""Labelled tables of a comparison of write policies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from devices.programming.laws import Pulsed
from learning.memory import count_memory_bits
from learning.oracle.writes.window import MOST, ReplayedPolicy
from learning.oracle.writes.witness import TERMS
from learning.policies.policy import WritePolicy
from learning.policies.transfer import TransferWrites
from substrate.chip.chip import Chip
from substrate.protocol import name_array_block

from ...build import Setup
from ...results.store import Group, Variable
from .plan import CompareWrites

Array = NDArray[np.float64]

_PER_CONNECTION = {
    "error": "what a term adds to the requests, over their rms",
    "cosine_kept": "cosine of what the cells keep to the summed requests",
    "cosine": "cosine of the change of the effective weights to the summed requests",
    "forecast": "the same cosine by a formula of few numbers; NaN where there is none",
    "pulses": "pulses per cell of the first array, mean",
    "pulses_most": f"pulses that {100 * MOST:g} % of the cells stay below or at, of the array with most",
    "memory_bits": "digital memory of optimiser and policy per cell, in bits",
    "array_pulses": "pulses per cell, mean, by array; NaN where a policy has none",
    "turn_batches": "batches from one turn of a sign to the next; NaN where none turn",
    "turn_share": "share of what fast cells hold that turns of signs leave, by their pulses; NaN where none turn",
}
_INNER = {"error": "term", "array_pulses": "array"}
_PER_POLICY = {
    "cells_per_weight": "analog cells per weight: one in every array",
    "energy": "energy of all writes and of the reads of cells",
    "cell_reads": "cells that were read one by one, over all cells",
    "given_up": "cells left beside their request after the longest series of tries, over all cells and batches",
    "lost": "requests that moved no cell, over all cells and batches",
}


def make_write_group(chip: Chip, setup: Setup, plan: CompareWrites, found: Sequence[ReplayedPolicy]) -> Group:
    """Return the errors, cosines and costs of every policy, by connection.

    Parameters
    ----------
    chip : Chip
        The chip whose copies were written.
    setup : Setup
        What the controller knows.
    plan : CompareWrites
        What was asked.
    found : sequence of ReplayedPolicy
        What became of the requests.
    """
    names = [c.block for c in chip.topology.connections if c.block in found[0].requested]
    labels = label_policies([one.policy for one in found])
    connections = np.array([name.removeprefix("weight/") for name in names])
    arrays = 1 + max(len(one.policy.extra_arrays.gains) for one in found)
    rows = [[_describe_block(chip, setup, plan, one, name, arrays) for name in names] for one in found]
    step = getattr(chip.design.devices.update, "step", None)
    sizes = [_rms(found[0].requested[name]) / step if step else np.nan for name in names]
    group: Group = {
        "policy": Variable(("policy",), np.array(labels), long_name="write policy"),
        "connection": Variable(("connection",), connections, long_name="connection; one of those that share cells"),
        "array": Variable(("array",), np.arange(arrays), long_name="array of cells; 0: that of the weights"),
        "term": Variable(("term",), np.array(TERMS), long_name="term between the requests and the effective weights"),
        "steps": Variable(("connection",), np.array(sizes), "step", "rms of the summed requests, in nominal steps"),
        "reads_cells": Variable(
            ("policy",), np.array([one.policy.reads_cells for one in found]), long_name="whether cells are read back"
        ),
        "rescales": Variable(
            ("policy",),
            np.array([one.policy.rescales for one in found]),
            long_name="whether cells have scales of their own",
        ),
        "batches": Variable((), plan.batches, long_name="batches of the window"),
        "frozen": Variable((), plan.frozen, long_name="whether the requests are those of the first weights"),
    }
    for name, words in _PER_CONNECTION.items():
        dims = ("policy", "connection", *([_INNER[name]] if name in _INNER else []))
        group[name] = Variable(dims, np.array([[row[name] for row in one] for one in rows]), "1", words)
    costs = [_describe_costs(one, plan.batches) for one in found]
    for name, words in _PER_POLICY.items():
        unit = "J" if name == "energy" else "1"
        group[name] = Variable(("policy",), np.array([cost[name] for cost in costs]), unit, words)
    return group


def label_policies(policies: Sequence[WritePolicy]) -> list[str]:
    """Return a name of every policy: its title, and the keys that tell it from the defaults or from others of it."""
    labels = []
    for policy in policies:
        fields = type(policy).model_fields
        told = {*policy.title_keys, "seed"}
        given = {k: v for k, v in policy if k not in told and v != fields[k].get_default()}
        title = [str(getattr(policy, key)) for key in policy.title_keys]
        words = [f"{name} {_format_value(value)}" for name, value in given.items()]
        labels.append(" ".join([*title, *(["(" + ", ".join(words) + ")"] if words else [])]))
    return labels


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _describe_block(
    chip: Chip, setup: Setup, plan: CompareWrites, one: ReplayedPolicy, name: str, arrays: int
) -> dict[str, float | list[float]]:
    """Return the numbers of one policy and connection, and those of so many arrays."""
    requested, learning = one.requested[name], setup.learning
    pulses = [one.pulses[name_array_block(n, name)] for n in range(1 + len(one.policy.extra_arrays.gains))]
    size, shapes = _rms(requested), {name: requested.shape}
    bits = count_memory_bits(learning.optimiser, one.policy, shapes, setup.known_cells)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = [float(np.divide(_rms(one.terms[name][term]), size)) for term in TERMS]
    return {
        "error": errors,
        "cosine_kept": _cosine(one.kept(name), requested),
        "cosine": _cosine(one.effective(name), requested),
        "forecast": one.forecast[name],
        "pulses": float(pulses[0].mean()),
        "pulses_most": max(float(np.quantile(block, MOST, method="higher")) for block in pulses),
        "memory_bits": bits[name],
        "array_pulses": [float(block.mean()) for block in pulses] + [np.nan] * (arrays - len(pulses)),
        **_describe_turns(chip, plan, one, requested.shape, float(pulses[-1].mean())),
    }


def _describe_turns(
    chip: Chip, plan: CompareWrites, one: ReplayedPolicy, shape: tuple[int, ...], pulses: float
) -> dict[str, float]:
    """Return how often signs turn, and what that leaves of what fast cells hold after so many pulses each."""
    policy, law = one.policy, chip.design.devices.update
    if (
        not isinstance(policy, TransferWrites)
        or policy.version not in ("chopped", "agad")
        or not isinstance(law, Pulsed)
    ):
        return {"turn_batches": np.nan, "turn_share": np.nan}
    batches = policy.count_turn_batches(shape)
    top = getattr(law, "w_max", None)
    rate = pulses * law.step / plan.batches / top if top else 0.0
    share = policy.compute_turn_share(0.5 * batches * rate) if rate else np.nan
    return {"turn_batches": batches, "turn_share": share}


def _describe_costs(one: ReplayedPolicy, batches: int) -> dict[str, float]:
    """Return the numbers of one policy over all blocks of cells."""
    cells = sum(block.size for block in one.requested.values())
    return {
        "cells_per_weight": 1 + len(one.policy.extra_arrays.gains),
        "energy": one.spent.energy,
        "cell_reads": one.spent.cell_reads / cells,
        "given_up": one.given_up / cells / batches,
        "lost": float(one.tally.lost.sum()) / cells / batches,
    }


def _rms(block: Array) -> float:
    return float(np.sqrt(np.mean(np.square(block))))


def _cosine(a: Array, b: Array) -> float:
    """Return the cosine of two blocks; NaN where one of them is 0."""
    sizes = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / sizes if sizes > 0.0 else float("nan")
