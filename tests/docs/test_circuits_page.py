"""What the page on circuits says of the export comes back as a netlist, and its keys are those there are."""

import re
from pathlib import Path
from typing import get_args

import pytest

import nudgelab
from devices.circuit.components import CircuitDevices

PAGE = (Path(__file__).parents[2] / "docs" / "method" / "circuits.md").read_text(encoding="utf-8")
BLOCKS = {
    re.search(r'name = "(.+)"', text)[1]: text for text in re.findall(r"```toml\n(schema.*?)```", PAGE, re.DOTALL)
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in BLOCKS.items():
        Path(f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_exported_board_is_measured_like_the_board(folder):
    board = nudgelab.load("my-board.toml")
    board.export("my-board-spice", device_models=True)
    plain = {"learning": {"rule": {"kind": "coupled", "clamp": 0.5}}, "experiment": {"kind": "measure", "samples": 2}}
    own = nudgelab.load(board.loaded.spec.model_dump(by_alias=True, exclude_none=True, mode="json") | plain).run()
    again = nudgelab.load(folder / "again.toml").run()
    assert abs(own["gradient"]["cosine"].data - again["gradient"]["cosine"].data).max() < 1e-7


def find_table(annotation):
    """Return the table of a block, which may be absent."""
    return get_args(annotation)[0] if get_args(annotation) else annotation


def test_no_row_of_keys_is_invented():
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", PAGE[PAGE.index("## Devices") :], re.MULTILINE)
    blocks = CircuitDevices.model_fields
    assert {name for name, _ in rows} == set(blocks)
    for name, keys in rows:
        assert set(re.findall(r"`(\w+)`", keys)) == set(find_table(blocks[name].annotation).model_fields)
