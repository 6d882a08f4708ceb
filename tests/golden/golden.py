"""Eight small scenarios and their results, kept to see whether a change of the code changes a number.

Run as a module, ``python -m tests.golden.golden``, it writes the results again: only after a change that is meant to
change them, and with the reason in the commit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import llvmlite.binding
import numpy as np
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.results.store import read_result_file
from substrate.engine.threads import describe_blas

FOLDER = Path(__file__).parent
SCENARIOS = sorted(FOLDER.glob("*.toml"))

_LEFT_OUT = ("provenance", "metrics/wall_s", "metrics_exact/wall_s")
"""What two runs never share: where they ran and how long they took."""


def compute(scenario: Path, folder: Path) -> dict[str, np.ndarray]:
    """Run a scenario or its sweep in `folder`; return every array of the result by slash path."""
    command, file = ("sweep", "sweep.h5") if "[sweep]" in scenario.read_text(encoding="utf-8") else ("run", "run.h5")
    done = CliRunner().invoke(main, [command, str(scenario), "--out", str(folder), "--quiet", "--threads", "1"])
    if done.exit_code != 0:
        raise RuntimeError(f"{scenario.name} ended with {done.exit_code}: {done.output}")
    return {
        f"{path}/{name}": variable.data
        for path, group in read_result_file(folder / file).groups.items()
        for name, variable in group.items()
        if not f"{path}/{name}".startswith(_LEFT_OUT)
    }


def processor() -> str:
    """Return what decides how sums are rounded: the processor and the kernels of linear algebra."""
    return f"{llvmlite.binding.get_host_cpu_name()}, {describe_blas()}"


def stored(scenario: Path) -> dict[str, np.ndarray]:
    """Return the arrays that a scenario gave when its results were kept."""
    with np.load(scenario.with_suffix(".npz")) as file:
        return dict(file)


def record() -> None:
    """Write the results of every scenario beside it."""
    for scenario in SCENARIOS:
        with TemporaryDirectory() as folder:
            found = compute(scenario, Path(folder) / "out")
            np.savez_compressed(scenario.with_suffix(".npz"), **found, processor=processor())
        print(scenario.name, file=sys.stderr)


if __name__ == "__main__":
    record()
