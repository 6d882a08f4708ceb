"""Oracle side: what the loss of a network becomes when it is copied onto another chip, to second order.

A chip rests at ``a = rho(W a + c)``. Another one of the same design, with weights ``W + dW`` and a constant drive
``c + dc``, moves its activities by ``t = S h`` to first order, with the drives ``h = dW a + dc`` and the response
``S = (R^-1 - W)^-1`` of activities to drives. With ``delta = S^T e`` the loss of a sample moves by

    ``dL = delta h + 1/2 (t (q + C) t + 2 delta dW t)``,    ``q_i = rho''_i delta_i / R_i^3``,

`C` being the curvature of the cost; the second term is half of ``dW H dW``. Cells of the copy whose errors are
independent, of variance `V`, so have in the mean, with ``G = S^T (q + C) S``,

    ``E dL = 1/2 sum_ij V_ij H_ij,ij``,    ``H_ij,ij = G_ii a_j^2 + 2 delta_i S_ji a_j``.

A device that is read both ways has one error in two directions, and twice ``V_ij H_ij,ji`` is added. What copies have
in common is a change `dW` of its own: the errors of the trained chip, which its weights were trained against, and which
copies of its programmed weights lack. At a minimum, with relative spread of all cells, it costs in the mean over
trained chips what the errors of the copies do: ``E dL = 1/2 sum_ij H_ij,ij sigma^2 W_ij^2`` times 2, for copies of
measured weights times 1. Additive law, dense connections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.cells import compute_weight_spreads
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.laws.law import LAWS
from substrate.network.couplings import make_couplings
from substrate.network.dense import are_dense
from substrate.network.topology import Topology

from ..estimator import measure_free
from .exact import linearise_at_rest
from .frozen import compute_cost_curvature

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]

_KNOWN = frozenset({"mismatch", "stuck", "window", "path-gain", "read-noise", "noise", "adc", "hold", "nudge-circuit"})
"""Causes of error of which the law knows what they do to a copy, or that do nothing to where a chip rests."""

_FLAT = 1e-9
"""Slopes below this count as none: such units do not move."""


class CopyLoss(NamedTuple):
    """What copies lose against the trained chip, mean over samples that come to rest on it."""

    second_order: Array
    """Of every copy, from its own weights, (copies,)."""

    shift: float
    """What is expected of all copies from what they have in common: the errors of the trained chip that they lack."""

    spread: float
    """What is expected of the errors of the copies themselves."""

    unrested: int
    """Samples without a rest point on the trained chip, which are left out."""


def find_unknown_causes(chip: Chip) -> list[str]:
    """Return why the law does not hold on chips like this one, in words; nothing where it does."""
    design, neurons = chip.design, chip.design.devices.neurons
    found = [cause for cause in chip.causes if cause not in {*_KNOWN, "neurons", "write", "twin"}]
    found += ["neurons.gain_sigma or slope_sigma"] if neurons.gain_sigma or neurons.slope_sigma else []
    found += ["noise of writes"] if getattr(design.devices.update, "write_noise", 0.0) else []
    cells = {"weights": design.devices.weights, "feedback": design.devices.feedback}
    found += [f"{name}.measured" for name, kind in cells.items() if getattr(kind, "measured", None) is not None]
    found += [f"the law of {design.law} units"] if LAWS[design.law].SLOPED else []
    found += [] if are_dense(c.kind for c in chip.topology.connections) else ["convolutions"]
    return found


class _Change(NamedTuple):
    """How a copy differs from the trained chip."""

    recurrent: Array
    """Change of the couplings (post, pre) of all units."""

    drive: Array
    """Change of the constant drive (batch, units)."""


class _Variances(NamedTuple):
    """Variances of the errors of a copy."""

    recurrent: Array
    """(post, pre) of all units."""

    clamped: Array
    """(post, inputs)."""

    bias: Array
    """Of biases and offsets, (units,)."""

    shared: Array
    """Covariance of a cell (post, pre) with that of the other direction; 0 where these are two devices."""

    rows: list[Array]
    """Of connections between units whose paths have gains: weights (post, pre) times the spread of the gain."""

    clamped_rows: list[Array]
    """The same of connections from the input, (post, inputs)."""


def compute_copy_loss(chip: Chip, copies: Sequence[Chip], x: Array, target: Array, asked: Blocks) -> CopyLoss:
    """Return what copies lose, each by itself and in the mean over chips.

    Parameters
    ----------
    chip : Chip
        The trained one, of a kind of which `find_unknown_causes` finds nothing. It is settled.
    copies : sequence of Chip
        Chips of the same design.
    x, target : array (batch, inputs), (batch, classes) or (batch, outputs)
        Samples of which the loss is told.
    asked : mapping of block name to array
        What copies are programmed to.
    """
    measure_free(chip, x)
    rest, linear, error = linearise_at_rest(chip, target)
    delta, topology = linear.adjoint(error), chip.topology
    changes = [_compare_chips(chip, copy, x) for copy in copies]
    changes.append(_compare_with_mean(chip, asked, x))
    variances = _collect_variances(chip.design, asked)
    bend, output = chip.membranes.transfer.curvature(rest.state), topology.columns[topology.output]
    keep = np.flatnonzero(rest.reached & np.isfinite(delta).all(axis=1))
    total, spread = np.zeros(len(changes)), 0.0
    for i in keep:
        slope, a = linear.slopes[i], rest.activity[i]
        response = slope[:, None] * np.linalg.inv(-linear.jacobian(int(i)))
        turn = np.divide(bend[i] * delta[i], slope**3, out=np.zeros_like(slope), where=np.abs(slope) > _FLAT)
        curvature = np.diag(turn)
        curvature[output, output] += compute_cost_curvature(chip.readout, a[output], target[i])
        total += [_move_loss(change, int(i), a, delta[i], response, curvature) for change in changes]
        through = response.T @ curvature @ response
        spread += 0.5 * _sum_variances(variances, through, response, a, delta[i], x[i])
    share = 1.0 / len(keep) if len(keep) else np.nan
    return CopyLoss(share * total[:-1], float(share * total[-1]), float(share * spread), len(x) - len(keep))


def _move_loss(change: _Change, sample: int, a: Array, delta: Array, response: Array, curvature: Array) -> float:
    """Return by how much the loss of a sample moves, to second order."""
    drive = change.recurrent @ a + change.drive[sample]
    moved = response @ drive
    second = moved @ curvature @ moved + 2.0 * delta @ (change.recurrent @ moved)
    return float(delta @ drive + 0.5 * second)


def _sum_variances(v: _Variances, through: Array, response: Array, a: Array, delta: Array, x: Array) -> float:
    """Return ``sum_ij V_ij H_ij,ij`` of one sample, cells of inputs, biases, gains of paths and shared devices too."""
    own = np.diag(through)
    total = own @ (v.recurrent @ a**2 + v.clamped @ x**2 + v.bias)
    total += 2.0 * delta @ ((v.recurrent * response.T) @ a)
    for row in v.rows:
        drive = row @ a
        total += own @ drive**2 + 2.0 * np.sum(delta * drive * np.sum(row * response.T, axis=1))
    for row in v.clamped_rows:
        total += own @ (row @ x) ** 2
    if v.shared.any():
        both = through * np.outer(a, a)
        both += np.outer(np.diag(response), a * delta) + np.outer(a * delta, np.diag(response))
        total += np.sum(v.shared * both)
    return float(total)


def _compare_chips(chip: Chip, copy: Chip, x: Array) -> _Change:
    """Return how a copy differs from the trained chip, whose input is clamped."""
    copy.set_input(x)
    couplings = make_couplings(copy.topology, copy.effective).plus(make_couplings(chip.topology, chip.effective), -1.0)
    return _Change(couplings.dense(), copy.constant_drive - chip.constant_drive)


def _compare_with_mean(chip: Chip, asked: Blocks, x: Array) -> _Change:
    """Return how the mean of all copies differs from the trained chip, whose input is clamped."""
    spreads, topology = compute_weight_spreads(_untie(chip.design), asked), chip.topology
    mean = {name: asked[name] + spread.shift for name, spread in spreads.items()}
    couplings = make_couplings(topology, mean).plus(make_couplings(topology, chip.effective), -1.0)
    drive = np.tile(_join_biases(topology, asked), (len(x), 1))
    for c in topology.connections:
        if c.pre == topology.input:
            drive[:, topology.columns[c.post]] += x @ mean[c.block]
    return _Change(couplings.dense(), drive - chip.constant_drive)


def _collect_variances(design: Design, asked: Blocks) -> _Variances:
    topology, feedback = design.topology, design.devices.feedback
    units, inputs = topology.units, topology.layers[topology.input]
    recurrent, clamped = np.zeros((units, units)), np.zeros((units, inputs))
    rows, clamped_rows = list[Array](), list[Array]()
    for c, spread in zip(topology.connections, compute_weight_spreads(_untie(design), asked).values(), strict=True):
        into, outside = topology.columns[c.post], c.pre == topology.input
        columns = slice(0, inputs) if outside else topology.columns[c.pre]
        (clamped if outside else recurrent)[into, columns] += spread.variance.T
        if spread.path > 0.0:
            row = np.zeros((units, inputs if outside else units))
            row[into, columns] = spread.path * asked[c.block].T
            (clamped_rows if outside else rows).append(row)
    shared = np.zeros_like(recurrent)
    if feedback.storage == "shared-device":
        shared = np.sqrt(recurrent * recurrent.T)
    return _Variances(recurrent, clamped, np.full(units, design.devices.neurons.offset**2), shared, rows, clamped_rows)


def _untie(design: Design) -> Design:
    """Return the design with cells of their own in both directions, of the same spread."""
    feedback = design.devices.feedback.model_copy(update={"storage": "independent"})
    return design.replace(feedback=feedback)


def _join_biases(topology: Topology, blocks: Blocks) -> Array:
    return np.concatenate([topology.spread_bias(name, blocks[f"bias/{name}"]) for name in topology.names])
