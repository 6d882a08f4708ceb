"""How a requested change of a cell becomes a real one: whole pulses of constant size.

T. Gokmen, Y. Vlasov, "Acceleration of deep neural network training with resistive cross-point devices",
Front. Neurosci. 10, 2016: the constant-step device, here without spread and without noise.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .parameters import Parameters

Array = NDArray[np.float64]


class ConstantStep(Parameters):
    """Cells that change by whole pulses of one size."""

    kind: Literal["constant-step"] = "constant-step"
    step: Annotated[float, Field(gt=0.0, le=1e3)]
    """Change of a weight by one pulse; units of the weight, above 0."""

    rounding: Literal["nearest", "stochastic"] = "nearest"
    """`nearest`: less than half a step is lost; `stochastic`: up or down at random, right in the mean."""


class Written(NamedTuple):
    """What became of requested changes."""

    change: Array
    """Change of every cell; units of the weight."""

    pulses: int
    """Pulses applied, over all cells."""

    lost: int
    """Cells whose request was not 0 and that got no pulse."""


def write(law: ConstantStep, request: Array, draw: Array | None = None) -> Written:
    """Return the realised change, ``step round(request / step)``.

    Parameters
    ----------
    law : ConstantStep
        Size of a pulse and kind of rounding.
    request : array
        Requested changes; units of the weight.
    draw : array like `request`, optional
        Uniform numbers in (0, 1), for stochastic rounding: ``floor(request / step + draw)``.

    Raises
    ------
    ValueError
        If the rounding is stochastic and there is no draw.
    """
    if law.rounding == "stochastic" and draw is None:
        raise ValueError('rounding = "stochastic" needs uniform numbers: give a draw of the shape of the request')
    wanted = request / law.step
    pulses = np.rint(wanted) if draw is None or law.rounding == "nearest" else np.floor(wanted + draw)
    lost = np.count_nonzero((request != 0.0) & (pulses == 0.0))
    return Written(pulses * law.step, int(np.abs(pulses).sum()), int(lost))
