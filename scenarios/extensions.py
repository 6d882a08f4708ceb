"""What a user adds from his own file: a class that is registered here can be named by a scenario of this process.

No code is ever loaded from a scenario: a name means what the Python that runs it has registered.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from devices.block import DeviceBlock
from devices.hardware import add_block, add_write_law
from devices.kinds import KindError
from devices.neuron import curves
from devices.parameters import Parameters
from devices.programming.own import WriteLaw
from learning.policies.policy import POLICIES
from learning.rules.rule import RULES
from learning.schemes.scheme import SCHEMES
from substrate.chip.causes import collect_causes

from .language.load import AnySpec
from .schema.experiments import PLANS
from .schema.learning import Learning, list_kind_types
from .schema.scenario import ScenarioSpec

K = TypeVar("K", bound=Parameters)

_BASES = "derive a class from Scheme, LearningRule, WritePolicy, WriteLaw or DeviceBlock"

_PACKAGES = ("devices", "learning")
"""Where the kinds are that nobody has to register."""


def register(kind: type[K]) -> type[K]:
    """Let scenarios name a class of your own; a decorator.

    Its fields are keys of scenarios, beside those of the class that it is derived from. A kind that was registered
    before means the new class from now on. What results are called depends on its name and parameters, and for a law of
    writing or a block of devices on what it computes.

    Parameters
    ----------
    kind : subclass of Scheme, LearningRule, WritePolicy, WriteLaw or DeviceBlock
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
        collect_causes()
    else:
        parts = (SCHEMES, RULES, POLICIES)
        kinds = next((k for k in parts if isinstance(kind, type) and issubclass(kind, k.base)), None)
        if kinds is None:
            raise KindError(f"{kind!r} cannot be registered: {_BASES}")
        kinds.register(kind)
    rebuild_schema()
    return kind


def rebuild_schema() -> None:
    """Let the fields of a scenario hold the kinds that there are now."""
    tables: list[tuple[type[BaseModel], dict[str, Any]]] = [(Learning, list_kind_types())]
    tables += [(plan, plan.list_kind_types()) for plan in PLANS.values()]
    changed = [(model, types) for model, types in tables if types]
    for model, types in changed:
        for name, annotation in types.items():
            model.model_fields[name].annotation = FieldInfo.from_annotation(annotation).annotation
        model.model_rebuild(force=True)
    ScenarioSpec.model_rebuild(force=True)


def register_activation(name: str, value: curves.Function, slope: curves.Function) -> None:
    """Let ``network.activation = name`` mean an activation of your own.

    Both functions are called for one state at a time, inside compiled kernels: write them with numbers, ``if``, `math`
    and NumPy functions of numbers. If they take complex states too and `slope` is the derivative there (no ``abs``, no
    ``if u > 0``), complex nudges work with them. What results are called depends on what the functions compute. A name
    that was registered before means the new activation from now on.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens, a letter first; not the name of an activation of nudgelab.
    value : callable
        Activity ``rho(u)`` of a state `u`.
    slope : callable
        Its derivative ``rho'(u)``.

    Raises
    ------
    ValueError
        If the name is not free, if a function gives something else than finite real numbers, if `slope` is not the
        derivative of `value` (both are compared at 481 states between -6 and 6), or if a function cannot be compiled.
    """
    from substrate.engine.door import compile_own

    here = sys._getframe(1).f_globals["__name__"]  # noqa: SLF001  the module that other processes import
    law = curves.examine_activation(name, value, slope, here)
    compile_own(law)
    curves.add_activation(law)


def list_own_parts(scenario: AnySpec) -> dict[str, str]:
    """Return what a scenario uses that is no part of this package: its name and the module that registers it."""
    if not isinstance(scenario, ScenarioSpec):
        return {}  # circuits know the kinds of this package alone
    learning, devices, law = scenario.learning, scenario.devices, scenario.network.activation
    policies = learning.write, *scenario.experiment.compared_policies
    acting = [block for _, block in devices if isinstance(block, DeviceBlock) and block != type(block)()]
    used = map(type, (*learning.all_schemes(), learning.rule, *policies, devices.update, *acting))
    kinds = [kind for kind in used if kind is not type(None) and kind.__module__.partition(".")[0] not in _PACKAGES]
    curve = curves.find_own_activation(law) if isinstance(law, str) else None
    return {kind.__qualname__: kind.__module__ for kind in kinds} | ({curve.name: curve.module} if curve else {})
