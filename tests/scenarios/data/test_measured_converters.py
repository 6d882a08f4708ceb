"""Measured converters, from a file to the chip."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.data.arrays import DataError
from scenarios.data.measured_converters import read_converter_levels
from scenarios.language.load import load_scenario
from scenarios.run.relocate import relocate_paths

from ..files import MEASURE, write_scenario
from ..scenario_files import faults_of_files

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
    return load_scenario(path)


def test_tables_come_to_the_chip(tmp_path):
    loaded = scenario(tmp_path, adc=np.arange(7)[:, None] + np.linspace(0.4, 0.6, 20))
    setup = make_setup(loaded)
    chip = setup.chip(0, threads=1)
    chip.set_input(setup.data.x)
    chip.settle()
    activity = chip.activity_of(chip.state)
    expected = (activity[:, :, None] * 8.0 >= (np.arange(7) + np.linspace(0.4, 0.6, 20)[:, None])).sum(axis=2) / 8.0
    np.testing.assert_array_equal(np.concatenate(list(chip.read().values())[1:], axis=1), expected)
    assert chip.design.measured_converters["nudge"].shape == (5, 1)
    assert "adc" in chip.causes
    assert "adc" not in chip.without("adc").causes


def test_a_copy_elsewhere_finds_its_tables(tmp_path):
    moved = relocate_paths(scenario(tmp_path), tmp_path / "out").devices.converters
    assert (moved.readout.measured, moved.nudge.measured) == ("../adc.csv", "../dac.npz")


@pytest.mark.parametrize(
    ("tables", "converter", "words"),
    [
        ({"adc": np.arange(6)}, "readout", "7 lines of 1 or 20 columns"),
        (
            {"adc": np.arange(15) + 0.5},
            "readout",
            "these are transitions of 4 bits: for other bits leave",
        ),
        ({"adc": np.ones((7, 2))}, "readout", "7 lines of 1 or 20 columns"),
        ({"adc": -np.arange(7) - 0.5}, "readout", "fall"),
        ({"adc": np.arange(7)}, "readout", "look like codes"),
        ({"adc": np.array([0.5, 1.5, 1.4, 3.5, 4.5, 5.5, 6.5])}, "readout", "fall: from 1.5 to 1.4 LSB at code 3"),
        ({"adc": (np.arange(7) + 0.5) / 8.0}, "readout", "looks like units of the activity, or volts"),
        ({"adc": (np.arange(7) + 0.5) * 125.0}, "readout", "looks like millivolts"),
        ({"adc": np.full(7, np.nan)}, "readout", "not finite"),
        ({"adc": np.zeros((0, 1))}, "readout", "is empty"),
        ({"dac": {"levels": np.arange(4)}}, "nudge", "5 lines of 1 or 5 columns"),
        ({"dac": {"level": np.arange(5)}}, "nudge", "no numbers called 'levels', 'inl' or 'dnl', but level (5,)"),
        ({"dac": {"levels": np.array(["a"] * 5)}}, "nudge", "no numbers called 'levels'"),
        ({"dac": {"levels": np.zeros((1, 1, 5))}}, "nudge", "has shape (1, 1, 5)"),
    ],
)
def test_a_bad_table_is_told(tmp_path, tables, converter, words):
    (finding,) = faults_of_files(scenario(tmp_path, **tables))
    assert finding.path == ("devices", "converters", converter, "measured")
    assert words in f"{finding.message} {finding.hint}"


def test_a_missing_table_is_told(tmp_path):
    loaded = scenario(tmp_path)
    for name in ("adc.csv", "dac.npz"):
        (tmp_path / name).unlink()
    assert ["no file" in finding.message for finding in faults_of_files(loaded)] == [True, True]
    (tmp_path / "adc.csv").write_text("a,b\n", encoding="utf-8")
    assert "holds no numbers" in faults_of_files(loaded)[0].message


PHYSICAL = '[physical]\nactivity_volts = "0.8 V"\nvolt_scale = "0.2 V"\n'


def read(folder, converter, bits, text, extra=""):
    """Return the levels that a text file is read as, and what it was taken for."""
    keys = "full_scale = 1.0, " if converter == "nudge" else 'range = ["-0.1 V", "0.7 V"], '
    table = f'[devices.converters]\n{converter} = {{ {keys}bits = {bits}, measured = "t.csv" }}\n'
    base = MEASURE.replace(', { kind = "circle", points = 4, beta = 0.2 }', "")
    path = write_scenario(folder, f'{base}\n[phases]\nnudge = "held"\n{PHYSICAL}{table}{extra}')
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_converter_levels(load_scenario(path), converter)


def column(values, first=None):
    lines = [f"{float(value)!r}" for value in values]
    return "".join(f"{k + first},{line}\n" if first is not None else f"{line}\n" for k, line in enumerate(lines))


def levels_of(converter, bits, rng):
    """Return ideal levels and monotonic measured ones."""
    half = 2.0 ** (bits - 1)
    ideal = np.arange(2**bits - 1) + 0.5 if converter == "readout" else np.arange(-half, half + 1.0)
    measured = np.sort(ideal + rng.uniform(-0.4, 0.4, ideal.size))
    return ideal, measured


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 10])
@pytest.mark.parametrize("converter", ["readout", "nudge"])
def test_every_kind_of_table_gives_the_same_levels(tmp_path, converter, bits):
    """Levels, levels in volts, INL by line and by code, and DNL beside an ideal first transition or middle level."""
    ideal, measured = levels_of(converter, bits, np.random.default_rng(bits))
    step, low, scale = (0.8 / 2**bits, -0.1, "V") if converter == "readout" else (0.2 * 2.0 ** (1 - bits), 0.0, "V")
    inl = measured - ideal
    by_code = np.append(0.0, inl) if converter == "readout" else inl
    texts = [
        column(measured),
        column(measured, first=0 if bits > 1 else None),
        "level (LSB)\n" + column(measured),
        f"transition ({scale})\n" + column(low + step * measured),
        "code;level [mV]\n" + column(1e3 * (low + step * measured), first=0).replace(",", ";").replace(".", ","),
        "INL (LSB)\n" + column(inl),
        "code,INL_LSB,DNL_LSB\n" + "".join(f"{k},{float(value)!r},9\n" for k, value in enumerate(by_code)),
        "INL [mV]\n" + column(1e3 * step * inl),
    ]
    for text in texts:
        np.testing.assert_allclose(read(tmp_path, converter, bits, text).value[:, 0], measured, rtol=0, atol=1e-9)
    fixed = 0 if converter == "readout" else len(ideal) // 2
    if len(ideal) > 1:
        found = read(tmp_path, converter, bits, "DNL (LSB)\n" + column(np.diff(measured) - 1.0)).value[:, 0]
        np.testing.assert_allclose(found, measured - measured[fixed] + ideal[fixed], rtol=0, atol=1e-9)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("converter", ["readout", "nudge"])
def test_a_nonlinearity_never_passes_as_levels(tmp_path, converter, bits):
    """Sorted or not, an INL of up to 3 steps is refused without its name."""
    rng, (ideal, _) = np.random.default_rng(bits), levels_of(converter, bits, np.random.default_rng(0))
    inl = 0.3 * rng.standard_normal(ideal.size) + rng.uniform(-2.0, 2.0)
    for values in (inl, np.sort(inl), np.sort(inl - inl.mean())):
        with pytest.raises(DataError, match=r"looks like|fall"):
            read(tmp_path, converter, bits, column(values))
