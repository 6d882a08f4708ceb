"""The kinds of one part of a scenario: classes of parameters, registered under the name that a file gives them."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import Field

from .parameters import Parameters

P = TypeVar("P", bound=Parameters)
K = TypeVar("K", bound=Parameters)

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


class KindError(TypeError):
    """A class cannot be registered; the text says why and what to try."""


class KindRegistry(Generic[P]):
    """All kinds of one part.

    Parameters
    ----------
    part : str
        What they are, for messages, such as ``scheme``.
    base : subclass of Parameters
        What every kind is derived from.
    """

    def __init__(self, part: str, base: type[P]) -> None:
        self.part, self.base = part, base
        self._classes: dict[str, type[P]] = {}

    def register(self, kind: type[K]) -> type[K]:
        """Add a class under the only value of its field `kind`; a decorator.

        A class that is defined anew, as a cell of a notebook that runs twice does, takes the place of the old one.

        Raises
        ------
        KindError
            If it is not derived from `base`, says no name of its own, or the name is taken.
        """
        if not (isinstance(kind, type) and issubclass(kind, self.base)):
            raise KindError(f"{kind!r} is no {self.part}: derive it from {self.base.__name__}")
        name = _get_kind_name(kind)
        taken = self._classes.get(name)
        if taken is not None and _get_definition_place(taken) != _get_definition_place(kind):
            raise KindError(f"kind = {name!r} of {kind.__qualname__} is taken by {taken.__module__}: take another name")
        self._classes[name] = kind
        return kind  # type: ignore[return-value]

    @property
    def union(self) -> Any:
        """The type of a field that may hold any of them, told apart by `kind`."""
        return Annotated[functools.reduce(operator.or_, self._classes.values()), Field(discriminator="kind")]

    def __iter__(self) -> Iterator[type[P]]:
        return iter(self._classes.values())

    @property
    def names(self) -> list[str]:
        """Their names, in the order in which they were registered."""
        return list(self._classes)


def _get_kind_name(kind: type[Parameters]) -> str:
    field = kind.model_fields.get("kind")
    choices = get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()
    if field is None or len(choices) != 1 or field.default != choices[0] or not _NAME.fullmatch(str(choices[0])):
        example = 'kind: Literal["my-name"] = "my-name"'
        raise KindError(f"{kind.__qualname__} says no name: give it {example}, small letters, digits and '-'")
    return str(choices[0])


def _get_definition_place(kind: type[Parameters]) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__
