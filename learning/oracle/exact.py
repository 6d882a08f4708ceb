"""Oracle side: what an estimate should have found, from the linearised chip itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.network.couplings import Couplings
from substrate.settling.coupling import AnyCouplings, differentiate_drives, find_couplings
from substrate.theory.linearisation import Equilibrium, Linearisation, find_equilibrium, linearise
from substrate.theory.trims import find_trims

from ..cost import compute_cost_force, compute_gradients, compute_readout_gradients
from ..estimator import measure_free
from ..training import Gradient, Rule, Samples, make_scored_gradient

Array = NDArray[np.float64]


class ExactErrors(NamedTuple):
    """Exact error vectors of a clamped batch at its free equilibrium; arrays (batch, units)."""

    delta: Array
    """``dL/d drive``: backpropagation through the equilibrium, ``R (1 - W^T R)^-1 e``."""

    ep: Array
    """Limit of EP for a vanishing nudge, ``R (1 - W R)^-1 e``; with a correction, of the corrected chip."""

    first_order: Array
    """First-order part of ``ep - delta`` in the asymmetry of the coupling."""

    trimmed: Array
    """Limit of EP read behind the output gains, and nudged before the input gains, that best symmetrise the coupling.

    ``r M (e/r)`` with the ratios `r` of `substrate.theory.trims.find_trims`.
    """

    equilibrium: Equilibrium
    """Where the chip rests; a sample whose linear systems were not solved does not count as having reached it."""

    linear: Linearisation

    @property
    def gains(self) -> Array:
        """Part of the asymmetry error ``ep - delta`` that trims of every unit would cure, (batch, units)."""
        return self.ep - self.trimmed

    @property
    def irreducible(self) -> Array:
        """Rest of the asymmetry error, which only the devices of single connections can cause, (batch, units)."""
        return self.trimmed - self.delta


def compute_exact_errors(chip: Chip, target: Array) -> ExactErrors:
    """Return the exact error vectors of the batch clamped on `chip`, which has settled freely.

    Parameters
    ----------
    chip : Chip
        In its free state.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    """
    rest, linear, error = linearise_at_rest(chip, target)
    delta, correction = linear.adjoint(error), find_correction(chip, rest.activity)
    ep = linear.response(error, correction)
    if correction is None:
        first = linear.first_order(delta)
    else:
        left = linear.couplings.antisymmetric().plus(correction, -1.0)  # type: ignore[arg-type]  # both are of one kind
        first = linear.adjoint(2.0 * left.product(delta))
    if not isinstance(linear.couplings, Couplings):
        # A cell of a kernel serves many pairs of units: what trims of units could mend is not known.
        trimmed = np.full_like(ep, np.nan)
    elif correction is None:
        ratio = find_trims(linear.couplings)
        trimmed = ratio * linear.response(error / ratio)
    else:
        # What the correction leaves, W - 2 A_hat instead of W^T, is no matter of gains.
        trimmed = ep
    known = delta + ep + (trimmed if isinstance(linear.couplings, Couplings) else first)
    solved = np.isfinite(known).all(axis=1)
    return ExactErrors(delta, ep, first, trimmed, rest._replace(reached=rest.reached & solved), linear)


def find_correction(chip: Chip, activity: Array) -> AnyCouplings | None:
    """Return the correction ``A_hat`` of a chip around free activities (batch, units), see `substrate.chip.nudging`."""
    known = {"programmed": chip.programmed, "exact": chip.effective}.get(chip.design.correction)
    if known is None:
        return None
    machine = chip.machine._replace(weights=chip.topology.join(known), prepared={})
    return find_couplings(machine, chip.topology, activity).antisymmetric()


def make_exact_rule(chip: Chip) -> Rule:
    """Return the rule that trains `chip` with its exact gradients: the reference for every measured one.

    Samples that do not come to rest are left out.
    """
    topology = chip.topology

    def gradient(samples: Samples) -> Gradient:
        x, target = samples.x, samples.target
        free = measure_free(chip, x, samples.ids, samples.epoch)
        rest, linear, error = linearise_at_rest(chip, target)
        activity = {topology.input: x} | topology.split(rest.activity)
        delta = linear.adjoint(error)
        keep = rest.reached & np.isfinite(delta).all(axis=1)
        blocks = compute_exact_gradients(chip, activity, topology.split(delta), keep)
        blocks |= compute_readout_gradients(chip.readout, activity[topology.output], target, keep)
        output = free.activity[topology.output]
        return make_scored_gradient(chip, output, target, blocks, free.settled.status, keep)

    return gradient


def compute_exact_gradients(
    chip: Chip, activity: Mapping[str, Array], delta: Mapping[str, Array], keep: NDArray[np.bool_]
) -> dict[str, Array]:
    """Return batch-mean gradients by block, with what no product of the two ends of a connection gives.

    Parameters
    ----------
    chip : Chip
        Its weights and pooling.
    activity, delta : mapping of layer to array (batch, units)
        Activities at rest, the clamped input among them, and errors ``dL/d drive`` of the others.
    keep : bool array (batch,)
        Samples that count; NaN everywhere if none does.
    """
    blocks = compute_gradients(chip, activity, delta, keep)
    lacking = [c.block for c in chip.topology.recurrent() if not c.kind.local]
    if not lacking or not keep.any():
        return blocks
    a, d = (np.concatenate([part[name][keep] for name in chip.topology.names], axis=1) for part in (activity, delta))
    whole = differentiate_drives(chip.machine, chip.topology, a, d)
    return blocks | {name: whole[name] / len(a) for name in lacking}


def linearise_at_rest(chip: Chip, target: Array) -> tuple[Equilibrium, Linearisation, Array]:
    """Return the equilibrium of the clamped batch, the linear responses there, and the force on all units.

    Parameters
    ----------
    chip : Chip
        In its free state.
    target : array (batch, classes) or (batch, outputs)
        Targets of the cost.
    """
    rest = find_equilibrium(chip)
    error = np.zeros_like(rest.state)
    output = chip.topology.columns[chip.topology.output]
    error[:, output] = compute_cost_force(chip.readout, rest.activity[:, output], target)
    return rest, linearise(chip, rest.state), error
