"""What happens to a weight between two writes: leak and drift.

Leak of a capacitor: Y. Li et al., VLSI 2018. Drift of phase-change memory: S. R. Nandakumar et al., ICECS 2019;
V. Joshi et al., Nat. Commun. 11, 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import WRITE, Cause
from ..parameters import Parameters, Ratio, Seconds, Unit
from ..random import Stream

Array = NDArray[np.float64]
Limits = Annotated[list[Annotated[float, Field(ge=0.0, le=10.0)]], Field(min_length=2, max_length=2)]


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

    drift_slope: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Change of the exponent per unit of ``ln x``, where ``x = |w|/drift_scale`` is the weight as it was written; then
    `drift` is that at ``x = 1``. Phase-change memory: -0.0155."""

    drift_range: Limits | None = None
    """Least and largest mean exponent, needed by a slope. Phase-change memory: 0.049 and 0.1."""

    drift_sigma: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Spread of the exponent between cells, absolute, folded at 0; with a slope the spread at ``x = 1``, which its
    range may cut. Phase-change memory: 0.008 to 0.045."""

    drift_sigma_slope: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Change of `drift_sigma` per unit of ``ln x``. Phase-change memory: -0.0125."""

    drift_sigma_range: Limits | None = None
    """Least and largest spread, needed by a slope of it. Phase-change memory: 0.008 and 0.045."""

    drift_scale: Annotated[float, Field(gt=0.0, le=1e6), Unit("weight")] = 1.0
    """Weight at the largest conductance; units of the weight, above 0."""

    drift_start: Annotated[Seconds, Field(gt=0.0, le=1e10)] = 20.0
    """Time ``t0`` after the write at which a cell was verified; second, above 0. Published: 20 s."""

    causes: ClassVar[tuple[Cause, ...]] = (
        Cause(
            "retention",
            WRITE,
            acts=lambda kept, _: kept.on,
            of_weights=True,
            words="what cells forget",
            cure="cells that forget nothing",
        ),
    )

    @model_validator(mode="after")
    def _fit(self) -> Retention:
        for name in ("drift", "drift_sigma"):
            limits, slope = getattr(self, f"{name}_range"), getattr(self, f"{name}_slope")
            if limits is None and (slope != 0.0 or getattr(self, name) < 0.0):
                words = f"`{name}_slope`, or a negative `{name}`, has no end at small weights: give `{name}_range`"
                raise PydanticCustomError("drift", "{words}", {"words": words})
            if limits is not None and limits[0] > limits[1]:
                words = f"`{name}_range` must rise: {limits[0]} is above {limits[1]}"
                raise PydanticCustomError("drift", "{words}", {"words": words})
        return self

    @property
    def on(self) -> bool:
        """Tell whether anything is forgotten."""
        drifts = any(
            (_clip_exponent(value, 0.0, 0.0, limits) if slope == 0.0 else (limits or [0.0])[-1]) != 0.0
            for value, slope, limits in (
                (self.drift, self.drift_slope, self.drift_range),
                (self.drift_sigma, self.drift_sigma_slope, self.drift_sigma_range),
            )
        )
        return (self.leak_tau is not None or drifts) and (self.age > 0.0 or self.interval > 0.0)


class RetentionConstants(NamedTuple):
    """Constants of every cell of a block."""

    rate: Array
    """One over the time constant of the leak; 1/s."""

    spread: Array
    """How far the exponent of the drift is from its mean, in standard deviations."""


def sample_retention(law: Retention, shape: tuple[int, ...], stream: Callable[[str], Stream]) -> RetentionConstants:
    """Return the constants of the cells of one block; ``stream(name)`` names the draws."""
    rate = np.zeros(shape)
    if law.leak_tau is not None:
        gain = 1.0 + law.leak_tau_sigma * stream("leak").normal(shape) if law.leak_tau_sigma else np.ones(shape)
        rate = 1.0 / np.maximum(law.leak_tau * np.abs(gain), 1e-12 * law.leak_tau)
    spreads = law.drift_sigma != 0.0 or law.drift_sigma_range is not None
    return RetentionConstants(rate, stream("drift").normal(shape) if spreads else np.zeros(shape))


def sample_drift_exponents(law: Retention, weight: Array, cells: RetentionConstants) -> Array:
    """Return the exponent of the drift of cells: ``|nu(x) + sigma(x) xi|``, ``x = |w|/drift_scale``.

    ``nu = drift + drift_slope ln x`` and ``sigma = drift_sigma + drift_sigma_slope ln x``, each within its range.

    Parameters
    ----------
    law : Retention
        Mean and spread.
    weight : array
        As written.
    cells : Forgetting
        Constants of the cells.
    """
    with np.errstate(divide="ignore"):
        x = np.log(np.abs(weight) / law.drift_scale) if law.drift_slope or law.drift_sigma_slope else 0.0
    mean = _clip_exponent(law.drift, law.drift_slope, x, law.drift_range)
    sigma = _clip_exponent(law.drift_sigma, law.drift_sigma_slope, x, law.drift_sigma_range)
    return np.asarray(np.abs(mean + sigma * cells.spread))


def _clip_exponent(value: float, slope: float, x: Array | float, limits: list[float] | None) -> Array | float:
    line = value + slope * x if slope else value
    return line if limits is None else np.clip(line, limits[0], limits[1])


def apply_retention(law: Retention, weight: Array, elapsed: Array, cells: RetentionConstants) -> Array:
    """Return what is left of weights: ``w exp(-t rate) ((t + t0)/t0)^-exponent``.

    Parameters
    ----------
    law : Retention
        How they forget.
    weight : array
        As written.
    elapsed : array
        Time since, per cell; second.
    cells : Forgetting
        Constants of the cells.
    """
    drifted = sample_drift_exponents(law, weight, cells) * np.log1p(elapsed / law.drift_start)
    return np.asarray(weight * np.exp(-elapsed * cells.rate - drifted))
