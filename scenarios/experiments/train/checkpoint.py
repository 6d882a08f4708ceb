"""What a stopped training needs to go on bit for bit, in one file that is replaced whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.training import EpochTally as Means
from learning.training import TrainingState
from substrate.chip.budget import WriteCounts
from substrate.chip.chip import Chip
from substrate.network.topology import Topology
from substrate.protocol import Budget

from ...results import store
from ...results.store import Group, ResultData, Variable
from .tables import make_metrics_group, stack_epochs

Array = NDArray[np.float64]

TRAINING = "metrics"
"""Stage that trains through the chip's own measurements, and the group that holds its epochs."""

REFERENCE = "metrics_exact"
"""Stage that trains the same chip with its exact gradients, and its group."""


@dataclass
class TrainingLog:
    """Everything a training has produced so far."""

    stage: str
    identity: str
    """Name of everything the result depends on."""

    finished: dict[str, Group]
    """Groups of the stages before."""

    trainee: TrainingState = field(default_factory=TrainingState)
    rows: list[dict[str, Array]] = field(default_factory=list)
    """Figures of every completed and tested epoch, the one before training first."""

    measured: dict[int, dict[str, Group]] = field(default_factory=dict)
    """Measurements by epoch."""

    means: dict[str, float] = field(default_factory=lambda: Means().means())
    """Means over the samples of the last completed epoch."""

    wall: float = 0.0
    """Seconds the last completed epoch took."""

    tally: WriteCounts | None = None
    """What became of the writes before the chip at work was made; None: there were none."""

    failure: str = ""
    """Why training ended with the last completed epoch; empty if it did not."""

    def written(self, chip: Chip) -> WriteCounts:
        """Return what became of all writes of this stage."""
        return chip.tally if self.tally is None else chip.tally.plus(self.tally)

    def groups(self, topology: Topology) -> dict[str, Group]:
        """Return the groups of this stage, with a leading epoch dimension."""
        return {self.stage: make_metrics_group(self.rows, topology), **self.stacked()}

    def stacked(self) -> dict[str, Group]:
        """Return the measurements of all epochs, with a leading epoch dimension."""
        epochs = list(self.measured)
        names = next(iter(self.measured.values()), {})
        return {name: stack_epochs(epochs, [self.measured[epoch][name] for epoch in epochs]) for name in names}


def write_checkpoint(path: Path, log: TrainingLog, kept: Mapping[str, Array], written: WriteCounts) -> None:
    """Replace the checkpoint at `path`.

    Parameters
    ----------
    path : Path
        The file.
    log : TrainingLog
        What the training has produced.
    kept : mapping of array
        Programmed parameters by block, and what writes left beside them.
    written : WriteCounts
        What became of all writes.

    Raises
    ------
    StoreWriteError
        If it cannot be written; the one before is still there.
    """
    trainee = log.trainee
    numbers = {**vars(trainee.tally), **trainee.budget._asdict(), "epoch": trainee.epoch, "batch": trainee.batch}
    groups: dict[str, Group] = {
        "position": {name: Variable((), value) for name, value in numbers.items()},
        **{f"programmed/{name}": make_block_group(block) for name, block in kept.items()},
        **{f"memory/{name}": make_block_group(block) for name, block in trainee.memory.items()},
        "written": {name: Variable(("block",), counts) for name, counts in written._asdict().items()},
        "means": {name: Variable((), value) for name, value in log.means.items()},
        **{f"finished/{name}": group for name, group in log.finished.items()},
        **{f"measured/{name}": group for name, group in log.stacked().items()},
    }
    if log.rows:
        columns = {name: np.stack([row[name] for row in log.rows]) for name in log.rows[0]}
        groups["rows"] = {n: Variable(("row_index", f"{n}_index")[: c.ndim], c) for n, c in columns.items()}
    attributes = {"title": "checkpoint", "software": "nudgelab checkpoint", "id": log.identity, "stage": log.stage}
    store.write_result_file(path, groups, {**attributes, "wall_s": log.wall, "failure": log.failure})


def read_checkpoint(saved: ResultData) -> tuple[TrainingLog, dict[str, Array]]:
    """Return the log of a checkpoint and what its chip kept: parameters, and what writes left beside them."""
    position = {name: variable.data.item() for name, variable in saved["position"].items()}
    tally = Means(**{name: position[name] for name in vars(Means())})
    budget = Budget(**{name: position[name] for name in Budget._fields})
    trainee = TrainingState(position["epoch"], position["batch"], tally, read_saved_blocks(saved, "memory/"), budget)
    columns = {n: v.data for n, v in saved.groups.get("rows", {}).items() if not n.endswith("_index")}
    log = TrainingLog(
        stage=str(saved.attributes["stage"]),
        identity=str(saved.attributes["id"]),
        finished=find_groups_below(saved, "finished/"),
        trainee=trainee,
        rows=[{n: np.asarray(c[k]) for n, c in columns.items()} for k in range(len(columns.get("epoch", ())))],
        means={name: variable.data.item() for name, variable in saved["means"].items()},
        wall=float(saved.attributes["wall_s"]),
        tally=WriteCounts(*(saved["written"][name].data for name in WriteCounts._fields)),
        failure=str(saved.attributes["failure"]),
    )
    for name, group in find_groups_below(saved, "measured/").items():
        for k, epoch in enumerate(group["epoch"].data.tolist()):
            log.measured.setdefault(epoch, {})[name] = _select_epoch(group, k)
    return log, read_saved_blocks(saved, "programmed/")


def make_block_group(block: Array) -> Group:
    """Return the group that a checkpoint keeps of one array."""
    return {"value": Variable(tuple(f"axis_{k}" for k in range(block.ndim)), block)}


def find_groups_below(saved: ResultData, prefix: str) -> dict[str, Group]:
    """Return the groups whose path begins so, by what follows."""
    return {name.removeprefix(prefix): group for name, group in saved.groups.items() if name.startswith(prefix)}


def read_saved_blocks(saved: ResultData, prefix: str) -> dict[str, Array]:
    """Return the arrays of `make_block_group` whose path begins so, by what follows."""
    return {name: group["value"].data for name, group in find_groups_below(saved, prefix).items()}


def _select_epoch(group: Group, k: int) -> Group:
    """Return what was stacked as the k-th of all epochs."""
    return {
        name: v._replace(dims=v.dims[1:], data=v.data[k]) if v.dims[:1] == ("epoch",) else v
        for name, v in group.items()
        if name != "epoch"
    }
