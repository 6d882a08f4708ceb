"""A second board, on which nudged settlings run: how it differs from the first."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ..imperfection import DIFFERENT, Cause, CauseContext
from ..parameters import Level, Parameters, Ratio
from ..quantities import get_magnitude
from .cell import Fraction, Spread, Weight


def _has_twin_error(twin: Twin, use: CauseContext) -> bool:
    readout = use.devices.converters.readout
    converts = twin.converters and readout is not None and readout.spreads
    sizes = twin.mismatch_sigma, twin.stuck_fraction, get_magnitude(twin.offset_sigma), twin.gain_sigma
    spreads = max(sizes) > 0.0
    return spreads or converts or use.devices.noise.slow


class Twin(Parameters):
    """A second board, on which nudged settlings run; the free ones run on the first.

    What differs between the boards differs between free and nudged phases. Membranes and reads of the second board have
    slow noise of their own, too.
    """

    mismatch_sigma: Spread = 0.0
    """Spread of the weights of the second board around those of the first, relative, one standard deviation;
    dimensionless, 0 to 10. Root 2 of the spread of one cell. The error of an estimate is its effect over beta if the
    scheme compares a free phase with a nudged one, and keeps its size if it compares two nudged ones."""

    stuck_fraction: Fraction = 0.0
    """Share of cells of the second board that cannot be programmed, 0 to 1."""

    stuck_at: Weight = 0.0
    """Weight of such a cell; units of the weight, or siemens."""

    offset_sigma: Annotated[float, Field(ge=0.0, le=100.0), Level("volt_scale")] = 0.0
    """Spread of a constant drive that units of the second board add to that of the first, one standard deviation; units
    of the state, or volts."""

    gain_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the gains of the activities of the second board around those of the first, one standard
    deviation; dimensionless, 0 to 1."""

    converters: bool = False
    """Whether the second board has readout converters of its own: of the same kind, with errors drawn apart; else the
    converters of the first one read both."""

    causes: ClassVar[tuple[Cause, ...]] = (
        Cause(
            "twin",
            DIFFERENT,
            acts=_has_twin_error,
            words="the second board",
            cure="a second board that matches the first",
        ),
    )
