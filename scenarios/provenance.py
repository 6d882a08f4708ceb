"""What a result depends on, and where it comes from."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from substrate.compile import blas_description

from .build import Array, Parts
from .load import Loaded
from .schema import Scenario
from .store import FORMAT, Group, Variable

LEFT_OUT: dict[str, Any] = {
    "network": {"parameters"},
    "task": {"path"},
    "experiment": {"checkpoint_seconds"},
    "sweep": True,
}
"""What a result does not depend on: where files lie, how often a checkpoint is kept, the sweep around a run."""


def run_id(scenario: Scenario, parts: Parts) -> str:
    """Return eight hex digits that name everything the result depends on, the release included.

    Of files, their content counts and not where they lie.
    """
    content = scenario.model_dump(by_alias=True, mode="json", exclude=LEFT_OUT)
    blocks: dict[str, Array] = dict(parts.programmed)
    if not isinstance(parts.activation, str):
        del content["network"]["activation"]
        blocks |= {f"activation/{k}": block for k, block in enumerate(parts.activation)}
    blocks |= {f"cells/{name}": block for name, block in (parts.cells or {}).items()}
    if parts.cells is not None:
        del content["devices"]["update"]["measured"]
    release = version("nudgelab").split(".")[:2]
    digest = hashlib.sha256(json.dumps([content, parts.data.sha256, FORMAT, release], sort_keys=True).encode())
    for name in sorted(blocks):
        digest.update(name.encode() + np.ascontiguousarray(blocks[name]).tobytes())
    return digest.hexdigest()[:8]


def provenance(loaded: Loaded, parts: Parts) -> Group:
    """Return where a result comes from, as a group of texts."""
    packages = ("numpy", "scipy", "numba", "h5py", "pydantic")
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "linear_algebra": blas_description(),
        **{name: version(name) for name in packages},
    }
    texts = {
        "scenario_toml": loaded.text,
        "resolved_toml": loaded.scenario.to_toml(),
        "arguments": json.dumps([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "environment_json": json.dumps(environment),
        "data_sha256": parts.data.sha256,
        "git_commit": _git_commit(),
    }
    return {name: Variable((), text) for name, text in texts.items()}


def _git_commit() -> str:
    """Return the commit of the checkout the program runs from; empty when installed."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
