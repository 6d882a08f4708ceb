"""A key of the scenario language with what stands beside it and a changed value: the pair must differ in its result."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomlkit

from scenarios.language.load import LoadedScenario, load_scenario
from scenarios.results.store import ResultData
from scenarios.results.store import read_result_file as load_result
from scenarios.run.run import run_in_memory
from scenarios.sweeps.engine import run_in_process
from scenarios.sweeps.point import PointWatch
from scenarios.sweeps.sweep import SweepOptions, run_sweep

BASE: dict[str, Any] = {
    "schema": 1,
    "name": "keys",
    "network": {"layers": {"in": 3, "l1": 4, "out": 2}, "connections": ["in-l1", "l1-out", "out-l1"]},
    "dynamics": {"method": "exponential", "dt": 0.5, "free": {"duration": 4.0}, "nudged": {"duration": 4.0}},
    "learning": {"scheme": {"kind": "centred", "beta": 0.2}},
    "task": {"kind": "arrays", "path": "data.npz"},
    "experiment": {"kind": "measure", "samples": 3},
}

_LEFT_OUT = ("provenance", "metrics/wall_s", "metrics_exact/wall_s", "metrics/line_s", "board/line_s")
_TOLD = {"id", "scenario", "scenario_toml", "created", "host"}


class Sample(NamedTuple):
    """What shows that a key acts."""

    value: Any
    """Changed value of the key; None: it is left out."""

    beside: dict[str, Any]
    """What the scenario has beside, and before the change, by dotted key; None leaves a key out."""

    refused: str = ""
    """Words of the refusal of the changed value, where no value is an alternative."""


class Silent(NamedTuple):
    """A key that may change no number of a result."""

    reason: str


def table(place: str, beside: dict[str, Any] | None = None, /, **keys: Any) -> dict[str, Sample | Silent]:
    """Return the samples of the keys of one table; `beside` stands beside all of them."""
    found = {}
    for name, given in keys.items():
        sample = given if isinstance(given, Sample | Silent) else Sample(given, {})
        key = f"{place}.{name}".strip(".")
        found[key] = sample._replace(beside=(beside or {}) | sample.beside) if isinstance(sample, Sample) else sample
    return found


def at(value: Any, /, **beside: Any) -> Sample:
    """Return a changed value with more beside it; ``__`` stands for a dot."""
    return Sample(value, {key.replace("__", "."): inside for key, inside in beside.items()})


def refused(value: Any, words: str, /, **beside: Any) -> Sample:
    """Return a value that is refused with some words."""
    return at(value, **beside)._replace(refused=words)


def path_of(key: str) -> str:
    """Return the dotted path of a key in a scenario: of a list the first item, without the kinds of tables.

    Another kind is another table, since most keys belong to one kind.
    """
    plain = re.sub(r"\[[^]]*\]", "", key.removesuffix("].kind"))
    plain = plain.partition("[")[0]
    if plain.startswith("network.connections."):
        return "network.connections.0"  # a table in place of a text
    plain = plain.replace("experiment.rivals.", "experiment.rivals.0.")
    for several in ("learning.schemes", "sweep.axis", "experiment.policies", "experiment.change"):
        plain = plain.replace(several, f"{several}.0")
    return plain


def put(data: Any, path: str, value: Any) -> None:
    """Set or, for None, leave out the value at a dotted path."""
    *above, last = path.split(".")
    for name in above:
        data = data[int(name)] if isinstance(data, list) else data.setdefault(name, {})
    if value is None:
        data.pop(last, None)
    else:
        data[int(last) if isinstance(data, list) else last] = copy.deepcopy(value)


def scenario_of(sample: Sample, key: str, changed: bool) -> dict[str, Any]:
    """Return the scenario of a sample, before or after the change."""
    data = copy.deepcopy(BASE)
    for path, value in sample.beside.items():
        put(data, path, value)
    if changed:
        put(data, path_of(key), sample.value)
    return data


def read(data: dict[str, Any], folder: Path) -> LoadedScenario:
    """Write a scenario beside its files and read it."""
    path = folder / "keys.toml"
    path.write_text(tomlkit.dumps(data), encoding="utf-8")
    return load_scenario(path, ())


def result_of(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a scenario, or its sweep, and return everything that the result says, by slash path."""
    loaded = read(data, folder)
    if "sweep" not in data:
        return _said(run_in_memory(loaded, 1, PointWatch(lambda: False))[0])
    out = folder / f"out-{len(list(folder.iterdir()))}"
    run_sweep(loaded, SweepOptions(out, run_in_process, threads=1), PointWatch(lambda: False))
    texts = {path.name: path.read_text() for path in (out / "report.html",)}
    points = {f"{k}": np.array(path.stat().st_size > 0) for k, path in enumerate(sorted(out.rglob("run.h5")))}
    return _said(load_result(out / "sweep.h5")) | {"points": points} | texts


def _said(result: ResultData) -> dict[str, Any]:
    found = {
        f"{path}/{name}": variable.data
        for path, group in result.groups.items()
        for name, variable in group.items()
        if not f"{path}/{name}".startswith(_LEFT_OUT)
    }
    return found | {name: value for name, value in result.attributes.items() if name not in _TOLD}


def differing(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Return what two results do not share, or do not agree upon."""
    return [
        name for name in sorted(a.keys() | b.keys()) if name not in a or name not in b or not _equal(a[name], b[name])
    ]


def _equal(a: Any, b: Any) -> bool:
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return bool(a == b)
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc" and b.dtype.kind in "fc")
