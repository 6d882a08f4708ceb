"""What happens to a weight between two writes: leak and drift.

Leak of a capacitor: Y. Li et al., VLSI 2018. Drift of phase-change memory: S. R. Nandakumar et al., ICECS 2019;
V. Joshi et al., Nat. Commun. 11, 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .parameters import Parameters, Ratio, Seconds
from .random import Stream

Array = NDArray[np.float64]


class Retention(Parameters):
    """How cells forget; the clock is that of the experiment, `age` at first and `interval` from write to write."""

    preset: str | None = None
    """Published device that the values not given here come from, such as ``"capacitor"``."""

    age: Annotated[Seconds, Field(ge=0.0, le=1e10)] = 0.0
    """Time from the first programming to the first use; second, 0 to 1e10."""

    interval: Annotated[Seconds, Field(ge=0.0, le=1e10)] = 1.0
    """Time from one write to the next; second. A lifetime in batches is one in seconds at the default, 1 s."""

    leak_tau: Annotated[Seconds, Field(gt=0.0, le=1e30)] | None = None
    """Time constant of an exponential leak to 0; second, above 0; absent: none. Published: 1e6 batches."""

    leak_tau_sigma: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 0.0
    """Spread of it between cells, relative, folded at 0; 0 to 10. Published: 0.3."""

    drift: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Exponent of the drift, ``((t + t0)/t0)^-drift``; dimensionless, 0 to 10. Phase-change memory: 0.05 to 0.1."""

    drift_sigma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Spread of the exponent between cells, absolute, folded at 0. Phase-change memory: 0.008 to 0.045."""

    drift_start: Annotated[Seconds, Field(gt=0.0, le=1e10)] = 20.0
    """Time ``t0`` after the write at which a cell was verified; second, above 0. Published: 20 s."""

    @property
    def on(self) -> bool:
        """Tell whether anything is forgotten."""
        return self.leak_tau is not None or self.drift > 0.0 or self.drift_sigma > 0.0


class Forgetting(NamedTuple):
    """Constants of every cell of a block."""

    rate: Array
    """One over the time constant of the leak; 1/s."""

    exponent: Array
    """Exponent of the drift."""


def sample_forgetting(law: Retention, shape: tuple[int, ...], stream: Callable[[str], Stream]) -> Forgetting:
    """Return the constants of the cells of one block; ``stream(name)`` names the draws."""
    rate = np.zeros(shape)
    if law.leak_tau is not None:
        gain = 1.0 + law.leak_tau_sigma * stream("leak").normal(shape) if law.leak_tau_sigma else np.ones(shape)
        rate = 1.0 / np.maximum(law.leak_tau * np.abs(gain), 1e-12 * law.leak_tau)
    exponent = np.full(shape, law.drift)
    if law.drift_sigma:
        exponent = np.abs(law.drift + law.drift_sigma * stream("drift").normal(shape))
    return Forgetting(rate, exponent)


def retained(weight: Array, elapsed: Array, cells: Forgetting, start: float) -> Array:
    """Return what is left of weights: ``w exp(-t rate) ((t + t0)/t0)^-exponent``.

    Parameters
    ----------
    weight : array
        As written.
    elapsed : array
        Time since, per cell; second.
    cells : Forgetting
        Constants of the cells.
    start : float
        ``t0``; second.
    """
    return np.asarray(weight * np.exp(-elapsed * cells.rate - cells.exponent * np.log1p(elapsed / start)))
