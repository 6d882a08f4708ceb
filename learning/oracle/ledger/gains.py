"""Oracle side: what a remedy gains, measured on the same silicon, the same samples and with the same draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip.chip import Chip
from substrate.chip.randomness import conjugates
from substrate.protocol import has_settled

from ...schemes.scheme import Slow
from ..exact import Exact, exact
from .remedies import REMEDIES, Setting
from .runs import Mask, Trial, ends_by_clock, noise_causes, readout_causes, run

Array = NDArray[np.float64]


class Gain(NamedTuple):
    """One measurement after a remedy; arrays (batch, units) unless said otherwise."""

    delta: Array
    """Estimate of the error vectors."""

    true: Array
    """Exact error vectors of the chip with the remedy."""

    keep: Mask
    """Samples that it could measure, (batch,)."""


def gain(chip: Chip, trial: Trial, s: int, remedy: str, reference: Exact) -> Gain:
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
    if isinstance(scheme, Slow):
        raise TypeError("a stopped swing is no scheme of a scenario: give the trial as it was asked")
    after = REMEDIES[remedy].change(Setting(chip.design, scheme))
    better = chip.variant(**after.design._asdict())
    if after.alike:
        better = better.reprogrammed(
            {b.block: chip.mirror(f.block, chip.programmed[f.block]) for f, b in chip.topology.pairs()}
        )
    quiet = better.without(*noise_causes(), *readout_causes())
    if after.alike or quiet.design != chip.without(*noise_causes(), *readout_causes()).design:
        trial.clamp(quiet)
        quiet.settle()
        reference = exact(quiet, trial.target)
    one = run(better, trial._replace(schemes=[after.scheme], mirror=conjugates(better.design.devices))).taken[0]
    settled = has_settled(one.estimate.status, ends_by_clock(better, after.scheme))
    return Gain(one.estimate.flat, reference.delta, settled & reference.equilibrium.reached)
