"""Oracle side: how weights that are off for a whole batch spread an estimate, in closed form.

Noise of cells that is slower than a batch makes another chip of every batch. A vanishing nudge measures
``delta = (R^-1 - W)^-1 e``, and to first order a change `dW` of the weights moves it by

    ``d delta = S (dW delta + (q + H) S dW a)``,    ``S = (R^-1 - W)^-1``,  ``q_i = rho''_i delta_i / R_i^3``,

directly and by the rest point, whose activities move by ``S dW a``: the slopes `R` follow, and the force of the cost by
its curvature `H`. Cells `ij` of independent variance `sigma_ij^2` so give, with ``G = S (q + H) S``,

    ``Var delta_k = sum_ij sigma_ij^2 (S_ki delta_j + G_ki a_j)^2``,

`a_j` and 1 of the clamped inputs and biases included, which have no `delta_j`. A device that is read both ways has one
draw in both directions, and the two brackets add before they are squared. Nothing is divided by the nudge: the phases
of an estimate share the draw. Additive law, dense connections.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.laws.law import LAWS
from substrate.network.dense import are_dense
from substrate.protocol import Readout

from ..cost import compute_logits
from .exact import ExactErrors

Array = NDArray[np.float64]

_FLAT = 1e-9
"""Slopes below this count as none: such units do not move."""


class _CellVariances(NamedTuple):
    """Variances of cells as matrices."""

    recurrent: Array
    """(post, pre) of all units."""

    clamped: Array
    """(post, inputs)."""

    bias: Array
    """(units,)."""

    shared: Array
    """Covariance of the cell (post, pre) with the one of the other direction; 0 where they are two devices."""


def predict_frozen_variance(chip: Chip, reference: ExactErrors, x: Array, target: Array) -> Array | None:
    """Return the variance of the error vectors of a small nudge, by frozen noise of the cells, (batch, units).

    Parameters
    ----------
    chip : Chip
        As it is.
    reference : ExactErrors
        Of the batch, without noise.
    x, target : array (batch, inputs), (batch, classes) or (batch, outputs)
        The batch.

    Returns
    -------
    array or None
        None where the law is not known: the hopfield law, kernels, a second board, a correction.
    """
    design, topology = chip.design, chip.topology
    dense = are_dense(c.kind for c in topology.connections)
    if LAWS[design.law].SLOPED or not dense or design.devices.twin is not None or design.correction != "none":
        return None
    cells, activity = _collect_variances(chip), reference.equilibrium.activity
    bend = chip.membranes.transfer.curvature(reference.equilibrium.state)
    slopes, output = reference.linear.slopes, topology.columns[topology.output]
    found = np.zeros_like(activity)
    for i, (a, delta) in enumerate(zip(activity, reference.ep, strict=True)):
        # R (-J_u)^-1, with J_u of the additive law.
        response = slopes[i][:, None] * np.linalg.inv(-reference.linear.jacobian(i))
        slope = slopes[i]
        turn = np.divide(bend[i] * delta, slope**3, out=np.zeros_like(slope), where=np.abs(slope) > _FLAT)
        middle = turn[:, None] * response
        middle[output] += compute_cost_curvature(chip.readout, a[output], target[i]) @ response[output]
        found[i] = _sum_cells(response, response @ middle, a, delta, x[i], cells)
    return found


def _sum_cells(response: Array, through: Array, a: Array, delta: Array, x: Array, cells: _CellVariances) -> Array:
    """Return ``sum_ij sigma_ij^2 (S_ki delta_j + G_ki a_j)^2`` of one sample, (units,)."""
    errors, both = cells.recurrent @ delta**2, cells.recurrent @ (delta * a)
    drives = cells.recurrent @ a**2 + cells.clamped @ x**2 + cells.bias
    total = response**2 @ errors + 2.0 * (response * through) @ both + through**2 @ drives
    if not cells.shared.any():
        return np.asarray(total)
    for first, second, times in (
        (response * delta, response * delta, 1.0),
        (response * a, through * delta, 2.0),
        (through * a, through * a, 1.0),
    ):
        total += times * np.sum((first @ cells.shared) * second, axis=1)
    return np.asarray(total)


def compute_cost_curvature(readout: Readout | None, output: Array, target: Array) -> Array:
    """Return the curvature ``C''`` of the cost of one sample, (outputs, outputs)."""
    if readout is None:
        return np.eye(len(target))
    z = compute_logits(readout, output)
    share = np.exp(z - z.max())
    share /= share.sum()
    mean = readout.weight @ share
    return np.asarray((readout.weight * share) @ readout.weight.T - np.outer(mean, mean))


def _collect_variances(chip: Chip) -> _CellVariances:
    topology, blocks = chip.topology, chip.compute_frozen_variances()
    units, inputs = topology.units, topology.layers[topology.input]
    recurrent, clamped = np.zeros((units, units)), np.zeros((units, inputs))
    for c in topology.connections:
        into = topology.columns[c.post]
        if c.pre == topology.input:
            clamped[into] += blocks[c.block].T
        else:
            recurrent[into, topology.columns[c.pre]] += blocks[c.block].T
    bias = np.concatenate([topology.spread_bias(name, blocks[f"bias/{name}"]) for name in topology.names])
    shared = np.zeros_like(recurrent)
    if chip.design.devices.feedback.storage == "shared-device":
        shared = np.sqrt(recurrent * recurrent.T)
    return _CellVariances(recurrent, clamped, bias, shared)
