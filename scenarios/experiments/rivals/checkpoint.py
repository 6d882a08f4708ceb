"""What a stopped comparison of rules needs to go on bit for bit: every training that is finished.

One that was amid is begun anew, with the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.protocol import Budget

from ...results import store
from ...results.store import Group, ResultData, Variable
from ..train.checkpoint import make_block_group, read_saved_blocks

Blocks = Mapping[str, NDArray[np.float64]]
Place = tuple[int, int, int]


class Entry(NamedTuple):
    """What one rival reached on one chip."""

    loss: float
    error: float
    spent: Budget
    batches: int
    square_bias: float
    """Squared error of the mean estimate before training, relative to the exact gradient; what the scatter explains on
    average is taken off, so that it may be below 0 by chance."""

    scatter: float
    """Standard deviation of one estimate, relative to the exact gradient."""

    per_batch: float
    """Settlings of one batch."""

    rate: float = np.nan
    """Learning rate."""

    failure: str = ""


NOTHING = Entry(np.nan, np.nan, Budget(), 0, np.nan, np.nan, np.nan)


@dataclass
class RaceLog:
    """What is finished of a comparison."""

    identity: str
    """Name of everything the result depends on."""

    entries: dict[Place, Entry] = field(default_factory=dict)
    """Trainings, by place on the map, rival and chip."""

    pilots: dict[Place, Entry] = field(default_factory=dict)
    """Trainings that a rate was tried in, by place on the map, rival and rate."""

    in_silico: dict[tuple[str, float], Blocks] = field(default_factory=dict)
    """Parameters that were trained in silico, by start and mismatch."""


def write_race(path: Path, log: RaceLog) -> None:
    """Replace the checkpoint at `path`.

    Raises
    ------
    StoreWriteError
        If it cannot be written; the one before is still there.
    """
    groups: dict[str, Group] = {"race": {"finished": Variable((), len(log.entries))}}
    groups |= {name: _make_entry_group(found) for name, found in _list_tables(log).items() if found}
    for k, ((start, mismatch), blocks) in enumerate(log.in_silico.items()):
        groups[f"in_silico/{k}"] = {"start": Variable((), start), "mismatch": Variable((), mismatch)}
        groups |= {f"in_silico/{k}/blocks/{name}": make_block_group(np.asarray(b)) for name, b in blocks.items()}
    head = {"title": "checkpoint", "software": "nudgelab checkpoint", "id": log.identity}
    store.write_result_file(path, groups, head)


def read_race(saved: ResultData) -> RaceLog:
    """Return what a checkpoint keeps."""
    log = RaceLog(str(saved.attributes["id"]))
    for name, found in _list_tables(log).items():
        found.update(_read_entries(saved.groups.get(name, {})))
    k = 0
    while (head := saved.groups.get(f"in_silico/{k}")) is not None:
        key = str(head["start"].data), float(head["mismatch"].data)
        log.in_silico[key] = read_saved_blocks(saved, f"in_silico/{k}/blocks/")
        k += 1
    return log


def _list_tables(log: RaceLog) -> dict[str, dict[Place, Entry]]:
    return {"entries": log.entries, "pilots": log.pilots}


def _make_entry_group(entries: dict[Place, Entry]) -> Group:
    """Return a row for every entry; numbers keep their types."""
    rows = [entry._asdict() | entry.spent._asdict() for entry in entries.values()]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "spent"}
    group = {name: Variable(("row",), values) for name, values in columns.items()}
    return group | {"place": Variable(("row", "index"), np.array(list(entries)))}


def _read_entries(group: Group) -> dict[Place, Entry]:
    found: dict[Place, Entry] = {}
    for k, (place, rival, last) in enumerate(group["place"].data.tolist() if group else ()):
        row: dict[str, Any] = {name: v.data[k] for name, v in group.items() if v.dims == ("row",)}
        row |= {name: value.item() for name, value in row.items() if isinstance(value, np.generic)}
        row["spent"] = Budget(**{name: row[name] for name in Budget._fields})
        found[place, rival, last] = Entry(**{name: row[name] for name in Entry._fields})
    return found
