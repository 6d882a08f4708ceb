"""Comparators, from a scenario file to the ledger of the write."""

import numpy as np
import pytest

from scenarios.language.load import load_scenario
from substrate.chip.randomness import has_random_writes
from tests.scenarios.experiments.measure.test_hardware import computed, fabricated
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.scenario_files import GOOD, only_fault, write

SCALES = '\n[physical]\nvolt_scale = "100 mV"\nactivity_volts = "200 mV"\ntau = "1 us"\nleak = "1 uS"\n'
SIGNS = '\n[devices.comparator]\nchange = "1 nS"\nnoise = 0.1\n'


def test_sizes_in_siemens_come_to_the_chip(tmp_path):
    chip = fabricated(write_scenario(tmp_path, MEASURE + SIGNS + SCALES))
    assert chip.design.devices.comparator.change == pytest.approx(1e-9 / (1e-6 * 0.1 / 0.2))
    assert has_random_writes(load_scenario(tmp_path / "small.toml").scenario.devices)


@pytest.mark.parametrize("table", ["", '\n[devices.update]\npreset = "pcm-joshi"\n'])
def test_a_change_of_unknown_size_is_told(tmp_path, table):
    fault = only_fault(write(tmp_path, GOOD + "\n[devices.comparator]\nnoise = 0.1\n" + table))
    assert fault.path == ("devices", "comparator", "change")
    assert "whole pulses" in fault.hint


def test_the_ledger_books_what_signs_lose_under_write(tmp_path):
    text = MEASURE.replace(', { kind = "circle", points = 4, beta = 0.2 }', "")
    text = text.replace("record = { samples = 2, every_steps = 2 }", "repeats = 2")
    ledger = computed(write_scenario(tmp_path, text + "\n[devices.comparator]\nchange = 0.01\n"))["ledger/connections"]
    write = ledger["relative"].data[..., list(ledger["term"].data).index("write")]
    assert (write[np.isfinite(write)] > 0.0).all()
    assert np.isfinite(write).any()
