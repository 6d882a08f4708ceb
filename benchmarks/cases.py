"""The networks of the benchmark, as the engine runs them, and the matrix products they cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.neuron.noise import Noise
from devices.random import Stream
from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.methods import Dynamics, Phase
from substrate.engine.cpu.compile import kernel
from substrate.engine.cpu.kernels.drift import Wiring
from substrate.engine.cpu.kernels.product import add_product, count_padded_rows, count_panel_columns
from substrate.engine.cpu.tiles import prepare_wiring, run_in_threads, split_into_tiles
from substrate.engine.threads import limit_blas_threads
from substrate.network.topology import Topology

STEPS = 150
DT = 0.5
NOISE = 0.1
FINE = 4e-4
"""Steps below what the noise asks for in the widest network, so that none is cut and steps are compared with steps."""


@kernel
def multiply(h: NDArray[Any], a: NDArray[Any], wiring: Wiring, rest: NDArray[Any], rows: int, steps: int) -> None:
    """Do all products of `steps` steps of one tile, and nothing else."""
    for _ in range(steps):
        for k in range(wiring.edges.shape[0]):
            first_pre, first_post, pre, post, offset, _, _ = wiring.edges[k]
            add_product(h, h, first_post, a, first_pre, wiring.panels[offset:], pre, post, rows, rest)


class Case:
    """One network and one batch."""

    def __init__(self, widths: tuple[int, ...], batch: int, precision: str, threads: int) -> None:
        names = ["in", *(f"l{k}" for k in range(1, len(widths) - 1)), "out"]
        wires = [f"{names[0]}-{names[1]}"]
        for pre, post in pairwise(names[1:]):
            wires += [f"{pre}-{post}", f"{post}-{pre}"]
        self.topology = Topology(dict(zip(names, widths, strict=True)), wires, classes=10)
        self.blocks = {
            name: Stream(0, name).normal(shape) / np.sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)
            for name, shape in self.topology.shapes.items()
        }
        self.x = Stream(0, "x").uniform((batch, widths[0]))
        self.precision, self.threads = precision, threads

    def chip(self, noise: Noise | None = None, **dynamics: object) -> Chip:
        """Return the network, clamped to its batch."""
        settings = Dynamics.model_validate({"precision": self.precision, "dt": DT, **dynamics})
        design = Design(self.topology, "sigmoid", "cross-entropy", settings).replace(noise=noise or Noise())
        chip = Chip(design, self.blocks, threads=self.threads)
        chip.set_input(self.x)
        return chip

    def steps(self, method: str, steps: int, noisy: bool = False, engine: str = "cpu") -> Callable[[], object]:
        """Return a settling of a fixed number of steps."""
        phase = Phase(steps=steps)
        if noisy:
            return self.chip(Noise(thermal=NOISE), method=method, dt=FINE, free=phase, nudged=phase).settle
        return self.chip(method=method, engine=engine, free=phase, nudged=phase).settle

    def equilibrium(self, tolerance: float = 1e-6) -> Callable[[], object]:
        """Return a settling by sweeps."""
        return self.chip(mode="equilibrium", audit=0, free=Phase(tolerance=tolerance)).settle

    def warm(self) -> None:
        """Compile or load everything once."""
        self.steps("euler", 2)()
        self.equilibrium()()

    def products(self, steps: int) -> Callable[[], None]:
        """Return the same products on the same tiles and threads, without anything between them."""
        machine = self.chip()._machine  # noqa: SLF001  the limit is measured on the very same arrays
        wiring, tiles = prepare_wiring(machine), []
        for samples in split_into_tiles(machine, len(self.x)):
            rows = count_padded_rows(samples.stop - samples.start)
            a = Stream(0, "a").uniform((rows, self.topology.units)).astype(machine.dtype)
            tiles.append((np.zeros_like(a), a, np.zeros((rows, count_panel_columns(a.itemsize)), dtype=a.dtype), rows))

        def run() -> None:
            run_in_threads(
                lambda tile: multiply(tile[0], tile[1], wiring, tile[2], tile[3], steps), tiles, self.threads
            )

        return run

    def library_products(self, steps: int) -> Callable[[], None]:
        """Return the same products by the linear-algebra library, the batch in one tile per thread."""
        edges, dtype = self.topology.recurrent(), np.float32 if self.precision == "single" else np.float64
        weights = [np.ascontiguousarray(self.blocks[c.block], dtype=dtype) for c in edges]
        tiles = []
        for x in np.array_split(self.x, self.threads):
            ends = [
                (np.ones((len(x), len(w)), dtype=dtype), np.empty((len(x), w.shape[1]), dtype=dtype)) for w in weights
            ]
            tiles.append(ends)

        def multiply_all(ends: list[tuple[Any, Any]]) -> None:
            for _ in range(steps):
                for (a, h), weight in zip(ends, weights, strict=True):
                    np.dot(a, weight, out=h)

        def run() -> None:
            with limit_blas_threads():
                run_in_threads(multiply_all, tiles, self.threads)

        return run
