"""Opening the front door is free: no heavy library is loaded before it is needed."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = ("numba", "scipy", "h5py", "matplotlib", "pint", "jax")

SCRIPT = """
import json, sys
found = []
for code in {codes}:
    try:
        exec(code)
    except SystemExit as end:
        if end.code:
            raise
    found.append([name for name in {heavy} if name in sys.modules])
print()
print(json.dumps(found))
"""


def loaded(codes, folder):
    """Run lines of code in a fresh process, one after the other; return the heavy libraries loaded after each."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(codes=codes, heavy=HEAVY)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def command(*arguments):
    return f"sys.argv[1:] = {list(arguments)}; from scenarios.cli.main import main; sys.exit(main())"


LIGHT = {
    "packages": "import devices, substrate, learning, scenarios",
    "load": "from scenarios.language.load import load_scenario",
    "datasets": "from scenarios.data.datasets import load_task_data",
    "help": command("--help"),
    "check": command("check", "quickstart"),
    "schema": "from scenarios.language.json_schema import format_json_schema; format_json_schema()",
    "starter": "from scenarios.language.starter import make_starter; make_starter('x', 'rate-mlp')",
    "explain": "import nudgelab; nudgelab.load('settling').show()",
}


def test_light_work_loads_no_heavy_library(tmp_path):
    assert dict(zip(LIGHT, loaded([*LIGHT.values()], tmp_path), strict=True)) == {name: [] for name in LIGHT}


def test_a_loaded_library_is_reported(tmp_path):
    here = [library for library in HEAVY if find_spec(library)]  # JAX is an extra
    found = loaded(["import json", *(f"import {library}" for library in here)], tmp_path)
    assert found[0] == []
    assert len(here) >= len(HEAVY) - 1
    assert all(library in names for library, names in zip(here, found[1:], strict=True))


@pytest.mark.parametrize("code", ["sys.exit(2)", "import no_such_module"])
def test_code_that_fails_is_no_success(tmp_path, code):
    with pytest.raises(AssertionError):
        loaded(["import json", code], tmp_path)
