"""From measured arrays to the labelled tables of a result file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learning import cost
from learning.oracle.exact import compute_exact_gradients
from learning.oracle.forecast import forecast_cosines
from learning.oracle.ledger.statistics import average_defined, compute_cosines, compute_norm_ratios, compute_rms_norm
from learning.oracle.ledger.vectors import Ledger
from learning.schemes.scheme import Scheme
from substrate.chip.chip import Chip
from substrate.network.local_couplings import DRAWS, LocalCouplings
from substrate.network.topology import Topology
from substrate.protocol import Status
from substrate.settling.coupling import find_couplings
from substrate.theory.linearisation import compute_symmetry, compute_weight_angle
from substrate.theory.spectrum import find_unstable

from ...results.store import Group, Variable
from ..kind import Batch
from .alarm_tables import make_alarm_group
from .found import Measurement
from .ledger_tables import make_ledger_groups, make_remedy_group

Array = NDArray[np.float64]
_Blocks = Mapping[str, Array]

SYMMETRY_DRAWS = "normal vectors per sample that the symmetry figures and the loss of homeostasis are estimated from"

_VECTORS = "dL/d drive, as the chip measures it"
_GRADIENTS = {
    "estimated": "mean of dL/d{} over samples, as the chip measures it",
    "ep": "mean of dL/d{} over samples, vanishing nudge",
    "exact": "mean of dL/d{} over samples, exact",
}


def make_measure_groups(chip: Chip, batch: Batch, schemes: list[Scheme], found: Measurement) -> dict[str, Group]:
    """Return all groups of a measure: free, signal, gradient (with a child per connection), ledger."""
    short = make_assessment_groups(chip, schemes, found)
    return {
        "free": _make_free_group(chip, found, batch),
        **short,
        "gradient": _make_gradient_group(chip, found) | short["gradient"],
        **_make_connection_groups(chip, found, schemes, batch),
    }


def make_assessment_groups(chip: Chip, schemes: list[Scheme], found: Measurement) -> dict[str, Group]:
    """Return what a measure says in numbers per layer: signal levels, quality of the gradient, ledger."""
    labels: Group = {"scheme": _make_scheme_labels(schemes), "layer": list_layer_names(chip.topology)}
    ledgers = make_ledger_groups(chip.topology, found, labels)
    if found.tried is not None:
        ledgers["ledger/remedies"] = make_remedy_group(chip.topology, found, found.tried, labels)
    return {
        "alarms": make_alarm_group(chip, found, ledgers["ledger"]),
        "signal": _make_signal_group(chip.topology, found, schemes),
        "gradient": labels | _make_quality_group(chip.topology, found) | make_symmetry_group(chip),
        **ledgers,
    }


def list_pair_names(topology: Topology) -> Variable:
    """Return the names of the reciprocal pairs."""
    return Variable(("pair",), np.array([f"{f.name} / {b.name}" for f, b in topology.pairs()]))


def _make_free_group(chip: Chip, found: Measurement, batch: Batch) -> Group:
    """Return states, activities, losses and statuses of the free phase."""
    topology, free = chip.topology, found.free
    output = free.activity[topology.output]
    group: Group = {
        "logits": Variable(("sample", "class"), cost.compute_logits(chip.readout, output), long_name="readout"),
        "loss": Variable(
            ("sample",), cost.compute_loss(chip.readout, output, batch.target), long_name="cost of the sample"
        ),
        "status": Variable(("sample",), free.settled.status, flags=Status, long_name="how the settling ended"),
        "steps": Variable(("sample",), free.settled.steps, long_name="steps taken"),
        "residual": Variable(("sample",), free.settled.residual, long_name="largest drift |F| at the end"),
    }
    for name, state in topology.split(found.state).items():
        group[f"state_{name}"] = Variable(("sample", f"unit_{name}"), state, long_name=f"membrane state of {name}")
        group[f"activity_{name}"] = Variable(
            ("sample", f"unit_{name}"), free.activity[name], long_name=f"activity of {name}"
        )
    return group


def _make_scheme_labels(schemes: list[Scheme]) -> Variable:
    return Variable(("scheme",), np.array([scheme.label for scheme in schemes]), long_name="nudge scheme")


def list_layer_names(topology: Topology) -> Variable:
    """Return the names of the unclamped layers."""
    return Variable(("layer",), np.array(topology.names), long_name="layer")


def _make_signal_group(topology: Topology, found: Measurement, schemes: list[Scheme]) -> Group:
    keep = found.keep

    def per_unit(vectors: Array) -> Array:
        parts = topology.split(vectors[keep])
        return np.array([compute_rms_norm(parts[name]) / np.sqrt(topology.layers[name]) for name in topology.names])

    activity = [
        compute_rms_norm(found.free.activity[name][keep]) / np.sqrt(topology.layers[name]) for name in topology.names
    ]
    beta = np.array([scheme.beta for scheme in schemes])
    nudged = np.where(beta > 0.0, beta, np.nan)  # without a nudge there is no change to read
    return {
        "scheme": _make_scheme_labels(schemes),
        "layer": list_layer_names(topology),
        "beta": Variable(("scheme",), beta, long_name="size of the nudge"),
        "activity": Variable(("layer",), np.array(activity), long_name="rms activity of a unit"),
        "delta": Variable(("layer",), per_unit(found.reference.delta), long_name="rms exact error vector per unit"),
        "evoked": Variable(
            ("scheme", "layer"),
            np.outer(nudged, per_unit(found.reference.ep)),
            long_name="rms change of activity to read",
        ),
    }


def _make_gradient_group(chip: Chip, found: Measurement) -> Group:
    topology, reference = chip.topology, found.reference
    group: Group = {
        "status": Variable(("scheme", "sample"), found.status, flags=Status, long_name="worst status of all settlings"),
        "kept": Variable(("scheme", "sample"), np.array([book.keep for book in found.ledgers]), long_name="counted"),
        "left": Variable(
            ("sample",),
            find_unstable(reference.linear, chip.membranes.tau) & reference.equilibrium.reached,
            long_name="rests where a chip leaves at the slightest push",
        ),
    }
    estimated = [topology.split(measured.flat) for measured in found.estimates]
    for name in topology.names:
        dims, columns = ("sample", f"unit_{name}"), topology.columns[name]
        group[f"delta_estimated_{name}"] = Variable(
            ("scheme", *dims), np.array([e[name] for e in estimated]), long_name=_VECTORS
        )
        group[f"delta_ep_{name}"] = Variable(dims, reference.ep[:, columns], long_name="EP, vanishing nudge")
        group[f"delta_exact_{name}"] = Variable(dims, reference.delta[:, columns], long_name="exact dL/d drive")
    return group


def _make_quality_group(topology: Topology, found: Measurement) -> Group:
    """Return cosine and norm ratio of every scheme and layer, and the predictions beside them."""
    reference = found.reference
    shape = (len(found.ledgers), len(topology.names))
    cosine, spread, ratio, forecast = np.empty(shape), np.empty(shape), np.empty(shape), np.full(shape, np.nan)
    for s, book in enumerate(found.ledgers):
        true, measured = book.steps[0][book.keep], found.estimates[s].flat[book.keep]
        for k, columns in enumerate(topology.columns.values()):
            cosine[s, k], spread[s, k] = average_defined(compute_cosines(measured[:, columns], true[:, columns]))
            ratio[s, k], _ = average_defined(compute_norm_ratios(measured[:, columns], true[:, columns]))
        if (variance := found.forecasts[s]) is not None:
            forecast[s] = _forecast_layers(topology, book, variance)
    reached = found.keep
    first = reference.delta + reference.first_order
    rows = list(topology.columns.values())

    def mean_cosine(a: Array, b: Array) -> Array:
        return np.array([average_defined(compute_cosines(a[reached][:, c], b[reached][:, c]))[0] for c in rows])

    matching = found.matching
    rule = [average_defined(matching.cosine[n][reached])[0] if matching else np.nan for n in topology.names]
    dims = ("scheme", "layer")
    return {
        "cosine": Variable(dims, cosine, long_name="cosine to the exact gradient, mean over kept samples"),
        "cosine_std": Variable(dims, spread, long_name="its standard deviation over samples"),
        "cosine_forecast": Variable(
            dims, forecast, long_name="cosine to expect of one measurement, from what is found without noise"
        ),
        "norm_ratio": Variable(dims, ratio, long_name="size relative to the exact gradient, mean over kept samples"),
        "cosine_ep": Variable(("layer",), mean_cosine(reference.ep, reference.delta), long_name="vanishing nudge"),
        "cosine_first_order": Variable(
            ("layer",), mean_cosine(first, reference.delta), long_name="vanishing nudge, to first order in asymmetry"
        ),
        "cosine_matching_rule": Variable(
            ("layer",), np.array(rule), long_name="expected over chips of this spread, closed form"
        ),
    }


def _forecast_layers(topology: Topology, book: Ledger, variance: Array) -> list[float]:
    """Return the cosine to expect in every layer, mean over samples."""
    quiet, true = (a[book.keep] for a in (book.steps[1 + book.names.index("readout")], book.steps[0]))
    found = []
    for columns in topology.columns.values():
        own, plain = quiet[:, columns], compute_cosines(quiet[:, columns], true[:, columns])
        found.append(average_defined(forecast_cosines(own, plain, variance[book.keep][:, columns]))[0])
    return found


def _make_connection_groups(chip: Chip, found: Measurement, schemes: list[Scheme], batch: Batch) -> dict[str, Group]:
    """Return the batch-mean gradients of every weight and bias, and of the readout."""
    topology, reference = chip.topology, found.reference
    activity = found.free.activity
    rest = {topology.input: batch.x} | topology.split(reference.equilibrium.activity)
    reached = found.keep
    kinds = {
        "exact": compute_exact_gradients(chip, rest, topology.split(reference.delta), reached),
        "ep": cost.compute_gradients(chip, rest, topology.split(reference.ep), reached),
    }
    output = cost.compute_readout_gradients(chip.readout, activity[topology.output], batch.target, reached)
    estimated = [
        cost.compute_gradients(chip, measured.presynaptic, measured.delta, book.keep)
        for measured, book in zip(found.estimates, found.ledgers, strict=True)
    ]
    groups: dict[str, Group] = {}
    for c in topology.connections:
        own = _label_gradients(c.kind.dims, c.block, estimated, kinds, "W")
        groups[f"gradient/{c.name}"] = {"scheme": _make_scheme_labels(schemes), **own}
    bias: Group = {"scheme": _make_scheme_labels(schemes)}
    for name in topology.names:
        own = _label_gradients((topology.name_bias_dim(name),), f"bias/{name}", estimated, kinds, "b")
        bias |= {f"{kind}_{name}": variable for kind, variable in own.items()}
    groups["gradient/bias"] = bias
    if output:
        groups["gradient/readout"] = {
            name: Variable(dims, output[f"readout/{name}"], long_name=f"dL/d {name} of the readout, by the controller")
            for name, dims in {"weight": ("unit", "class"), "bias": ("class",)}.items()
        }
    return groups


def _label_gradients(
    dims: tuple[str, ...], block: str, estimated: Sequence[_Blocks], kinds: Mapping[str, _Blocks], what: str
) -> Group:
    """Return the gradients of a block by `what`, as measured with every scheme, exact, and with a vanishing nudge."""
    words = {kind: text.format(what) for kind, text in _GRADIENTS.items()}
    measured = np.array([blocks[block] for blocks in estimated])
    return {
        "estimated": Variable(("scheme", *dims), measured, long_name=words["estimated"]),
        **{kind: Variable(dims, blocks[block], long_name=words[kind]) for kind, blocks in kinds.items()},
    }


def make_symmetry_group(chip: Chip) -> Group:
    """Return the angle of every reciprocal pair, both symmetry figures and the loss of Jacobian homeostasis.

    Couplings that depend on the state are those around the free states of a batch that has settled on `chip`. Their
    figures are estimates, and ``symmetry_draws`` is there to say so.
    """
    topology = chip.topology
    couplings = find_couplings(chip.machine, topology, chip.free_activity())
    pairs = topology.pairs()
    loss = 2.0 * couplings.antisymmetric().square() / topology.units
    angles = [
        compute_weight_angle(chip.effective[f.block], chip.mirror(b.block, chip.effective[b.block])) for f, b in pairs
    ]
    group: Group = {
        "symmetry_couplings": Variable((), compute_symmetry(couplings), long_name="|S|/(|S| + |A|) of the couplings W"),
        "symmetry_reference": Variable((), compute_symmetry(couplings, leak=1.0), long_name="|S|/(|S| + |A|) of W - 1"),
        "homeostasis_loss": Variable((), loss, long_name="2 |A|^2 / n, the loss of Jacobian homeostasis per unit"),
    }
    if isinstance(couplings, LocalCouplings):
        group["symmetry_draws"] = Variable((), DRAWS, long_name=SYMMETRY_DRAWS)
    if pairs:
        group["pair"] = list_pair_names(topology)
        group["angle_weights"] = Variable(
            ("pair",), np.array(angles), "degree", "angle between forward and feedback weights"
        )
    return group
