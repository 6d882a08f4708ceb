"""Converters at the border of the chip: the readout ADC, and the circuit that applies the nudge.

Quantisation error of a busy signal is uniform with variance ``LSB^2 / 12`` (W. R. Bennett, "Spectra of
quantized signals", Bell Syst. Tech. J. 27, 1948). Errors common to both phases of an estimate cancel;
an error `d` that differs between them becomes a bias ``d / beta``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import DIFFERENT, RANDOM, Cause
from ..parameters import FilePath, Level, Parameters, Potential, Ratio
from ..quantities import get_magnitude
from ..random import Stream
from .linearity import approximate_successively, look_up_codes, look_up_levels

Array = NDArray[np.float64]

_Activity = Annotated[float, Field(ge=-1e6, le=1e6), Level("activity_volts")]
_Positive = Annotated[float, Field(gt=0.0, le=1e6), Level("activity_volts")]


class Adc(Parameters):
    """Readout converter of every unit: uniform, mid-tread, ``2^bits`` levels from the lower end of its range."""

    bits: Annotated[int, Field(ge=1, le=24)]
    """Resolution; 1 to 24. One step (LSB) is the range divided by 2^bits."""

    full_scale: _Positive | None = None
    """Converts 0 to this; units of the activity or volts, above 0. Absent: 1, unless `range` is given."""

    range: Annotated[list[_Activity], Field(min_length=2, max_length=2)] | None = None
    """Converts from the first to the second, in place of `full_scale`; units of the activity or volts."""

    offset: _Activity = 0.0
    """Added to what is converted; units of the activity or volts."""

    stochastic: bool = False
    """Rounds up or down at random, so that the mean is right; else to the nearest level."""

    gain_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the gain between converters, one standard deviation; dimensionless, 0 to 1. Typical: 0.01."""

    offset_sigma: Annotated[float, Field(ge=0.0, le=1e6), Level("activity_volts")] = 0.0
    """Spread of the offset between converters, one standard deviation; units of the activity or volts. Latches: 3 mV
    (0.18 um, Rahman 2014)."""

    unit_sigma: Annotated[Ratio, Field(ge=0.0, le=0.2)] = 0.0
    """Relative spread of the unit capacitor of a binary-weighted converter, one standard deviation. It makes
    steps unequal (INL, DNL); dimensionless, 0 to 0.2. Typical: 0.001 to 0.01."""

    measured: FilePath | None = None
    """CSV or npz file of measured transitions between codes, in place of `unit_sigma`: ``2^bits - 1`` lines in LSB
    above the lower end (ideal: 0.5, 1.5, ...), one column for all units or one each; relative to the scenario. A line
    of names such as "code,INL (LSB)", "DNL (LSB)" or "transition (mV)" says that they are that. npz: `transitions`,
    `inl` or `dnl`."""

    shared: bool = False
    """One converter for all units, so that they share its errors; else one behind every unit."""

    @model_validator(mode="after")
    def _one_range(self) -> Adc:
        if self.measured is not None and self.unit_sigma > 0.0:
            raise PydanticCustomError("adc", "`measured` and `unit_sigma` exclude each other: one way to say the steps")
        if self.range is None:
            return self
        if self.full_scale is not None:
            raise PydanticCustomError("adc", "`full_scale` and `range` exclude each other: one way to say the range")
        low, high = (get_magnitude(end) for end in self.range)
        if isinstance(self.range[0], Potential) != isinstance(self.range[1], Potential) or low >= high:
            raise PydanticCustomError(
                "adc", "`range` must rise from its lower to its upper end, both plain numbers or both in volts"
            )
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Lower and upper end of the range, in units of the activity."""
        return (self.range[0], self.range[1]) if self.range else (0.0, self.full_scale or 1.0)

    @property
    def spreads(self) -> bool:
        """Tell whether converters of this design differ from each other."""
        return max(self.gain_sigma, self.unit_sigma, get_magnitude(self.offset_sigma)) > 0.0

    @property
    def step(self) -> float:
        """One LSB, in units of the activity."""
        low, high = self.ends
        return (high - low) / 2.0**self.bits


SHAPED = 'its gain_sigma, full_scale and bits need phases.nudge = "held" and a scheme with real nudges'
"""What a nudge circuit that is no mere gain needs."""


class NudgeCircuit(Parameters):
    """The circuit that applies the nudge: ``-gain beta e + offset`` in place of ``-beta e``.

    What spreads between units, what is cut and what is rounded needs a held nudge, which is a current per unit.
    """

    gain: Annotated[Ratio, Field(ge=0.0, le=10.0)] = 1.0
    """Gain of a positive nudge; dimensionless, 0 to 10."""

    gain_negative: Annotated[Ratio, Field(ge=0.0, le=10.0)] | None = None
    """Gain of a negative nudge; dimensionless, 0 to 10. Absent: that of a positive one."""

    offset: Annotated[float, Field(ge=-100.0, le=100.0), Level("volt_scale")] = 0.0
    """Drive of every output unit while it is nudged; units of the state, or volts."""

    gain_sigma: Annotated[Ratio, Field(ge=0.0, le=1.0)] = 0.0
    """Relative spread of the gain between output units, one standard deviation; dimensionless, 0 to 1. Current sources
    without trimming: 0.01 to 0.05."""

    full_scale: Annotated[float, Field(gt=0.0, le=100.0), Level("volt_scale")] | None = None
    """Largest drive of an output unit, of either sign; units of the state, or volts. Absent: no limit."""

    bits: Annotated[int, Field(ge=1, le=24)] | None = None
    """Resolution of the drive: steps of ``full_scale 2^(1 - bits)`` around 0; 1 to 24, often 6 to 10. Absent: any."""

    measured: FilePath | None = None
    """CSV or npz file of the measured levels of the drive, ``2^bits + 1`` lines in steps from the lowest code to the
    highest (ideal: whole numbers around 0), one column for all outputs or one each; relative to the scenario. Names
    and units as for the readout. npz: `levels`, `inl` or `dnl`."""

    @model_validator(mode="after")
    def _fit(self) -> NudgeCircuit:
        if self.bits is not None and self.full_scale is None:
            raise PydanticCustomError("nudge", "`bits` divide the range of the drive: give `full_scale`")
        if self.measured is not None and self.bits is None:
            raise PydanticCustomError("nudge", "`measured` has a level for every code: give `bits`")
        return self

    @property
    def ideal(self) -> bool:
        """Tell whether the drive is what was asked for."""
        return not self.shapes and self.offset == 0.0 and self.applied(1.0 - 1.0j) == 1.0 - 1.0j

    @property
    def shapes(self) -> bool:
        """Tell whether the drive is more than a multiple of the force; `bits` always come with a full scale."""
        return self.gain_sigma > 0.0 or self.full_scale is not None

    def applied(self, beta: complex) -> complex:
        """Return the nudge that really acts; both quadratures of a complex one have the gain of their sign."""
        z = complex(beta)
        return complex(self._gain(z.real) * z.real, self._gain(z.imag) * z.imag)

    def _gain(self, beta: float) -> float:
        return self.gain if beta >= 0.0 or self.gain_negative is None else self.gain_negative


def convert_nudge(circuit: NudgeCircuit, drive: Array, stream: Stream, levels: Array | None = None) -> Array:
    """Return what a held nudge really drives: ``(1 + gain_sigma xi) drive``, to the nearest step, cut to full scale.

    Parameters
    ----------
    circuit : NudgeCircuit
        Its gains and its offset are left to `NudgeCircuit.applied` and the caller.
    drive : array (batch, outputs)
        Real; units of the state.
    stream : Stream
        Names the draw of the gains.
    levels : array (codes, 1) or (codes, outputs), optional
        Measured levels of the steps, see `devices.interface.linearity.look_up_levels`; they are not cut.
    """
    if circuit.gain_sigma:
        drive = drive * (1.0 + circuit.gain_sigma * stream.normal(drive.shape[1:]))
    if circuit.full_scale is None:
        return drive
    if circuit.bits is not None:
        step = circuit.full_scale * 2.0 ** (1 - circuit.bits)
        if levels is not None:
            return step * look_up_levels(np.rint(drive / step), levels)
        drive = step * np.rint(drive / step)
    return np.asarray(np.clip(drive, -circuit.full_scale, circuit.full_scale))


class Converters(Parameters):
    """The converters of a chip; an absent one is ideal."""

    preset: str | None = None
    """Published process or part that the values not given here come from, such as ``"cmos-130nm"``."""

    readout: Adc | None = None
    """Converter behind every unit; absent: activities are read as they are."""

    nudge: NudgeCircuit = NudgeCircuit()
    """Circuit that applies the nudge."""

    causes: ClassVar[tuple[Cause, ...]] = (
        # A converter rounds every phase by itself: what is left of its own gain and offset is small beside that.
        Cause(
            "adc",
            DIFFERENT,
            {"readout": None},
            kind_of=lambda made: RANDOM if made.readout is not None and made.readout.stochastic else DIFFERENT,
        ),
        Cause("nudge-circuit", DIFFERENT, {"nudge": NudgeCircuit()}, lambda made, _: not made.nudge.ideal),
    )

    @property
    def random(self) -> bool:
        """Tell whether two readings of one value differ."""
        return self.readout is not None and self.readout.stochastic


class ClipCounts(NamedTuple):
    """How often a converter met a value outside its range."""

    conversions: int = 0
    """Values converted, one per unit, plane and read."""

    outside: int = 0
    """Of these: more than half a step outside the levels, cut to the first or last."""

    def plus(self, other: ClipCounts) -> ClipCounts:
        """Return the sum of two counts."""
        return ClipCounts(self.conversions + other.conversions, self.outside + other.outside)


class FabricatedAdc(NamedTuple):
    """The converters behind the units of a chip, as they were made."""

    gain: Array
    """Of every unit, (units,)."""

    offset: Array
    """Of every unit, added to the common one, (units,)."""

    capacitors: Array | None
    """What every bit subtracts, the lowest first, in LSB, (units, bits); None: 1, 2, 4, ..."""

    transitions: Array | None = None
    """Measured transitions between codes, see `devices.interface.linearity.look_up_codes`; None: 1/2, 3/2, ..."""


def sample_adc(adc: Adc, units: int, stream: Stream, transitions: Array | None = None) -> FabricatedAdc | None:
    """Return the converters of a chip, drawn; None if all are equal to the design.

    The capacitor of bit k is made of ``2^k`` units with independent errors, and one more unit
    terminates the array: ``C_k = 2^k + unit_sigma 2^(k/2) xi``, as a part of the whole array.

    Parameters
    ----------
    adc : Adc
        The design.
    units : int
        How many units are read.
    stream : Stream
        Names the draws: gain, offset and capacitors take turns.
    transitions : array (codes - 1, 1) or (codes - 1, units), optional
        As they were measured.
    """
    if not adc.spreads and transitions is None:
        return None
    made, xi = 1 if adc.shared else units, stream.normal((1 if adc.shared else units, adc.bits + 3))
    gain, offset = 1.0 + adc.gain_sigma * xi[:, 0], adc.offset_sigma * xi[:, 1]
    capacitors = None
    if adc.unit_sigma:
        sizes = 2.0 ** np.arange(adc.bits)
        each = np.concatenate([sizes, [1.0]]) + adc.unit_sigma * np.sqrt(np.append(sizes, 1.0)) * xi[:, 2:]
        capacitors = 2.0**adc.bits * each[:, :-1] / each.sum(axis=1, keepdims=True)
        capacitors = np.broadcast_to(capacitors, (units, adc.bits))
    repeated = units // made
    return FabricatedAdc(np.repeat(gain, repeated), np.repeat(offset, repeated), capacitors, transitions)


def convert_readout(
    adc: Adc, value: Array, draw: Array | None = None, signed: bool = False, made: FabricatedAdc | None = None
) -> tuple[Array, NDArray[np.bool_]]:
    """Return what the converter makes of `value`, and which entries are more than half a step outside its levels.

    It is ``low + LSB round((value + offset - low) / LSB)``.

    Parameters
    ----------
    adc : Adc
        Its levels are in units of the activity.
    value : array
        Units of the activity; nan stays nan and counts as outside.
    draw : array like `value`, optional
        Uniform numbers in (0, 1), for stochastic rounding.
    signed : bool
        The same span centred at 0, for a signal of both signs such as an imaginary plane.
    made : Fabricated, optional
        The converters as they were made, for values (batch, units); absent: as designed.

    Raises
    ------
    ValueError
        If the rounding is stochastic and there is no draw.
    """
    low, high = adc.ends
    if signed:
        low = -0.5 * (high - low)
    if adc.stochastic and draw is None:
        raise ValueError("stochastic = true needs uniform numbers: give a draw of the shape of the value")
    measured = value + adc.offset if made is None else made.gain * value + (adc.offset + made.offset)
    place = (measured - low) / adc.step
    last = 2.0**adc.bits - 1.0
    inside = (place >= -0.5) & (place <= last + 0.5)
    fraction = draw if adc.stochastic else None
    if made is not None and made.transitions is not None:
        code = look_up_codes(place if fraction is None else place + (fraction - 0.5), made.transitions)
        code[np.isnan(place)] = np.nan
    elif made is not None and made.capacitors is not None:
        code = approximate_successively(place + (0.5 if fraction is None else fraction), made.capacitors)
        code[np.isnan(place)] = np.nan
    else:
        code = np.rint(place) if fraction is None else np.floor(place + fraction)
    levels = low + adc.step * np.clip(code, 0.0, last)
    return levels, ~inside
