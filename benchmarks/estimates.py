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

from scenarios.changes import list_changed_scenarios
from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import estimate_seconds, estimate_workload
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE

SCENARIOS = (
    *("settling", "quickstart", "first-training", "ideal", "ecram", "pcm", "board-level"),
    *("nudge-size", "asymmetry", "best-nudge", "ledger"),
)
"""The cheapest first; of `asymmetry` one point."""


def foretell(name: str) -> float:
    """Return the seconds that a bundled scenario should take, with the designs that it changes."""
    loaded = load_scenario(CATALOGUE / f"{name}.toml", [])
    outline = read_outline(loaded.scenario.task, loaded.folder("task", "path"))
    designs = [loaded.scenario, *(one.scenario for _, one in list_changed_scenarios(loaded))]
    parts = [
        estimate_seconds(design, estimate_workload(design, outline), once=k > 0) for k, design in enumerate(designs)
    ]
    return sum(sum(one.values()) for one in parts)


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
        foretold, measured = foretell(name), measure(name)
        print(f"{name:20s} {measured:7.1f} s {foretold:7.1f} s  {measured / foretold:7.2f}", flush=True)


if __name__ == "__main__":
    main()
