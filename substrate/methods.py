"""How a settling is integrated and when it ends: the parameters of the dynamics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from devices.parameters import Parameters, Taus, Time

LONGEST_STEP = 10.0
"""Largest time step, in tau."""

MOST_STEPS = 10_000_000
"""Longest phase, in time steps."""


class Phase(Parameters):
    """The end of one settling: at a residual, or after a fixed number of steps or a fixed time."""

    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    """Exactly this many steps, whatever the residual; absent: stop at `tolerance`."""

    duration: Annotated[Taus, Field(gt=0.0), Time] | None = None
    """Exactly this long, ``ceil(duration/dt)`` steps; in units of tau, or in seconds such as "5 us"."""

    max_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 2000
    """Give up after this many steps (status `step limit`)."""

    tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-9
    """A sample is settled when the largest drift ``|F|`` of its units is below this; units of the state."""

    @model_validator(mode="after")
    def _one_end(self) -> Phase:
        if self.steps is not None and "max_steps" in self.model_fields_set:
            raise PydanticCustomError("phase", "`steps` and `max_steps` exclude each other: fixed length or limit")
        if self.duration is not None and self.model_fields_set & {"steps", "max_steps"}:
            raise PydanticCustomError("phase", "`duration` excludes `steps` and `max_steps`: one way to end a phase")
        return self

    @model_serializer(mode="wrap")
    def _without_limit(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the step limit out where another key excludes it, so that what is written can be read."""
        fields: dict[str, Any] = dump(self)
        if self.steps is not None or self.duration is not None:
            fields.pop("max_steps", None)
        return fields


class Dynamics(Parameters):
    """The settling of the chip."""

    mode: Literal["trajectory"] = "trajectory"
    """`trajectory`: follow the physics from its start to its rest."""

    method: Literal["euler"] = "euler"
    """Integration method of the trajectory."""

    dt: Annotated[Taus, Field(gt=0.0, le=LONGEST_STEP), Time] = 0.5
    """Time step in units of tau, 0 to 10, or in seconds such as "50 ns".

    Euler needs dt < 2/(1 - lambda) for the most negative eigenvalue lambda.
    """

    free: Phase = Phase()
    """End of the free settling."""

    nudged: Phase = Phase()
    """End of each nudged settling, which starts from the free state."""

    start: Literal["zero"] = "zero"
    """State before the free settling: `zero`, all membranes at 0."""

    precision: Literal["double"] = "double"
    """Floating point format of the simulation."""
