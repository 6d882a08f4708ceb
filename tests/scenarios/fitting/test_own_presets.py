"""Presets of devices from files of one's own."""

import numpy as np
import pytest

import nudgelab
from scenarios.build import make_setup
from scenarios.language.load import load_scenario
from scenarios.report.explain import explain_scenario

from ..scenario_files import assert_tells, changed, only_fault, write

PRESET = """\
# My device

[sources.fit]
paper = "own measurement"
place = "nudgelab fit"
range = "weights from -1 to 1"
spread = "one lot"

[update]
kind = "constant-step"
step = { value = 0.01, unit = "weight", source = "fit", low = 0.009, high = 0.011, n = 40 }

[weights]
mismatch_sigma = { value = 0.03, unit = "1", source = "fit", low = 0.02, high = 0.04, n = 40 }

[feedback]
mismatch_sigma = { value = 0.08, unit = "1", source = "fit" }

[noise]
read = { value = 0.002, unit = "activity", source = "fit" }
"""
PLAIN = changed('[devices.feedback]\nmismatch_sigma = "10 %"\n', "")


def scenario(tmp_path, devices, preset=PRESET, name="my-device.toml"):
    if preset is not None:
        write(tmp_path, preset, name)
    return write(tmp_path, f"{PLAIN}\n[devices]\n{devices}\n")


def test_a_file_beside_the_scenario_is_a_preset(tmp_path):
    tables = "\n".join(
        f'{name} = {{ preset = "my-device.toml" }}' for name in ("update", "weights", "feedback", "noise")
    )
    loaded = load_scenario(scenario(tmp_path, tables))
    devices = loaded.scenario.devices
    assert (devices.update.kind, devices.update.step) == ("constant-step", 0.01)
    assert (devices.weights.mismatch_sigma, devices.feedback.mismatch_sigma, devices.noise.read) == (0.03, 0.08, 0.002)
    assert "# my-device.toml:11" in explain_scenario(loaded)
    # A scenario that is written out needs the file no longer.
    (tmp_path / "my-device.toml").unlink()
    assert load_scenario(write(tmp_path, loaded.scenario.to_toml(), "again.toml")).scenario == loaded.scenario


def test_feedback_cells_are_those_of_weights_where_a_preset_has_no_others(tmp_path):
    without = PRESET.replace("[feedback]", "[neurons]").replace(
        "mismatch_sigma = { value = 0.08", "tau_sigma = { value = 0.08"
    )
    loaded = load_scenario(scenario(tmp_path, 'feedback = { preset = "my-device.toml" }', without))
    assert loaded.scenario.devices.feedback.mismatch_sigma == 0.03


def test_what_is_written_beside_it_wins_and_an_edit_of_it_too(tmp_path):
    path = scenario(tmp_path, 'update = { preset = "my-device.toml", step = 0.5 }')
    assert load_scenario(path).scenario.devices.update.step == 0.5
    plain = scenario(tmp_path, 'update = { preset = "my-device.toml" }')
    assert load_scenario(plain, ["devices.update.step=0.25"]).scenario.devices.update.step == 0.25


def test_from_python_the_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path, PRESET, "my-device.toml")
    monkeypatch.chdir(tmp_path)
    made = nudgelab.load("ledger", {"devices.weights.preset": "my-device.toml"})
    assert made.loaded.scenario.devices.weights.mismatch_sigma == 0.03


@pytest.mark.parametrize(
    ("preset", "message", "hint"),
    [
        (None, "my-device.toml cannot be read (No such file or directory)", "relative to the scenario"),
        ("[update\n", "my-device.toml is not valid TOML", "nudgelab fit"),
        ("[update]\nstep = 0.1\n", "my-device.toml is no preset of a device", "[sources.NAME]"),
        ("[sources.fit]\npaper = 'x'\n", "my-device.toml is no preset of a device", "[sources.NAME]"),
        (PRESET.replace("unit =", "units ="), "my-device.toml is no preset of a device", "value = 1.0"),
        (b"\xff\xfe\xff", "my-device.toml cannot be read (it is no text in UTF-8)", None),
        (PRESET.replace("[update]", "[hold]"), "says nothing about update", "it has hold, weights, feedback, noise"),
    ],
)
def test_a_file_that_is_no_preset_is_told_at_the_line_of_the_scenario(tmp_path, preset, message, hint):
    fault = only_fault(scenario(tmp_path, 'update = { preset = "my-device.toml" }', preset))
    assert fault.line is not None
    assert_tells(fault, "devices.update.preset", message, hint)


def test_a_value_of_the_file_that_is_not_allowed_is_told_at_its_line(tmp_path):
    path = scenario(tmp_path, 'update = { preset = "my-device.toml" }', PRESET.replace("value = 0.01", "value = -1.0"))
    fault = only_fault(path)
    assert fault.file.endswith("my-device.toml")
    assert fault.line == 11


def test_a_fitted_preset_works_in_a_scenario_with_the_tables_beside_it(tmp_path):
    """A converter of 4 bits: its transitions are a file beside the preset, which lies in another folder."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(-0.1, 1.1, 3000)
    real = (np.arange(15) + 0.5 + 0.2 * rng.uniform(-1.0, 1.0, 15)) / 16.0
    np.savez(tmp_path / "ramp.npz", input=ramp, code=np.searchsorted(real, ramp))
    (tmp_path / "devices").mkdir()
    nudgelab.fit(tmp_path / "ramp.npz", "adc").write_preset(tmp_path / "devices" / "adc.toml")
    text = PLAIN.replace("in = 4", "in = 784") + '\n[devices]\nconverters = { preset = "devices/adc.toml" }\n'
    path = write(tmp_path, text)
    setup = make_setup(load_scenario(path))
    adc = setup.design.devices.converters.readout
    assert adc.bits == 4
    levels = adc.ends[0] + adc.step * setup.design.measured_converters["readout"][:, 0]
    np.testing.assert_allclose(levels, real, atol=1e-3)
