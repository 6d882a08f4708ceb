import pytest
from pydantic import ValidationError

from devices.interface.energy import Energy, compute_joules


def test_reads_pulses_and_time_add_up():
    energy = Energy(per_read="2 pJ", per_pulse="3 pJ", static="5 uW")
    assert compute_joules(energy, reads=10) == pytest.approx(20e-12)
    assert compute_joules(energy, pulses=10, tau=1e-6) == pytest.approx(30e-12)
    assert compute_joules(energy, time=4.0, tau=1e-6) == pytest.approx(20e-12)
    assert compute_joules(energy, 10, 10, 4.0, 1e-6) == pytest.approx(70e-12)
    assert compute_joules(Energy(), 10, 10, 4.0) == 0.0


def test_power_needs_seconds():
    with pytest.raises(ValueError, match=r"energy.static = 1e-06 W needs tau"):
        compute_joules(Energy(static="1 uW"), time=1.0)


@pytest.mark.parametrize("keys", [{"per_read": -1.0}, {"per_pulse": "1 W"}, {"static": "1 J"}])
def test_nonsense_is_refused(keys):
    with pytest.raises(ValidationError, match=next(iter(keys))):
        Energy(**keys)
