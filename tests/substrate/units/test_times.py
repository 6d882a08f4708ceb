import pytest
from pydantic import ValidationError

from devices.parameters import Span, convert_to_tau
from substrate.dynamics.methods import Dynamics, Phase, count_whole_steps
from substrate.units import conversion, times
from substrate.units.conversion import convert_to_plain
from substrate.units.physical import Physical

SECONDS = Physical(tau="1 us")


def faults(dynamics, physical):
    """Return what is wrong with times as they were written, or with their sizes."""
    return conversion.find_unit_faults(dynamics, physical) or times.find_time_faults(
        convert_to_plain(dynamics, physical)
    )


def test_plain_numbers_need_no_tau():
    dynamics = Dynamics(dt=0.25, free=Phase(duration=10), nudged=Phase(steps=7))
    assert faults(dynamics, None) == []
    resolved = convert_to_plain(dynamics, None)
    assert (resolved.dt, resolved.free.duration, resolved.nudged.steps) == (0.25, 10, 7)


@pytest.mark.parametrize(
    ("dt", "duration", "steps"),
    [
        ("50 ns", "5 us", 100),
        ("50 ns", "5.01 us", 101),
        (0.05, "5 us", 100),
        ("30 ns", 1.0, 34),
        (0.3, 2.1, 7),
        (0.5, 1e-300, 1),
    ],
)
def test_a_duration_is_rounded_up_to_whole_steps(dt, duration, steps):
    dynamics = Dynamics(dt=dt, nudged=Phase(duration=duration, tolerance=1e-3))
    assert faults(dynamics, SECONDS) == []
    resolved = convert_to_plain(dynamics, SECONDS)
    assert count_whole_steps(resolved.nudged.duration, resolved.dt) == steps
    assert resolved.nudged.tolerance == 1e-3


def test_dynamics_without_written_times_stay_as_they_are():
    assert convert_to_plain(Dynamics(), SECONDS) == Dynamics()


def test_a_span_is_no_number():
    dt = Dynamics(dt="50 ns").dt
    assert dt == Span(5e-8, "50 ns")
    for use in (lambda: dt * 2, lambda: 2 * dt, lambda: dt > 0, lambda: float(dt)):
        with pytest.raises(TypeError):
            use()
    assert convert_to_tau(dt, 1e-6) == 0.05
    with pytest.raises(ValueError, match="'50 ns' is in seconds"):
        convert_to_tau(dt, None)


@pytest.mark.parametrize(
    ("dynamics", "physical", "path", "message"),
    [
        (Dynamics(dt="50 ns"), None, ("dt",), "needs [physical] tau"),
        (Dynamics(free=Phase(duration="1 s")), None, ("free", "duration"), "needs [physical] tau"),
        (Dynamics(dt="20 us"), SECONDS, ("dt",), "is 20 tau"),
        (Dynamics(dt="1e-320 s"), Physical(tau=1e6), ("dt",), "is 0 tau"),
        (Dynamics(dt="-1 us"), SECONDS, ("dt",), "must be > 0"),
        (Dynamics(dt="1e999 s"), SECONDS, ("dt",), "finite"),
        (Dynamics(nudged=Phase(duration="0 s")), SECONDS, ("nudged", "duration"), "must be > 0"),
        (Dynamics(nudged=Phase(duration="1 day")), SECONDS, ("nudged", "duration"), "must be <= 10,000,000"),
        (Dynamics(free=Phase(duration=1e300)), None, ("free", "duration"), "must be <= 10,000,000"),
    ],
)
def test_a_time_that_cannot_be_used_is_told(dynamics, physical, path, message):
    (fault,) = faults(dynamics, physical)
    assert fault.path == path
    assert message in fault.message
    assert fault.hint


@pytest.mark.parametrize("value", [0.0, -1.0, 11.0, "50", "fast", "50 mV", True])
def test_a_wrong_step_is_refused_at_once(value):
    with pytest.raises(ValidationError, match="dt"):
        Dynamics(dt=value)


@pytest.mark.parametrize("other", [{"steps": 3}, {"max_steps": 3}])
def test_a_duration_excludes_step_counts(other):
    with pytest.raises(ValidationError, match="excludes"):
        Phase(duration=1.0, **other)


@pytest.mark.parametrize("phase", [Phase(steps=3), Phase(duration="5 us"), Phase(max_steps=9), Phase()])
def test_a_phase_survives_being_written(phase):
    assert Phase.model_validate(phase.model_dump(exclude_none=True, mode="json")) == phase
