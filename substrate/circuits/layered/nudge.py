"""Nudges at the outputs of a layered circuit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...protocol import Nudge

Reals = NDArray[Any]


def apply_output_nudge(nudge: Nudge, drive: Reals, total: Reals, held: Reals | None) -> None:
    """Add a nudge to the currents into the outputs, and to their conductances if it follows them.

    Parameters
    ----------
    nudge : Nudge
        What is applied.
    drive, total : array (batch, outputs)
        Currents into the outputs and sums of their conductances, changed in place.
    held : array (batch, outputs) or None
        Voltages of the free state, at which the current of a held nudge is kept; None: it follows the outputs.

    Raises
    ------
    ValueError
        If the nudge is complex, swings or does not fit the outputs.
    """
    if nudge.wave is not None or complex(nudge.beta).imag != 0.0:
        raise ValueError(f"beta = {nudge.beta}, wave = {nudge.wave}: give a real beta in S, and no wave")
    if nudge.target.shape != drive.shape:
        raise ValueError(f"the target has shape {nudge.target.shape}: give {drive.shape} volts")
    beta: float | NDArray[np.float64] = complex(nudge.beta).real
    if nudge.signs is not None:
        beta = beta * nudge.signs[:, None]
    if held is not None:
        drive += beta * (nudge.target - held)
    else:
        drive += beta * nudge.target
        total += beta
