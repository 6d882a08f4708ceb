"""Compare the engine with its limit, with NumPy, JAX and SciPy: interleaved rounds, medians, ratios within one run."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from substrate.engine.cpu.kernels.product import describe_block
from substrate.engine.threads import count_available_threads, describe_blas

from . import cases, peers
from .training import TrainingStep

NETWORKS: list[tuple[tuple[int, ...], int]] = [
    ((784, 256, 256, 10), 50),
    ((784, 256, 256, 10), 500),
    ((32, 64, 64, 10), 1),
    ((32, 64, 64, 10), 24),
    ((784, 2048, 2048, 10), 128),
]
RATIOS = {
    "library products alone": "euler",
    "jax euler": "euler",
    "jax to 1e-6": "equilibrium to 1e-6",
    "brian2, noisy": "exponential, noisy",
}
"""Who is compared with what of ours."""

ROUNDS = 7

PAUSE = 0.05
"""Seconds before a measurement: threads of other libraries go on spinning for a while after their work."""


def medians(entries: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of every entry in ms; the rounds are interleaved, the first call does not count."""
    times: dict[str, list[float]] = {name: [] for name in entries}
    for call in entries.values():
        call()
    for _ in range(rounds):
        for name, call in entries.items():
            time.sleep(PAUSE)
            # Once for nothing: what is compared is not how cold the caches were.
            call()
            times[name].append(timed(call))
    return {name: float(np.median(values)) for name, values in times.items()}


def timed(call: Callable[[], object]) -> float:
    """Return what a call takes, in ms."""
    begin = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begin)


def measure(widths: tuple[int, ...], batch: int, precision: str, rounds: int, threads: int) -> None:
    """Print one table."""
    case = cases.Case(widths, batch, precision, threads)
    steps = cases.STEPS if max(widths[1:]) < 1000 else cases.STEPS // 10
    entries = {
        "products alone": case.products(steps),
        "library products alone": case.library_products(steps),
        "euler": case.steps("euler", steps),
        "exponential": case.steps("exponential", steps),
        "exponential, noisy": case.steps("exponential", steps, noisy=True),
        "equilibrium to 1e-6": case.equilibrium(),
        "numpy": peers.numpy_loop(case, steps),
        **peers.jax_loops(case, steps),
    }
    if "jax euler" in entries:
        entries["jax engine"] = case.steps("euler", steps, engine="jax")
    if max(widths) < 100:
        entries["solve_ivp"] = peers.solve_ivp(case, steps)
        entries |= peers.brian2_steps(case, steps)
    found = medians(entries, rounds)
    print(f"\n{'-'.join(map(str, widths))}, batch {batch}, {precision}, {steps} steps")
    for name, value in found.items():
        print(f"  {name:24s} {value:10.3f} ms   {value / found['euler']:7.2f} x euler")
    print(f"  products/euler {found['products alone'] / found['euler']:.2f}", end="")
    print(f"   noisy/quiet {found['exponential, noisy'] / found['exponential']:.2f}", end="")
    for peer, own in RATIOS.items():
        if peer in found:
            print(f"   {peer}/own {found[peer] / found[own]:.2f}", end="")
    if "jax euler" in found:
        print(f"   jax euler/equilibrium {found['jax euler'] / found['equilibrium to 1e-6']:.2f}", end="")
        print(f"   jax engine/jax euler {found['jax engine'] / found['jax euler']:.2f}", end="")
    print(f"\n  peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def convolution(rounds: int) -> None:
    """Print what the engine in JAX takes for a convolutional network beside a loop written by hand, if there is JAX."""
    try:  # the module needs JAX
        from .convolution import BATCH, LAYERS, make_settlings
    except ImportError:
        return
    found = medians(make_settlings(), rounds)
    print(f"\nconvolution {LAYERS}, batch {BATCH}, single, {cases.STEPS} steps")
    for name, value in found.items():
        print(f"  {name:24s} {value:10.3f} ms   {value / found['jax euler']:7.2f} x jax euler")


def training(rounds: int, threads: int) -> None:
    """Print what a training step takes: one after the other, and in turn with JAX."""
    step = TrainingStep(threads)
    ours = step.ours()
    in_a_row = [timed(ours) for _ in range(max(10 * rounds, 50))][10:]
    found = medians({"training step": ours, **step.jax()}, rounds)
    print("\ntraining step of 784-256-256-10 with readout, batch 50, centred N = 2, single")
    print(f"  {'one after the other':24s} {np.median(in_a_row):10.3f} ms")
    for name, value in found.items():
        print(f"  {name:24s} {value:10.3f} ms   {value / found['training step']:7.2f} x ours")


def growth(threads: int) -> None:
    """Print how the time of a step grows with batch and width."""
    print("\ngrowth of 150 euler steps, single: time per sample in us")
    for label, sizes in (
        ("batch", [(256, b) for b in (16, 64, 256, 1024)]),
        ("width", [(w, 128) for w in (64, 128, 256, 512)]),
    ):
        calls = {
            f"{width} wide, batch {batch}": (cases.Case((784, width, width, 10), batch, "single", threads), batch)
            for width, batch in sizes
        }
        found = medians({name: case.steps("euler", cases.STEPS) for name, (case, _) in calls.items()}, 3)
        print(f"  {label}: " + ", ".join(f"{n}: {1e3 * t / calls[n][1]:.1f}" for n, t in found.items()))


def main() -> None:
    """Run everything, or one network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--precision", choices=["single", "double"], default="single")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=count_available_threads())
    parser.add_argument("--quick", action="store_true", help="two networks, the convolution, the training step")
    options = parser.parse_args()
    print(f"linear algebra: {describe_blas()}\nour products: blocks of {describe_block()}")
    print(f"threads: {options.threads}\njax: {peers.jax_version()}")
    begin = time.perf_counter()
    cases.Case((8, 4, 3), 2, options.precision, 1).warm()
    print(f"first settlings of this process, compilation or loading included: {time.perf_counter() - begin:.2f} s")
    for widths, batch in NETWORKS[: 2 if options.quick else None]:
        measure(widths, batch, options.precision, max(options.rounds, 1), options.threads)
    convolution(max(options.rounds, 1))
    training(max(options.rounds, 1), options.threads)
    if not options.quick:
        growth(options.threads)


if __name__ == "__main__":
    main()
