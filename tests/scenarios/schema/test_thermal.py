"""Noise and load of the membranes from ``[physical]``."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.language.load import load_scenario
from scenarios.schema.scenario import ScenarioSpec
from substrate.chip.randomness import has_random_measurements
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.scenario_files import GOOD, changed, only_fault, write

NOISY = changed("dt = 0.25", 'dt = 0.25\nmethod = "exponential"\nnudged = { steps = 5 }')
THERMAL = "\n[devices.noise]\nthermal = true\n"
SCALES = '\n[physical]\nvolt_scale = "100 mV"\nactivity_volts = "200 mV"\ncapacitance = "1 pF"\n'


def sigma(tmp_path, *overrides):
    scenario = load_scenario(write(tmp_path, NOISY + SCALES + THERMAL), overrides).scenario
    return scenario.in_units().devices.noise.thermal


def test_thermal_noise_follows_temperature_capacitance_and_scale(tmp_path):
    base = sigma(tmp_path)
    assert base == pytest.approx(64.36e-6 / 0.1, rel=1e-3)
    assert sigma(tmp_path, "physical.temperature=75 K") == pytest.approx(base / 2.0, rel=1e-12)
    assert sigma(tmp_path, "physical.capacitance=4 pF") == pytest.approx(base / 2.0, rel=1e-12)
    assert sigma(tmp_path, "physical.volt_scale=50 mV") == pytest.approx(base * 2.0, rel=1e-12)
    assert sigma(tmp_path, "physical.excess_noise=4.0") == pytest.approx(base * 2.0, rel=1e-12)
    assert sigma(tmp_path, "devices.noise.thermal=0.5") == 0.5
    assert sigma(tmp_path, "devices.noise.thermal=1") == 1.0
    assert sigma(tmp_path, "devices.noise.thermal=false") == 0.0


def test_thermal_noise_is_kept_as_it_was_written(tmp_path):
    scenario = load_scenario(write(tmp_path, NOISY + SCALES + THERMAL)).scenario
    assert "thermal = true" in scenario.to_toml()
    assert isinstance(load_scenario(write(tmp_path, scenario.to_toml(), "again.toml")).scenario, ScenarioSpec)
    assert has_random_measurements(scenario.devices)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (NOISY + THERMAL, "devices.noise.thermal", "needs [physical] volt_scale, capacitance"),
        (
            NOISY + THERMAL + '\n[physical]\nvolt_scale = "1 V"\n',
            "devices.noise.thermal",
            "needs [physical] capacitance",
        ),
        (GOOD + '\n[physical]\nsynapse = "passive"\n', "physical", "give `volt_scale` and `activity_volts`"),
        (GOOD + SCALES + 'synapse = "resistor"\n', "physical.synapse", "passive"),
        (
            changed("[network]", '[network]\nlaw = "hopfield"') + SCALES + 'synapse = "passive"\n',
            "physical.synapse",
            "additive units only",
        ),
    ],
)
def test_what_is_missing_or_has_no_meaning_is_told(tmp_path, text, path, words):
    fault = only_fault(write(tmp_path, text))
    assert ".".join(map(str, fault.path)) == path
    assert words in f"{fault.message} {fault.hint}"


def test_passive_synapses_rest_elsewhere(tmp_path):
    activity = {}
    for kind in ("virtual-ground", "transconductor", "passive"):
        loaded = load_scenario(write_scenario(tmp_path, MEASURE + SCALES), [f"physical.synapse={kind}"])
        setup = make_setup(loaded)
        chip = setup.chip(0, threads=1)
        chip.set_input(setup.data.x)
        chip.settle()
        activity[kind] = chip.read()["l1"]
        assert chip.causes == ["mismatch", *(["loading"] if kind == "passive" else [])]
    np.testing.assert_array_equal(activity["virtual-ground"], activity["transconductor"])
    assert np.abs(activity["passive"] - activity["virtual-ground"]).max() > 0.01
