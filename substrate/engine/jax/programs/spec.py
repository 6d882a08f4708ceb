"""What a program is compiled for, and the arrays that it is given.

Everything in a `Spec` is fixed when a program is compiled. All numbers of a scenario, tolerances, nudges and lengths
among them, are arguments: a second setting of the same network costs no compilation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jax import lax

from ....network.connection import ConnectionKind
from .law import CurveArrays, ReadoutArrays

Array = Any

Columns = tuple[int, int]
"""First column, and the one behind the last."""


def cut(x: Array, columns: Columns) -> Array:
    """Return some columns of an array of units (..., units)."""
    return x[..., columns[0] : columns[1]]


class Link(NamedTuple):
    """A recurrent connection: what holds its weights, and the columns of its ends among the units."""

    kind: ConnectionKind
    pre: Columns
    post: Columns


class Spec(NamedTuple):
    """What a program is compiled for."""

    units: int
    law: str
    code: int
    """Of the activation."""

    links: tuple[Link, ...]
    layers: tuple[tuple[Columns, int], ...]
    """Columns and colour of every unclamped layer."""

    cost: int
    first_output: int
    precision: str
    planes: int = 1
    """2 in the complex plane, else 1."""

    pole: bool = False
    """Whether a synaptic pole stands behind every membrane."""

    slewed: bool = False
    """Whether the speed of the membranes is limited."""

    method: str = "euler"
    processes: int = 0
    """Slow processes of the noise."""

    white: bool = False
    """Whether the membranes have noise of their own or in common."""

    blocks: int = 0
    """Parts of the averaging window; 0: none."""

    @property
    def noisy(self) -> bool:
        """Tell whether there is any noise."""
        return self.white or self.processes > 0

    @property
    def products(self) -> lax.Precision:
        """Precision of the products: single never means less than it says."""
        return lax.Precision.HIGH if self.precision == "tf32" else lax.Precision.HIGHEST

    @property
    def outputs(self) -> Columns:
        """Columns of the output layer."""
        return self.first_output, self.units


class Cell(NamedTuple):
    """The network: what changes with a write at most."""

    weights: tuple[tuple[Array, ...], ...]
    """Effective weights of every link."""

    curve: CurveArrays
    readout: ReadoutArrays


class KnownCouplings(NamedTuple):
    """What a correction is made from, see `substrate.dynamics.machine.Correction`."""

    weights: tuple[tuple[Array, ...], ...]
    """Known weights of every link."""

    reverse: tuple[tuple[Array, ...], ...]
    """The same as the reverse of every link holds them."""

    free: Array
    """Free activities (batch, units)."""


class Inputs(NamedTuple):
    """What is applied to a batch."""

    constant: Array
    """Drive that does not change (planes, batch, units)."""

    target: Array
    """(batch, classes or outputs)."""

    sign: Array
    """Factor of the nudge (batch,)."""

    beta: Array
    """Nudge, real and imaginary part, of every step of a cycle (steps, 2); a constant nudge has one."""

    known: KnownCouplings | None = None
    """What the drive is corrected with; absent: it is not."""
