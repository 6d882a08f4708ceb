"""Run one scenario: chip and data in, one folder with its result file and figures out."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from substrate.chip import Chip, Design, Fabrication
from substrate.compile import blas_description
from substrate.topology import Topology

from . import figures, store
from .build import Parts, assemble
from .experiments import measure, settling
from .load import Loaded
from .schema import Scenario
from .store import Group, Variable
from .tables import Batch, device_groups

RESULT = "run.h5"


class RunError(Exception):
    """The run cannot be done or kept; the text says why and what to try."""


class Finished(NamedTuple):
    """Where a run left its result."""

    folder: Path
    computed: bool
    """False: the folder already held the complete answer."""

    files: list[Path]


def run(loaded: Loaded, out: Path | None, threads: int | None, force: bool, say: Callable[[str], None]) -> Finished:
    """Run a scenario, or find its complete result.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    out : Path, optional
        Folder of the result; absent: ``./<name>-<id>``.
    threads : int, optional
        Threads that share a batch; absent: all cores. Never changes a result.
    force : bool
        Compute again, and replace the result of another scenario in the same folder.
    say : callable
        Receives one line of progress at a time.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If the folder holds the result of another scenario.
    StoreError
        If the result cannot be written or the folder holds an unreadable one.
    """
    parts = assemble(loaded)
    identity = run_id(loaded.scenario, parts)
    folder = out or Path(f"{loaded.scenario.name}-{identity}")
    path = folder / RESULT
    if path.exists() and not force:
        found = store.load(path).attributes.get("id")
        if found == identity:
            return Finished(folder, False, _files(folder))
        raise RunError(f"{path} holds the result of another scenario ({found}): choose another --out or add --force")
    groups = _experiment(loaded.scenario, parts, threads, say)
    groups["provenance"] = _provenance(loaded, parts)
    say(f"writing {folder}")
    _keep(loaded, folder, groups, identity)
    return Finished(folder, True, _files(folder))


def run_id(scenario: Scenario, parts: Parts) -> str:
    """Return eight hex digits that name everything the result depends on."""
    content = [scenario.model_dump(by_alias=True, mode="json"), parts.data.sha256, store.FORMAT]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for block in parts.programmed.values():
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()[:8]


def make_chip(scenario: Scenario, topology: Topology, parts: Parts, threads: int | None) -> Chip:
    """Return the chip a scenario describes."""
    network = scenario.network
    devices = scenario.devices
    design = Design(
        topology,
        parts.activation,
        network.cost,
        scenario.dynamics,
        devices.feedback,
        network.law,
        devices.neurons,
        devices.noise,
    )
    return Chip(design, parts.programmed, Fabrication(scenario.seed, scenario.chip.instance), threads)


def _experiment(scenario: Scenario, parts: Parts, threads: int | None, say: Callable[[str], None]) -> dict[str, Group]:
    experiment = scenario.experiment
    chip = make_chip(scenario, parts.topology, parts, threads)
    schemes = scenario.learning.all_schemes()
    groups: dict[str, Group] = {}
    if experiment.kind == "measure":
        count = min(experiment.samples, len(parts.data.x))
        groups |= measure(chip, Batch(parts.data.x[:count], parts.data.y[:count]), scenario.learning, say)
    else:
        groups |= device_groups(chip)
    if experiment.record is not None:
        say("settling curves")
        groups |= settling(chip, Batch(parts.data.x, parts.data.y), schemes, experiment.record)
    return groups


def _keep(loaded: Loaded, folder: Path, groups: dict[str, Group], identity: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot make this folder ({error.strerror}): choose another --out") from error
    attributes = {"title": loaded.scenario.name, "software": f"nudgelab {version('nudgelab')}", "id": identity}
    store.save(folder / RESULT, groups, {**attributes, "status": "complete"})
    (folder / "scenario.toml").write_text(_relocated(loaded, folder).to_toml(), encoding="utf-8")
    figures.draw_all(store.load(folder / RESULT), folder / "figures")


def _relocated(loaded: Loaded, folder: Path) -> Scenario:
    """Return the scenario with its paths relative to `folder`, so that its copy there can be run."""
    scenario = loaded.scenario
    if scenario.network.parameters is not None:
        path = os.path.relpath(loaded.folder("network", "parameters") / scenario.network.parameters, folder)
        network = scenario.network.model_copy(update={"parameters": path})
        scenario = scenario.model_copy(update={"network": network})
    if scenario.task.kind != "bundled":
        path = os.path.relpath(loaded.folder("task", "path") / scenario.task.path, folder)
        task = scenario.task.model_copy(update={"path": path})
        scenario = scenario.model_copy(update={"task": task})
    return scenario


def _provenance(loaded: Loaded, parts: Parts) -> Group:
    packages = ("numpy", "scipy", "numba", "h5py", "pydantic")
    environment = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "linear_algebra": blas_description(),
        **{name: version(name) for name in packages},
    }
    texts = {
        "scenario_toml": loaded.path.read_text(encoding="utf-8"),
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


def _files(folder: Path) -> list[Path]:
    return [folder / RESULT, folder / "scenario.toml", *sorted((folder / "figures").glob("*.svg"))]
