"""The firmware of the documentation, a process of its own at the end of a serial port, is a board."""

import ast
import os
import pty
import re
import subprocess
import sys
import tomllib
import tty
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import nudgelab
from substrate.hardware.lines import make_line, parse_line
from substrate.hardware.streams import SerialStream

HERE = Path(__file__).parents[3]
FIRMWARE = HERE / "examples" / "firmware" / "main.py"
PAGE = (HERE / "docs" / "how-to" / "firmware.md").read_text(encoding="utf-8")
MODULES = {"binascii", "json", "math", "struct", "sys", "collections"}
"""Those of MicroPython that it takes."""


@contextmanager
def run_firmware():
    """Start it at one end of a pair of serial ports; yield the name of the other."""
    own, other = pty.openpty()
    tty.setraw(other)
    board = subprocess.Popen([sys.executable, "-u", str(FIRMWARE)], stdin=own, stdout=own)
    try:
        yield os.ttyname(other)
    finally:
        board.kill()
        board.wait()
        os.close(own)
        os.close(other)


def test_it_trains_as_its_page_says(tmp_path):
    """What the record says at the end is what the chip does, and what a simulated chip of these weights does."""
    tables = tomllib.loads(re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1])
    with run_firmware() as port:
        result = nudgelab.load(tables, {"hardware.port": port}).run(tmp_path / "run")
        assert result.status == "complete"
        losses = result["metrics"]["loss_test"].data
        assert losses[-1] < losses[0]
        assert result["board"]["requests_lost"].data > 0  # pulses of 0.001
        scenario = nudgelab.load(tables, {"hardware.port": port, "hardware.begin": "programmed"})
        with scenario.board() as bench:
            bench.set_input(scenario.data.x_test[:5])
            bench.settle()
            read = bench.read()
        assert bench.clipped == 0
    plain = nudgelab.load(tables, {"hardware": None, "network.parameters": str(tmp_path / "run" / "run.h5")})
    chip = plain.chip()
    chip.set_input(scenario.data.x_test[:5])
    chip.settle()
    for name, activity in chip.read().items():
        # Half a code of reads, and half one of two inputs, at weights below 1 and a slope of 1.
        assert np.abs(read[name] - activity).max() < 0.5 / 4095 + 0.5 * 4 / 4095, name


def test_it_answers_as_the_reference_says():
    with run_firmware() as port:
        stream = SerialStream(port, 115_200, 1.0)

        def ask(line):
            stream.write(line)
            return parse_line(stream.read_line(20.0))

        pulse = {"op": "PULSE", "block": "bias/out", "first": 0, "counts": "0001", "size": 0.001}
        assert ask(b"{}*00000000\n") == {"id": None, "error": "checksum"}
        assert ask(make_line({"id": 1, "op": "INFO"}))["written"] == 0
        assert ask(make_line({"id": 2} | pulse)) == {"id": 2}
        assert ask(make_line({"id": 2} | pulse)) == {"id": 2}
        assert ask(make_line({"id": 2, "op": "INFO"}))["written"] == 1
        assert ask(make_line({"id": 3, "op": "JUMP"}))["error"] == "request"
        assert "no such cells" in ask(make_line({"id": 4} | pulse | {"first": 2}))["text"]
        assert "0.001" in ask(make_line({"id": 5} | pulse | {"size": 0.1}))["text"]
        assert ask(make_line({"id": 6, "op": "CLAMP", "codes": "00"}))["text"] == "2 codes expected"
        assert ask(make_line({"id": 7, "op": "CLOSE"})) == {"id": 7}
        stream.close()


def test_it_takes_nothing_that_micropython_lacks():
    taken = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(FIRMWARE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert taken <= MODULES


def test_the_lines_of_the_reference_are_such_lines():
    page = (HERE / "docs" / "reference" / "line-protocol.md").read_text(encoding="utf-8")
    lines = re.findall(r"^(\{.*\*[0-9A-F]{8})$", page, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        assert make_line(parse_line(line.encode())) == line.encode() + b"\n"
