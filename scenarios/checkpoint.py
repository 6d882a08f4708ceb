"""What a stopped training needs to go on bit for bit, in one file that is replaced whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.training import Tally, Trainee
from substrate.chip import Chip
from substrate.protocol import Budget
from substrate.topology import Topology

from . import store
from .store import Group, Result, StoreError, Variable
from .tables_train import metrics_group, stacked

Array = NDArray[np.float64]

TRAINING = "metrics"
"""Stage that trains through the chip's own measurements, and the group that holds its epochs."""

REFERENCE = "metrics_exact"
"""Stage that trains the same chip with its exact gradients, and its group."""


@dataclass
class Log:
    """Everything a training has produced so far."""

    stage: str
    identity: str
    """Name of everything the result depends on."""

    finished: dict[str, Group]
    """Groups of the stages before."""

    trainee: Trainee = field(default_factory=Trainee)
    rows: list[dict[str, Array]] = field(default_factory=list)
    """Figures of every completed epoch, the one before training first."""

    measured: dict[int, dict[str, Group]] = field(default_factory=dict)
    """Measurements by epoch."""

    def groups(self, topology: Topology) -> dict[str, Group]:
        """Return the groups of this stage, with a leading epoch dimension."""
        groups = {self.stage: metrics_group(self.rows, topology)}
        epochs = list(self.measured)
        for name in next(iter(self.measured.values()), {}):
            groups[name] = stacked(epochs, [self.measured[epoch][name] for epoch in epochs])
        return groups


def save(path: Path, log: Log, chip: Chip) -> None:
    """Replace the checkpoint at `path`.

    Raises
    ------
    StoreError
        If it cannot be written; the one before is still there.
    """
    trainee = log.trainee
    numbers = {**vars(trainee.tally), **trainee.budget._asdict(), "epoch": trainee.epoch, "batch": trainee.batch}
    groups: dict[str, Group] = {
        "position": {name: Variable((), value) for name, value in numbers.items()},
        **{f"programmed/{name}": _block(block) for name, block in chip.programmed.items()},
        **{f"memory/{name}": _block(block) for name, block in trainee.memory.items()},
        **{
            f"rows/{k}": {n: Variable((f"{n}_index",)[: v.ndim], v) for n, v in row.items()}
            for k, row in enumerate(log.rows)
        },
        **{f"finished/{name}": group for name, group in log.finished.items()},
    }
    for epoch, measured in log.measured.items():
        groups |= {f"measured/{epoch}/{name}": group for name, group in measured.items()}
    attributes = {"title": "checkpoint", "software": "nudgelab checkpoint", "id": log.identity, "stage": log.stage}
    store.save(path, groups, attributes)


def load(path: Path, identity: str) -> Result | None:
    """Return the checkpoint at `path` if it is whole and belongs to this scenario."""
    try:
        saved = store.load(path)
    except StoreError:
        return None
    return saved if saved.attributes.get("id") == identity else None


def resume(saved: Result) -> tuple[Log, dict[str, Array]]:
    """Return the log of a checkpoint and the programmed parameters of its chip."""
    position = {name: variable.data.item() for name, variable in saved["position"].items()}
    tally = Tally(**{name: position[name] for name in vars(Tally())})
    budget = Budget(**{name: position[name] for name in Budget._fields})
    trainee = Trainee(position["epoch"], position["batch"], tally, _blocks(saved, "memory/"), budget)
    rows = _numbered(saved, "rows/")
    log = Log(
        stage=str(saved.attributes["stage"]),
        identity=str(saved.attributes["id"]),
        finished=_below(saved, "finished/"),
        trainee=trainee,
        rows=[{n: v.data for n, v in row.items() if not n.endswith("_index")} for row in rows],
    )
    for name, group in _below(saved, "measured/").items():
        epoch, _, rest = name.partition("/")
        log.measured.setdefault(int(epoch), {})[rest] = group
    return log, _blocks(saved, "programmed/")


def _block(block: Array) -> Group:
    return {"value": Variable(("row", "column")[: block.ndim], block)}


def _below(saved: Result, prefix: str) -> dict[str, Group]:
    return {name.removeprefix(prefix): group for name, group in saved.groups.items() if name.startswith(prefix)}


def _blocks(saved: Result, prefix: str) -> dict[str, Array]:
    return {name: group["value"].data for name, group in _below(saved, prefix).items()}


def _numbered(saved: Result, prefix: str) -> list[Group]:
    rows = _below(saved, prefix)
    return [rows[str(k)] for k in range(len(rows))]
