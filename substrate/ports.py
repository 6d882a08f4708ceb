"""What a bench may be able to do beyond clamping, settling freely, reading and writing: its ports, by name."""

from __future__ import annotations

from typing import Literal, get_args

Port = Literal[
    "nudge",
    "held",
    "injected",
    "output-read",
    "cycle",
    "complex",
    "adjoint",
    "drives",
    "dither",
    "cell-read",
    "arrays",
    "correction",
    "model",
    "weights",
]
"""Name of a port. A bench says which it has (`Bench.capabilities`); rules, schemes, pulls and policies say which they
need."""

PORTS: dict[Port, str] = {
    "nudge": "a force on the outputs that follows them while the chip settles",
    "held": "a constant force on the outputs",
    "injected": "a constant drive on every unit",
    "output-read": "costs from reads of the outputs alone",
    "cycle": "a nudge that swings while the chip settles",
    "complex": "states and nudges that are complex",
    "adjoint": "a second state that settles on transposed weights",
    "drives": "reads of the drives with the loop open",
    "dither": "a line that moves every cell without a write",
    "cell-read": "reads of single cells",
    "arrays": "further arrays of cells for every weight, read row by row",
    "correction": "circuits that correct the asymmetry of the couplings",
    "model": "a model of the chip to compute with",
    "weights": "the weights as they are",
}
"""Every port and what it is, to be read after "needs"."""

ALL_PORTS: frozenset[Port] = frozenset(get_args(Port))
"""Those of a simulated chip, which has all."""

BOARD_PORTS: frozenset[Port] = frozenset({"held", "injected", "output-read"})
"""Those of a chip on a board with six primitives, see `substrate.hardware.bench`."""
