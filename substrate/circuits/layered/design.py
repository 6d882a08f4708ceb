"""What a layered circuit is made of, its blocks of parameters, and how their first values are drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.circuit.energy import CircuitEnergy
from devices.random import Stream

Array = NDArray[np.float64]


class LayeredDesign(NamedTuple):
    """Layers of nodes, each joined to the next one by a conductor between any two of their nodes.

    The sources of the first layer hold its nodes; all others float where Kirchhoff's current law puts them.
    """

    layers: Mapping[str, int]
    """Nodes of every layer: first the input, last the output."""

    rails: Literal["both", "single"] = "both"
    """Sources of every input: one of its voltage and one of the opposite, or the first alone."""

    diodes: tuple[str, ...] = ()
    """Hidden layers whose nodes have an ideal diode to ground.

    It holds the first half of them at 0 V or above (and the middle one), the others at 0 V or below.
    """

    bias: Literal["current", "none"] = "current"
    """Whether a current source drives every node that is not held."""

    window: tuple[float, float] = (0.0, math.inf)
    """Least and largest conductance, S; every write ends within it."""

    nudge: Literal["continuous", "held"] = "continuous"
    """A nudge current that follows the outputs, ``beta (y - V)``, or one held at that of the last free state."""

    sweeps: int | None = None
    """Sweeps of every settling; None: until the tolerance is met."""

    tolerance: float = 1e-6
    """Largest residual of Kirchhoff's law of a sample that has settled, relative to its currents."""

    precision: Literal["single", "double"] = "single"

    capacitance: float = 0.0
    """Of every node to ground, F; it matters for the energy alone."""

    energy: CircuitEnergy = CircuitEnergy()
    """What settlings, reads and writes take."""

    mismatch_sigma: float = 0.0
    """Relative spread of the conductances of one piece of hardware: ``g (1 + sigma xi)``, at least 0."""

    @property
    def connections(self) -> list[tuple[str, str]]:
        """Both layers of every connection; a conductor has no direction."""
        return list(itertools.pairwise(self.layers))

    @property
    def blocks(self) -> dict[str, tuple[int, ...]]:
        """Shape of every block of parameters: conductances in S, of an input by rail, and bias currents in A."""
        shapes: dict[str, tuple[int, ...]] = {}
        for k, (pre, post) in enumerate(self.connections):
            rails = (2,) if k == 0 and self.rails == "both" else ()
            shapes[f"conductance/{pre}-{post}"] = (*rails, self.layers[pre], self.layers[post])
        if self.bias == "current":
            shapes |= {f"current/{name}": (self.layers[name],) for _, name in self.connections}
        return shapes

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Number type of voltages and conductances."""
        return np.float32 if self.precision == "single" else np.float64


def draw_factors(design: LayeredDesign, seed: int, instance: int) -> dict[str, Array]:
    """Return by how much the conductances of one piece of hardware differ from their programmed ones, by block.

    Nothing without a spread; the numbers are those of the same circuit on a graph
    (`substrate.circuits.effects.spreads`).
    """
    if design.mismatch_sigma == 0.0:
        return {}
    shapes = {name: shape for name, shape in design.blocks.items() if name.startswith("conductance/")}
    sizes = [math.prod(shape) for shape in shapes.values()]
    drawn = Stream(seed, "circuit/conductors", instance).normal((sum(sizes),))
    factors = np.split(np.maximum(1.0 + design.mismatch_sigma * drawn, 0.0), np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), factors, strict=True)}


def clip_change(design: LayeredDesign, now: Array, change: Array) -> Array:
    """Return what the window leaves of a change of conductances."""
    asked = now + change
    kept = np.clip(asked, *design.window)
    return np.where(kept == asked, change, kept - now)


def check_layered_design(design: LayeredDesign) -> None:
    """Raise ValueError if a design describes no circuit."""
    names, (low, high) = list(design.layers), design.window
    if len(names) < 2 or min(design.layers.values()) < 1:
        raise ValueError(f"layers = {dict(design.layers)}: give an input and an output at least, of 1 node or more")
    if odd := [name for name in design.diodes if name not in names[1:-1]]:
        raise ValueError(f"diodes = {odd}: hidden layers alone have diodes; there are {names[1:-1]}")
    if not 0.0 <= low < high:
        raise ValueError(f"window = {design.window}: give two conductances, 0 S or more, the lower one first")
    if design.sweeps is not None and design.sweeps < 1:
        raise ValueError(f"sweeps = {design.sweeps}: give 1 or more, or None to settle to the tolerance")
    if not design.tolerance > 0.0:
        raise ValueError(f"tolerance = {design.tolerance}: give more than 0")


def draw_parameters(
    design: LayeredDesign, unit: float, seed: int, instance: int = 0, scale: float = 1.0
) -> dict[str, Array]:
    """Return the first conductances of every block, and bias currents of 0 A.

    Half of the conductances are 0, the others uniform: numbers of ``U(-s, s)``, those below 0 cut off, with
    ``s = scale / sqrt(n)`` units and `n` sources or nodes on the side of the input, then brought into the window.
    B. Scellier, "A fast algorithm to simulate nonlinear resistive networks", ICML 2024.

    Parameters
    ----------
    design : LayeredDesign
        The circuit.
    unit : float
        Conductance that counts as 1, S.
    seed, instance : int
        Name the random numbers, with the block.
    scale : float
        Factor of all of them.
    """
    drawn = {name: np.zeros(shape) for name, shape in design.blocks.items()}
    for name, shape in design.blocks.items():
        if name.startswith("conductance/"):
            size = scale * unit / math.sqrt(math.prod(shape[:-1]))
            signed = size * (2.0 * Stream(seed, f"initial/{name}", instance).uniform(shape) - 1.0)
            drawn[name] = np.clip(signed, *design.window)
    return drawn


def check_shapes(design: LayeredDesign, blocks: Mapping[str, Array]) -> None:
    """Raise ValueError if a block is unknown or has another shape."""
    shapes = design.blocks
    for name, values in blocks.items():
        if shapes.get(name) != np.shape(values):
            raise ValueError(f"{name} has shape {np.shape(values)}: the blocks are {shapes}")


def check_programmed(design: LayeredDesign, programmed: Mapping[str, Array]) -> None:
    """Raise ValueError if a block is missing or wrong, or a conductance leaves the window."""
    check_shapes(design, programmed)
    if missing := design.blocks.keys() - programmed.keys():
        raise ValueError(f"{sorted(missing)}: give every block, as `draw_parameters` does")
    low, high = design.window
    for name, values in programmed.items():
        if name.startswith("conductance/") and not np.all((values >= low) & (values <= high)):
            least, most = np.min(values), np.max(values)
            raise ValueError(f"{name} reaches from {least} to {most} S: the window is {low} to {high} S")


def find_diode_bounds(design: LayeredDesign) -> tuple[Array, Array]:
    """Return the least and the largest voltage that diodes let a node have, (nodes,)."""
    low, high = [], []
    for _, name in design.connections:
        width, diodes = design.layers[name], name in design.diodes
        upper = np.arange(width) < -(-width // 2)
        low.append(np.where(diodes & upper, 0.0, -np.inf))
        high.append(np.where(diodes & ~upper, 0.0, np.inf))
    return np.concatenate(low), np.concatenate(high)
