"""What is valid and probably not meant in data and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from devices.quantities import get_magnitude
from substrate.chip.design import Design

from .build import Setup
from .data.images.rows import LazyRows
from .data.shelf import Shelf
from .language.faults import Finding

Array = NDArray[np.float64]

LARGE_INPUT = 10.0
"""An input beyond this saturates most units of usual weights."""

SMALL_WEIGHT, LARGE_WEIGHT = 1e-3, 50.0
"""Between these lies the largest weight of a block in a network that computes."""

OUTSIDE = 0.1
"""Share of the weights of a block beyond the window that is worth telling."""

_RANGE = {"sigmoid": (0.0, 1.0), "hard-sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softplus": (0.0, np.inf)}
"""What activities can reach."""


def find_data_suspicions(setup: Setup, shelf: Shelf) -> Iterator[Finding]:
    """Yield what is suspicious about the data of a task; `shelf` keeps the range of large ones."""
    data, scenario = setup.data, setup.scenario
    task, activation = scenario.task, setup.design.activation
    where = ("task", "path" if hasattr(task, "path") else "kind")
    # Pictures are scaled by their own mean and spread; to look for more would read all of them.
    x = np.ones(1) if isinstance(data.x, LazyRows) else data.x
    low, high = shelf.get(("range", task.kind, data.sha256), lambda: (float(x.min()), float(x.max())))
    if max(-low, high) > LARGE_INPUT:
        words = f"inputs go from {low:g} to {high:g} and are taken as they are"
        yield where, f"{words}: units saturate", "divide them, pixels by 255"
    elif low == high == 0.0:
        yield where, "all inputs are 0", "give the arrays of the task"
    if data.labels is not None:
        yield from _find_label_suspicions(where, data.labels)
    elif scenario.network.cost == "mse":
        low, high = _RANGE.get(activation if isinstance(activation, str) else "", (-np.inf, np.inf))
        y = np.asarray(data.y)
        if y.min() < low or y.max() > high:
            words = f"targets go from {y.min():g} to {y.max():g}, activities from {low:g} to {high:g}"
            yield where, f"{words}: some cannot be reached", "scale the targets, or take another network.activation"


def _find_label_suspicions(where: tuple[str | int, ...], labels: NDArray[np.int64]) -> Iterator[Finding]:
    found = np.unique(labels)
    if len(found) == 1:
        yield (
            where,
            f"every training label is {found[0]}: there is nothing to tell apart",
            "give two classes",
        )
    elif found[0] == 1:
        words = f"training labels go from 1 to {found[-1]}, and labels count from 0: class 0 has no sample"
        yield where, words, "subtract 1 from the labels"
    elif len(found) <= found[-1]:
        missing = sorted(set(range(int(found[-1]))) - set(found.tolist()))
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        words = f"{len(missing)} of {found[-1] + 1} classes have no training sample: {some}"
        yield where, words, "number the classes 0, 1, 2, ... without gaps"


def find_weight_suspicions(setup: Setup) -> Iterator[Finding]:
    """Yield what is suspicious about programmed weights."""
    given = setup.scenario.network.parameters is not None
    where = ("network", "parameters" if given else "init")
    blocks = [name for name in setup.programmed if name.startswith("weight/")]
    for name in blocks if given else ():
        largest = float(np.abs(setup.programmed[name]).max())
        if largest == 0.0:
            yield where, f"all weights of {name!r} are 0", "give weights other than 0, or leave the connection out"
        elif not SMALL_WEIGHT <= largest <= LARGE_WEIGHT:
            words = f"the largest weight of {name!r} is {largest:.3g}, where usual ones are about 1"
            yield where, words, "in siemens? A weight has no unit: W = G V_A/(g_L V_u)"
    yield from _find_window_suspicions(setup.design, setup.programmed, blocks)


def _find_window_suspicions(design: Design, programmed: Mapping[str, Array], blocks: list[str]) -> Iterator[Finding]:
    """Yield the windows of cells that cut a good part of a block."""
    topology, weights = design.topology, design.devices.weights
    back = {f"weight/{c.name}" for c in topology.connections if topology.is_feedback(c)}
    own = design.devices.feedback.over(weights)
    for name in blocks:
        cells = own if name in back and design.devices.feedback.storage != "shared-device" else weights
        if cells.window is None:
            continue
        block = programmed[name]
        low, high = (get_magnitude(end) for end in cells.window)
        limits = (low - high, high - low) if cells.cell == "pair" else (low, high)
        share = float(np.mean((block < limits[0]) | (block > limits[1])))
        if share > OUTSIDE:
            table = "feedback" if cells is own and design.devices.feedback.window is not None else "weights"
            words = f"{100.0 * share:.0f} % of {name!r} lies beyond {limits[0]:g} to {limits[1]:g} and is cut"
            yield ("devices", table, "window"), words, "widen the window, or scale the weights"
