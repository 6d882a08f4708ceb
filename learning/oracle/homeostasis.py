"""Oracle side: the loss of Jacobian homeostasis and its gradient, from the couplings themselves.

``L = |J|^2 - tr J^2 = 2 |A|^2`` with ``J = W - K``, `K` diagonal and ``A = (W - W^T)/2`` (Frobenius
norms): the leak and the slopes drop out, so neither input nor state matters. A. Laborieux, F. Zenke,
"Improving equilibrium propagation without weight symmetry through Jacobian homeostasis", ICLR 2024,
equation of the homeostatic loss; their code divides it by the number n of unclamped units, and so do the pulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.network.couplings import make_couplings
from substrate.network.dense import are_dense
from substrate.network.topology import Topology
from substrate.protocol import Port

from ..draws import draw_unit_normals
from ..homeostasis.measured import Pull, get_weight_block
from ..training import Samples

if TYPE_CHECKING:  # a scenario names these pulls, and is checked without any engine
    from substrate.chip.chip import Chip

Array = NDArray[np.float64]

MOST_UNITS = 2000
"""Unclamped units up to which `ExactPull` asks for the couplings of kernels, which depend on the state."""


class HomeostaticLoss(NamedTuple):
    """Loss of Jacobian homeostasis and its gradient."""

    loss: float

    gradient: dict[str, Array]
    """``dL/dW = 4 A`` by block, stored (pre, post) like the weights; connections of the input have none."""


def compute_homeostatic_loss(
    topology: Topology, blocks: Mapping[str, Array], per_unit: bool = False
) -> HomeostaticLoss:
    """Return the loss ``2 |A|^2`` and its gradient with respect to every coupling between unclamped units.

    A connection without its reverse is pulled to zero: the reverse counts as zero and cannot change.

    Parameters
    ----------
    topology : Topology
        The wiring.
    blocks : mapping of block name to array
        Parameters, for instance the effective ones of a chip.
    per_unit : bool
        Whether loss and gradient are divided by the number of unclamped units, as in the reference code.
    """
    odd = make_couplings(topology, blocks).antisymmetric()
    share = 1.0 / topology.units if per_unit else 1.0
    gradient = {c.block: 4.0 * share * odd.weights[c.pre, c.post] for c in topology.recurrent()}
    return HomeostaticLoss(2.0 * share * odd.square(), gradient)


def estimate_homeostatic_loss(
    topology: Topology, blocks: Mapping[str, Array], eps: Array, terms: Literal["both", "norm", "trace"] = "both"
) -> HomeostaticLoss:
    """Return the mean of ``|J eps|^2 - eps^T J^2 eps`` over some draws, and its gradient (Hutchinson).

    ``J = W - 1``, as in the reference code. Over standard normal `eps` the mean is ``|J|^2 - tr J^2``, and one draw
    of the loss has the variance ``2 |A J - J^T A|^2``, which vanishes at symmetry; that of the gradient does not.

    Parameters
    ----------
    topology : Topology
        The wiring.
    blocks : mapping of block name to array
        Parameters.
    eps : array (draws, units)
        Draws.
    terms : {"both", "norm", "trace"}
        Both terms, ``|J eps|^2`` alone, or ``-eps^T J^2 eps`` alone.
    """
    couplings = make_couplings(topology, blocks)
    v, back = couplings.product(eps) - eps, couplings.transposed().product(eps) - eps
    norm, trace = float(terms != "trace"), float(terms != "norm")
    loss = norm * np.vdot(v, v) - trace * np.vdot(back, v)
    # Of the gradient 2 v_i eps_j - (eps_i v_j + back_i eps_j), stored (j, i).
    post, pre = 2.0 * norm * v - trace * back, trace * v
    columns, gradient = topology.columns, {}
    for c in topology.recurrent():
        i, j = columns[c.post], columns[c.pre]
        pairs = c.kind.gradient(eps[:, j], post[:, i]) - c.kind.gradient(pre[:, j], eps[:, i])
        gradient[c.block] = pairs / len(eps)
    return HomeostaticLoss(float(loss) / len(eps), gradient)


def estimate_local_loss(
    chip: Chip, eps: Array, samples: NDArray[np.int64], terms: Literal["both", "norm", "trace"] = "both"
) -> HomeostaticLoss:
    """Return the sum of ``|J eps|^2 - eps^T J^2 eps`` over some vectors, and its gradient, the free state being fixed.

    The couplings `W` are those around the free activity of each sample; so any connection can be asked, such as a
    convolution. Over the unit vectors of a sample the sum is its loss; over normal vectors each has the loss as mean.

    Parameters
    ----------
    chip : Chip
        In its free state.
    eps : array (rows, units)
        Vectors.
    samples : int array (rows,)
        Which sample of the batch each belongs to.
    terms : {"both", "norm", "trace"}
        As `estimate_homeostatic_loss` takes them.
    """
    # It needs an engine.
    from substrate.settling.coupling import differentiate_drives, find_couplings  # noqa: PLC0415

    machine, topology, activity = chip.machine, chip.topology, chip.free_activity()[samples]
    couplings = find_couplings(machine, topology, activity)
    v, back = couplings.product(eps) - eps, couplings.transposed().product(eps) - eps
    norm, trace = float(terms != "trace"), float(terms != "norm")
    put = differentiate_drives(machine, topology, activity, 2.0 * norm * v - trace * back, eps)
    turned = differentiate_drives(machine, topology, activity, eps, trace * v)
    loss = norm * np.vdot(v, v) - trace * np.vdot(back, v)
    return HomeostaticLoss(float(loss), {name: block - turned[name] for name, block in put.items()})


def compute_local_loss(chip: Chip) -> HomeostaticLoss:
    """Return the mean loss of a batch around its free states, and its gradient, from all unit vectors."""
    batch, units = chip.free_activity().shape
    found = [estimate_local_loss(chip, np.eye(units), np.full(units, sample)) for sample in range(batch)]
    gradient = {name: np.mean([one.gradient[name] for one in found], axis=0) for name in found[0].gradient}
    return HomeostaticLoss(float(np.mean([one.loss for one in found])), gradient)


class ExactPull(Pull):
    """The gradient from the effective weights themselves, which no chip can know: what the measured kinds aim at."""

    kind: Literal["exact"] = "exact"

    needs: ClassVar[frozenset[Port]] = frozenset({"weights"})

    def pull(self, chip: Chip, _: Samples) -> dict[str, Array]:
        """Return ``strength / n`` times the gradient, by block (pre, post)."""
        if has_kernels(chip.topology):
            return _select_scaled_gradient(self, chip, compute_local_loss(chip))
        return _select_scaled_gradient(self, chip, compute_homeostatic_loss(chip.topology, chip.effective))


class SampledPull(Pull):
    """The gradient as the reference code estimates it, from the effective weights and normal draws."""

    kind: Literal["sampled"] = "sampled"

    needs: ClassVar[frozenset[Port]] = frozenset({"weights"})

    draws: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Draws for every sample of a batch; 1 or more."""

    terms: Literal["both", "norm", "trace"] = "both"
    """`both`, or one alone: `norm`, ``|J eps|^2``, shrinks all couplings; `trace`, ``-eps^T J^2 eps``, makes each grow
    along its reverse."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the draws, beside that of the scenario; 0 to 2^63 - 1."""

    def pull(self, chip: Chip, samples: Samples) -> dict[str, Array]:
        """Return ``strength / n`` times the estimated gradient, by block (pre, post)."""
        ids, units = np.arange(len(samples.x)) if samples.ids is None else samples.ids, chip.topology.units
        eps = np.concatenate([draw_unit_normals(self.seed, ids, samples.epoch, k, units) for k in range(self.draws)])
        if has_kernels(chip.topology):
            loss = estimate_local_loss(chip, eps, np.tile(np.arange(len(ids)), self.draws), self.terms)
            share = {name: block / len(eps) for name, block in loss.gradient.items()}
            return _select_scaled_gradient(self, chip, HomeostaticLoss(loss.loss / len(eps), share))
        return _select_scaled_gradient(
            self, chip, estimate_homeostatic_loss(chip.topology, chip.effective, eps, self.terms)
        )


def has_kernels(topology: Topology) -> bool:
    """Tell whether any connection between unclamped layers is no matrix."""
    return not are_dense(c.kind for c in topology.recurrent())


def _select_scaled_gradient(how: Pull, chip: Chip, found: HomeostaticLoss) -> dict[str, Array]:
    """Return the part of a gradient that is pulled, with its factor."""
    blocks = [get_weight_block(ends) for ends in how.pulled(chip)]
    return {name: how.strength / chip.topology.units * found.gradient[name] for name in blocks}
