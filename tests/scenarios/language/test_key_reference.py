"""The pages of keys say what the declarations say."""

import re

import pytest

from scenarios.language.json_schema import make_json_schema
from scenarios.language.key_reference import FOLDER, write_key_reference

PAGES = write_key_reference()
ROWS = [
    line.split(" | ")
    for page in PAGES.values()
    for line in re.sub(r"\\\|", "/", page).splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run python -m scenarios.language.key_reference"


def test_every_key_is_on_it_with_a_meaning():
    schema = make_json_schema()
    keys = {key for table in [schema, *schema["$defs"].values()] for key in table["properties"]} - {"extends", "kind"}
    assert {row[0].strip("| `") for row in ROWS} >= keys
    assert [row[0] for row in ROWS if len(row) < 5 or not row[4].strip("| ")] == []


@pytest.mark.parametrize(
    ("key", "value", "unit", "default"),
    [
        ("dt", "number, above 0 to 10", "tau or s", "`0.5`"),
        ("read_skew", "number, 0 to 1e+12", "tau or s", "`0`"),
        ("excess_noise", "number, 0 or more", "", "`1`"),
        ("stuck_fraction", "number, 0 to 1", "1 or %", "`0`"),
        ("segment", "number, 0 to 1e+06", "1/weight or ohm", "`0`"),
        ("window", "array of 2 of: number, -1e+06 to 1e+06", "weight or S", "absent"),
        ("read", "number, 0 to 100", "activity or V", "`0`"),
        ("slew", "number, above 0 to 1e+06", "state/tau or V/s", "absent"),
        ("step", "number, above 0 to 1000", "weight", "needed"),
        ("instance", "whole number, 0 to 2^31", "", "`0`"),
        ("parameters", "file", "", "absent"),
        ("stochastic", "`true`, `false`", "", "`false`"),
        ("input_volts", "number, above 0", "text in V", '`"1 V"`'),
        ("bias", "array of 2 of: number", "text in V", '`["0 V", "0 V"]`'),
        ("storage", '`"independent"`, `"copied"`, `"shared-device"`', "", '`"independent"`'),
    ],
)
def test_a_row_says_what_a_key_takes(key, value, unit, default):
    assert [value, unit, default] in [row[1:4] for row in ROWS if row[0] == f"| `{key}`"]


def test_what_several_kinds_share_stands_once():
    page = PAGES["keys.md"]
    assert page.count("| `cycle_sigma` |") == 1
    assert page.count("## `devices.weights.pelgrom`, `devices.weights.mirror`") == 1


def test_circuits_have_a_page_of_their_own_without_what_they_share():
    rates, circuits = PAGES.values()
    assert "`target_volts`" in circuits
    assert "`target_volts`" not in rates
    assert "## `sweep" in rates
    assert "## `sweep" not in circuits
    assert "is as [in rate networks](keys.md): `chip`, `experiment.change`, `sweep`." in circuits
