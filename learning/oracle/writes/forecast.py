"""Oracle side: what the cosine of a window of writes should be, from a few numbers.

    1 / cos^2 = 1 + (granularity + cycle_sigma^2 p + write_noise^2 (1 - exp(-p))) / n^2 + step_sigma^2

n: rms of the sum of the requests, p: pulses of a cell, both in steps and over the window. Granularity, the mean square
of what is missing, is the sum of ``f (1 - f)`` for pulses rounded at random, with f the part of a step in every change
that is handed on, beside what a policy keeps itself. Asymmetry, windows and saturation are left out, and so is the
rounding to the nearest step, which loses requests instead of scattering them.
"""

from __future__ import annotations

import math

from devices.programming.laws import Pulsed
from learning.policies.policy import WritePolicy
from substrate.chip.chip import Chip

LEAST = 1.0
"""Steps that the sum of the requests must have (rms): below, most cells get no pulse, and no formula says which."""


def forecast_cosine(chip: Chip, policy: WritePolicy, steps: float, pulses: float, fractions: float) -> float:
    """Return the cosine of the change of the effective weights to the sum of the requests; NaN where there is no law.

    Parameters
    ----------
    chip : Chip
        With its cells.
    policy : WritePolicy
        How it is written.
    steps : float
        Root mean square of the summed requests, in steps.
    pulses : float
        Pulses per cell, mean.
    fractions : float
        Sum over the writes of the mean of ``f (1 - f)``.
    """
    law = chip.design.devices.update
    missing = policy.forecast_missing()
    if not isinstance(law, Pulsed) or missing is None or steps < LEAST:
        return math.nan
    if policy.reads_cells:
        return 1.0 / math.sqrt(1.0 + missing / steps**2)
    if law.rounding == "nearest" and not policy.counts_steps:
        return math.nan
    scatter = missing + (0.0 if law.rounding == "nearest" else fractions)
    scatter += law.cycle_sigma**2 * pulses + law.write_noise**2 * -math.expm1(-pulses)
    return 1.0 / math.sqrt(1.0 + scatter / steps**2 + law.step_sigma**2)
