"""Measured converters, from a file to the chip."""

import numpy as np
import pytest

from scenarios.build import assemble
from scenarios.chips import make_chip
from scenarios.load import load
from scenarios.measured_converters import converter_faults
from scenarios.relocate import relocated

from .files import MEASURE, write_scenario

TABLES = """
[phases]
nudge = "held"
[devices.converters]
readout = { bits = 3, measured = "adc.csv" }
nudge = { full_scale = 1.0, bits = 2, measured = "dac.npz" }
"""
TEXT = MEASURE.replace(', { kind = "circle", points = 4, beta = 0.2 }', "") + TABLES


def scenario(tmp_path, adc=None, dac=None):
    path = write_scenario(tmp_path, TEXT)
    np.savetxt(tmp_path / "adc.csv", np.arange(7) + 0.6 if adc is None else adc, delimiter=",")
    np.savez(tmp_path / "dac.npz", **(dac or {"levels": 1.1 * np.arange(-2, 3)}))
    return load(path)


def test_tables_come_to_the_chip(tmp_path):
    loaded = scenario(tmp_path, adc=np.arange(7)[:, None] + np.linspace(0.4, 0.6, 20))
    assert converter_faults(loaded) == []
    parts = assemble(loaded)
    chip = make_chip(loaded.scenario, parts, parts.programmed, 0, 1)
    chip.set_input(parts.data.x)
    chip.settle()
    activity = chip.activity_of(chip.state)
    expected = (activity[:, :, None] * 8.0 >= (np.arange(7) + np.linspace(0.4, 0.6, 20)[:, None])).sum(axis=2) / 8.0
    np.testing.assert_array_equal(np.concatenate(list(chip.read().values())[1:], axis=1), expected)
    assert chip.design.measured_converters["nudge"].shape == (5, 1)
    assert "adc" in chip.causes
    assert "adc" not in chip.without("adc").causes


def test_a_copy_elsewhere_finds_its_tables(tmp_path):
    moved = relocated(scenario(tmp_path), tmp_path / "out").devices.converters
    assert (moved.readout.measured, moved.nudge.measured) == ("../adc.csv", "../dac.npz")


@pytest.mark.parametrize(
    ("tables", "converter", "words"),
    [
        ({"adc": np.arange(6)}, "readout", "7 lines of 1 or 20 columns"),
        ({"adc": np.ones((7, 2))}, "readout", "7 lines of 1 or 20 columns"),
        ({"adc": -np.arange(7)}, "readout", "fall"),
        ({"adc": np.full(7, np.nan)}, "readout", "not finite"),
        ({"adc": np.zeros((0, 1))}, "readout", ""),
        ({"dac": {"levels": np.arange(4)}}, "nudge", "5 lines of 1 or 5 columns"),
        ({"dac": {"level": np.arange(5)}}, "nudge", "no numbers called 'levels'"),
        ({"dac": {"levels": np.array(["a"] * 5)}}, "nudge", "no numbers called 'levels'"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_bad_table_is_told(tmp_path, tables, converter, words):
    (finding,) = converter_faults(scenario(tmp_path, **tables))
    assert finding[0] == ("devices", "converters", converter, "measured")
    assert words in " ".join(map(str, finding[1:]))


def test_a_missing_table_is_told(tmp_path):
    loaded = scenario(tmp_path)
    for name in ("adc.csv", "dac.npz"):
        (tmp_path / name).unlink()
    assert ["no file" in finding[1] for finding in converter_faults(loaded)] == [True, True]
    (tmp_path / "adc.csv").write_text("a,b\n", encoding="utf-8")
    assert "cannot be read as a CSV file" in converter_faults(loaded)[0][1]
