"""Ctrl-C with real signals: obeyed within two seconds, whatever runs; nothing that was kept is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from scenarios.cli.interrupts import BROKEN_OFF
from scenarios.front.progress import Progress
from scenarios.results import store

ROOT = Path(__file__).parents[3]
STUCK = """
import hashlib, signal, sys
from scenarios.cli import interrupts
signal.signal(signal.SIGINT, lambda *_: None)
with interrupts.handle_interrupts():
    work = interrupts.StoppableWork(lambda: print("asked", flush=True), lambda: "saving" in sys.argv)
    if "promised" in sys.argv:
        interrupts.promise_json()
    with interrupts.let_work_end(work):
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", int(sys.argv[1]))  # no instruction of Python for seconds
        print("slept", flush=True)
"""


def started(*arguments, **extra):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **extra}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def interrupted(process, times=1):
    """Interrupt a process and all below it as a terminal does; return its output and the seconds it took."""
    begin = time.monotonic()
    for number in range(times):
        if number:
            time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    return out, time.monotonic() - begin


def test_a_main_thread_that_hears_nothing_is_ended():
    process = started("-c", STUCK, "30000000")
    assert process.stdout.readline() == "ready\n"
    out, _ = interrupted(process)
    assert out.split() == ["asked", "broken", "off"]
    assert process.returncode == BROKEN_OFF


def test_what_is_being_saved_is_waited_for_and_the_second_time_is_not():
    for times, ending in ((1, "slept"), (2, "broken off")):
        process = started("-c", STUCK, "5000000" if times == 1 else "30000000", "saving")
        assert process.stdout.readline() == "ready\n"
        out, _ = interrupted(process, times)
        assert ending in out
        assert out.count("asked") == 1


def test_an_end_by_force_keeps_what_was_promised():
    process = started("-c", STUCK, "30000000", "promised")
    assert process.stdout.readline() == "ready\n"
    out, _ = interrupted(process)
    asked, answer, last, _ = out.split("\n")
    assert (asked, json.loads(answer)["status"], last) == ("asked", "interrupted", "broken off")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["run", "quickstart"], ["sweep", "asymmetry"]])
def test_a_program_that_reads_a_command_ended_by_force_gets_one_object(tmp_path, command):
    """The second signal ends the process, whatever it does: compiling, since nothing was compiled before."""
    out = ["--json", "--out", str(tmp_path / "out"), "--threads", "1"]
    process = started("-m", "scenarios.cli.main", *command, *out, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    time.sleep(6.0)
    found, _ = interrupted(process, times=2)
    (line,) = [line for line in found.split("\n") if line.startswith("{")]
    assert json.loads(line)["status"] == "interrupted"


def test_a_long_silence_is_broken_with_what_goes_on(monkeypatch, capsys):
    monkeypatch.setattr("scenarios.front.progress.SILENCE", 0.1)
    with Progress() as progress:
        progress.say("counting grains")
        for _ in count():
            time.sleep(0.05)
            told = capsys.readouterr().err
            if "still at" in told:
                break
        monkeypatch.setattr("scenarios.front.progress.is_compiling", lambda: True)
        progress.say("counting on")
        for _ in count():
            time.sleep(0.05)
            if "compiling kernels" in capsys.readouterr().err:
                break
    assert "still at: counting grains (" in told


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.5, 4.0, 8.0, 12.0])
@pytest.mark.parametrize(
    "command", [["run", "quickstart"], ["sweep", "asymmetry"], ["sweep", "asymmetry", "--workers", "2"]]
)
def test_ctrl_c_is_obeyed_at_any_time(tmp_path, command, seconds):
    """With an empty cache of kernels: loading, compiling, starting workers and the first points are all met."""
    process = started(
        "-m", "scenarios.cli.main", *command, "--out", str(tmp_path / "out"), NUMBA_CACHE_DIR=str(tmp_path / "cache")
    )
    time.sleep(seconds)
    out, took = interrupted(process)
    assert took < 3.0  # two seconds, and one for a machine that has other things to do
    # Python ends itself by the signal where the interrupt fell into the `exec` of a text; shells show BROKEN_OFF, too.
    assert process.returncode in (BROKEN_OFF, -signal.SIGINT, 75)
    assert "Traceback" not in out
    for file in (tmp_path / "out").rglob("*.h5"):
        store.read_result_file(file)
