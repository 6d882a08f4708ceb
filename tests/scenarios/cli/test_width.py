"""What is wrong, and what is suspicious, is told in lines as wide as the terminal, and in one line each in a pipe."""

import os
import pty
import struct
import subprocess
import sys
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.front.progress import Progress
from scenarios.report.terminal import wrap_lines
from tests.scenarios.cli.test_main import BAD
from tests.scenarios.files import MEASURE, write_scenario

WIDTH = 80
SUSPICIOUS = MEASURE.replace("[devices]", "[dynamics]\ndt = 3.0\n[devices]")


def tell(words, columns):
    return CliRunner().invoke(main, [str(word) for word in words], env={"COLUMNS": columns}).stderr


def list_long_lines(text):
    """Return the lines that are too wide, but for lines of a file and for words that are longer than a line."""
    return [line for line in text.splitlines() if len(line) > WIDTH and not line.startswith("    |") and " " in line]


@pytest.mark.parametrize("text", [case[1] for case in BAD] + [SUSPICIOUS], ids=[case[0] for case in BAD] + ["odd"])
def test_faults_and_suspicions_are_as_wide_as_columns_says(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    write_scenario(tmp_path, text)
    for width in ("80", "50"):
        told, whole = (tell(["check", "small.toml"], columns) for columns in (width, ""))
        assert list_long_lines(told) == []
        assert " ".join(told.split()) == " ".join(whole.split())
        assert max(map(len, whole.splitlines())) > int(width)


def test_wrong_use_is_told_in_short_lines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    words = ["export", "run", "--format", "spice"]
    told, whole = (tell(words, columns) for columns in ("80", ""))
    assert list_long_lines(told) == []
    assert len(told.splitlines()) > len(whole.splitlines())
    assert "Error: " in told


def test_progress_is_told_in_short_lines(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    with Progress() as progress:
        progress.say("of " + 30 * "word ")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 60 and line.startswith("  ") for line in lines)


def test_a_terminal_gets_short_lines(tmp_path):
    write_scenario(tmp_path, SUSPICIOUS.replace("l2-out", "l2-put"))
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "scenarios.cli.main", "check", "small.toml"]
    done = subprocess.run(command, cwd=tmp_path, env=kept, stdout=theirs, stderr=theirs, check=False)
    os.close(theirs)
    told = os.read(ours, 100_000).decode().replace("\r", "")
    os.close(ours)
    assert done.returncode == 2
    assert "small.toml" in told
    assert len(told.splitlines()) > 2
    assert list_long_lines(told) == []


def test_a_line_goes_on_two_columns_in_and_a_line_of_a_file_stays_whole():
    text = "a.toml:3: seed = 1.5: must be a whole number - write one\n    | seed = 1.5 # a long comment behind it"
    assert wrap_lines(text, None) == text
    assert wrap_lines(text, 30).splitlines() == [
        "a.toml:3: seed = 1.5: must be",
        "  a whole number - write one",
        "    | seed = 1.5 # a long comment behind it",
    ]
    assert wrap_lines("x" * 40, 30) == "x" * 40
