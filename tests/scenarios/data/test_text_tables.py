"""Text tables: one table of numbers, however it is written, is read as the same numbers."""

import itertools
from functools import partial

import numpy as np
import pytest

from scenarios.data.arrays import DataError, make_data_error, open_file
from scenarios.data.text_tables import read_text_table

NUMBERS = np.array([[0.2, 0.01], [0.25, 0.0105], [-0.5, 1e-3], [3.0, 12.25]])
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "blank": "  ", "comma and blank": ", "}
ENDINGS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
CODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]


def anything(table):
    return table


def written(values, separator=",", decimal=".", ending="\n", quoted=False, trailing=False, above=(), unit=""):
    lines = list(above)
    for row in values:
        cells = [f"{value:.6g}".replace(".", decimal) + unit for value in row]
        cells = [f'"{cell}"' for cell in cells] if quoted else cells
        lines.append(separator.join(cells) + (separator.strip(" ") if trailing else ""))
    return ending.join(["", *lines, ""])


def read(path, text, coding="utf-8", accept=anything):
    path.write_bytes(text.encode(coding))
    with open_file(path) as file:
        return read_text_table(file, accept)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_way_to_write_a_table_gives_its_numbers(tmp_path, separator):
    """All endings, codings, quotes and trailing separators of tables with one column and with two."""
    sign = SEPARATORS[separator]
    for ending, coding, quoted, trailing, columns in itertools.product(
        ENDINGS.values(), CODINGS, (False, True), (False, True), (1, 2)
    ):
        for decimal in ".," if "," not in sign else ".":
            values = NUMBERS[:, :columns]
            text = written(values, sign, decimal, ending, quoted, trailing)
            table = read(tmp_path / "t.csv", text, coding, partial(wanted, values=values))
            assert (table.names, set(table.units)) == ((), {""})


def wanted(table, values):
    if table.values.shape != values.shape or not np.allclose(table.values, values, rtol=1e-12, atol=0.0):
        raise make_data_error(f"{table.values} is not what was written", "")
    return table


@pytest.mark.parametrize(
    ("above", "names", "units"),
    [
        (["Vin_V,Vout_V"], ("vin", "vout"), ("V", "V")),
        (["Vin (mV),Vout [V]"], ("vin", "vout"), ("mV", "V")),
        (["# recorded at 25 °C, 5 V"], ("recorded at 25 °c", "5 v"), ("", "")),
        (["# bench 7", "code,INL_LSB"], ("code", "inl"), ("", "LSB")),
        (["sep=,", '"code","INL [LSB]"'], ("code", "inl"), ("", "LSB")),
        (["in,out", "mV,V"], ("in", "out"), ("mV", "V")),
        (["state,activity"], ("state", "activity"), ("", "")),
        (["A curve of three words"], (), ("", "")),
    ],
)
def test_names_and_units_stand_above_the_numbers(tmp_path, above, names, units):
    table = read(tmp_path / "t.csv", written(NUMBERS, above=above))
    assert (table.names, table.units) == (names, units)
    np.testing.assert_allclose(table.values, NUMBERS)


def test_units_stand_behind_the_numbers(tmp_path):
    table = read(tmp_path / "t.csv", written(NUMBERS, unit=" mV"))
    assert table.units == ("mV", "mV")
    with pytest.raises(DataError, match="has the units V, mV"):
        read(tmp_path / "t.csv", "1 mV\n2 V\n")


def test_who_needs_the_table_decides_between_two_readings(tmp_path):
    text = "0,5\n1,5\n2,5\n"
    both = read(tmp_path / "t.csv", text)
    assert both.values.tolist() == [[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]]
    one = read(tmp_path / "t.csv", text, accept=lambda table: wanted(table, np.array([[0.5], [1.5], [2.5]])))
    assert one.values.shape == (3, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "holds no numbers"),
        ("a,b\nc,d\n", "holds no numbers"),
        ("1,2,3\n3\n", "line 2 of t.csv has 1 cells, others have 3"),
        ("1\nNA\n", "line 2 of t.csv has 'NA'"),
        ("NA\n1\n", "line 1 of t.csv has 'NA'"),
        ("1;2\n3;\n", "line 2 of t.csv has an empty cell"),
        ("\x93NUMPY", "holds no numbers"),
        ("PK\x03\x04", "a damaged zip file or spreadsheet"),
        ("1\0\n", "a binary file"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, text, words):
    with pytest.raises(DataError, match=words.replace("(", r"\(")):
        read(tmp_path / "t.csv", text)
