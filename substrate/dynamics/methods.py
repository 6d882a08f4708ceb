"""How a settling is integrated and when it ends: the parameters of the dynamics, and the tables of the methods."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from devices.parameters import Parameters, Time, Unit

LONGEST_STEP = 10.0
"""Largest time step, in tau."""

MOST_STEPS = 10_000_000
"""Longest phase, in time steps."""

NOISY_STEP = {"euler": 0.25, "exponential": 0.08, "heun": 0.4}
"""Longest step of a membrane with noise, in its time constant, before couplings shorten it: see
`substrate.settling.noise_step`. Other methods have no form for noise."""

Array = NDArray[np.float64]
Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]

INSTALL_JAX = "install JAX with: pip install 'nudgelab[jax]'"

TOLERANCE = {"double": 1e-9, "single": 1e-5, "tf32": 1e-3}
"""Tolerance of a free settling when none is given."""

NUDGED_TOLERANCE = 1e-3
"""Tolerance of a nudged settling per unit of beta when none is given: the error of a contrast is about 1e-3."""

LOOSE = 1e-2
"""A tolerance above this fraction of beta makes the estimate a matter of settling."""


class Phase(Parameters):
    """The end of one settling: at a residual, after a fixed number of steps, or after a fixed time."""

    steps: Steps | None = None
    """Exactly this many steps, whatever the residual; absent: stop at `tolerance`."""

    duration: Annotated[float, Field(gt=0.0), Time] | None = None
    """Exactly this long, in units of tau, or in seconds such as "5 us" (fixed steps: rounded up to whole ones)."""

    window: Annotated[float, Field(ge=0.0), Time] = 0.0
    """Go on for so long after `steps` or `duration` and read the mean activity of that time; in units of tau or
    seconds, as `duration`."""

    max_steps: Steps = 2000
    """Give up after this many steps (status `step limit`)."""

    tolerance: Annotated[float, Field(gt=0.0, le=1.0), Unit("state")] | None = None
    """A sample is settled when the largest drift ``|F|`` of its units is below this; units of the state.

    Absent: 1e-9 (single precision: 1e-5), nudged 1e-3 beta.
    """

    @property
    def fixed(self) -> bool:
        """Tell whether the length is fixed, whatever the residual."""
        return self.steps is not None or self.duration is not None

    @model_validator(mode="after")
    def _one_end(self) -> Phase:
        if self.steps is not None and "max_steps" in self.model_fields_set:
            raise PydanticCustomError("phase", "`steps` and `max_steps` exclude each other: fixed length or limit")
        if self.duration is not None and self.model_fields_set & {"steps", "max_steps"}:
            raise PydanticCustomError("phase", "`duration` excludes `steps` and `max_steps`: one way to end a phase")
        if self.window and not self.fixed:
            raise PydanticCustomError("phase", "`window` needs a fixed length before it: add `duration` or `steps`")
        return self

    @model_serializer(mode="wrap")
    def _without_limit(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the step limit out where another key excludes it, so that what is written can be read."""
        fields: dict[str, Any] = dump(self)
        if self.fixed:
            fields.pop("max_steps", None)
        return fields

    def end(self, precision: str, beta: complex = 0.0) -> float:
        """Return the tolerance of a settling under the nudge `beta`."""
        if self.tolerance is not None:
            return self.tolerance
        usual = TOLERANCE[precision]
        return max(NUDGED_TOLERANCE * abs(beta), 1e-14 if precision == "double" else usual) if beta != 0.0 else usual


class Dynamics(Parameters):
    """The settling of the chip."""

    mode: Literal["trajectory", "equilibrium"] = "trajectory"
    """`trajectory`: follow the physics; `equilibrium`: find the rest point by sweeps, which may be another one."""

    method: Literal["euler", "heun", "rk4", "exponential", "rk45"] = "euler"
    """Integration of a trajectory; `exponential`: exact leak; `rk45`: every sample chooses its own steps."""

    dt: Annotated[float, Field(gt=0.0, le=LONGEST_STEP), Time] = 0.5
    """Time step in units of tau, 0 to 10, or in seconds such as "50 ns".

    Euler needs dt < 2/(1 - lambda) for the most negative eigenvalue lambda.
    """

    accuracy: Annotated[float, Field(ge=1e-12, le=1e-1)] = 1e-6
    """Error per step of `rk45`, relative to ``1 + |u|``."""

    tile: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Samples that settle together on engine `jax`; tiles take turns on all accelerators there are. It decides the last
    bits of a result, and the number of accelerators does not. Absent: as many as make 64 million units."""

    free: Phase = Phase()
    """End of the free settling."""

    nudged: Phase = Phase()
    """End of each nudged settling, which starts from the free state."""

    start: Literal["zero", "previous"] = "zero"
    """State before the free settling: `zero`, all membranes at 0; `previous`, where the last settling ended."""

    precision: Literal["double", "single", "tf32"] = "double"
    """Floating point format of the simulation. `tf32`: numbers as in `single`, but products of 10-bit mantissas, as
    fast accelerators take them; for engine `jax`. On other processors it is `single`."""

    engine: Literal["cpu", "jax"] = "cpu"
    """What computes: `cpu`, compiled for this processor; `jax`: an accelerator, or what JAX finds, with the extra
    ``nudgelab[jax]``. Both judge and draw alike, and agree to rounding."""

    acceleration: Literal["anderson", "none"] = "anderson"
    """Acceleration of the sweeps of the equilibrium mode."""

    audit: Annotated[int, Field(ge=0, le=1000)] = 2
    """Samples per equilibrium settling that also follow their trajectory, to count those that rest elsewhere.

    In a training only the tests after every epoch are audited.
    """

    @model_validator(mode="after")
    def _possible(self) -> Dynamics:
        phases = {"free": self.free, "nudged": self.nudged}
        fixed = [name for name, phase in phases.items() if phase.fixed]
        if self.mode == "equilibrium" and fixed:
            words = 'mode "equilibrium" has no time: give {names} a tolerance and max_steps, not `steps` or `duration`'
            raise PydanticCustomError("phase", words, {"names": " and ".join(fixed)})
        if self.tile is not None and self.engine == "cpu":
            raise PydanticCustomError("tile", '`tile` belongs to engine "jax": leave it out')
        if self.precision == "tf32" and self.engine == "cpu":
            words = '`tf32` is a format of accelerators: take precision "single", or engine = "jax"'
            raise PydanticCustomError("precision", words)
        stepped = [name for name, phase in phases.items() if phase.steps is not None or phase.window]
        if self.method == "rk45" and stepped:
            words = "rk45 chooses its steps: give {names} a duration, no `steps` or `window`"
            raise PydanticCustomError("phase", words, {"names": " and ".join(stepped)})
        return self

    @model_serializer(mode="wrap")
    def _without_usual_engine(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what asks nothing of an engine, so that runs keep the names they had before these keys."""
        fields: dict[str, Any] = dump(self)
        usual = {"engine": "cpu", "tile": None}
        return {name: value for name, value in fields.items() if name not in usual or value != usual[name]}

    @property
    def ends_by_clock(self) -> bool:
        """Whether the clock ends a phase, at rest or not; see `substrate.protocol.has_settled`."""
        return self.free.fixed or self.nudged.fixed

    def looseness(self, beta: complex) -> tuple[str, str] | None:
        """Return what is wrong and what to try if the nudged tolerance is too large for the nudge `beta`."""
        tolerance = self.nudged.tolerance
        if self.nudged.fixed or tolerance is None or tolerance <= LOOSE * abs(beta) or beta == 0.0:
            return None
        words = f"is more than 1e-2 of the nudge {abs(beta):g}: the error of the estimate is about tolerance/beta"
        return words, f"give at most {LOOSE * abs(beta):g}, or leave it out"

    def noise_fault(self) -> str:
        """Return why these dynamics cannot be run with noise; an empty text if they can."""
        if self.mode == "equilibrium":
            return 'noise needs mode = "trajectory": with noise there is no rest point'
        if not (self.free.fixed and self.nudged.fixed):
            return "with noise no residual vanishes: give free.duration and nudged.duration, and a window to average"
        if self.method not in NOISY_STEP:
            return f'method = "{self.method}" has no form for noise: use "exponential", "heun" or "euler"'
        return ""

    def slow_read_fault(self) -> str:
        """Return why reads cannot have slow noise under these dynamics; an empty text if they can."""
        if self.mode == "equilibrium":
            return 'no time passes between reads: set dynamics.mode = "trajectory", or take white noise, `read`'
        return ""


class Tableau(NamedTuple):
    """An explicit method (E. Hairer, S. P. Nørsett, G. Wanner, "Solving ordinary differential equations I")."""

    order: int
    a: Array
    """Stage weights (stages, stages)."""

    b: Array
    """Weights of the step (stages,)."""

    error: Array
    """Weights of the error estimate (stages,); zeros without one."""

    @property
    def c(self) -> Array:
        """Stage times."""
        return np.asarray(self.a.sum(axis=1))


def _make_tableau(order: int, rows: list[list[float]], b: list[float], lower: list[float] | None = None) -> Tableau:
    """Return a table after checking that it is explicit and keeps the order conditions up to 4."""
    a = np.zeros((len(b), len(b)))
    for i, row in enumerate(rows, 1):
        a[i, : len(row)] = row
    w, c = np.array(b), a.sum(axis=1)
    conditions = [
        (1, w.sum() - 1.0),
        (2, w @ c - 1.0 / 2.0),
        (3, w @ c**2 - 1.0 / 3.0),
        (3, w @ a @ c - 1.0 / 6.0),
        (4, w @ c**3 - 1.0 / 4.0),
        (4, w @ (c * (a @ c)) - 1.0 / 8.0),
        (4, w @ a @ c**2 - 1.0 / 12.0),
        (4, w @ a @ a @ c - 1.0 / 24.0),
    ]
    if any(abs(defect) > 1e-14 for degree, defect in conditions if degree <= order) or np.triu(a).any():
        raise ValueError(f"the weights {b} are no explicit method of order {order}")
    return Tableau(order, a, w, w - np.array(lower) if lower else np.zeros(len(b)))


_EULER = _make_tableau(1, [], [1.0])
TABLES = {
    "euler": _EULER,
    "exponential": _EULER,
    "heun": _make_tableau(2, [[1.0]], [0.5, 0.5]),
    "rk4": _make_tableau(4, [[0.5], [0.0, 0.5], [0.0, 0.0, 1.0]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    "rk45": _make_tableau(
        5,
        [
            [1 / 5],
            [3 / 40, 9 / 40],
            [44 / 45, -56 / 15, 32 / 9],
            [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
            [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
            [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
        ],
        [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0],
        [5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40],
    ),
}
"""Explicit methods; `exponential` is Euler with ``1 - exp(-dt/tau)`` in place of ``dt/tau``."""


def count_whole_steps(duration: float, dt: float) -> int:
    """Return the steps that cover a duration; rounding does not add one."""
    return math.ceil(duration / dt * (1.0 - 1e-12))


def count_cycle_steps(period: float, dt: float) -> int:
    """Return the steps of one cycle of a swinging nudge: the nearest whole number."""
    return round(period / dt)
