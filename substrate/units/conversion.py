"""Levels in volts and times in seconds of any parameters: what is missing to read them, and the plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from devices.parameters import Parameters, Potential, Span, in_tau
from devices.quantities import Component, Rate

from .physical import Physical, siemens_of_weight
from .times import Fault, limit_fault, span_fault

P = TypeVar("P", bound=Parameters)

_UNIT = {"activity_volts": "the activity", "volt_scale": "the state"}


def faults(parameters: Parameters, physical: Physical | None) -> list[Fault]:
    """Return every level and time that cannot be read with the scales of `physical`."""
    tau = physical.resolved().tau if physical else None
    found = []
    for path, value, field in _written(parameters, ()):
        if isinstance(value, Span):
            fault = span_fault(path, value, tau) or limit_fault(path, in_tau(value, tau), field)
        elif isinstance(value, Component):
            fault = _component_fault(path, value, physical)
        elif isinstance(value, Rate):
            fault = _rate_fault(path, value, physical)
        else:
            fault = _potential_fault(path, value, physical)
        found += [fault] if fault else []
    return found


def plain(parameters: P, physical: Physical | None) -> P:
    """Return the same parameters with every level and time as a plain number.

    Raises
    ------
    ValueError
        If a scale is unknown; `faults` tells before.
    """
    converted: P = _converted(parameters, physical)
    return converted


def _written(
    value: Any, path: tuple[str | int, ...], field: FieldInfo | None = None
) -> Iterator[tuple[tuple[str | int, ...], Any, FieldInfo | None]]:
    """Yield everything that was written with a unit, with its keys and the field that it stands in."""
    if isinstance(value, Span | Potential | Component | Rate):
        yield path, value, field
    elif isinstance(value, Parameters):
        for name, own in type(value).model_fields.items():
            yield from _written(getattr(value, name), (*path, name), own)
    elif isinstance(value, list):
        # Plain items of an array share its place, tables have places of their own.
        for k, item in enumerate(value):
            yield from _written(item, (*path, k) if isinstance(item, Parameters) else path, field)


def _potential_fault(path: tuple[str | int, ...], level: Potential, physical: Physical | None) -> Fault | None:
    if physical is not None and getattr(physical, level.scale) is not None:
        return None
    unit = _UNIT[level.scale]
    hint = f'add {level.scale} = "1 V" to [physical], or write a plain number in units of {unit}'
    return Fault(path, f"is in volts, which needs [physical] {level.scale}", hint)


def _component_fault(path: tuple[str | int, ...], component: Component, physical: Physical | None) -> Fault | None:
    known = physical.resolved() if physical else Physical()
    missing = [name for name in ("leak", "volt_scale", "activity_volts") if getattr(known, name) is None]
    if not missing:
        return None
    hint = "add them (leak may follow from tau and capacitance), or write a plain number in units of the weight"
    return Fault(path, f"is in {component.unit}, which needs [physical] {', '.join(missing)}", hint)


def _rate_fault(path: tuple[str | int, ...], rate: Rate, physical: Physical | None) -> Fault | None:
    if _per_tau(rate, physical) is not None:
        return None
    hint = f"add them, or write a plain number in units of {_UNIT[rate.scale]} per tau"
    return Fault(path, f"{rate.text!r} needs [physical] {rate.scale} and tau", hint)


def _per_tau(rate: Rate, physical: Physical | None) -> float | None:
    known = physical.resolved() if physical else Physical()
    scale: float | None = getattr(known, rate.scale)
    return None if scale is None or known.tau is None else float(f"{rate.size * known.tau / scale:.15g}")


def _weights_of(component: Component, physical: Physical | None) -> float:
    if physical is None:
        raise ValueError(f"{component.text!r} needs [physical] leak, volt_scale and activity_volts")
    unit = siemens_of_weight(physical, 1.0)
    return float(f"{component.size / unit if component.unit == 'S' else component.size * unit:.15g}")


def _converted(value: Any, physical: Physical | None) -> Any:
    if isinstance(value, Span):
        return in_tau(value, physical.resolved().tau if physical else None)
    if isinstance(value, Potential):
        scale = getattr(physical, value.scale, None)
        if scale is None:
            raise ValueError(f"{value.text!r} is in volts: give physical.{value.scale}, or a plain number")
        return float(f"{value.volts / scale:.15g}")
    if isinstance(value, Component):
        return _weights_of(value, physical)
    if isinstance(value, Rate):
        speed = _per_tau(value, physical)
        if speed is None:
            raise ValueError(f"{value.text!r} needs [physical] {value.scale} and tau")
        return speed
    if isinstance(value, Parameters):
        return value.model_copy(update={k: _converted(getattr(value, k), physical) for k in type(value).model_fields})
    return [_converted(item, physical) for item in value] if isinstance(value, list) else value
