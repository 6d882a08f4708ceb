"""Measured transfer curves: what their numbers are, and what is no curve."""

import numpy as np
import pytest

from scenarios.data.arrays import DataError
from scenarios.data.measured_curve import read_transfer_curve
from scenarios.language.load import load_scenario

from ..sweep_files import BASE, write_scenario

PHYSICAL = '\n[physical]\nvolt_scale = "150 mV"\nactivity_volts = "1.2 V"\n'
VOLTS = np.linspace(0.3, 0.9, 13)
OUT = 0.1 + np.tanh(4.0 * VOLTS)


def curve(folder, text, keys="", physical=PHYSICAL):
    (folder / "neuron.csv").write_text(text, encoding="utf-8")
    line = f'[network]\nactivation = {{ table = "neuron.csv"{keys} }}'
    return read_transfer_curve(load_scenario(write_scenario(folder, BASE.replace("[network]", line) + physical)))


def rows(*columns, header=""):
    lines = [",".join(f"{float(value)!r}" for value in row) for row in zip(*columns, strict=True)]
    return header + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (rows(VOLTS, OUT, header="Vin_V,Vout_V\n"), ""),
        (rows(1e3 * VOLTS, OUT, header="Vin [mV],Vout [V]\n"), ""),
        (rows(VOLTS, OUT), ', units = "volts"'),
        (rows(VOLTS[::-1], OUT[::-1], header="Vin_V,Vout_V\n"), ""),
        (rows(range(13), VOLTS, OUT, header="n,Vin_V,Vout_V\n"), ""),
    ],
)
def test_volts_become_states_and_activities(tmp_path, text, keys):
    """``u = (V - zero_in)/V_u``, ``a = (V - zero_out)/V_A``, however the curve says that it is in volts."""
    for zeros, low, out in (("", 0.0, 0.0), (', zero_in = "0.6 V", zero_out = "100 mV"', 0.6, 0.1)):
        read = curve(tmp_path, text, keys + zeros)
        np.testing.assert_allclose(read.value.u, (VOLTS - low) / 0.15, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(read.value.a, (OUT - out) / 1.2, rtol=1e-12)
        assert "in volts" in read.taken


def test_plain_numbers_are_states_and_activities(tmp_path):
    for keys, physical in (("", ""), ("", PHYSICAL), (', units = "model"', "")):
        read = curve(tmp_path, rows(VOLTS, OUT, header="u,a\n"), keys, physical)
        np.testing.assert_array_equal(read.value.u, VOLTS)
        np.testing.assert_array_equal(read.value.a, OUT)
        assert ("for volts write" in read.taken) == (physical != "")


@pytest.mark.parametrize(
    ("text", "keys", "physical", "words"),
    [
        ("", "", "", "is empty"),
        ("1,2\n", "", "", "not two columns and two lines"),
        ("1,2,3\n2,3,4\n5,6,7\n", "", "", "the first column must increase|not two columns"),
        ("0,0\n1,x\n", "", "", "'x' where a number is wanted"),
        ("0,0\n0,1\n", "", "", "must increase"),
        ("0,1\n1,0\n", "", "", "not fall"),
        ("0,0\n1,inf\n", "", "", "finite"),
        ("0,0\n1,1\n", ', units = "volts"', "", "which needs .physical. volt_scale"),
        ("Vin_V,I (nA)\n0,0\n1,1\n", "", PHYSICAL, "is in 'nA'"),
        ("0,0\n1,1\n", ', zero_in = "0.6 V"', PHYSICAL, "are voltages"),
    ],
)
def test_what_is_no_curve_is_told(tmp_path, text, keys, physical, words):
    with pytest.raises(DataError, match=words):
        curve(tmp_path, text, keys, physical)
