"""The cells that hold weights, and the spread between cells that were meant to be equal, drawn once per chip.

M. J. M. Pelgrom, A. C. J. Duinmaijer, A. P. G. Welbers, "Matching properties of MOS transistors", IEEE J.
Solid-State Circuits 24, 1433, 1989: the spread of one device falls with the root of its area.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from ..imperfection import COMMON, RANDOM, SLOW, Cause, CauseContext
from ..parameters import FilePath, Micrometres, Parameters, Ratio, Unit
from ..quantities import CellQuantity, Component, get_magnitude
from ..random import Stream
from .noise import CellNoise

Array = NDArray[np.float64]

CellKind = Literal["single", "pair"]
SpreadLaw = Literal["relative", "additive", "lognormal"]
Weight = Annotated[float, Field(ge=-1e6, le=1e6), CellQuantity("S")]
Window = Annotated[list[Weight], Field(min_length=2, max_length=2)]
Levels = Annotated[int, Field(ge=2, le=2**24)]
Spread = Annotated[Ratio, Field(ge=0.0, le=10.0)]
Fraction = Annotated[Ratio, Field(ge=0.0, le=1.0)]


class Pelgrom(Parameters):
    """Spread of a device by its area: ``sigma = coefficient / sqrt(width length)``, relative, of one device."""

    coefficient: Annotated[float, Field(ge=0.0, le=100.0), Unit("um")]
    """Relative spread of a device of 1 um^2; micrometres. Resistors 0.005 to 0.05, MIM capacitors 0.01, currents of
    transistors (g_m/I_D = 10 per volt, 3.9 mV um) 0.039 (Pelgrom, lecture of 2013; IHP SG13G2 mismatch models)."""

    width: Annotated[Micrometres, Field(gt=0.0, le=1e4)]
    """Width of the device; micrometres."""

    length: Annotated[Micrometres, Field(gt=0.0, le=1e4)]
    """Length of the device; micrometres."""

    @property
    def sigma(self) -> float:
        """Relative standard deviation of one device."""
        return self.coefficient / math.sqrt(self.width * self.length)

    @property
    def pair_sigma(self) -> float:
        """Relative standard deviation of the ratio of two equal devices, first order: root 2 of that of one."""
        return math.sqrt(2.0) * self.sigma


def _has_error(name: str, cells: WeightDevices, _: CauseContext) -> bool:
    return _ERRORS[name][1](cells)


def _has_feedback_error(name: str, cells: FeedbackDevices, use: CauseContext) -> bool:
    return use.returns and _ERRORS[name][1](cells.over(use.devices.weights))


def _make_cells_ideal(name: str, cells: WeightDevices, _: CauseContext) -> WeightDevices:
    ideal = _ERRORS[name][0] | ({"window": _remove_window(cells)} if name == "window" else {})
    return cells.model_copy(update=ideal)


def _make_feedback_ideal(name: str, cells: FeedbackDevices, use: CauseContext) -> FeedbackDevices:
    """Return feedback cells in which the keys that they have of their own are ideal."""
    ideal: dict[str, Any] = {key: value for key, value in _ERRORS[name][0].items() if getattr(cells, key) is not None}
    if name == "window" and cells.window is not None:
        ideal["window"] = _remove_window(cells.over(use.devices.weights))
    return cells.model_copy(update=ideal)


def _remove_window(cells: WeightDevices) -> list[float] | None:
    return None if cells.window is None or cells.cell == "single" else [cells.window[0], _WIDE]


_WIDE = 1e6
"""Upper end of a window that limits nothing."""

_ERRORS: dict[str, tuple[dict[str, object], Callable[[WeightDevices], bool]]] = {
    "mismatch": (
        {"mismatch_sigma": 0.0, "pelgrom": None, "measured": None},
        lambda cells: cells.sigma > 0.0 or cells.measured is not None,
    ),
    "stuck": ({"stuck_fraction": 0.0}, lambda cells: cells.stuck_fraction > 0.0),
    "window": ({"window": None, "levels": None}, lambda cells: cells.limits),
    "path-gain": ({"gain_sigma": 0.0, "mirror": None}, lambda cells: cells.path_sigma > 0.0),
}
"""Imperfections of cells: the keys of each with their ideal values, and whether cells have it."""

_WORDS = {
    "mismatch": ("the mismatch of cells", "better matched cells"),
    "stuck": ("stuck cells", "no stuck cells"),
    "window": ("the window of the cells", "a wider window or more levels"),
    "path-gain": ("the gains of paths", "better matched paths"),
}
"""What each is, and what helps."""


class WeightDevices(Parameters):
    """The cells of all weights; each falls short of its programmed weight in its own way."""

    preset: str | None = None
    """Published process or part that the values not given here come from, such as ``"cmos-130nm"``."""

    cell: CellKind = "single"
    """`single`: one device of either sign; `pair`: two devices, ``W = G+ - G-``, of which the one that is not needed
    rests at the lower end of the window. The spread, the window and stuck values are those of one device."""

    window: Window | None = None
    """Range of one device; units of the weight, or siemens. Absent: no limit, and 0 is the rest of a pair."""

    levels: Levels | None = None
    """Values that a device can be programmed to, evenly spaced over the window; 2 to 2^24. Absent: any. Published
    devices have 21 to 10000 (ReRAM arrays to ECRAM)."""

    mismatch: SpreadLaw = "relative"
    """Law of the spread, with one standard normal xi per device: ``G (1 + sigma xi)``, `additive` ``G + sigma xi``, or
    `lognormal` ``G exp(sigma xi)``, whose median is G."""

    mismatch_sigma: Spread = 0.0
    """Spread of one device, one standard deviation; dimensionless (`additive`: units of the weight), 0 to 10. On-chip
    transistors 0.01 to 0.1, arrays of ReRAM 0.3."""

    pelgrom: Pelgrom | None = None
    """Spread by the area of a device, in place of `mismatch_sigma`."""

    measured: FilePath | None = None
    """Weights as they were measured, in place of a spread and stuck devices; relative to the scenario. A CSV file of
    two columns ``target,measured``: cells of a test chip, whose errors these cells draw. npz: matrices ``<block>``,
    such as ``weight/in-l1``, the effective weights of this very chip at its first programmed ones, or at
    ``<block>/target``."""

    stuck_fraction: Fraction = 0.0
    """Share of devices that cannot be programmed, 0 to 1. Measured arrays: 0.1 to 0.13 (Gong & Rasch, IEDM 2022)."""

    stuck_at: Weight = 0.0
    """What a stuck device holds; units of the weight, or siemens."""

    gain_sigma: Fraction = 0.0
    """Relative spread of the gain of the path from the cells of a connection into one unit (the mirror that adds
    their currents), one standard deviation; dimensionless, 0 to 1. Follow mirrors: 0.01 to 0.1."""

    mirror: Pelgrom | None = None
    """The two equal devices of that mirror, in place of `gain_sigma`: the gain spreads by root 2 of one of them."""

    noise: CellNoise = CellNoise()
    """Fluctuations of the devices in time."""

    causes: ClassVar[tuple[Cause, ...]] = (
        *(
            Cause(name, COMMON, partial(_make_cells_ideal, name), partial(_has_error, name), None, True, *_WORDS[name])
            for name in _ERRORS
        ),
        Cause(
            "cell-noise",
            RANDOM,
            {"noise": CellNoise()},
            lambda cells, _: cells.noise.on,
            lambda cells: RANDOM if cells.noise.spectrum == "white" else SLOW,
            words="noise of the cells",
            cure="quieter cells",
        ),
    )

    @model_validator(mode="after")
    def _fit(self) -> WeightDevices:
        fault = self._fault()
        if fault is not None:
            raise PydanticCustomError("cells", "{text}", {"text": fault})
        return self

    @property
    def random(self) -> bool:
        """Tell whether cells differ from one measurement to the next."""
        return self.noise.on

    @property
    def sigma(self) -> float:
        """Spread of one device, however it was given."""
        return self.pelgrom.sigma if self.pelgrom else self.mismatch_sigma

    @property
    def path_sigma(self) -> float:
        """Spread of the gain of a path, however it was given."""
        return self.mirror.pair_sigma if self.mirror else self.gain_sigma

    @property
    def limits(self) -> bool:
        """Whether the window cuts or rounds a weight: its lower end, where a device of a pair rests, does not."""
        return self.window is not None and (self.levels is not None or self.cell == "single" or self.window[1] != _WIDE)

    @property
    def spread(self) -> bool:
        """Whether a cell holds another weight than it was programmed to."""
        return self.sigma > 0.0 or self.stuck_fraction > 0.0

    def _fault(self) -> str | None:
        spread = self.pelgrom is not None or self.mismatch_sigma > 0.0
        faults = {
            "`pelgrom` and `mismatch_sigma` exclude each other: one way to say the spread": (
                self.pelgrom is not None and self.mismatch_sigma > 0.0
            ),
            "`measured` excludes `mismatch_sigma`, `pelgrom` and `stuck_fraction`: one way to say the errors": (
                self.measured is not None and (spread or self.stuck_fraction > 0.0)
            ),
            "`mirror` and `gain_sigma` exclude each other: one way to say the spread": (
                self.mirror is not None and self.gain_sigma > 0.0
            ),
            '`pelgrom` is relative: take mismatch = "relative" or "lognormal"': (
                self.pelgrom is not None and self.mismatch == "additive"
            ),
            "`stuck_at` is the conductance of one device of a pair: it must be >= 0": (
                self.cell == "pair" and get_magnitude(self.stuck_at) < 0.0
            ),
            "`levels` divide the window: give `window`": self.levels is not None and self.window is None,
        }
        found = next((text for text, wrong in faults.items() if wrong), None)
        return found or (None if self.window is None else _find_window_fault(self.cell, self.window))


def _find_window_fault(cell: CellKind, window: list[float]) -> str | None:
    low, high = (get_magnitude(end) for end in window)
    if isinstance(window[0], Component) != isinstance(window[1], Component) or low >= high:
        return "`window` must rise from its lower to its upper end, both plain numbers or both in siemens"
    if cell == "pair" and low < 0.0:
        return "`window` is the conductance of one device of a pair: its lower end must be >= 0"
    if cell == "single" and not low <= 0.0 <= high:
        return '`window` does not hold 0, so a single device has one sign only: set cell = "pair"'
    return None


class FeedbackDevices(Parameters):
    """The cells of the feedback weights (pre layer listed after its post layer).

    Every key but `storage` means what it means in `WeightDevices`, and is that of ``devices.weights`` where absent.
    """

    preset: str | None = None
    """Published process or part that the values not given here come from, such as ``"cmos-130nm"``."""

    storage: Literal["independent", "copied", "shared-device"] = "independent"
    """How the two weights of a reciprocal pair are kept. `independent`: two cells, each written on its own; `copied`:
    one stored number, written to two cells; `shared-device`: one cell, read in both directions. One number gets
    the sum of what is requested for both directions."""

    cell: CellKind | None = None
    """One device or a pair."""

    window: Window | None = None
    """Range of one device; units of the weight, or siemens."""

    levels: Levels | None = None
    """Values that a device can be programmed to; 2 to 2^24."""

    mismatch: SpreadLaw | None = None
    """Law of the spread."""

    mismatch_sigma: Spread | None = None
    """Spread of one device, one standard deviation; dimensionless, 0 to 10. On-chip pairs: 0.01 to 0.1."""

    pelgrom: Pelgrom | None = None
    """Spread by the area of a device."""

    measured: FilePath | None = None
    """Feedback weights as they were measured."""

    stuck_fraction: Fraction | None = None
    """Share of devices that cannot be programmed, 0 to 1."""

    stuck_at: Weight | None = None
    """What a stuck device holds; units of the weight, or siemens."""

    gain_sigma: Fraction | None = None
    """Relative spread of the gain of the path into one unit, one standard deviation; dimensionless, 0 to 1."""

    mirror: Pelgrom | None = None
    """The two devices of the mirror of that path."""

    noise: CellNoise | None = None
    """Fluctuations of the devices in time."""

    causes: ClassVar[tuple[Cause, ...]] = (
        *(Cause(n, COMMON, partial(_make_feedback_ideal, n), partial(_has_feedback_error, n)) for n in _ERRORS),
        Cause("cell-noise", RANDOM, {"noise": None}, lambda cells, use: use.returns and cells.random),
    )

    @property
    def random(self) -> bool:
        """Tell whether these cells differ from one measurement to the next by noise of their own."""
        return self.noise is not None and self.noise.on

    @property
    def tied(self) -> bool:
        """Whether one number stands for both weights of a pair."""
        return self.storage != "independent"

    @property
    def given(self) -> dict[str, object]:
        """The keys of cells that are given, with their values."""
        keys = WeightDevices.model_fields.keys() - {"preset"}
        return {k: v for k in keys if (v := getattr(self, k)) is not None}

    def over(self, weights: WeightDevices) -> WeightDevices:
        """Return the feedback cells: those of `weights`, with every key that is given here in its place.

        Raises
        ------
        ValidationError
            If the two together have no meaning.
        """
        keys: dict[str, object] = {k: getattr(weights, k) for k in WeightDevices.model_fields}
        if self.mismatch_sigma is not None:
            keys["pelgrom"] = None
        if (self.mismatch_sigma, self.pelgrom, self.stuck_fraction) != (None, None, None):
            keys["measured"] = None
        if self.measured is not None:
            keys |= {"mismatch_sigma": 0.0, "pelgrom": None, "stuck_fraction": 0.0}
        if self.pelgrom is not None:
            keys["mismatch_sigma"] = 0.0
        if self.gain_sigma is not None:
            keys["mirror"] = None
        if self.mirror is not None:
            keys["gain_sigma"] = 0.0
        return WeightDevices.model_validate(keys | self.given)


def find_feedback_fault(weights: WeightDevices, feedback: FeedbackDevices) -> str | None:
    """Return why `feedback` cannot stand over `weights`, or None if it can."""
    wrong = sorted(feedback.given.keys() - {"gain_sigma", "mirror"})
    if feedback.storage == "shared-device" and wrong:
        return f"a shared device is the forward cell, so {', '.join(wrong)} belongs into devices.weights"
    try:
        feedback.over(weights)
    except ValidationError as error:
        return f"over devices.weights: {error.errors()[0]['msg']}"
    return None


def sample_cell_gains(shape: tuple[int, ...], sigma: float, stream: Stream, law: SpreadLaw = "relative") -> Array:
    """Return what cells of spread `sigma` multiply their programmed weights with.

    ``effective = programmed * (1 + sigma * xi)`` with one standard normal `xi` per cell, or
    ``programmed * exp(sigma * xi)``. The same stream gives the same `xi` at every `sigma`, so one chip can
    be followed while its spread grows.

    Parameters
    ----------
    shape : tuple of int
        One cell per weight.
    sigma : float
        Relative standard deviation of one cell; 0 gives exactly 1 everywhere.
    stream : Stream
        Names the draw.
    law : str
        `relative` or `lognormal`; under `additive` nothing is multiplied.
    """
    if sigma == 0.0 or law == "additive":
        return np.ones(shape)
    error = sigma * stream.normal(shape)
    return np.asarray(np.exp(error) if law == "lognormal" else 1.0 + error)


def sample_cell_offsets(shape: tuple[int, ...], sigma: float, stream: Stream, law: SpreadLaw) -> Array | None:
    """Return what cells of additive spread add to their programmed weights, ``sigma * xi``; None under other laws."""
    return sigma * stream.normal(shape) if sigma and law == "additive" else None


def sample_path_gains(units: int, sigma: float, stream: Stream) -> Array:
    """Return the gain of the path into every unit of a layer, (units,): ``1 + sigma xi``."""
    return sample_cell_gains((units,), sigma, stream)
