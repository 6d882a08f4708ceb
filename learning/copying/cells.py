"""Which cells learn: requests of the others are left out before they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..optimisers.schedule import TrainingMoment
from ..policies.policy import Memory, RequestWriter

Array = NDArray[np.float64]
Blocks = Mapping[str, Array]
LearningCells = Literal["all", "readout", "gains"]


def choose_requests(requests: Blocks, programmed: Blocks, output: str, cells: LearningCells) -> dict[str, Array]:
    """Return the requests of the cells that learn.

    Parameters
    ----------
    requests : mapping of block name to array
        Requested changes of everything; weights (pre, post).
    programmed : mapping of block name to array
        What is programmed now.
    output : str
        Layer whose blocks are the readout.
    cells : {"all", "readout", "gains"}
        `readout`: weights from and to the outputs, their biases and the digital readout. `gains`: biases, and what all
        weights of a row have in common, ``W_i (W_i . dW_i) / |W_i|^2`` of the weights `W_i` into a unit from one layer.
    """
    if cells == "all":
        return dict(requests)
    if cells == "readout":
        return {name: block for name, block in requests.items() if _touches(name, output)}
    kept = {name: block for name, block in requests.items() if name.startswith("bias/")}
    return kept | {n: _project(b, programmed[n]) for n, b in requests.items() if n.startswith("weight/")}


def restrict_writer(
    write: RequestWriter, programmed: Callable[[], Blocks], output: str, cells: LearningCells
) -> RequestWriter:
    """Return a writer that hands on the requests of the cells that learn, see `choose_requests`."""
    if cells == "all":
        return write

    def write_chosen(requests: Blocks, memory: Memory, moment: TrainingMoment) -> None:
        write(choose_requests(requests, programmed(), output, cells), memory, moment)

    return write_chosen


def _touches(name: str, layer: str) -> bool:
    """Tell whether the weights of a block lead to or from a layer, or are those of the digital readout."""
    kind, _, place = name.partition("/")
    return kind == "readout" or layer in place.split("-")


def _project(request: Array, weight: Array) -> Array:
    """Return the part of a request that multiplies all weights (pre, post) into a unit by one number."""
    size = np.sum(weight**2, axis=0)
    gain = np.divide(np.sum(weight * request, axis=0), size, out=np.zeros_like(size), where=size > 0.0)
    return np.asarray(gain * weight)
