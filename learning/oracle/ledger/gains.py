"""Oracle side: what a remedy gains, measured on the same silicon, the same samples and with the same draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.chip.randomness import has_conjugate_answers
from substrate.protocol import has_settled

from ...schemes.scheme import QuasiStaticSwing
from ..exact import ExactErrors, compute_exact_errors
from .connections import find_batch_gradients
from .remedies import REMEDIES, GradientSetting
from .runs import Mask, Trial, is_ended_by_clock, list_noise_causes, list_readout_causes, run_trial

Array = NDArray[np.float64]


class RemedyGain(NamedTuple):
    """One measurement after a remedy; arrays (batch, units) unless said otherwise."""

    delta: Array
    """Estimate of the error vectors."""

    true: Array
    """Exact error vectors of the chip with the remedy."""

    keep: Mask
    """Samples that it could measure, (batch,)."""

    blocks: dict[str, tuple[Array, Array]]
    """What the rule asks of every connection, and the exact gradient of the chip with the remedy, by block."""


def measure_remedy_gain(chip: Chip, trial: Trial, s: int, remedy: str, reference: ExactErrors) -> RemedyGain:
    """Measure scheme `s` of a trial once more after a remedy.

    Parameters
    ----------
    chip : Chip
        The chip as it is.
    trial : Trial
        What was asked of it.
    s : int
        Which scheme.
    remedy : str
        A key of `learning.oracle.ledger.remedies.REMEDIES`.
    reference : Exact
        Exact error vectors of `chip`, which are those after a remedy that moves no rest point.
    """
    scheme = trial.schemes[s]
    if isinstance(scheme, QuasiStaticSwing):
        raise TypeError("a stopped swing is no scheme of a scenario: give the trial as it was asked")
    after = REMEDIES[remedy].change(GradientSetting(chip.design, scheme))
    better = chip.variant(**after.design._asdict())
    if after.alike:
        better = better.reprogrammed(
            {b.block: chip.mirror(f.block, chip.programmed[f.block]) for f, b in chip.topology.pairs()}
        )
    quiet = better.without(*list_noise_causes(), *list_readout_causes())
    if after.alike or quiet.design != chip.without(*list_noise_causes(), *list_readout_causes()).design:
        trial.clamp(quiet)
        quiet.settle()
        reference = compute_exact_errors(quiet, trial.target)
    trial = trial._replace(schemes=[after.scheme], mirror=has_conjugate_answers(better.design.devices))
    one = run_trial(better, trial).taken[0]
    settled = has_settled(one.estimate.status, is_ended_by_clock(better, after.scheme))
    keep = settled & reference.equilibrium.reached
    blocks = find_batch_gradients(better, trial, one, reference, keep)
    return RemedyGain(one.estimate.flat, reference.delta, keep, blocks)
