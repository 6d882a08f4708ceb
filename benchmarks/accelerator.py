"""What an accelerator gives: agreement, speed, memory and compilation of the engine in JAX, one JSON line per item.

Run as a module, ``python -m benchmarks.accelerator``; ``--small`` runs the same items at sizes for a processor. It
takes less than five minutes on one accelerator, and reads no file but those of the tests.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from devices.random import Stream, philox
from learning.oracle.exact import compute_exact_errors
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import Samples
from substrate.chip.chip import Chip
from substrate.dynamics.methods import Phase
from substrate.engine.jax.programs.words import draw_normals, draw_words
from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath

from .cases import Case
from .convolution import make_convolution, make_hand_loop
from .peers import jax_loops

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "conv_dsilu_xent"
"""A convolution whose rest point an independent program found."""

FULL = {"in": [32, 32, 3], "conv1": [16, 16, 128], "conv2": [8, 8, 256], "conv3": [4, 4, 512], "out": [1, 1, 512]}
"""The convolution of Laborieux & Zenke (ICLR 2024)."""

SMALL = {"in": [32, 32, 3], "conv1": [16, 16, 4], "conv2": [8, 8, 5], "conv3": [4, 4, 6], "out": [1, 1, 6]}


def report(item: str, **figures: Any) -> None:
    """Print one item as a line of JSON."""
    print(json.dumps({"item": item, **figures}), flush=True)


def measure(call: Callable[[], object], repeats: int = 5) -> dict[str, float]:
    """Return the first and the least time of a call, in ms; results are waited for."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        jax.block_until_ready(call())
        times.append(1e3 * (time.perf_counter() - begin))
    return {"first_ms": round(times[0], 3), "ms": round(min(times[1:]), 3)}


def check_random_numbers(count: int) -> None:
    """Compare words with those of the processor, and time normal numbers."""
    with jax.enable_x64(True):
        places = np.arange(count, dtype=np.uint64)
        zero = np.zeros_like(places)
        key = Stream(1, "accelerator").key()
        ours = philox(places, zero + np.uint64(7), zero + np.uint64(2**31 + 5), zero, *key)
        counters = tuple(jnp.asarray(x, dtype=jnp.uint32) for x in (places, zero + 7, zero + 2**31 + 5, zero))
        words = jax.jit(draw_words)(counters, jnp.asarray(key, dtype=jnp.uint32))  # type: ignore[arg-type]
        equal = all(np.array_equal(np.asarray(w), x.astype(np.uint32)) for w, x in zip(words, ours, strict=True))
        step, ids = jnp.zeros(100, dtype=jnp.int32), jnp.arange(100)
        draw = jax.jit(lambda k: draw_normals(k, step, ids, count // 100, jnp.float32))
        report("philox", words_equal=equal, **measure(lambda: draw(jnp.asarray(key, dtype=jnp.uint32))))


def compare_engines(batch: int) -> None:
    """Settle the same chip on both engines, in both precisions."""
    for precision in ("double", "single"):
        case = Case((50, 64, 32, 10), batch, precision, 2)
        ends = []
        for engine in ("cpu", "jax"):
            chip = case.chip(engine=engine, free=Phase(tolerance=1e-9 if precision == "double" else 1e-5))
            ends.append((chip.settle(), chip.state))
        (own, state), (other, found) = ends
        report(
            "agreement",
            precision=precision,
            statuses_equal=bool(np.array_equal(own.status, other.status)),
            steps_apart=int(np.abs(own.steps - other.steps).max()),
            largest_difference=float(np.abs(state - found).max()),
        )


def time_dense(widths: tuple[int, ...], batches: tuple[int, ...], steps: int) -> None:
    """Time the engine and a loop written by hand, at the precision that its name says."""
    for batch in batches:
        case = Case(widths, batch, "single", 2)
        fixed = Phase(steps=steps)
        calls: dict[str, Callable[[], object]] = {
            "hand": jax_loops(case, steps)["jax euler"],
            "engine": case.chip(engine="jax", free=fixed).settle,
            "tf32": case.chip(engine="jax", precision="tf32", free=fixed).settle,
            "to 1e-5": case.chip(engine="jax", free=Phase(tolerance=1e-5)).settle,
            "equilibrium to 1e-5": case.chip(
                engine="jax", mode="equilibrium", audit=0, free=Phase(tolerance=1e-5)
            ).settle,
        }
        for name, call in calls.items():
            report("dense", batch=batch, steps=steps, what=name, **measure(call))


def check_reference() -> None:
    """Compare with what an independent program found, in double precision."""
    if not REFERENCE.is_dir():
        report("reference", skipped="the data of the tests are not there")
        return
    given, batch, expected = (dict(np.load(REFERENCE / f"{name}.npz")) for name in ("parameters", "batch", "expected"))
    chip = make_convolution(SMALL, free=Phase(tolerance=1e-14, max_steps=1000))
    topology = Topology(SMALL, [_describe_path(c) for c in chip.topology.connections], classes=4)
    chip = Chip(chip.design._replace(topology=topology), given)
    chip.set_input(batch["x"].reshape(len(batch["x"]), -1))
    chip.settle()
    exact = compute_exact_errors(chip, batch["y"])
    worst = {
        key: max(
            float(np.abs(value - expected[f"{key}/{name}"].reshape(value.shape)).max() / np.abs(value).max())
            for name, value in chip.topology.split(array).items()
        )
        for key, array in (("free/state", chip.state), ("delta/exact", exact.delta), ("delta/ep", exact.ep))
    }
    report("reference", **worst)


def _describe_path(connection: Any) -> ConvolutionPath:
    kind = connection.kind
    return ConvolutionPath(kind="conv", path=connection.name, padding=kind.padding, pool=kind.pool)


def time_convolution(layers: dict[str, list[int]], batch: int, steps: int) -> None:
    """Time steps, a whole gradient and the exact error vectors of the published convolution; tell the memory."""
    images = Stream(0, "images").normal((batch, int(np.prod(layers["in"]))))
    target = np.eye(10)[np.arange(batch) % 10]
    for precision in ("single", "tf32"):
        chip = make_convolution(layers, precision=precision, free=Phase(steps=steps), nudged=Phase(steps=40))
        chip.set_input(images)
        found = measure(chip.settle, 3)
        report("convolution", precision=precision, batch=batch, step_ms=round(found["ms"] / steps, 4), **found)
        if precision == "single":
            report("convolution", precision="single, by hand", batch=batch, **measure(make_hand_loop(chip, steps), 3))
        rule = make_rule(ErrorVector(), chip, RuleContext(Centred(beta=1.0)))
        samples = Samples(images, target)
        report("gradient", precision=precision, free_steps=steps, **measure(lambda r=rule, s=samples: r(s).blocks, 2))
    statistics = jax.local_devices()[0].memory_stats() or {}
    report("memory", peak_gib=round(statistics.get("peak_bytes_in_use", 0) / 2**30, 3))
    few = make_convolution(layers, free=Phase(tolerance=1e-6, max_steps=500))
    few.set_input(images[:64])
    few.settle()
    begin = time.perf_counter()
    exact = compute_exact_errors(few, target[:64])
    reached = int(exact.equilibrium.reached.sum())
    report("exact", samples=len(exact.delta), reached=reached, s=round(time.perf_counter() - begin, 2))


def check_precision() -> None:
    """Tell whether single precision means what it says: the product of two known matrices, and two equal runs."""
    x = Stream(0, "x").normal((256, 256))
    exact = x @ x.T
    for name, precision in (("single", jax.lax.Precision.HIGHEST), ("tf32", jax.lax.Precision.HIGH)):
        a = jnp.asarray(x, dtype=jnp.float32)
        found = np.asarray(jnp.matmul(a, a.T, precision=precision), dtype=np.float64)
        report("product", precision=name, relative=float(np.abs(found - exact).max() / np.abs(exact).max()))
    ends = []
    for _ in range(2):
        chip = make_convolution(SMALL, precision="single", free=Phase(steps=30))
        chip.set_input(Stream(0, "images").normal((8, 3072)))
        chip.settle()
        ends.append(chip.state)
    report("twice", equal_bits=bool(np.array_equal(*ends)))


def main() -> None:
    """Run all items."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--small", action="store_true", help="sizes for a processor")
    small = parser.parse_args().small
    device = jax.local_devices()[0]
    report("device", kind=device.device_kind, count=jax.local_device_count(), jax=jax.__version__)
    check_random_numbers(10_000 if small else 10_000_000)
    check_precision()
    compare_engines(20 if small else 200)
    time_dense((784, 256, 256, 10), (50,) if small else (50, 500, 5000), 20 if small else 150)
    check_reference()
    time_convolution(SMALL if small else FULL, 8 if small else 256, 10 if small else 250)


if __name__ == "__main__":
    main()
