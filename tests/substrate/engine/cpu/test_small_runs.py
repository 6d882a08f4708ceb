"""Kernels do the same interpreted and with checked bounds: an index that leaves an array ends those runs."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.floors import ROOT
from tests.substrate.engine.cpu.small_runs import compute

MODES = {
    "interpreted": ({"NUMBA_DISABLE_JIT": "1"}, ["double", "single"]),
    "bounds": ({"NUMBA_BOUNDSCHECK": "1"}, ["double"]),
}
"""Settings of Numba, and the precisions that are run."""


def differs(name, found, expected):
    """Tell whether two arrays differ by more than rounding.

    Steps in single precision may differ by one, and those of a run that ends with its rounding by any number.
    """
    single = "single" in name
    if found.dtype.kind == "i":
        return np.abs(found - expected).max() > (np.inf if name.startswith("rounding") else single)
    size = np.maximum(1.0, np.abs(expected))
    return not np.all((np.abs(found - expected) <= (1e-3 if single else 1e-8) * size) | (found == expected))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
def test_every_kernel_does_the_same(mode, tmp_path):
    (settings, precisions), file = MODES[mode], tmp_path / "found.npz"
    environment = os.environ | settings | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, "-W", "error", "-m", "tests.substrate.engine.cpu.small_runs", str(file), *precisions]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, expected = np.load(file), compute(tuple(precisions))
    assert set(found.files) == expected.keys()
    wrong = [name for name in expected if differs(name, found[name], expected[name])]
    assert wrong == []
