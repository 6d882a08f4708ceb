import math
from typing import Annotated

import pint
import pytest
from pydantic import Field, ValidationError

from devices.parameters import Degrees, Parameters, Ratio, Span, Time, _load_unit_registry


class Example(Parameters):
    """Fields of every unit."""

    angle: Degrees = 0.0
    spread: Ratio = 0.0
    dt: Annotated[float, Field(gt=0.0), Time] = 1.0


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("angle", 30, 30.0),
        ("angle", "30 degree", 30.0),
        ("angle", "30deg", 30.0),
        ("angle", "0.5 rad", math.degrees(0.5)),
        ("angle", "0.25 turn", 90.0),
        ("spread", "10 %", 0.1),
        ("spread", "1e1 %", 0.1),
        ("spread", "0.1 1", 0.1),
        ("spread", 0.1, 0.1),
        ("dt", 1, 1.0),
    ],
)
def test_a_quantity_is_converted_once(field, value, expected):
    assert getattr(Example(**{field: value}), field) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("angle", "30", "no unit"),
        ("angle", "thirty degree", "not a number"),
        ("angle", "3 mS", "cannot be read"),
        ("angle", "3 nonsense", "cannot be read"),
        ("angle", "3 degree +", "cannot be read"),
        ("spread", "10 degC", "cannot be read"),
        ("spread", True, "valid number"),
        ("spread", math.inf, "finite"),
        ("dt", "50 mV", "cannot be read in the unit 's'"),
        ("dt", 0.0, "greater than 0"),
    ],
)
def test_wrong_units_are_named(field, value, text):
    with pytest.raises(ValidationError, match=text):
        Example(**{field: value})


def test_a_time_in_seconds_stays_what_was_written():
    assert Example(dt="1 h").dt == Span(3600.0, "1 h")


def test_the_library_reads_its_units_once(monkeypatch):
    made = []
    registry = pint.UnitRegistry
    monkeypatch.setattr(pint, "UnitRegistry", lambda: made.append(registry()) or made[-1])
    _load_unit_registry.cache_clear()
    assert [Example(angle=f"{k} turn").angle for k in range(3)] == [0.0, 360.0, 720.0]
    for wrong in ("3 nonsense", "3 mS"):
        with pytest.raises(ValidationError, match="cannot be read"):
            Example(angle=wrong)
    assert len(made) == 1


def test_unknown_keys_and_changes_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Example(angel=3.0)
    with pytest.raises(ValidationError, match="frozen"):
        Example().angle = 3.0
