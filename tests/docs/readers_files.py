"""Files that a reader of the pages has, in small: data sets, results, measured tables."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import nudgelab
from scenarios.language.starter import write_starter
from tests.scenarios.data.images.picture_files import write_cifar
from tests.scenarios.data.test_datasets import images, labels, write_idx


def make_file(path: Path) -> None:
    """Make what a page names; a name that is not known is a mistake of the page."""
    stem = path.name.partition("-<")[0]
    MAKERS[stem](path)
    assert path.exists(), path


def _make_idx(path: Path) -> None:
    write_idx(Path(), x=images(40, 28, 28), y=labels([k % 10 for k in range(40)]))
    Path("images").rename(path)


@functools.cache
def _run_once(name: str) -> Path:
    """Return the folder of a small run of a bundled scenario."""
    folder = Path(tempfile.mkdtemp()) / "run"
    small = {"experiment": {"kind": "measure", "samples": 2}, "learning.schemes": [{"kind": "centred", "beta": 0.1}]}
    small["network.layers"] = {"in": 784, "l1": 16, "l2": 8, "out": 10}
    nudgelab.load(name, small).run(folder)
    return folder


def _make_run(path: Path) -> None:
    shutil.copytree(_run_once("first-training"), path)


def _make_sweep(path: Path) -> None:
    small = {"experiment.samples": 2, "network.connections": ["in-l1", "l1-out", "out-l1"]}
    small["network.layers"] = {"in": 784, "l1": 8, "out": 10}
    small["sweep"] = {"replicates": 1, "axis": [{"path": "devices.feedback.mismatch_sigma", "values": [0.0, 0.1]}]}
    nudgelab.sweep(nudgelab.load("asymmetry", small)).run(path)


MAKERS = {
    "fashion-mnist": _make_idx,
    "cifar-10-batches-bin": lambda path: write_cifar(path, per_file=10),
    "my-chip.toml": lambda path: write_starter(path.parent, path.stem, None),
    "quickstart": _make_run,
    "run.h5": lambda path: shutil.copy(_run_once("first-training") / "run.h5", path),
    "asymmetry": _make_sweep,
}
