"""A key of circuits with a small scenario and a changed value: the results of both must differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scenarios.circuits.export import write_sample_decks
from scenarios.experiments.kind import RunSetting
from scenarios.run.run import compute_groups
from scenarios.sweeps.point import PointWatch
from tests.scenarios.keys.files import write_idx

from ..scenarios_of_circuits import BOARD, change, set_up


class Sample(NamedTuple):
    """What shows that a key acts."""

    base: dict[str, Any]
    """Scenario before the change."""

    path: str
    """Where the key stands in it."""

    value: Any
    """What it is changed to; None: it is left out."""

    refused: str = ""
    """Words of the refusal, where no value is an alternative."""

    decks: bool = False
    """Whether it acts on exported decks alone: names of elements, and what matters in time."""


class Silent(NamedTuple):
    """A key that may change no number of a result."""

    reason: str


def name(key: str, base: dict[str, Any], place: str, /, **values: Any) -> dict[str, Sample | Silent]:
    """Return the samples of the keys of one table: `key` is its name among all keys, `place` where it stands.

    A value is what the key is changed to, or `refused`, `given` or a sample, which says more.
    """
    found: dict[str, Sample | Silent] = {}
    for last, given in values.items():
        here = f"{place}.{last}".strip(".")
        sample = given if isinstance(given, Sample | Silent) else Sample({}, "", given)
        if isinstance(sample, Sample):
            sample = sample._replace(base=sample.base or base, path=sample.path or here)
        found[f"{key}.{last}".strip(".")] = sample
    return found


def refused(value: Any, words: str, path: str = "") -> Sample:
    """Return a value that is refused with some words."""
    return Sample({}, path, value, words)


def given(base: dict[str, Any], value: Any, *beside: tuple[str, Any], path: str = "") -> Sample:
    """Return a changed value in another scenario, with more beside it."""
    return Sample(change(base, *beside), path, value)


def in_decks(value: Any, path: str = "") -> Sample:
    """Return a value that acts on exported decks."""
    return Sample({}, path, value, decks=True)


def write_files(folder: Path) -> None:
    """Write every file that samples name."""
    rng = np.random.default_rng(0)
    x, x_test = rng.random((6, 3)), rng.random((4, 3))
    np.savez(folder / "data.npz", x=x, x_test=x_test, y=np.arange(6) % 2, y_test=np.arange(4) % 2)
    np.savez(folder / "other.npz", x=x_test, x_test=x, y=np.arange(4) % 2, y_test=np.arange(6) % 2)
    shapes = {"conductance/in-h1": (2, 3, 4), "conductance/h1-out": (4, 2), "current/h1": (4,), "current/out": (2,)}
    for file in ("first", "second"):
        np.savez(folder / f"{file}.npz", **{block: rng.random(shape) * 1e-5 for block, shape in shapes.items()})
    (folder / "other.cir").write_text(BOARD.replace("2k", "3k"), encoding="utf-8")
    for file in ("idx", "idx2"):
        write_idx(folder / file, rng)


def find_result(data: dict[str, Any], folder: Path, decks: bool) -> dict[str, Any]:
    """Do the experiment of a scenario, or export it, and return everything that this says but how long it took."""
    setup = set_up(data, folder)
    if decks:
        return dict(write_sample_decks(setup))
    setting = RunSetting(1, folder / "checkpoint.h5", None, "")
    groups, _ = compute_groups(setup, setting, PointWatch(lambda: False))
    named = {
        f"{path}/{key}": np.asarray(variable.data) for path, group in groups.items() for key, variable in group.items()
    }
    return {key: values for key, values in named.items() if not key.endswith("/wall_s")}
