"""What a measurement of a chip on a board needs to go on after its line has failed, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...results import store
from ...results.store import Group, ResultData
from ..train.checkpoint import find_groups_below, make_block_group, read_saved_blocks
from .found import Repeated

Array = NDArray[np.float64]
Taken = dict[tuple[int, int], Repeated]
"""Measurements by number of the scheme and of the repeat."""


def write_measurements(path: Path, identity: str, taken: Taken, kept: Mapping[str, Array]) -> None:
    """Replace the checkpoint at `path`.

    Parameters
    ----------
    path : Path
        The file.
    identity : str
        Name of everything the result depends on.
    taken : dict
        What was measured so far.
    kept : mapping of array
        What `OpenBoard.keep` returned.

    Raises
    ------
    StoreWriteError
        If it cannot be written; the one before is still there.
    """
    groups: dict[str, Group] = {f"programmed/{name}": make_block_group(block) for name, block in kept.items()}
    for (scheme, repeat), one in taken.items():
        place = f"taken/{scheme}/{repeat}/"
        groups[f"{place}status"] = make_block_group(one.status.astype(np.float64))
        for part in ("free", "delta", "blocks"):
            groups |= {f"{place}{part}/{name}": make_block_group(a) for name, a in getattr(one, part).items()}
    head = {"title": "checkpoint", "software": "nudgelab checkpoint", "id": identity}
    store.write_result_file(path, groups, head)


def read_measurements(saved: ResultData | None) -> Taken:
    """Return what a checkpoint holds of measurements; nothing without one."""
    if saved is None:
        return {}
    places = {tuple(map(int, name.split("/")[:2])) for name in find_groups_below(saved, "taken/")}
    return {(scheme, repeat): _read_one(saved, f"taken/{scheme}/{repeat}/") for scheme, repeat in sorted(places)}


def _read_one(saved: ResultData, place: str) -> Repeated:
    free, delta, blocks = (read_saved_blocks(saved, f"{place}{part}/") for part in ("free", "delta", "blocks"))
    return Repeated(free, delta, blocks, saved[f"{place}status"]["value"].data.astype(np.int64))
