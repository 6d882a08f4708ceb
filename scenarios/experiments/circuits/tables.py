"""From what was measured on a circuit to labelled tables, laid out as those of rate networks are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learning import cost
from learning.circuits.coupled import Coupled
from learning.circuits.rule import CircuitRule
from learning.oracle.circuits.ledger import CircuitMeasurement
from learning.oracle.circuits.remedies import CircuitGain
from learning.oracle.ledger.interactions import Interactions
from learning.oracle.ledger.statistics import (
    average_defined,
    compute_cosines,
    compute_norm_ratios,
    compute_quality,
    compute_rms_norm,
    is_live,
)
from learning.schemes.scheme import Scheme
from substrate.circuits.forms import AnyCircuitChip
from substrate.protocol import Status

from ...circuits.setup import CircuitSetup
from ...results.store import Group, Variable
from ...results.views import format_quantity
from ..interactions.tables import make_interaction_group
from ..kind import Batch
from ..measure.ledger_tables import (
    Quality,
    compute_silence_level,
    make_block_tables,
    make_quality_tables,
    make_vector_tables,
)
from .energy import make_energy_group

Array = NDArray[np.float64]
Schemes = list[Scheme | None]


class CircuitColumns:
    """Where the nodes of every layer stand among all error vectors; stands for a topology."""

    def __init__(self, layers: dict[str, int]) -> None:
        stops = np.cumsum([0, *layers.values()]).tolist()
        self.names = list(layers)
        self.columns: Mapping[str, slice] = {name: slice(*stops[k : k + 2]) for k, name in enumerate(layers)}


def find_columns(chip: AnyCircuitChip) -> CircuitColumns:
    """Return the columns of all layers but the input."""
    return CircuitColumns(dict(list(chip.layers.items())[1:]))


def make_circuit_measure_groups(
    setup: CircuitSetup, chip: AnyCircuitChip, batch: Batch, schemes: Schemes, found: CircuitMeasurement
) -> dict[str, Group]:
    """Return all groups of a measure: free, signal, gradient with a child per block, ledger, alarms."""
    short = make_circuit_assessment_groups(setup, chip, schemes, found)
    blocks = {f"gradient/{name.replace('/', '-')}": _make_block_group(setup, name, found) for name in found.blocks[0]}
    short["gradient"] |= _make_vector_group(chip, found)
    energy = make_energy_group(setup.graph.energy, found)
    return {"free": _make_free_group(chip, batch, found), "energy": energy, **short, **blocks}


def make_circuit_assessment_groups(
    setup: CircuitSetup, chip: AnyCircuitChip, schemes: Schemes, found: CircuitMeasurement
) -> dict[str, Group]:
    """Return what a measure says in numbers per layer: signal levels, quality of the gradient, ledger, alarms."""
    columns = find_columns(chip)
    rule = setup.scenario.learning.rule
    names = [rule.kind if scheme is None else _name_scheme(scheme) for scheme in schemes]
    labels: Group = {
        "scheme": Variable(("scheme",), np.array(names), long_name="nudge scheme"),
        "layer": Variable(("layer",), np.array(columns.names), long_name="layer"),
    }
    ledger = make_vector_tables(columns, found.vectors, labels)
    nothing = Variable(
        ("layer",), np.zeros(len(columns.names)), long_name="asymmetry error of the circuit as programmed"
    )
    unsettled = np.full(len(names), np.count_nonzero(~found.keep))
    ledger |= {
        "asymmetry_programmed": nothing,
        "unsettled": Variable(("scheme",), unsettled, long_name="samples not counted"),
    }
    blocks = {}
    if found.blocks[0]:  # else nothing is learned
        blocks["ledger/connections"] = make_block_tables(found.blocks, list(found.blocks[0]), labels)
    return {
        "alarms": _make_alarm_group(found, ledger),
        "signal": labels | _make_signal_group(columns, rule, schemes, found),
        "gradient": labels | _make_quality_group(columns, found) | _make_nudge_group(schemes, found),
        "ledger": ledger,
    } | blocks


def _make_free_group(chip: AnyCircuitChip, batch: Batch, found: CircuitMeasurement) -> Group:
    free = found.readings[0].free
    output = list(free.activity.values())[-1]
    loss = cost.compute_loss(None, output, batch.target)
    power = found.heats[0]["free"].power
    group: Group = {
        "power": Variable(("sample",), power, "W", long_name="power that the elements turn into heat at rest"),
        "loss": Variable(("sample",), loss, "V^2", long_name="cost of the sample"),
        "status": Variable(("sample",), free.settled.status, flags=Status, long_name="how the settling ended"),
        "steps": Variable(("sample",), free.settled.steps, long_name="steps taken"),
        "residual": Variable(
            ("sample",), free.settled.residual, long_name="net current of a node over the sum of currents through one"
        ),
    }
    for name in list(chip.layers)[1:]:
        words = f"voltages of {name}"
        group[f"voltage_{name}"] = Variable(("sample", f"unit_{name}"), free.activity[name], "V", long_name=words)
    return group


def _make_vector_group(chip: AnyCircuitChip, found: CircuitMeasurement) -> Group:
    group: Group = {
        "status": Variable(
            ("scheme", "sample"), np.array([r.status for r in found.readings]), flags=Status, long_name="worst status"
        ),
        "kept": Variable(("scheme", "sample"), np.array([book.keep for book in found.vectors]), long_name="counted"),
    }
    for name, columns in find_columns(chip).columns.items():
        dims = ("sample", f"unit_{name}")
        measured = np.array([reading.delta[name] for reading in found.readings])
        group[f"delta_estimated_{name}"] = Variable(
            ("scheme", *dims), measured, "V^2/A", long_name="dL/d current, as the circuit measures it"
        )
        group[f"delta_ep_{name}"] = Variable(
            dims, found.point.response[:, columns], "V^2/A", long_name="EP, vanishing nudge"
        )
        group[f"delta_exact_{name}"] = Variable(
            dims, found.point.adjoint[:, columns], "V^2/A", long_name="exact dL/d current"
        )
    return group


def _make_quality_group(columns: CircuitColumns, found: CircuitMeasurement) -> Group:
    """Return cosine and norm ratio of every scheme and layer, and what a vanishing nudge would reach."""
    keep, shape = found.keep, (len(found.vectors), len(columns.names))
    cosine, spread, ratio = np.empty(shape), np.empty(shape), np.empty(shape)
    for s, book in enumerate(found.vectors):
        true, measured = book.steps[0][keep], book.steps[-1][keep]
        for k, part in enumerate(columns.columns.values()):
            cosine[s, k], spread[s, k] = average_defined(compute_cosines(measured[:, part], true[:, part]))
            ratio[s, k], _ = average_defined(compute_norm_ratios(measured[:, part], true[:, part]))
    book = found.vectors[0]
    limit = [
        average_defined(compute_cosines(book.steps[1][keep][:, c], book.steps[0][keep][:, c]))[0]
        for c in columns.columns.values()
    ]
    unknown = np.full(len(columns.names), np.nan)
    dims = ("scheme", "layer")
    return {
        "cosine": Variable(dims, cosine, long_name="cosine to the exact gradient, mean over kept samples"),
        "cosine_std": Variable(dims, spread, long_name="its standard deviation over samples"),
        "norm_ratio": Variable(dims, ratio, long_name="size relative to the exact gradient, mean over kept samples"),
        "cosine_ep": Variable(("layer",), np.array(limit), long_name="vanishing nudge"),
        "cosine_first_order": Variable(("layer",), unknown, long_name="not known of circuits"),
        "cosine_matching_rule": Variable(("layer",), unknown, long_name="not known of circuits"),
    }


def _make_nudge_group(schemes: Schemes, found: CircuitMeasurement) -> Group:
    """Return how far the nudges are from the critical one, and how many nodes diodes hold."""
    critical = found.point.critical
    beta = np.array([np.nan if scheme is None else scheme.beta for scheme in schemes])
    return {
        "critical_nudge": Variable(
            ("sample",), critical, "S", long_name="nudge of minus this size has no stable rest point"
        ),
        "nudge_share": Variable(
            ("scheme",),
            beta / critical[found.keep].min(initial=np.inf),
            long_name="nudge over the smallest critical one",
        ),
        "clamped": Variable(("sample",), found.point.clamped.mean(axis=1), long_name="share of nodes that diodes hold"),
    }


def _name_scheme(scheme: Scheme) -> str:
    return f"{scheme.kind}{scheme.details}, beta {format_quantity(scheme.beta, 'S')}"


def _make_signal_group(
    columns: CircuitColumns, rule: CircuitRule, schemes: Schemes, found: CircuitMeasurement
) -> Group:
    """Return signal levels; of a rule that clamps, `beta` is the share of the way to the target."""
    keep, point = found.keep, found.point

    def per_node(vectors: Array) -> Array:
        parts = [vectors[keep][:, part] for part in columns.columns.values()]
        return np.array([compute_rms_norm(part) / np.sqrt(part.shape[1]) for part in parts])

    if isinstance(rule, Coupled):
        size = Variable(("scheme",), np.array([rule.clamp]), long_name="share of the way to the target")
    else:
        nudges = np.array([np.nan if scheme is None else scheme.beta for scheme in schemes])
        size = Variable(("scheme",), nudges, "S", long_name="size of the nudge")
    moved = point.clamped_response if isinstance(rule, Coupled) else point.response
    return {
        "beta": size,
        "activity": Variable(("layer",), per_node(point.voltages), "V", long_name="rms voltage of a node"),
        "delta": Variable(("layer",), per_node(point.adjoint), "V^2/A", long_name="rms exact error vector per node"),
        "evoked": Variable(
            ("scheme", "layer"),
            np.outer(size.data, per_node(moved)),
            "V",
            long_name="rms change of voltage to read",
        ),
    }


def _make_alarm_group(found: CircuitMeasurement, ledger: Group) -> Group:
    kept = max(1, int(found.keep.sum()))
    names = len(ledger["layer"].data)
    return {
        "scheme": ledger["scheme"],
        "layer": ledger["layer"],
        "dead": Variable(
            ("layer",),
            (ledger["dead"].data / kept).max(axis=0),
            long_name="share of samples whose exact gradient is zero in this layer",
        ),
        "saturated": Variable(("layer",), np.zeros(names), long_name="circuits have no saturated units"),
        "unsettled": Variable(
            ("scheme",), ledger["unsettled"].data / max(1, len(found.keep)), long_name="share of samples not counted"
        ),
    }


def make_circuit_interaction_groups(
    chip: AnyCircuitChip, ledger: Group, found: CircuitMeasurement, interactions: list[Interactions]
) -> dict[str, Group]:
    """Return the group of every cause alone and removed; none where no cause acts on error vectors."""
    if not interactions[0].alone:
        return {}
    labels = {name: ledger[name] for name in ("scheme", "layer")}
    table = make_interaction_group(find_columns(chip), interactions, found.point.adjoint, found.keep)
    return {"ledger/interactions": labels | table}


def make_circuit_remedy_group(
    found: CircuitMeasurement, scheme: int, own: CircuitGain, gains: dict[str, CircuitGain]
) -> Group:
    """Return cosine and error of every layer and block before and after each change; `own` is the measurement before.

    All are of one measurement, with the same noise.
    """
    columns = find_columns(found.chip)
    parts = list(columns.columns.values())
    silent = compute_silence_level(found.point.adjoint[found.keep][:, part] for part in parts)

    def judge(gain: CircuitGain) -> list[Quality]:
        keep = found.keep & gain.keep
        pairs = [(gain.delta[keep][:, part], gain.true[keep][:, part]) for part in parts]
        live = [is_live(there, silent) for _, there in pairs]
        return [compute_quality(one[rows], there[rows]) for (one, there), rows in zip(pairs, live, strict=True)]

    def judge_blocks(gain: CircuitGain) -> list[Quality]:
        return [compute_quality(gain.blocks[n].reshape(1, -1), e.reshape(1, -1)) for n, e in gain.exact.items()]

    return {
        "remedy": Variable(("remedy",), np.array(list(gains), dtype=str), long_name="change, by its name"),
        "keys": Variable(
            ("remedy",), np.array([gain.keys for gain in gains.values()], dtype=str), long_name="keys that it changes"
        ),
        "blamed": Variable((), scheme, long_name="place of the scheme that was measured again"),
        "layer": Variable(("layer",), np.array(columns.names), long_name="layer"),
        **make_quality_tables("layer", judge(own), [judge(gain) for gain in gains.values()]),
        "connection": Variable(("connection",), np.array(list(own.exact), dtype=str)),
        **make_quality_tables("connection", judge_blocks(own), [judge_blocks(gain) for gain in gains.values()]),
    }


_GRADIENT = "mean of dL/d parameter over samples, {}"
_GRADIENT_UNITS = {"conductance": "V^2/S", "gate": "V", "current": "V^2/A"}
"""Cost, V^2, over what a parameter is."""


def _make_block_group(setup: CircuitSetup, name: str, found: CircuitMeasurement) -> Group:
    """Return the batch-mean gradients of a block."""
    dims, unit = setup.graph.blocks[name].dims, _GRADIENT_UNITS[setup.graph.blocks[name].kind]
    exact, limit, *_ = found.blocks[0][name].steps
    measured = np.array([books[name].steps[-2] for books in found.blocks])
    group: Group = {
        "estimated": Variable(("scheme", *dims), measured, unit, _GRADIENT.format("as the circuit measures it")),
        "exact": Variable(dims, exact, unit, _GRADIENT.format("exact")),
        "ep": Variable(dims, limit, unit, _GRADIENT.format("vanishing nudge")),
    }
    if name in setup.names:
        group["element"] = Variable(("element",), np.array(setup.names[name]), long_name="name of the element")
    return group
