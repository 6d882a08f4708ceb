"""Sweep from the command line: signals, progress, the answer, exit codes."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..api import (
    STOPPED,
    Progress,
    RunError,
    ScenarioError,
    StoreReadError,
    StoreWriteError,
    SweepResult,
    SweepStage,
    choose_engine,
    convert_to_table,
    format_suspicion,
    load,
    merge,
    print_paragraph,
    sweep,
)
from .console import make_console, print_error
from .interrupts import BROKEN_OFF, print_json
from .run import catch_signals, warn_unkept_kernels

DONE, FAILED, INVALID, SOME_FAILED, UNREADABLE, RESUMABLE = 0, 1, 2, 3, 4, 75
"""Exit codes."""


_CAUGHT = (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))
"""Interrupt, termination, and the warning of a batch system: each ends a sweep between points."""


class SweepFlags(NamedTuple):
    """Options of the command."""

    out: Path | None = None
    workers: int = 1
    scheduler: str | None = None
    shard: tuple[int, int] | None = None
    threads: int | None = None
    retry_failed: bool = False
    fail_fast: bool = False
    as_json: bool = False
    quiet: bool = False


def sweep_command(name: str, edits: Sequence[str], flags: SweepFlags) -> int:
    """Sweep a scenario, print where the result is, and return the exit code."""

    def work() -> SweepResult:
        described, stage = sweep(load(name, edits)), SweepStage()
        apart = flags.workers > 1 or flags.scheduler is not None
        trains = described.scenario.resumes
        words = f"stopping: the points that run now {'leave checkpoints' if trains else 'are given up'}"
        quiet, saving = flags.quiet or flags.as_json, partial(stage.saving, trains)
        with Progress(quiet=quiet) as progress, catch_signals(progress, _CAUGHT, words, lambda: stage.begun, saving):
            return described.run(
                flags.out,
                workers=flags.workers,
                threads=flags.threads or (1 if flags.scheduler else None),
                engine=stage.watched(choose_engine(flags.workers, flags.scheduler), apart=apart),
                shard=flags.shard,
                retry_failed=flags.retry_failed,
                fail_fast=flags.fail_fast,
                watch=progress,
            )

    return _print_sweep(work, flags.as_json, flags.quiet)


def merge_command(folder: Path, as_json: bool) -> int:
    """Put together the points in a folder, print where the result is, and return the exit code."""
    return _print_sweep(lambda: merge(folder), as_json)


def _print_sweep(work: Callable[[], SweepResult], as_json: bool, quiet: bool = False) -> int:
    try:
        found = work()
        swept = found.swept
        if swept.stopped.startswith("cannot write"):
            raise StoreWriteError(swept.stopped)
    except ScenarioError as error:
        faults = [{"file": f.file, "line": f.line, "message": f.message, "hint": f.hint} for f in error.faults]
        return _print_sweep_failure(as_json, "invalid", str(error), INVALID, faults=faults)
    except RunError as error:
        return _print_sweep_failure(as_json, "invalid", str(error), INVALID)
    except (StoreReadError, StoreWriteError) as error:
        status, code = ("unreadable", UNREADABLE) if isinstance(error, StoreReadError) else ("failed", FAILED)
        return _print_sweep_failure(as_json, status, str(error), code)
    except KeyboardInterrupt:
        return _print_sweep_failure(as_json, "interrupted", "broken off", BROKEN_OFF)
    # Without progress nothing has told them yet.
    for warning in swept.warnings if quiet and not as_json else ():
        print_error(format_suspicion(warning))
    return _print_sweep_answer(found, as_json)


def _print_sweep_answer(result: SweepResult, as_json: bool) -> int:
    swept, files = result.swept, result.files
    counts = Counter(outcome.status if outcome else "missing" for outcome in swept.outcomes)
    bad = counts["failed"] + counts["killed"]
    status, code = ("failed points", SOME_FAILED) if bad else ("complete", DONE)
    if swept.stopped:
        status, code = ("interrupted", RESUMABLE) if swept.stopped == STOPPED else ("stopped", SOME_FAILED)
    if as_json:
        found = {"status": status, "counts": dict(counts), "computed": swept.computed, "answer": swept.answer}
        found |= {"files": [str(file) for file in files], "warnings": [convert_to_table(one) for one in swept.warnings]}
        print_json(found)
        return code
    words = {"ok": "good", "missing": "not run"}
    tally = ", ".join(f"{number} {words.get(name, name)}" for name, number in sorted(counts.items()))
    print_paragraph(swept.answer or tally, make_console())
    for file in files:
        print(file)
    warn_unkept_kernels()
    if not files:
        print_error(f"when all shards are done: nudgelab merge {swept.folder}")
    if swept.stopped:
        print_error(swept.stopped)
    return code


def _print_sweep_failure(as_json: bool, status: str, text: str, code: int, **more: Any) -> int:
    if as_json:
        print_json({"status": status, "error": {"message": text, **more}})
    else:
        print_error(text)
    return code
