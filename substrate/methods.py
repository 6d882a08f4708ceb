"""How a settling is integrated and when it ends: the parameters of the dynamics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from devices.parameters import Parameters, Taus


class Phase(Parameters):
    """The end of one settling: at a residual, or after a fixed number of steps."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Exactly this many steps, whatever the residual; absent: stop at `tolerance`."""

    max_steps: Annotated[int, Field(ge=1, le=10_000_000)] = 2000
    """Give up after this many steps (status `step limit`)."""

    tolerance: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-9
    """A sample is settled when the largest drift ``|F|`` of its units is below this; units of the state."""

    @model_validator(mode="after")
    def _one_end(self) -> Phase:
        if self.steps is not None and "max_steps" in self.model_fields_set:
            raise PydanticCustomError("phase", "`steps` and `max_steps` exclude each other: fixed length or limit")
        return self


class Dynamics(Parameters):
    """The settling of the chip."""

    mode: Literal["trajectory"] = "trajectory"
    """`trajectory`: follow the physics from its start to its rest."""

    method: Literal["euler"] = "euler"
    """Integration method of the trajectory."""

    dt: Annotated[Taus, Field(gt=0.0, le=10.0)] = 0.5
    """Time step in units of tau; 0 to 10. Euler needs dt < 2/(1 - lambda) for the most negative eigenvalue lambda."""

    free: Phase = Phase()
    """End of the free settling."""

    nudged: Phase = Phase()
    """End of each nudged settling, which starts from the free state."""

    start: Literal["zero"] = "zero"
    """State before the free settling: `zero`, all membranes at 0."""

    precision: Literal["double"] = "double"
    """Floating point format of the simulation."""
