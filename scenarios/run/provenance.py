"""Where a result comes from."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from substrate.engine.threads import describe_blas

from ..language.load import LoadedScenario
from ..results.store import Group, Variable
from ..schema.plan import format_edits

if TYPE_CHECKING:
    from ..build import AnySetup


_NAMES = {
    "scenario_toml": "scenario as written",
    "resolved_toml": "scenario with every default",
    "edits_json": "what was changed of the scenario as written",
    "arguments": "command line, as JSON",
    "environment_json": "versions, as JSON",
    "data_sha256": "digest of the data",
    "files_sha256_json": "digests of the files that the scenario names, as JSON",
    "git_commit": "commit of the program, empty where it is installed",
}


def make_provenance_group(loaded: LoadedScenario, setup: AnySetup) -> Group:
    """Return where a result comes from, as a group of texts."""
    packages = ("numpy", "scipy", "numba", "h5py", "pydantic")
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "linear_algebra": describe_blas(),
        **{name: version(name) for name in packages},
    }
    texts = {
        "scenario_toml": loaded.text,
        "resolved_toml": loaded.spec.to_toml(),
        "edits_json": json.dumps(format_edits(loaded.edits)),
        "arguments": json.dumps([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "environment_json": json.dumps(environment),
        "data_sha256": setup.data.sha256,
        "files_sha256_json": json.dumps(setup.content),
        "git_commit": _read_git_commit(),
    }
    return {name: Variable((), text, long_name=_NAMES[name]) for name, text in texts.items()} | _counts(setup)


def _counts(setup: AnySetup) -> Group:
    """Return how many samples a plan that learns uses, and is tested with."""
    plan: Any = setup.plan
    if "test_samples" not in type(plan).model_fields:
        return {}
    used = {"training": setup.data.x[: plan.samples], "test": setup.data.x_test[: plan.test_samples]}
    return {f"{part}_samples": Variable((), len(x), long_name=f"{part} samples") for part, x in used.items()}


def _read_git_commit() -> str:
    """Return the commit of the checkout the program runs from; empty when installed."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
