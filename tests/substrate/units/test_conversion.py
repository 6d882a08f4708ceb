import pytest

from devices.interface.converter import Adc, Converters, NudgeCircuit
from devices.interface.hold import Hold
from devices.neuron.membrane import NeuronDevices
from devices.neuron.noise import Noise
from devices.parameters import Parameters
from substrate.dynamics.phases import Phases
from substrate.units.conversion import convert_to_plain, find_unit_faults
from substrate.units.physical import Physical


class Everything(Parameters):
    """Parameters in volts, seconds and plain numbers."""

    converters: Converters
    hold: Hold
    phases: Phases
    noise: Noise


WRITTEN = Everything(
    converters=Converters(readout=Adc(bits=8, range=["100 mV", "600 mV"]), nudge=NudgeCircuit(offset="3 mV")),
    hold=Hold(pedestal="1 mV", droop_tau="2 ms"),
    phases=Phases(hold_time="5 us"),
    noise=Noise(read=0.25),
)
SCALES = Physical(activity_volts=0.5, volt_scale=0.15, tau="1 us")


def test_levels_and_times_become_plain_numbers():
    found = convert_to_plain(WRITTEN, SCALES)
    assert found.converters.readout.ends == (0.2, 1.2)
    assert found.converters.nudge.offset == 0.02
    assert found.hold == Hold(pedestal=0.002, droop_tau=2000.0)
    assert found.phases.hold_time == 5.0
    assert found.noise.read == 0.25
    assert find_unit_faults(WRITTEN, SCALES) == []
    assert convert_to_plain(found, None) == found


def test_every_missing_scale_is_told_where_it_is_needed():
    found = {fault.path: fault for fault in find_unit_faults(WRITTEN, None)}
    assert found.keys() == {
        ("converters", "readout", "range"),
        ("converters", "nudge", "offset"),
        ("hold", "pedestal"),
        ("hold", "droop_tau"),
        ("phases", "hold_time"),
    }
    assert found["hold", "pedestal"].message == "is in volts, which needs [physical] activity_volts"
    assert 'add volt_scale = "1 V" to [physical]' in found["converters", "nudge", "offset"].hint
    assert found["phases", "hold_time"].message == "is in seconds, which needs [physical] tau"
    left = find_unit_faults(WRITTEN, SCALES.model_copy(update={"volt_scale": None}))
    assert [fault.path for fault in left] == [("converters", "nudge", "offset")]


def test_volts_without_their_scale_are_refused():
    with pytest.raises(ValueError, match=r"'100 mV' is in volts: give physical\.activity_volts"):
        convert_to_plain(WRITTEN.converters, None)


def test_a_slew_rate_in_volts_per_second_needs_both_scales():
    neurons = NeuronDevices(slew="0.5 V/us")
    assert convert_to_plain(neurons, Physical(volt_scale=0.1, tau=1e-6)).slew == 5.0
    for physical in (None, Physical(volt_scale=0.1), Physical(tau=1e-6)):
        (fault,) = find_unit_faults(neurons, physical)
        assert (fault.path, "volt_scale and tau" in fault.message) == (("slew",), True)
        with pytest.raises(ValueError, match="volt_scale and tau"):
            convert_to_plain(neurons, physical)
