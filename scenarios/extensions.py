"""What a user adds from his own file: a class that is registered here can be named by a scenario of this process.

No code is ever loaded from a scenario: a name means what the Python that runs it has registered.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from devices.block import DeviceBlock
from devices.hardware import add_block, add_write_law
from devices.kinds import KindError
from devices.parameters import Parameters
from devices.programming.own import WriteLaw
from learning.rules.rule import RULES
from learning.schemes.scheme import SCHEMES
from substrate.chip.causes import collect

from .schema.learning import Learning, types_of_kinds
from .schema.scenario import Scenario

K = TypeVar("K", bound=Parameters)

_BASES = "derive a class from Scheme, LearningRule, WriteLaw or DeviceBlock"

_PACKAGES = ("devices", "learning")
"""Where the kinds are that nobody has to register."""


def register(kind: type[K]) -> type[K]:
    """Let scenarios name a class of your own; a decorator.

    Its fields are keys of scenarios, beside those of the class that it is derived from. A kind that was registered
    before means the new class from now on. What results are called depends on its name and parameters, and for a law of
    writing on the sizes of its steps.

    Parameters
    ----------
    kind : subclass of Scheme, LearningRule or WriteLaw
        Its field `kind` has the name as its only value, such as ``kind: Literal["my-name"] = "my-name"``.

    Returns
    -------
    class
        The same.

    Raises
    ------
    KindError, LawError
        If it is derived from none of these, says no name, or the name is taken.
    """
    if isinstance(kind, type) and issubclass(kind, WriteLaw):
        add_write_law(kind)
    elif isinstance(kind, type) and issubclass(kind, DeviceBlock):
        add_block(kind)
        collect()
    else:
        kinds = next((k for k in (SCHEMES, RULES) if isinstance(kind, type) and issubclass(kind, k.base)), None)
        if kinds is None:
            raise KindError(f"{kind!r} cannot be registered: {_BASES}")
        kinds.register(kind)
    rebuild()
    return kind


def rebuild() -> None:
    """Let the fields of a scenario hold the kinds that there are now."""
    for name, annotation in types_of_kinds().items():
        Learning.model_fields[name].annotation = FieldInfo.from_annotation(annotation).annotation
    for model in (Learning, Scenario):
        model.model_rebuild(force=True)


def own_kinds(scenario: Scenario) -> list[type[Any]]:
    """Return the classes a scenario uses that are no part of this package."""
    learning, devices = scenario.learning, scenario.devices
    acting = [block for _, block in devices if isinstance(block, DeviceBlock) and block != type(block)()]
    used = map(type, (*learning.all_schemes(), learning.rule, devices.update, *acting))
    return [kind for kind in used if kind is not type(None) and kind.__module__.partition(".")[0] not in _PACKAGES]
