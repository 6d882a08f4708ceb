"""Run a scenario from the command line: signals, progress, the answer, exit codes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from rich.console import Console

from substrate.compile import unkept

from .answer import answer, diverged
from .answer_alarms import alarms
from .faults import ScenarioError
from .load import load
from .progress import Progress
from .run import RESULT, Finished, Options, RunError, run
from .store import Result, StoreReadError, StoreWriteError
from .store import load as load_result
from .summary import metrics, open_lines, show
from .suspicions import as_table, told
from .train import Interrupted

DONE, FAILED, INVALID, UNREADABLE, RESUMABLE, BROKEN_OFF = 0, 1, 2, 4, 75, 130
"""Exit codes."""

_FAILURES: dict[type[Exception], tuple[str, int]] = {
    RunError: ("invalid", INVALID),
    StoreReadError: ("unreadable", UNREADABLE),
    StoreWriteError: ("failed", FAILED),
    Interrupted: ("interrupted", RESUMABLE),
}
"""Status and exit code of the errors that end a run."""


class Flags(NamedTuple):
    """Options of the command."""

    out: Path | None = None
    threads: int | None = None
    force: bool = False
    as_json: bool = False
    quiet: bool = False
    fail_on_divergence: bool = False


def run_and_tell(path: Path, edits: Sequence[str], flags: Flags) -> int:
    """Run the scenario at `path`, print the answer on the standard output, and return the exit code."""
    try:
        loaded = load(path, edits)
        caught = (signal.SIGINT, signal.SIGTERM) if loaded.scenario.experiment.kind == "train" else ()
        quiet, words = flags.quiet or flags.as_json, "stopping with a checkpoint"
        with Progress(quiet=quiet) as progress, stopping(progress, caught, words):
            done = run(loaded, Options(flags.out, flags.threads, flags.force), progress)
        result = load_result(done.folder / RESULT)
    except ScenarioError as error:
        faults = [{"file": f.file, "line": f.line, "message": f.message, "hint": f.hint} for f in error.faults]
        return _fail(flags, "invalid", str(error), INVALID, faults=faults)
    except (RunError, StoreReadError, StoreWriteError, Interrupted) as error:
        status, code = _FAILURES[type(error)]
        return _fail(flags, status, str(error), code)
    except KeyboardInterrupt:
        return _fail(flags, "interrupted", "broken off", BROKEN_OFF)
    if flags.as_json:
        found: dict[str, Any] = {"status": result.attributes["status"], "answer": answer(result)}
        found["warnings"] = [as_table(warning) for warning in done.warnings]
        found["alarms"] = [alarm._asdict() for alarm in alarms(result)]
        print(json.dumps(found | {"files": [str(file) for file in done.files], "metrics": metrics(result)}))
    else:
        # Without progress nothing has told them yet.
        for warning in done.warnings if quiet else ():
            print(told(warning), file=sys.stderr)
        _tell(result, done)
    tell_unkept()
    return FAILED if flags.fail_on_divergence and diverged(result) else DONE


def _tell(result: Result, done: Finished) -> None:
    show(result, Console(width=None if sys.stdout.isatty() else 120, highlight=False))
    print()
    for file in done.files:
        print(file)
    print()
    print(open_lines(done.folder / RESULT))
    if not done.computed:
        print("This result was already complete; --force computes it again.", file=sys.stderr)


def tell_unkept() -> None:
    """Tell on the standard error why the next run will compile its kernels again, if it will."""
    if reason := unkept():
        words = "the next run compiles its kernels again: free some room, or name a folder by NUMBA_CACHE_DIR"
        print(f"compiled kernels are not kept ({reason}); {words}", file=sys.stderr)


def _fail(flags: Flags, status: str, text: str, code: int, **more: Any) -> int:
    if flags.as_json:
        print(json.dumps({"status": status, "error": {"message": text, **more}}))
    else:
        print(text, file=sys.stderr)
    return code


@contextmanager
def stopping(progress: Progress, caught: Sequence[signal.Signals], words: str) -> Iterator[None]:
    """Let the first of the signals ask for an end, saying `words`, and the second one end at once."""
    before = {number: signal.getsignal(number) for number in caught}

    def ask(_number: int, _frame: FrameType | None) -> None:
        if progress.stopped():
            raise KeyboardInterrupt
        progress.stop()
        progress.say(f"{words}; once more stops at once")

    for number in caught:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])
