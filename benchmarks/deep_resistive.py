"""Time the parts of deep resistive networks, or train one on MNIST by its published recipe.

B. Scellier, "A fast algorithm to simulate nonlinear resistive networks", ICML 2024: inputs of 480 V, centred continuous
nudges of one unit of conductance, 4 sweeps per phase, batches of 4, and gradient descent at a rate of 0.006 that falls
by 1 % per epoch. Voltages and currents are those of the paper if a unit of conductance is 10 uS.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.data.datasets import Data, load_task_data
from scenarios.schema.tasks import IdxTask
from substrate.circuits.layered.chip import LayeredChip
from substrate.circuits.layered.design import LayeredDesign, draw_parameters
from substrate.engine.threads import count_available_threads
from substrate.protocol import Nudge, has_settled

Array = NDArray[np.float64]

GAIN, UNIT = 480.0, 1e-5
RATE, DECAY, BATCH, SWEEPS = 0.006, 0.99, 4, 4
LAYERS = {"in": 784, "h1": 1024, "out": 10}
SMALL = LAYERS | {"h1": 100}
DEEP = {"in": 784, "h1": 1024, "h2": 1024, "h3": 1024, "out": 10}
ROUNDS = 5
"""How often the numbers of threads take turns; the least times count."""

INK = 0.19
"""Share of the pixels of a digit that are not 0."""


def make_chip(layers: dict[str, int], threads: int, sweeps: int | None = SWEEPS) -> LayeredChip:
    """Return a chip with the published first conductances."""
    design = LayeredDesign(layers, diodes=tuple(layers)[1:-1], sweeps=sweeps)
    return LayeredChip(design, draw_parameters(design, UNIT, seed=0), threads)


def train_batch(chip: LayeredChip, x: Array, y: Array, rate: float) -> Array:
    """Settle freely and under both nudges, and let the conductances change; return the free output voltages.

    The rate is that of the paper: of the mean gradient, in units of conductance.
    """
    chip.set_input(x)
    chip.settle()
    outputs = chip.state["out"]
    chip.settle(Nudge(UNIT, y), "free")
    after = chip.read()
    chip.settle(Nudge(-UNIT, y), "free")
    chip.imprint(after, chip.read(), dict.fromkeys(chip.design.blocks, -rate * UNIT / (4.0 * len(x))))
    return outputs


def measure_error(chip: LayeredChip, x: Array, y: Array) -> tuple[float, float]:
    """Return the share of wrong answers and of samples that did not settle."""
    wrong, lost = 0, 0
    for first in range(0, len(x), 500):
        chip.set_input(GAIN * x[first : first + 500])
        lost += int(np.count_nonzero(~has_settled(chip.settle().status)))
        wrong += int(np.count_nonzero(chip.state["out"].argmax(axis=1) != y[first : first + 500].argmax(axis=1)))
    return wrong / len(x), lost / len(x)


def train(chip: LayeredChip, data: Data, epochs: int) -> Iterator[str]:
    """Train, and yield a line per epoch."""
    for epoch in range(epochs):
        wall, spent, wrong = time.perf_counter(), time.process_time(), 0
        order, rate = np.random.default_rng(epoch).permutation(len(data.x)), RATE * DECAY**epoch
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            y = data.y[chosen]
            outputs = train_batch(chip, GAIN * data.x[chosen], y, rate)
            wrong += int(np.count_nonzero(outputs.argmax(axis=1) != y.argmax(axis=1)))
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
        error, lost = measure_error(chip, data.x_test, data.y_test)
        yield (
            f"epoch {epoch + 1}: test error {100 * error:.2f} %, training error {100 * wrong / len(order):.2f} %, "
            f"not settled {100 * lost:.2f} %, at the floor {100 * chip.limited_share:.1f} %, "
            f"{wall:.1f} s, {spent:.1f} s of processor"
        )


def find_least(call: Callable[[], object], seconds: float = 0.15) -> float:
    """Return the shortest time that a call takes, in ms."""
    found, end = [], time.perf_counter() + seconds
    call()
    while time.perf_counter() < end or not found:
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return 1e3 * min(found)


def draw_digits(batch: int) -> tuple[Array, Array]:
    """Return volts as sparse as digits, in columns that are used or not, and targets."""
    rng = np.random.default_rng(1)
    used = rng.random(784) < 0.4
    ink = rng.random((batch, 784)) < INK / 0.4
    return GAIN * rng.random((batch, 784)) * ink * used, np.eye(10)[rng.integers(0, 10, batch)]


def make_parts(layers: dict[str, int], batch: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return the parts of a training step, to be called."""
    x, y = draw_digits(batch)
    few, many, exact = (make_chip(layers, threads, sweeps) for sweeps in (SWEEPS, 10 * SWEEPS, None))
    for chip in (few, many, exact):
        chip.set_input(x)
        chip.settle()

    def settle_anew() -> None:
        exact.set_input(x)
        exact.settle()

    after = few.read()
    few.settle(Nudge(UNIT, y))
    before = few.read()

    def write() -> None:
        few.imprint(after, before, dict.fromkeys(few.design.blocks, 0.0))
        few.set_input(x)

    return {
        f"{10 * SWEEPS} sweeps": many.settle,
        f"{SWEEPS} sweeps": few.settle,
        "write and drive": write,
        f"whole step, 3 phases of {SWEEPS} sweeps": lambda: train_batch(few, x, y, 0.0),
        "inputs and free settling to 1e-6": settle_anew,
    }


def measure(layers: dict[str, int], batch: int, threads: int) -> None:
    """Print what the parts of a training step take on one thread and on several, in turn."""
    print(f"\n{'-'.join(map(str, layers.values()))}, batch {batch}, single, threads: 1, {threads}")
    several = [make_parts(layers, batch, count) for count in (1, threads)]
    for name in several[0]:
        rounds = [[find_least(parts[name]) for parts in several] for _ in range(ROUNDS)]
        one, more = np.min(rounds, axis=0)
        print(f"  {name:40s} {one:8.3f} ms {more:8.3f} ms   ratio {one / more:.2f}")


def main() -> None:
    """Time the parts, or train."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep_resistive", description=__doc__)
    parser.add_argument("--threads", type=int, default=count_available_threads())
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="train on the IDX files in this folder")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--hidden", type=int, nargs="+", default=[1024], help="nodes of every hidden layer")
    options = parser.parse_args()
    if options.mnist is None:
        source = np.zeros(2 * LAYERS["in"] * LAYERS["h1"], dtype=np.float32)
        target = source.copy()
        copied = find_least(lambda: np.copyto(target, source))
        print(
            f"copy of as many conductances as 784-1024 has: {copied:.3f} ms, {2e-6 * source.nbytes / copied:.1f} GB/s"
        )
        for layers, batch in ((LAYERS, 4), (LAYERS, 64), (SMALL, 64), (DEEP, 4), (DEEP, 64)):
            measure(layers, batch, options.threads)
        return
    data = load_task_data(IdxTask(kind="idx", path=str(options.mnist)), Path(), 784, 10)
    layers = {"in": 784, **{f"h{k + 1}": width for k, width in enumerate(options.hidden)}, "out": 10}
    for line in train(make_chip(layers, options.threads), data, options.epochs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
