"""Compare the processor time of bundled scenarios with what `nudgelab show` foretells, on one thread.

Kernels have to be compiled before: a first run of this program measures the compilation, too, and a second one counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import estimate_seconds, estimate_workload
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE

SCENARIOS = (
    *("settling", "first-training", "ideal", "ecram", "pcm", "board-level"),
    *("nudge-size", "asymmetry", "best-nudge", "ledger"),
)
"""The cheapest first; of `asymmetry` one point."""


def foretell(name: str) -> dict[str, float]:
    """Return the seconds that a bundled scenario should take, by part."""
    loaded = load_scenario(CATALOGUE / f"{name}.toml", [])
    task = loaded.scenario.task
    return estimate_seconds(
        loaded.scenario, estimate_workload(loaded.scenario, read_outline(task, loaded.folder("task", "path")))
    )


def measure(name: str) -> float:
    """Return the processor time of a run of a bundled scenario in seconds, of the program and the system together."""
    before = _spent()
    with TemporaryDirectory() as folder:
        where = ["--out", str(Path(folder) / "run"), "--threads", "1", "--quiet"]
        command = [sys.executable, "-c", "import nudgelab; nudgelab.main()", "run", name, *where]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own program
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print what was measured, what was foretold, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates", description=__doc__)
    parser.add_argument("names", nargs="*", default=SCENARIOS, help="bundled scenarios")
    print(f"{'scenario':20s} {'measured':>9s} {'foretold':>9s}    ratio")
    for name in parser.parse_args().names:
        foretold, measured = sum(foretell(name).values()), measure(name)
        print(f"{name:20s} {measured:7.1f} s {foretold:7.1f} s  {measured / foretold:7.2f}", flush=True)


if __name__ == "__main__":
    main()
