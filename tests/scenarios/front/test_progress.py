import os
import pty
import re
import select
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from scenarios.front import progress
from scenarios.front.progress import INTERVAL, Progress

ROOT = Path(__file__).parents[3]

SCRIPT = """
import time
from scenarios.front import progress
progress.INTERVAL = {interval}
with progress.Progress(quiet={quiet}) as p:
    p.say("free settling \\u2013 [bold]l1[/bold]")
    for done in range(1, 6):
        p.advance(done, 5, "training, test error 12.5 %")
        time.sleep(0.02)
    p.say("the end")
"""


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress, "monotonic", lambda: self.now)


def command(interval=0.0, quiet=False):
    return [sys.executable, "-c", SCRIPT.format(interval=interval, quiet=quiet)]


def environment(**changes):
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR", "TERM"}}
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


def on_a_terminal(**changes):
    """Run the script with a terminal as its standard error; return what appeared there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(), stderr=theirs, stdout=subprocess.PIPE, env=environment(COLUMNS="80", **changes), cwd=ROOT
    )
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.communicate()[0] == b""
    assert process.returncode == 0, seen
    return seen.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
        {"PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"},
        pytest.param({"NO_COLOR": "1"}, marks=pytest.mark.slow),
        pytest.param({"TERM": "dumb"}, marks=pytest.mark.slow),
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_without_a_terminal_plain_lines_appear(changes):
    done = subprocess.run(command(), env=environment(**changes), capture_output=True, check=True, cwd=ROOT)
    lines = done.stderr.decode().splitlines()
    assert done.stdout == b""
    assert "[bold]l1[/bold]" in lines[0]
    assert lines[-1] == "  the end"
    assert any(re.fullmatch(r"  training, test error 12\.5 % \(80 %, about 0:00:00 left\)", line) for line in lines)
    assert "\x1b" not in done.stderr.decode()


@pytest.mark.parametrize("changes", [{"PYTHONIOENCODING": "ascii"}, {"NO_COLOR": "1"}])
def test_a_terminal_shows_a_bar_and_is_left_clean(changes):
    seen = on_a_terminal(TERM="xterm-256color", **changes)
    assert "training, test error" in seen
    assert "100%" in seen
    assert "[bold]l1[/bold]" in seen
    assert "the end" in seen
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"), "the cursor is shown again"
    assert ("\u2501" in seen) == (changes.get("PYTHONIOENCODING") != "ascii")


def test_a_dumb_terminal_shows_plain_lines():
    seen = on_a_terminal(TERM="dumb")
    assert "\x1b" not in seen
    assert "training, test error 12.5 % (80 %" in seen


def test_quiet_shows_nothing_and_still_keeps_the_log(tmp_path):
    done = subprocess.run(command(quiet=True), env=environment(), capture_output=True, check=True, cwd=ROOT)
    assert done.stderr == done.stdout == b""
    with Progress(quiet=True) as p:
        p.log_to(tmp_path / "run.log")
        p.say("one line")
    assert "one line" in (tmp_path / "run.log").read_text()


def test_lines_are_sparse_and_tell_the_time_that_is_left(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with Progress() as p:
        for done in range(1, 101):
            p.advance(done, 100, "training")
            clock.now += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 99 // INTERVAL
    assert lines[0] == "  training (11 %, about 0:01:29 left)"


def test_a_resumed_run_judges_its_own_speed(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with Progress() as p:
        p.advance(90, 100, "training")
        clock.now = 20.0
        p.advance(92, 100, "training")
    assert capsys.readouterr().err == "  training (92 %, about 0:01:20 left)\n"


def test_the_log_keeps_time_stamped_lines_and_grows(tmp_path):
    path = tmp_path / "run.log"
    path.write_text("earlier\n")
    with Progress(quiet=True) as p:
        p.say("before the folder is known")
        p.log_to(path)
        p.say("after \u03b2 \ud800")
    first, second, third = path.read_text(encoding="utf-8").splitlines()
    assert first == "earlier"
    stamp, _, text = second.partition("  ")
    assert text == "before the folder is known"
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert third.endswith("after \u03b2 \\ud800")


def test_a_log_that_cannot_be_written_stops_no_run(tmp_path, capsys):
    with Progress() as p:
        p.log_to(tmp_path / "none" / "run.log")
        p.say("one")
        p.say("two")
    lines = capsys.readouterr().err.splitlines()
    assert "cannot write" in lines[0]
    assert "without a log" in lines[0]
    assert lines[1:] == ["  one", "  two"]


def test_a_run_can_be_asked_to_stop():
    with Progress() as p:
        assert not p.stopped()
        p.stop()
        assert p.stopped()


def test_an_error_inside_passes_through():
    with pytest.raises(RuntimeError, match="mine"), Progress():
        raise RuntimeError("mine")
