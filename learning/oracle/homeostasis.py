"""Oracle side: the loss of Jacobian homeostasis and its gradient, from the couplings themselves.

``L = |J|^2 - tr J^2 = 2 |A|^2`` with ``J = W - K``, `K` diagonal and ``A = (W - W^T)/2`` (Frobenius
norms): the leak and the slopes drop out, so neither input nor state matters. A. Laborieux, F. Zenke,
"Improving equilibrium propagation without weight symmetry through Jacobian homeostasis", ICLR 2024,
equation of the homeostatic loss; their code divides it by the number n of unclamped units, and so do the pulls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from substrate.network.couplings import make_couplings
from substrate.network.topology import Topology

from ..draws import draw_unit_normals
from ..homeostasis.measured import Pull, get_weight_block
from ..training import Samples

if TYPE_CHECKING:  # a scenario names these pulls, and is checked without any engine
    from substrate.chip.chip import Chip

Array = NDArray[np.float64]


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


class ExactPull(Pull):
    """The gradient from the effective weights themselves, which no chip can know: what the measured kinds aim at."""

    kind: Literal["exact"] = "exact"

    def pull(self, chip: Chip, _: Samples) -> dict[str, Array]:
        """Return ``strength / n`` times the gradient, by block (pre, post)."""
        return _select_scaled_gradient(self, chip, compute_homeostatic_loss(chip.topology, chip.effective))


class SampledPull(Pull):
    """The gradient as the reference code estimates it, from the effective weights and normal draws."""

    kind: Literal["sampled"] = "sampled"

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
        return _select_scaled_gradient(
            self, chip, estimate_homeostatic_loss(chip.topology, chip.effective, eps, self.terms)
        )


def _select_scaled_gradient(how: Pull, chip: Chip, found: HomeostaticLoss) -> dict[str, Array]:
    """Return the part of a gradient that is pulled, with its factor."""
    blocks = [get_weight_block(ends) for ends in how.pulled(chip)]
    return {name: how.strength / chip.topology.units * found.gradient[name] for name in blocks}
