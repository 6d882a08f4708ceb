"""Run one scenario: chip and data in, one folder with its result file and figures out."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.chip import Chip, Design, Fabrication
from substrate.compile import blas_description

from . import figures, store
from .build import Parts, assemble
from .experiments import measure, settling
from .load import Loaded
from .report import write_report
from .schema import Scenario
from .store import Group, Variable
from .tables import Batch, lay_out
from .tables_train import audit_group, device_groups
from .train import Job, Trained, Watch, evaluate_chips, run_training

Array = NDArray[np.float64]

RESULT = "run.h5"
REPORT = "report.html"
CHECKPOINT = "run.ckpt.h5"
LOG = "run.log"

Ending = dict[str, str | int | float]
"""How a run ended: attributes of the result file."""

COMPLETE: Ending = {"status": "complete"}


class RunError(Exception):
    """The run cannot be done or kept; the text says why and what to try."""


class Options(NamedTuple):
    """How to run, not what: none of these changes a result."""

    out: Path | None = None
    """Folder of the result; absent: ``./<name>-<id>``."""

    threads: int | None = None
    """Threads that share a batch; absent: all cores."""

    force: bool = False
    """Compute again, and replace the result of another scenario in the same folder."""


class Finished(NamedTuple):
    """Where a run left its result."""

    folder: Path
    computed: bool
    """False: the folder already held the complete answer."""

    files: list[Path]


def run(loaded: Loaded, options: Options, watch: Watch) -> Finished:
    """Run a scenario, go on with it, or find its complete result.

    Parameters
    ----------
    loaded : Loaded
        The scenario.
    options : Options
        Where and how.
    watch : Watch
        Progress and interruption.

    Raises
    ------
    ScenarioError
        If a file of the scenario does not fit.
    RunError
        If the folder holds the result of another scenario or cannot be made.
    StoreError
        If the result cannot be written or the folder holds an unreadable one.
    Interrupted
        If the watch asked to stop; a training has left a checkpoint.
    """
    parts = assemble(loaded)
    identity = run_id(loaded.scenario, parts)
    folder = options.out or Path(f"{loaded.scenario.name}-{identity}")
    path = folder / RESULT
    if path.exists() and not options.force:
        found = store.load(path).attributes.get("id")
        if found == identity:
            return Finished(folder, False, _files(folder))
        raise RunError(f"{path} holds the result of another scenario ({found}): choose another --out or add --force")
    _make(folder)
    watch.log_to(folder / LOG)
    kept = folder / CHECKPOINT
    if options.force:
        kept.unlink(missing_ok=True)
    groups, ending = _experiment(loaded.scenario, parts, Setting(options.threads, kept, identity), watch)
    physical = loaded.scenario.physical
    if "signal" in groups and physical is not None and physical.activity_volts is not None:
        text = "output voltage of one unit of activity"
        groups["signal"]["activity_volts"] = Variable((), physical.activity_volts, "V", text)
    groups["provenance"] = _provenance(loaded, parts)
    watch.say(f"writing {folder}")
    _keep(loaded, folder, groups, {"id": identity, **ending})
    kept.unlink(missing_ok=True)
    return Finished(folder, True, _files(folder))


def run_id(scenario: Scenario, parts: Parts) -> str:
    """Return eight hex digits that name everything the result depends on."""
    content = [scenario.model_dump(by_alias=True, mode="json"), parts.data.sha256, store.FORMAT]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    curve = [] if isinstance(parts.activation, str) else list(parts.activation)
    for block in [*parts.programmed.values(), *curve]:
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()[:8]


class Setting(NamedTuple):
    """What an experiment needs beside its scenario."""

    threads: int | None
    kept: Path
    identity: str


def _experiment(scenario: Scenario, parts: Parts, setting: Setting, watch: Watch) -> tuple[dict[str, Group], Ending]:
    """Return the groups of the experiment, and how it ended."""
    experiment, data = scenario.experiment, parts.data

    def make(programmed: Mapping[str, Array] | None = None, instance: int = scenario.chip.instance) -> Chip:
        return make_chip(scenario, parts, programmed or parts.programmed, instance, setting.threads)

    loose = {text for s in scenario.learning.all_schemes() if (text := scenario.dynamics_in_tau().looseness(s.beta))}
    for text in sorted(loose):
        watch.say(f"warning: {text}")
    if experiment.kind == "train":
        trained = run_training(Job(scenario, experiment, make, data, setting.kept, setting.identity, watch))
        return trained.groups, _ending(trained)
    if experiment.kind == "evaluate":
        first = scenario.chip.instance
        chips = (make(instance=first + k) for k in range(experiment.chips))
        return {"evaluate": evaluate_chips(chips, experiment.chips, data, experiment.samples, watch)}, COMPLETE
    chip, schemes = make(), scenario.learning.all_schemes()
    groups = device_groups(chip)
    if experiment.kind == "measure":
        batch = Batch(data.x[: experiment.samples], data.y[: experiment.samples])
        groups |= lay_out(chip, batch, schemes, measure(chip, batch, scenario.learning, watch.say))
        if scenario.dynamics.mode == "equilibrium":
            groups["audit"] = audit_group(chip.audit)
    if experiment.record is not None:
        watch.say("settling curves")
        groups |= settling(chip, Batch(data.x, data.y), schemes, experiment.record)
    return groups, COMPLETE


def make_chip(
    scenario: Scenario, parts: Parts, programmed: Mapping[str, Array], instance: int, threads: int | None
) -> Chip:
    """Return a chip of the scenario's design with the given parameters."""
    network, devices = scenario.network, scenario.devices
    design = Design(
        parts.topology,
        parts.activation,
        network.cost,
        scenario.dynamics_in_tau(),
        devices.feedback,
        network.law,
        devices.neurons,
        devices.noise,
    )
    return Chip(design, programmed, Fabrication(scenario.seed, instance), threads)


def _ending(trained: Trained) -> Ending:
    if trained.failure:
        last = int(trained.groups["metrics"]["epoch"].data[-1])
        return {"status": "diverged", "reason": trained.failure, "last_epoch": last}
    return COMPLETE | ({"reference_failure": trained.reference_failure} if trained.reference_failure else {})


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot make this folder ({error.strerror}): choose another --out") from error


def _keep(loaded: Loaded, folder: Path, groups: dict[str, Group], ending: Ending) -> None:
    ending = ending | {"title": loaded.scenario.name, "software": f"nudgelab {version('nudgelab')}"}
    store.save(folder / RESULT, groups, ending)
    (folder / "scenario.toml").write_text(_relocated(loaded, folder).to_toml(), encoding="utf-8")
    result = store.load(folder / RESULT)
    figures.draw_all(result, folder / "figures")
    write_report(result, folder / REPORT)


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
    named = [folder / name for name in (RESULT, REPORT, "scenario.toml")]
    return [path for path in named if path.exists()] + sorted((folder / "figures").glob("*.svg"))
