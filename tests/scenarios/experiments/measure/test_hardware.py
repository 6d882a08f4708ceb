"""Devices at the border of the chip, from a scenario file to the result."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks, make_answer
from scenarios.report.explain import explain_scenario
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.scenario_files import GOOD, assert_tells, faults_of, line_of, only_fault, write

PHYSICAL = '[physical]\nactivity_volts = "500 mV"\nvolt_scale = "150 mV"\ntau = "1 us"\n'
HARDWARE = """
[devices.noise]
read = "1 mV"
[devices.converters]
readout = { bits = 8, full_scale = "500 mV", offset = "5 mV" }
nudge = { gain = 1.1, gain_negative = "90 %", offset = "3 mV" }
[devices.hold]
pedestal = "1 mV"
droop_tau = "1 ms"
[phases]
nudge = "held"
hold_time = "2 us"
[energy]
per_read = "1 pJ"
static = "1 uW"
"""
TRAIN = MEASURE.replace(
    'kind = "measure"\nrecord = { samples = 2, every_steps = 2 }',
    'kind = "train"\nepochs = 1\nreference = false\nledger = { samples = 2 }',
)


def computed(path, *edits):
    return store.read_result_file(
        run_scenario(load_scenario(path, edits), RunOptions(path.parent / "out", 2), Progress(quiet=True)).folder
        / "run.h5"
    )


def fabricated(path, *edits):
    loaded = load_scenario(path, edits)
    setup = make_setup(loaded)
    return setup.chip(0, threads=1)


def test_a_chip_gets_its_devices_in_units_of_the_model(tmp_path):
    design = fabricated(write_scenario(tmp_path, MEASURE + HARDWARE + PHYSICAL)).design
    assert design.devices.noise.read == 0.002
    assert design.devices.converters.readout.ends == (0.0, 1.0)
    assert design.devices.converters.readout.offset == 0.01
    assert design.devices.converters.nudge.applied(-1.0) == -0.9
    assert design.devices.converters.nudge.offset == 0.02
    assert (design.devices.hold.pedestal, design.devices.hold.droop_tau) == (0.002, 1000.0)
    assert (design.phases.nudge, design.phases.hold_time) == ("held", 2.0)
    assert (design.energy.per_read, design.energy.static, design.tau) == (1e-12, 1e-6, 1e-6)


def test_a_scenario_without_devices_makes_an_ideal_chip(tmp_path):
    assert fabricated(write_scenario(tmp_path), "devices.feedback.mismatch_sigma=0").causes == []


def test_devices_in_volts_are_written_as_they_were(tmp_path):
    hardware = HARDWARE.replace('full_scale = "500 mV"', 'range = ["-50 mV", "450 mV"]')
    scenario = load_scenario(write(tmp_path, GOOD + hardware + PHYSICAL)).scenario
    again = load_scenario(write(tmp_path, scenario.to_toml(), "again.toml")).scenario
    assert again == scenario
    assert again.in_units().devices == scenario.in_units().devices
    assert again.in_units().devices.converters.readout.ends == (-0.1, 0.9)


@pytest.mark.parametrize(
    ("key", "hint"),
    [("dynamics.nudge=held", "it is phases.nudge now"), ("devices.noise.phases=common", "it is phases.noise now")],
)
def test_keys_that_moved_are_told_where_they_went(tmp_path, key, hint):
    fault = only_fault(write(tmp_path, GOOD), key)
    assert fault.message == "has moved"
    assert hint in fault.hint


def test_every_level_in_volts_without_its_scale_is_told_at_its_line(tmp_path):
    text = GOOD + HARDWARE
    found = {".".join(str(key) for key in fault.path): fault for fault in faults_of(write(tmp_path, text))}
    assert found.keys() == {
        "phases.hold_time",
        "devices.noise.read",
        "devices.converters.readout.full_scale",
        "devices.converters.readout.offset",
        "devices.converters.nudge.offset",
        "devices.hold.pedestal",
        "devices.hold.droop_tau",
    }
    fault = found["devices.hold.pedestal"]
    assert fault.message == "is in volts, which needs [physical] activity_volts"
    assert fault.line == line_of(text, "pedestal")


@pytest.mark.parametrize(
    ("edit", "path", "message"),
    [
        ("devices.hold.droop_tau=5.0", "devices.hold.droop_tau", "nothing is held"),
        ("devices.converters.nudge.full_scale=0.1", "devices.converters.nudge", "phases.nudge"),
        ("devices.converters.nudge.bits=8", "devices.converters.nudge", "give `full_scale`"),
        ("energy.static=1 uW", "energy.static", "a power needs seconds"),
        ("energy.per_pulse=1 pJ", "energy.per_pulse", "writes have no pulses"),
        ('devices.converters.readout={bits=8, range=["1 V", 0.0]}', "devices.converters.readout", "must rise"),
        ("devices.update.kind=constant-step", "devices.update.step", "missing"),
        ('devices.update={kind="constant-step", step=0.1, one_sided={}}', "devices.update", "need an upper bound"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused(tmp_path, edit, path, message):
    fault = only_fault(write(tmp_path, GOOD), edit)
    assert ".".join(str(key) for key in fault.path) == path
    assert message in fault.message


@pytest.mark.parametrize("noise", ["read_flicker=0.01", "telegraph={amplitude=0.01, time=5}"])
def test_slow_noise_of_reads_without_time_is_refused_with_the_cure(tmp_path, noise):
    """In equilibrium mode no time passes between two reads, and their difference would keep nothing of it."""
    path = write(tmp_path, GOOD.replace("steps = ", "max_steps = "))
    load_scenario(path, ["dynamics.mode=equilibrium"])
    fault = only_fault(path, "dynamics.mode=equilibrium", f"devices.noise.{noise}")
    assert_tells(fault, "devices.noise", "are slow", 'set dynamics.mode = "trajectory"')
    load_scenario(path, [f"devices.noise.{noise}"])


def test_show_tells_what_a_read_can_resolve(tmp_path):
    text = explain_scenario(load_scenario(write(tmp_path, GOOD + HARDWARE + PHYSICAL)))
    assert "readout     1 LSB is 0.00391 of an activity, 0.00195 V" in text
    assert "readout     noise of one read, standard deviation, is 0.002 of an activity, 0.001 V" in text
    assert 'pedestal = "1 mV"' in text
    bare = explain_scenario(load_scenario(write(tmp_path, GOOD, "bare.toml"), ["devices.noise.read=0.5"]))
    assert "is 0.5 of an activity\n" in bare
    assert "LSB" not in bare


def test_a_measure_counts_what_the_converter_cut(tmp_path):
    edit = "devices.converters.readout={bits=10, range=[0.3, 0.6]}"
    result = computed(write_scenario(tmp_path), edit)
    group = result["readout"]
    assert 0 < int(group["clipped"].data) < int(group["conversions"].data)
    told = "outside the range of the converter. What would help: a wider range of devices.converters.readout"
    assert told in make_answer(result)


def test_a_good_converter_is_not_remarked(tmp_path):
    result = computed(write_scenario(tmp_path), "devices.converters.readout.bits=10")
    assert int(result["readout"]["clipped"].data) == 0
    assert not any("outside the range of the converter" in line for line in list_remarks(result))
    assert np.isfinite(result["ledger"]["relative"].data).all()


def test_a_training_reports_pulses_energy_seconds_and_clipping(tmp_path):
    text = TRAIN.replace("[task]", '[physical]\ntau = "1 us"\n\n[task]')
    result = computed(
        write_scenario(tmp_path, text),
        'devices.update={kind="constant-step", step=0.0001, rounding="stochastic"}',
        "devices.converters.readout={bits=10, range=[0.3, 0.6]}",
        "energy={per_read=1e-12, per_pulse=1e-12}",
    )
    metrics = result["metrics"]
    reads, pulses = metrics["reads"].data[-1], metrics["pulses"].data[-1]
    assert pulses > 0
    assert metrics["energy"].data[-1] == pytest.approx(1e-12 * (reads * 20 + pulses))
    np.testing.assert_allclose(metrics["settled_s"].data, metrics["settled_time"].data * 1e-6, rtol=1e-15)
    assert 0.0 < metrics["clipped"].data[-1] < 1.0
    budget = next(sheet for sheet in make_sheets(result, 8) if sheet.title == "Budget of the training")
    assert "time spent settling (s)" in [row[0] for row in budget.rows]
    assert "outside the range of the converter" in make_answer(result)
