"""A law of pulses of your own, in plain Python, and its name in scenarios."""

from __future__ import annotations

from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from . import pulse
from .laws import Bounded

Array = NDArray[np.float64]

NODES = 1001
"""Places between both bounds at which a law of `WriteLaw` is asked for the size of a step."""


class LawError(RuntimeError):
    """A law that a user wrote cannot be used; the text says why."""


class WriteLaw(Bounded):
    """Base of a law of your own: multipliers of the step by the place of a cell between its bounds.

    Both functions are asked once, at `NODES` equal distances, and the kernels interpolate between the answers. So any
    Python will do, and a step can follow nothing but that place: no history, time or other cell.
    """

    def up(self, x: Array) -> Array:
        """Return what the step of an up pulse is multiplied with, at places `x` from 0 (low) to 1 (high)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method up(self, x)")

    def down(self, x: Array) -> Array:
        """Return the same for a down pulse, as a size."""
        raise NotImplementedError(f"{type(self).__name__} needs a method down(self, x)")

    def shape(self) -> pulse.PulseLaw:
        """Return the nodes of both curves.

        Raises
        ------
        LawError
            If one of the functions fails, or does not return a finite number for every place.
        """
        nodes = np.array([self._tabulate("down"), self._tabulate("up")])
        return super().shape()._replace(code=pulse.PIECEWISE, nodes=nodes)

    def _tabulate(self, name: str) -> Array:
        place, words = np.linspace(0.0, 1.0, NODES), f"{type(self).__name__}.{name}(x)"
        try:
            found = np.asarray(getattr(self, name)(place), dtype=np.float64)
        except Exception as error:
            raise LawError(f"{words} failed: {type(error).__name__}: {error}") from error
        if found.shape not in ((), place.shape) or not np.isfinite(found).all():
            wanted = f"must be finite and of the shape of x, {place.shape}"
            raise LawError(f"{words} returned numbers of shape {found.shape}, {_describe_finiteness(found)}: {wanted}")
        return np.broadcast_to(found, place.shape)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        self.shape()
        return self


def _describe_finiteness(found: Array) -> str:
    return "all finite" if np.isfinite(found).all() else "some of them not finite"


def get_law_kind(law: type[WriteLaw]) -> str:
    """Return the name of a law in scenarios.

    Raises
    ------
    LawError
        If it is no law, or has none.
    """
    if not (isinstance(law, type) and issubclass(law, WriteLaw)):
        raise LawError(f"{law!r} is no law of pulses: derive a class from nudgelab.WriteLaw, with methods up and down")
    field = law.model_fields.get("kind")
    names = get_args(field.annotation) if field is not None else ()
    if field is None or names != (field.default,):
        raise LawError(f'{law.__name__} has no name for scenarios: write kind: Literal["my-law"] = "my-law" in it')
    return str(field.default)
