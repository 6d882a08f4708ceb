import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.parameters import Span
from scenarios.language.load import load_scenario
from scenarios.schema.scenario import ScenarioSpec
from tests.scenarios.scenario_files import GOOD, assert_tells, changed, faults_of, line_of, only_fault, write

SECONDS = changed("dt = 0.25", 'dt = "50 ns"').replace("steps = 10", 'duration = "5 us"')
PHYSICAL = '\n[physical]\nvolt_scale = "150 mV"\n'


@pytest.mark.parametrize("tau", ['tau = "1 us"', 'capacitance = "1 pF"\nleak = "1 uS"'])
def test_times_in_seconds_become_plain_numbers(tmp_path, tau):
    scenario = load_scenario(write(tmp_path, SECONDS + PHYSICAL + tau)).scenario
    assert scenario.dynamics.dt == Span(5e-8, "50 ns")
    plain = scenario.in_units().dynamics
    assert (plain.dt, plain.free.duration) == (0.05, 5.0)
    assert scenario.physical.volt_scale == 0.15


def test_a_scenario_without_seconds_has_its_own_dynamics(tmp_path):
    scenario = load_scenario(write(tmp_path, GOOD)).scenario
    assert scenario.in_units().dynamics == scenario.dynamics
    assert scenario.physical is None


@pytest.mark.parametrize("extra", ["", PHYSICAL, PHYSICAL + 'leak = "1 uS"\n'])
def test_every_time_in_seconds_without_tau_is_told_at_its_line(tmp_path, extra):
    text = SECONDS + extra
    found = faults_of(write(tmp_path, text))
    assert [fault.path for fault in found] == [("dynamics", "dt"), ("dynamics", "free", "duration")]
    assert [fault.line for fault in found] == [line_of(text, "50 ns"), line_of(text, "5 us")]
    for fault in found:
        assert fault.message == "is in seconds, which needs [physical] tau"
        assert 'add tau = "1 us"' in fault.hint


def test_a_time_set_on_the_command_line_is_told_there(tmp_path):
    fault = only_fault(write(tmp_path, GOOD), "dynamics.dt=50 ns")
    assert fault.file == "--set dynamics.dt=50 ns"


@pytest.mark.parametrize(
    ("keys", "path", "message", "hint"),
    [
        ('tau = "1 ns"', "dynamics.dt", "is 50 tau", "another time"),
        ('tau = "1 V"', "physical.tau", "cannot be read in the unit 's'", '"1 us"'),
        ('tau = "1 us"\nleak = 1e-6\ncapacitance = "2 pF"', "physical", "contradict each other", "leave one"),
        ('tau = "1 us"\nvolt_scal = 1', "physical.volt_scal", "unknown key", "volt_scale"),
    ],
)
def test_a_wrong_mapping_is_told(tmp_path, keys, path, message, hint):
    fault = only_fault(write(tmp_path, f"{SECONDS}\n[physical]\n{keys}\n"))
    assert_tells(fault, path, message, hint)


QUANTITIES = {
    unit: st.builds(f"{{:.6g}} {unit}".format, st.floats(1e-3, 1e3)) | st.floats(1e-6, 1.0)
    for unit in ("mV", "us", "uS", "pF")
}
LENGTHS = st.builds("{:.6g} ns".format, st.floats(1.0, 900.0)) | st.floats(0.01, 1.0)
PHASES = st.fixed_dictionaries(
    {"tolerance": st.floats(1e-12, 1.0)},
    optional={"max_steps": st.integers(1, 10_000_000)},
) | st.one_of(
    st.fixed_dictionaries({"steps": st.integers(1, 10_000_000)}),
    st.fixed_dictionaries({"duration": LENGTHS}),
)


WIRING = ["in-l1", "l1-out", "out-l1"]
ANGLES = st.floats(0.0, 180.0) | st.just("0.25 turn")


@st.composite
def scenarios(draw):
    """Scenarios with every kind of table, quantities as numbers and as text."""
    physical = {"tau": draw(st.floats(1e-6, 1e-3) | st.just("1 us"))}
    for key, unit in (("volt_scale", "mV"), ("activity_volts", "mV"), ("capacitance", "pF")):
        if draw(st.booleans()):
            physical[key] = draw(QUANTITIES[unit])
    beta = st.floats(1e-6, 100.0)
    scheme = st.fixed_dictionaries({"kind": st.sampled_from(["one-sided", "backward", "centred"]), "beta": beta})
    circle = st.fixed_dictionaries({"kind": st.just("circle"), "beta": beta, "points": st.integers(2, 64)})
    return {
        "schema": 1,
        "name": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", fullmatch=True)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "network": {
            "layers": {name: draw(st.integers(1, 900)) for name in ("in", "l1", "out")},
            "connections": draw(st.sampled_from([WIRING, [*WIRING, "out-out"]])),
            **draw(
                st.fixed_dictionaries({"asymmetry": st.fixed_dictionaries({"angle": ANGLES})})
                | st.fixed_dictionaries({"parameters": st.text(min_size=1, max_size=20)})
            ),
        },
        "physical": physical,
        "dynamics": {"dt": draw(LENGTHS), "free": draw(PHASES), "nudged": draw(PHASES)},
        "learning": {"schemes": draw(st.lists(scheme | circle, min_size=1, max_size=3))},
        "task": draw(st.sampled_from([{"kind": "bundled"}, {"kind": "idx", "path": "a 'b' \"c\"\n\\"}])),
        "experiment": draw(
            st.sampled_from(
                [{"kind": "measure", "samples": 3}, {"kind": "settle"}, {"kind": "train", "ledger": {"samples": 2}}]
            )
        ),
    }


@settings(deadline=None, derandomize=True)
@given(scenarios())
def test_a_written_scenario_loads_as_the_same(data):
    scenario = ScenarioSpec.model_validate(data)
    with tempfile.TemporaryDirectory() as folder:
        again = load_scenario(write(Path(folder), scenario.to_toml())).scenario
    assert again == scenario
    assert again.in_units().dynamics == scenario.in_units().dynamics
