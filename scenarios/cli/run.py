"""Run a scenario from the command line: signals, progress, the answer, exit codes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from ..api import (
    Interrupted,
    Progress,
    Result,
    RunError,
    ScenarioError,
    StoreReadError,
    StoreWriteError,
    convert_to_table,
    explain_unkept,
    format_open_lines,
    format_suspicion,
    is_compiling,
    load,
    make_change_edits,
    print_paragraph,
    print_summary,
)
from .console import make_console, print_error
from .interrupts import BROKEN_OFF, StoppableWork, let_work_end, print_json

DONE, FAILED, INVALID, UNREADABLE, RESUMABLE = 0, 1, 2, 4, 75
"""Exit codes."""

_FAILURES: dict[type[Exception], tuple[str, int]] = {
    RunError: ("invalid", INVALID),
    StoreReadError: ("unreadable", UNREADABLE),
    StoreWriteError: ("failed", FAILED),
    Interrupted: ("interrupted", RESUMABLE),
}
"""Status and exit code of the errors that end a run."""


class RunFlags(NamedTuple):
    """Options of the command."""

    changes: tuple[str, ...] = ()
    out: Path | None = None
    threads: int | None = None
    force: bool = False
    as_json: bool = False
    quiet: bool = False
    fail_on_divergence: bool = False


def run_command(name: str, edits: Sequence[str], flags: RunFlags) -> int:
    """Run a scenario, print the answer on the standard output, and return the exit code."""
    quiet = flags.quiet or flags.as_json
    try:
        result = _run_with_progress(name, edits, flags, quiet)
    except ScenarioError as error:
        faults = [{"file": f.file, "line": f.line, "message": f.message, "hint": f.hint} for f in error.faults]
        return _print_run_failure(flags, "invalid", str(error), INVALID, faults=faults)
    except (RunError, StoreReadError, StoreWriteError, Interrupted) as error:
        status, code = _FAILURES[type(error)]
        return _print_run_failure(flags, status, str(error), code)
    except MemoryError as error:
        text = f"too little memory: {error}; lower task.batch or experiment.samples"
        return _print_run_failure(flags, "failed", text, FAILED)
    except KeyboardInterrupt:
        return _print_run_failure(flags, "interrupted", "broken off", BROKEN_OFF)
    if flags.as_json:
        found: dict[str, Any] = {"status": result.status, "answer": result.answer}
        found["warnings"] = [convert_to_table(warning) for warning in result.warnings]
        found["alarms"] = [alarm._asdict() for alarm in result.alarms]
        print_json(found | {"files": [str(file) for file in result.files], "metrics": result.metrics})
    else:
        # Without progress nothing has told them yet.
        for warning in result.warnings if quiet else ():
            print_error(format_suspicion(warning))
        _print_result(result)
    warn_unkept_kernels()
    return FAILED if flags.fail_on_divergence and result.status == "diverged" else DONE


def _run_with_progress(name: str, edits: Sequence[str], flags: RunFlags, quiet: bool) -> Result:
    scenario = load(name, [*edits, *make_change_edits(flags.changes)])
    trains = scenario.resumes
    caught = (signal.SIGINT, signal.SIGTERM) if trains else (signal.SIGINT,)
    words = "stopping with a checkpoint"
    with Progress(quiet=quiet) as progress, catch_signals(progress, caught, words, lambda: trains and progress.moving):
        return scenario.run(flags.out or True, threads=flags.threads, force=flags.force, watch=progress)


def _print_result(result: Result) -> None:
    console = make_console()
    print_summary(result.stored, console)
    print()
    drawn = [file for file in result.files if file.suffix == ".svg"]
    for file in result.files:
        if file not in drawn:
            print(file)
    if drawn:
        print_paragraph(f"{drawn[0].parent}: {', '.join(file.name for file in drawn)}", console)
    print()
    print(format_open_lines(result.files[0]))
    if not result.computed:
        print_error("This result was already complete; --force computes it again.")


def warn_unkept_kernels() -> None:
    """Tell on the standard error why the next run will compile its kernels again, if it will."""
    if reason := explain_unkept():
        words = "the next run compiles its kernels again: free some room, or name a folder by NUMBA_CACHE_DIR"
        print_error(f"compiled kernels are not kept ({reason}); {words}")


def _print_run_failure(flags: RunFlags, status: str, text: str, code: int, **more: Any) -> int:
    if flags.as_json:
        print_json({"status": status, "error": {"message": text, **more}})
    else:
        print_error(text)
    return code


@contextmanager
def catch_signals(
    progress: Progress,
    caught: Sequence[signal.Signals],
    words: str,
    begun: Callable[[], bool],
    saving: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Let the first of the signals ask for an end, saying `words`, and the second one end at once.

    Parameters
    ----------
    progress : Progress
        Is asked to stop.
    caught : sequence of Signals
        Those that ask.
    words : str
        What is going to happen.
    begun : callable
        Tells whether there is work to end well; before that the first interrupt ends at once.
    saving : callable
        Tells whether something would be lost if Ctrl-C ended the process now; absent: `begun`.
    """
    before = {number: signal.getsignal(number) for number in caught}
    asked = threading.Lock()

    def ask() -> None:
        if asked.acquire(blocking=False):
            progress.stop()
            progress.say(f"{words}; once more stops at once")

    seen = iter(range(2))

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not next(seen, 1) and begun():
            ask()
        elif not is_compiling():  # there it would be lost in the compiler; `interrupts` ends the process
            raise KeyboardInterrupt

    for number in caught:
        signal.signal(number, handle)
    try:
        with let_work_end(StoppableWork(lambda: ask() if begun() else None, saving or begun)):
            yield
    finally:
        for number in caught:
            signal.signal(number, before[number])
