"""Levels in volts and times in seconds of any parameters: what is missing to read them, and the plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic.fields import FieldInfo

from devices.parameters import Parameters, Potential, Span, convert_to_tau
from devices.quantities import Component, Rate

from .physical import Physical, convert_weight_to_siemens
from .times import TimeFault, find_limit_fault, find_span_fault

P = TypeVar("P", bound=Parameters)

_UNIT = {"activity_volts": "the activity", "volt_scale": "the state"}


def find_unit_faults(parameters: Parameters, physical: Physical | None) -> list[TimeFault]:
    """Return every level and time that cannot be read with the scales of `physical`."""
    tau = physical.resolved().tau if physical else None
    found = []
    for path, value, field in _iterate_written_units(parameters, ()):
        if isinstance(value, Span):
            fault = find_span_fault(path, value, tau) or find_limit_fault(path, convert_to_tau(value, tau), field)
        elif isinstance(value, Component):
            fault = _find_component_fault(path, value, physical)
        elif isinstance(value, Rate):
            fault = _find_rate_fault(path, value, physical)
        else:
            fault = _find_potential_fault(path, value, physical)
        found += [fault] if fault else []
    return found


def convert_to_plain(parameters: P, physical: Physical | None) -> P:
    """Return the same parameters with every level and time as a plain number.

    Raises
    ------
    ValueError
        If a scale is unknown; `faults` tells before.
    """
    converted: P = _convert_value(parameters, physical)
    return converted


def _iterate_written_units(
    value: Any, path: tuple[str | int, ...], field: FieldInfo | None = None
) -> Iterator[tuple[tuple[str | int, ...], Any, FieldInfo | None]]:
    """Yield everything that was written with a unit, with its keys and the field that it stands in."""
    if isinstance(value, Span | Potential | Component | Rate):
        yield path, value, field
    elif isinstance(value, Parameters):
        for name, own in type(value).model_fields.items():
            yield from _iterate_written_units(getattr(value, name), (*path, name), own)
    elif isinstance(value, list):
        # Plain items of an array share its place, tables have places of their own.
        for k, item in enumerate(value):
            yield from _iterate_written_units(item, (*path, k) if isinstance(item, Parameters) else path, field)


def _find_potential_fault(path: tuple[str | int, ...], level: Potential, physical: Physical | None) -> TimeFault | None:
    if physical is not None and getattr(physical, level.scale) is not None:
        return None
    unit = _UNIT[level.scale]
    hint = f'add {level.scale} = "1 V" to [physical], or write a plain number in units of {unit}'
    return TimeFault(path, f"is in volts, which needs [physical] {level.scale}", hint)


def _find_component_fault(
    path: tuple[str | int, ...], component: Component, physical: Physical | None
) -> TimeFault | None:
    known = physical.resolved() if physical else Physical()
    missing = [name for name in ("leak", "volt_scale", "activity_volts") if getattr(known, name) is None]
    if not missing:
        return None
    hint = "add them (leak may follow from tau and capacitance), or write a plain number in units of the weight"
    return TimeFault(path, f"is in {component.unit}, which needs [physical] {', '.join(missing)}", hint)


def _find_rate_fault(path: tuple[str | int, ...], rate: Rate, physical: Physical | None) -> TimeFault | None:
    if _convert_rate(rate, physical) is not None:
        return None
    hint = f"add them, or write a plain number in units of {_UNIT[rate.scale]} per tau"
    return TimeFault(path, f"{rate.text!r} needs [physical] {rate.scale} and tau", hint)


def _convert_rate(rate: Rate, physical: Physical | None) -> float | None:
    known = physical.resolved() if physical else Physical()
    scale: float | None = getattr(known, rate.scale)
    return None if scale is None or known.tau is None else float(f"{rate.size * known.tau / scale:.15g}")


def _convert_component(component: Component, physical: Physical | None) -> float:
    if physical is None:
        raise ValueError(f"{component.text!r} needs [physical] leak, volt_scale and activity_volts")
    unit = convert_weight_to_siemens(physical, 1.0)
    return float(f"{component.size / unit if component.unit == 'S' else component.size * unit:.15g}")


def _convert_value(value: Any, physical: Physical | None) -> Any:
    if isinstance(value, Span):
        return convert_to_tau(value, physical.resolved().tau if physical else None)
    if isinstance(value, Potential):
        scale = getattr(physical, value.scale, None)
        if scale is None:
            raise ValueError(f"{value.text!r} is in volts: give physical.{value.scale}, or a plain number")
        return float(f"{value.volts / scale:.15g}")
    if isinstance(value, Component):
        return _convert_component(value, physical)
    if isinstance(value, Rate):
        speed = _convert_rate(value, physical)
        if speed is None:
            raise ValueError(f"{value.text!r} needs [physical] {value.scale} and tau")
        return speed
    if isinstance(value, Parameters):
        return value.model_copy(
            update={k: _convert_value(getattr(value, k), physical) for k in type(value).model_fields}
        )
    return [_convert_value(item, physical) for item in value] if isinstance(value, list) else value
