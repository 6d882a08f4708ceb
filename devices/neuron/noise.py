"""Noise of the membranes while they settle, and of reads: what is added, how much, and how fast it changes.

White noise enters as ``tau du = F dt + sigma sqrt(2 tau) dB``: on a bare leak `u` then has the
standard deviation `sigma`. Slow noise is an Ornstein-Uhlenbeck process added to the drift. Noise
with a 1/f spectrum is a sum of such processes, one per octave, of equal variance.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import RANDOM, SLOW, Cause
from ..parameters import Level, Parameters, Ratio, Time
from ..quantities import get_magnitude
from ..random import Stream

Array = NDArray[np.float64]
Sigma = Annotated[float, Field(ge=0.0, le=100.0), Level("volt_scale")]


class Telegraph(Parameters):
    """Random telegraph noise: behind some units a single trap captures and releases a charge, and their reads jump."""

    amplitude: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")]
    """Height of the jump of the median unit with a trap; units of the activity, or volts. 70 mV in the smallest
    transistors (survey citing Chen 2010)."""

    amplitude_sigma: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 0.0
    """Spread of the logarithm of the height between units (log-normal); dimensionless, 0 to 10."""

    fraction: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 1.0
    """Share of units with a trap, 0 to 1. About 0.12 of 70/40 nm transistors show one (same survey)."""

    time: Annotated[float, Field(gt=0.0, le=1e9), Time]
    """Correlation time, 1 over the sum of the rates of capture and release, which are equal; in units of tau or
    seconds."""

    @property
    def on(self) -> bool:
        """Tell whether any unit jumps."""
        return get_magnitude(self.amplitude) > 0.0 and self.fraction > 0.0


class Noise(Parameters):
    """Noise of membranes and reads; 0 means none."""

    preset: str | None = None
    """Device that the values not given here come from: a file of one's own, such as ``"my-device.toml"``."""

    thermal: bool | Sigma = 0.0
    """White noise of every unit: standard deviation of `u` on a bare leak. ``true``: ``sqrt(gamma k T/C)/V_u`` of
    [physical], which needs its `capacitance` and `volt_scale`: 0.4 mV at 300 K and 26 fF. Synapses may add to it. Units
    of the state, or volts."""

    common: Sigma = 0.0
    """White noise that all units of a sample share (supply, bias): standard deviation of `u` on a bare leak; units of
    the state, or volts."""

    coloured: Sigma = 0.0
    """Ornstein-Uhlenbeck noise of the drive of every unit: its standard deviation; units of the state, or volts."""

    tau_c: Annotated[float, Field(gt=0.0, le=1e6), Time] = 10.0
    """Correlation time of the coloured noise, in units of tau or seconds."""

    flicker: Sigma = 0.0
    """1/f noise of the drive of every unit: its standard deviation over all octaves; units of the state, or volts."""

    flicker_shortest: Annotated[float, Field(gt=0.0, le=1e6), Time] = 1.0
    """Shortest correlation time of the 1/f noise, in units of tau or seconds."""

    flicker_octaves: Annotated[int, Field(ge=1, le=20)] = 8
    """How many octaves the 1/f noise spans, upwards from the shortest correlation time."""

    read: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """Noise of every single read of a unit: its standard deviation; units of the activity, or volts."""

    read_relative: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Noise of every single read of a unit relative to its own activity: standard deviation over ``|a|``, before the
    converter; dimensionless, 0 to 1. It comes on top of `read`. Mirrors and followers that copy a current: 0.001 to
    0.01."""

    read_flicker: Annotated[float, Field(ge=0.0, le=100.0), Level("activity_volts")] = 0.0
    """1/f noise of the reads of a unit: its standard deviation, over the octaves of `flicker_shortest` and
    `flicker_octaves`; units of the activity, or volts. Needs mode "trajectory": reads at one moment share it."""

    telegraph: Telegraph | None = None
    """Random telegraph noise of the reads of a unit."""

    causes: ClassVar[tuple[Cause, ...]] = (
        Cause(
            "noise",
            RANDOM,
            dict.fromkeys(("thermal", "common", "coloured", "flicker"), 0.0),
            lambda noise, _: noise.on,
            lambda noise: SLOW if noise.thermal == noise.common == 0.0 else RANDOM,
            words="noise of the membranes",
            cure="less noise of the membranes",
        ),
        Cause(
            "read-noise",
            RANDOM,
            {"read": 0.0, "read_relative": 0.0, "read_flicker": 0.0, "telegraph": None},
            lambda noise, _: noise.reads,
            lambda noise: SLOW if noise.read == noise.read_relative == 0.0 else RANDOM,
            words="noise of the reads",
            cure="less noise of the reads",
        ),
    )

    @model_validator(mode="after")
    def _used(self) -> Noise:
        # A value equal to the default says nothing: a resolved scenario spells out all of them.
        given = {name for name, f in Noise.model_fields.items() if getattr(self, name) != f.default}
        if "tau_c" in given and get_magnitude(self.coloured) == 0.0:
            raise PydanticCustomError("noise", "`tau_c` belongs to `coloured`, which is 0: give its standard deviation")
        quiet = get_magnitude(self.flicker) == get_magnitude(self.read_flicker) == 0.0
        if given & {"flicker_shortest", "flicker_octaves"} and quiet:
            raise PydanticCustomError("noise", "`flicker` is 0: give its standard deviation or drop its octaves")
        return self

    @property
    def on(self) -> bool:
        """Tell whether the membranes are noisy; the noise of a read does not count."""
        return any(get_magnitude(sigma) > 0.0 for sigma in (self.thermal, self.common, self.coloured, self.flicker))

    @property
    def reads(self) -> bool:
        """Tell whether reads are noisy."""
        return get_magnitude(self.read) > 0.0 or self.read_relative > 0.0 or self.slow_reads

    @property
    def random(self) -> bool:
        """Tell whether anything differs from one measurement to the next."""
        return self.on or self.reads

    @property
    def slow_reads(self) -> bool:
        """Tell whether the noise of a read depends on that of the read before."""
        return get_magnitude(self.read_flicker) > 0.0 or (self.telegraph is not None and self.telegraph.on)

    @property
    def slow(self) -> bool:
        """Tell whether any noise depends on what it was before."""
        return get_magnitude(self.coloured) > 0.0 or get_magnitude(self.flicker) > 0.0 or self.slow_reads

    def sources(self) -> list[str]:
        """Return the names of the independent sources, white and common first."""
        return ["thermal", "common", *(f"slow/{k}" for k in range(len(self.processes()[0])))]

    def processes(self) -> tuple[Array, Array]:
        """Return correlation times (in tau) and standard deviations of the slow processes."""
        times, sizes = [], []
        if self.coloured > 0.0:
            times, sizes = [self.tau_c], [self.coloured]
        if self.flicker > 0.0:
            octaves = self.octaves()
            times += octaves.tolist()
            sizes += [self.flicker / math.sqrt(len(octaves))] * len(octaves)
        return np.array(times), np.array(sizes)

    def octaves(self) -> Array:
        """Return the correlation times of the octaves of 1/f noise, in tau."""
        return np.asarray(self.flicker_shortest * 2.0 ** np.arange(self.flicker_octaves))


def sample_jumps(telegraph: Telegraph, units: int, heights: Stream, traps: Stream) -> Array:
    """Return the height of the jumps of every unit, (units,); 0 without a trap.

    Parameters
    ----------
    telegraph : Telegraph
        Levels in units of the activity.
    units : int
        How many.
    heights, traps : Stream
        Name the draws of the heights, and of the units that have a trap.
    """
    height = telegraph.amplitude * np.exp(telegraph.amplitude_sigma * heights.normal((units,)))
    return np.where(traps.uniform((units,)) < telegraph.fraction, height, 0.0)


def advance_ornstein_uhlenbeck(value: Array, kept: Array, fresh: Array) -> Array:
    """Return an Ornstein-Uhlenbeck process of variance 1 some time later, exactly: ``m x + sqrt(1 - m^2) xi``.

    Parameters
    ----------
    value : array (batch, units)
        Now.
    kept : array (batch, 1)
        ``m = exp(-time / tau_c)``.
    fresh : array (batch, units)
        Standard normal `xi`.
    """
    return kept * value + np.sqrt(1.0 - kept**2) * fresh


def advance_telegraph(value: Array, kept: Array, fresh: Array) -> Array:
    """Return a symmetric two-state process, -1/2 or 1/2, some time later, exactly: it is drawn anew or stays.

    Parameters
    ----------
    value : array (batch, units)
        Now.
    kept : array (batch, 1)
        ``exp(-time / time constant)``: the share that stays.
    fresh : array (batch, units)
        Uniform in (0, 1). Below `kept`: the state stays; above: the two halves of the rest are the two states.
    """
    return np.where(fresh < kept, value, np.where(fresh < 0.5 * (1.0 + kept), -0.5, 0.5))


def compute_white_increment(sigma: float | Array, gain: Array) -> Array:
    """Return the standard deviation of the white noise of a step and unit, ``sigma sqrt(2 gain)``.

    Parameters
    ----------
    sigma : float or array (units,)
        Standard deviation on a bare leak; units of the state.
    gain : array (units,)
        Change of the state per unit of drift in a step: ``dt/tau``, or ``1 - exp(-dt/tau)`` with the exact leak.
    """
    return sigma * np.sqrt(2.0 * gain)
