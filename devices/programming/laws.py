"""What a cell that keeps a weight does when it is written: every law with its parameters, in one class each.

T. Gokmen, Y. Vlasov, "Acceleration of deep neural network training with resistive cross-point devices",
Front. Neurosci. 10, 2016. A law says what the kernels need of it, `Pulsed.shape` and `Pulsed.bends`; what they do with
that is in `devices.programming.pulse`, the draw of every cell in `devices.programming.sampled`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import WRITE, Cause
from ..parameters import FilePath, Parameters, Ratio, Unit
from . import pulse

Array = NDArray[np.float64]
Draw = Callable[[str, float], Array]
"""``draw(name, sigma)`` gives normal numbers of that spread, one per cell, each name from a stream of its own."""

Spread = Annotated[Ratio, Field(ge=0.0, le=10.0)]
"""A relative standard deviation between cells."""

WRITTEN = (Cause("write", WRITE),)
"""What every law of writing does to the change that is asked for."""

_OF_ONE = ("w_min", "w_min_sigma", "subtract", "subtract_sigma", "measured")
"""What only cells of one device have."""


def _invert_bound(bound: Array) -> Array:
    """Return 1/bound, and 0 for a cell without room: it stays where it is anyway."""
    with np.errstate(divide="ignore"):
        return np.where(bound == 0.0, 0.0, 1.0 / bound)


class OneSidedCells(Parameters):
    """Cells of two devices that pulses can only raise: ``w = g+ - g-``; an up request steps g+, a down request g-.

    G. W. Burr et al., IEEE Trans. Electron Devices 62, 2015. A pair that fills up is refreshed: both devices are
    reset, then one of them is stepped, and read after every pulse, until the weight is back.
    """

    refresh_above: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 0.75
    """A pair is refreshed after a write that leaves its larger device above this share of `w_max`..."""

    refresh_spare: Annotated[Ratio, Field(gt=0.0, le=1.0)] = 0.25
    """...and its smaller one above this share, which a refresh gives back. A weight that is large stays as it is."""

    reset: Annotated[float, Field(ge=0.0, le=1e6), Unit("weight")] = 0.0
    """Mean of what a reset leaves in a device; units of the weight, below ``refresh_spare w_max``."""

    reset_sigma: Annotated[float, Field(ge=0.0, le=1e6), Unit("weight")] = 0.0
    """Spread of that between devices, absolute; units of the weight. A reset ends at 0 or above."""

    reset_cycle_sigma: Annotated[float, Field(ge=0.0, le=1e6), Unit("weight")] = 0.0
    """Spread from reset to reset, absolute; units of the weight."""

    longest: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most pulses that bring a weight back."""


class Pulsed(Parameters):
    """What all cells have in common that change by whole pulses; every spread is drawn once per cell."""

    preset: str | None = None
    """Published device that the values not given here come from, such as ``"ecram-mo"``; see `nudgelab list`."""

    step: Annotated[float, Field(gt=0.0, le=1e3), Unit("weight")]
    """Mean change by one pulse, before the law multiplies it; units of the weight, above 0. Published: 2e-4 to 0.5."""

    rounding: Literal["nearest", "stochastic", "coincidences"] = "nearest"
    """Whole pulses: `nearest` loses less than half a step, `stochastic` is right in the mean, `coincidences` counts
    where two random trains meet, which is right in the mean up to `train` pulses."""

    train: Annotated[int, Field(ge=1, le=126)] = 31
    """Length of a train of `coincidences`; 1 to 126 (more would underflow). Published: 31."""

    step_sigma: Spread = 0.0
    """Spread of the step between cells; dimensionless, 0 to 10. Published: 0.1 to 0.8."""

    step_spread: Literal["normal", "log-normal"] = "normal"
    """Distribution of the step between cells; a normal one is folded at 0."""

    up_down: Annotated[float, Field(ge=-1.0, le=1.0), Unit("step")] = 0.0
    """Shortens one direction, in steps: positive the down pulse, negative the up pulse; -1 to 1."""

    up_down_sigma: Spread = 0.0
    """Spread between cells of the half difference of both steps, in steps; 0 to 10. Published: 0.01 to 0.06."""

    w_max_sigma: Spread = 0.0
    """Spread of the upper bound between cells, relative; 0 to 10. Published: 0.05 to 0.43."""

    w_min_sigma: Spread = 0.0
    """Spread of the lower bound between cells, relative; 0 to 10."""

    cycle_sigma: Annotated[Ratio, Field(ge=0.0, le=100.0)] = 0.0
    """Spread from pulse to pulse, relative to the step; dimensionless, 0 to 100. Published: 0.3 to 5."""

    cycle_noise: Literal["multiplicative", "additive"] = "multiplicative"
    """What `cycle_sigma` is relative to: the step that the law made of it, or the step before."""

    write_noise: Annotated[float, Field(ge=0.0, le=1e5), Unit("step")] = 0.0
    """Standard deviation of what is felt around what is kept, in steps, drawn when the cell is written; 0 to 1e5."""

    offset: Annotated[float, Field(ge=-1e3, le=1e3), Unit("weight")] = 0.0
    """Added to every request, by an offset of the circuit that writes; units of the weight."""

    measured: FilePath | None = None
    """npz file of constants measured on real cells, which replace drawn ones: arrays ``<block>/<name>`` such as
    ``weight/in-l1/step_up``, also `step_down`, `low`, `high`, `bend_up`, `bend_down`, `reference`; relative to the
    scenario."""

    one_sided: OneSidedCells | None = None
    """Pairs of devices that pulses can only raise, each of this law between 0 and `w_max`; absent: one device that
    both directions move. Refreshes take pulses of their own, one for every reset among them."""

    causes: ClassVar[tuple[Cause, ...]] = WRITTEN

    @model_validator(mode="after")
    def _raised_only(self) -> Self:
        if self.one_sided is not None and (words := self._pair_fault(self.one_sided)):
            raise PydanticCustomError("one_sided", "{words}", {"words": words})
        return self

    def _pair_fault(self, pair: OneSidedCells) -> str:
        """Return why cells of this law are no one-sided pairs; empty if they are."""
        top, fields = getattr(self, "w_max", None), type(self).model_fields
        if top is None:
            return "devices of one_sided pairs need an upper bound: give `w_max`"
        if pair.reset >= pair.refresh_spare * top:
            return (
                f"one_sided.reset is {pair.reset:g}: must be below refresh_spare w_max = {pair.refresh_spare * top:g}"
            )
        idle = [name for name in _OF_ONE if name in fields and getattr(self, name) != fields[name].default]
        return f"one_sided pairs rest at 0 and have no {idle[0]}: leave it out" if idle else ""

    def shape(self) -> pulse.PulseLaw:
        """Return what all cells of this law have in common, as the kernels take it."""
        additive = self.cycle_noise == "additive"
        none = np.zeros((2, 4)), np.ones((2, 1))
        return pulse.PulseLaw(pulse.CONSTANT, *none, float(self.cycle_sigma), additive, 0.0, 0.0)

    def bends(self, low: Array, high: Array, draw: Draw) -> tuple[Array, Array]:
        """Return the constant of every cell that bends its up and its down steps, see `pulse.compute_step_multiplier`.

        Parameters
        ----------
        low, high : array
            Bounds of every cell; units of the weight.
        draw : callable
            Gives the spread between cells.
        """
        del low, draw
        return np.zeros_like(high), np.zeros_like(high)

    @property
    def random(self) -> bool:
        """Tell whether the same request on the same cell can end differently."""
        pair = self.one_sided is not None and self.one_sided.reset_cycle_sigma > 0.0
        return self.rounding != "nearest" or self.cycle_sigma > 0.0 or self.write_noise > 0.0 or pair

    @property
    def faithful(self) -> bool:
        """Tell whether cells hold any weight, and are felt as what they keep."""
        ends = (getattr(self, "w_min", None), getattr(self, "w_max", None), self.measured)
        return self.write_noise == 0.0 and all(end is None for end in ends)


class Bounded(Pulsed):
    """Cells that stay between bounds of their own; one that is asked for a weight beyond them holds the nearest one."""

    w_max: Annotated[float, Field(gt=0.0, le=1e6), Unit("weight")] = 1.0
    """Mean upper bound; units of the weight, above 0."""

    w_min: Annotated[float, Field(lt=0.0, ge=-1e6), Unit("weight")] = -1.0
    """Mean lower bound; units of the weight, below 0."""


class ConstantStep(Pulsed):
    """Every pulse has the same size, up to the bounds, if there are any."""

    kind: Literal["constant-step"] = "constant-step"

    w_max: Annotated[float, Field(gt=0.0, le=1e6), Unit("weight")] | None = None
    """Mean upper bound; units of the weight, above 0; absent: none."""

    w_min: Annotated[float, Field(lt=0.0, ge=-1e6), Unit("weight")] | None = None
    """Mean lower bound; units of the weight, below 0; absent: none."""


class Subtracted(Bounded):
    """Cells beside a reference device whose weight is subtracted from theirs; steps follow the cell alone."""

    subtract: Literal["nothing", "symmetry-point"] = "nothing"
    """What the reference device is programmed to: 0, or the weight at which an up and a down pulse of its cell
    cancel, so that alternating pulses drive the difference to 0."""

    subtract_sigma: Annotated[float, Field(ge=0.0, le=1e3), Unit("weight")] = 0.0
    """Spread of what is subtracted around that, absolute; units of the weight. Published: 0.05."""


class LinearStep(Subtracted):
    """Steps fall linearly: up ``1 - slope_up w/w_max``, down ``1 - slope_down w/w_min``."""

    kind: Literal["linear-step"] = "linear-step"

    slope_up: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Share of the up step that is lost at the upper bound; 0: constant, 1: soft at that end."""

    slope_down: Annotated[float, Field(ge=-10.0, le=10.0)] = 0.0
    """Share of the down step that is lost at the lower bound."""

    slope_sigma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Spread of both slopes between cells, absolute; a slope is folded at 0."""

    reference: Literal["mean", "own"] = "mean"
    """Bound that the slope refers to: the mean one, or that of the cell."""

    def shape(self) -> pulse.PulseLaw:
        """Return the constants of the linear law."""
        return super().shape()._replace(code=pulse.LINEAR)

    def bends(self, low: Array, high: Array, draw: Draw) -> tuple[Array, Array]:
        """Return both slopes of every cell, 1/weight."""
        sigma = self.slope_sigma
        up = np.abs(self.slope_up + draw("slope-up", sigma)) if sigma else self.slope_up
        down = np.abs(self.slope_down + draw("slope-down", sigma)) if sigma else self.slope_down
        own = self.reference == "own"
        tops, bottoms = (high, low) if own else (np.full_like(high, self.w_max), np.full_like(low, self.w_min))
        return up * _invert_bound(tops), down * _invert_bound(bottoms)


class SoftBounds(Subtracted):
    """Steps vanish at the bounds of the cell: up ``1 - w/high``, down ``1 - w/low``."""

    kind: Literal["soft-bounds"] = "soft-bounds"

    def shape(self) -> pulse.PulseLaw:
        """Return the constants of the linear law."""
        return super().shape()._replace(code=pulse.LINEAR)

    def bends(self, low: Array, high: Array, draw: Draw) -> tuple[Array, Array]:
        """Return one over both bounds of every cell."""
        del draw
        return _invert_bound(high), _invert_bound(low)


class ExponentialStep(Bounded):
    """Steps fall exponentially: up ``1 - A exp(gamma z)``, down ``1 - A exp(-gamma z)``, ``z = 2 a w/range + b``."""

    kind: Literal["exponential-step"] = "exponential-step"

    a: Annotated[float, Field(ge=-100.0, le=100.0)]
    """Scale of the state in `z`."""

    b: Annotated[float, Field(ge=-100.0, le=100.0)]
    """Offset of `z`."""

    amplitude_up: Annotated[float, Field(ge=-1e3, le=1e3)]
    """``A`` of an up pulse."""

    amplitude_down: Annotated[float, Field(ge=-1e3, le=1e3)]
    """``A`` of a down pulse."""

    gamma_up: Annotated[float, Field(ge=-100.0, le=100.0)]
    """``gamma`` of an up pulse."""

    gamma_down: Annotated[float, Field(ge=-100.0, le=100.0)]
    """``gamma`` of a down pulse."""

    cycle_add: Annotated[float, Field(ge=0.0, le=1e3), Unit("weight")] = 0.0
    """Added to the size of a step before `cycle_sigma` multiplies it; units of the weight."""

    cycle_slope: Annotated[float, Field(ge=0.0, le=1e3)] = 0.0
    """The same, per ``|w|``."""

    def shape(self) -> pulse.PulseLaw:
        """Return the constants of both exponentials."""
        down = self.a, self.b, self.amplitude_down, -self.gamma_down
        curves = np.array([down, (self.a, self.b, self.amplitude_up, self.gamma_up)], dtype=np.float64)
        add, slope = float(self.cycle_add), float(self.cycle_slope)
        return super().shape()._replace(code=pulse.EXPONENTIAL, curves=curves, cycle_add=add, cycle_slope=slope)


class PowerStep(Bounded):
    """Steps follow a power of the distance to the bound: up ``((high - w)/range)^exponent_up``."""

    kind: Literal["power-step"] = "power-step"

    exponent_up: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    """Exponent of an up pulse; at ``w = 0`` between equal bounds the step is ``step / 2^exponent``."""

    exponent_down: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    """Exponent of a down pulse."""

    exponent_sigma: Spread = 0.0
    """Spread of both exponents between cells, relative; folded at 0."""

    def shape(self) -> pulse.PulseLaw:
        """Return the constants of the power law."""
        return super().shape()._replace(code=pulse.POWER)

    def bends(self, low: Array, high: Array, draw: Draw) -> tuple[Array, Array]:
        """Return both exponents of every cell, that of down pulses as its negative."""
        del low, high
        up = self.exponent_up * np.abs(1.0 + draw("exponent-up", self.exponent_sigma))
        return up, -self.exponent_down * np.abs(1.0 + draw("exponent-down", self.exponent_sigma))


class PiecewiseStep(Bounded):
    """Steps follow a measured curve over the range of the cell."""

    kind: Literal["piecewise-step"] = "piecewise-step"

    up: Annotated[list[float], Field(min_length=1, max_length=1000)]
    """Multipliers of an up pulse at equal distances from the lower to the upper bound."""

    down: Annotated[list[float], Field(min_length=1, max_length=1000)]
    """Multipliers of a down pulse, as many."""

    @model_validator(mode="after")
    def _as_many(self) -> PiecewiseStep:
        if len(self.up) != len(self.down):
            words = f"`up` has {len(self.up)} values, `down` {len(self.down)}: give both at the same states"
            raise PydanticCustomError("piecewise", "{words}", {"words": words})
        return self

    def shape(self) -> pulse.PulseLaw:
        """Return the nodes of both curves."""
        return super().shape()._replace(code=pulse.PIECEWISE, nodes=np.array([self.down, self.up], dtype=np.float64))


class Verified(Parameters):
    """Cells that are programmed to a value and read until they are near it; no pulses are counted.

    ``realised = target + w_max sigma(x) xi``, ``sigma = sum_k error[k] x^k``, ``x = |target|/w_max``.
    """

    kind: Literal["verified"] = "verified"

    preset: str | None = None
    """Published device that the values not given here come from."""

    w_max: Annotated[float, Field(gt=0.0, le=1e6), Unit("weight")] = 1.0
    """Weight at the largest conductance; targets beyond are cut; units of the weight, above 0."""

    error: Annotated[list[float], Field(min_length=1, max_length=12)]
    """Standard deviation of what is reached, over `w_max`: coefficients of 1, x, x^2, ...; never below 0."""

    @property
    def random(self) -> bool:
        """Tell whether the same request on the same cell can end differently."""
        return any(self.error)

    causes: ClassVar[tuple[Cause, ...]] = WRITTEN

    faithful: ClassVar[bool] = False
    """No cell holds more than `w_max`."""


Step = ConstantStep | LinearStep | SoftBounds | ExponentialStep | PowerStep | PiecewiseStep
"""Any law of pulses."""

Update = Annotated[Step | Verified, Discriminator("kind")]
"""Any law of writing."""
