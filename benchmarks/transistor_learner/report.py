"""What is printed of the machine and its twin."""

from __future__ import annotations

import numpy as np

from substrate.circuits.self_learning.cycles import compute_errors, find_cycles

from .comparison import BEGIN, compare_machine, simulate_cycles
from .fit import SHORTEST, Fit
from .machine import LINES, Machine, make_learner
from .measured import Array, Measured

RANGES = ((1.2e-3, 12.6e-3), (2e-3, 50.2e-3))
"""Periods over which slopes are taken, in seconds."""

EVEN = 8
"""Periods at which slopes are simulated beside those of the measured rows, evenly spaced in logarithms."""

FLOOR = 5e-3
"""Longest period whose error is the floor, in seconds."""

SHOULDER = np.geomspace(0.1, 0.4, 7)
"""Periods at which the shoulder of experiment 3 is looked for, in seconds."""

CLOSE = 0.95
"""Correlation above which two numbers are not told apart."""


def measure_slope(periods: Array, span: Array, between: tuple[float, float]) -> float:
    """Return the slope of a span against the period, both in logarithms, by least squares."""
    inside = (periods >= between[0]) & (periods <= between[1])
    return float(np.polyfit(np.log(periods[inside]), np.log(span[inside]), 1)[0])


def find_least_slope(periods: Array, span: Array) -> float:
    """Return the smallest slope between neighbours, both in logarithms."""
    return float(np.min(np.diff(np.log(span)) / np.diff(np.log(periods))))


def find_clamped_floors(machine: Machine, experiment: int, etas: Array, period: float = 2e-3) -> Array:
    """Return the error against what clamping aims at, (etas,), in square volts, for fast changes of tasks."""
    floors = []
    for eta in etas:
        learner = make_learner(machine, experiment, float(eta))
        aiming = learner._replace(tasks=[task._replace(target=task.aim) for task in learner.tasks])
        found = find_cycles(learner, BEGIN, np.array([period]), rounds=1)
        floors.append(compute_errors(aiming, found.values[:, 0]).mean())
    return np.array(floors)


def measure_factor(logarithms: Array) -> float:
    """Return the root mean square of logarithms of ratios as a factor."""
    return float(np.exp(np.sqrt(np.mean(logarithms**2))))


def print_comparison(experiment: int, machine: Machine, measured: Measured) -> None:
    """Print spans and errors, and what follows from them, measured and simulated."""
    found = compare_machine(machine, experiment, measured)
    span, error = measured.span * np.exp(found.span), measured.error * np.exp(found.error)
    print(f"\nExperiment {experiment}: measured / simulated\n\n  period s       span V^2                error V^2")
    for row in zip(measured.periods, measured.span, span, measured.error, error, strict=True):
        print("  {:<10g} {:10.4g} / {:<10.4g} {:10.4g} / {:<10.4g}".format(*row))
    for between in RANGES:
        slopes = [measure_slope(measured.periods, values, between) for values in (measured.span, span)]
        even = np.geomspace(*between, EVEN)
        slopes.append(measure_slope(even, simulate_cycles(machine, experiment, even).span, between))
        label = f"slope, {1e3 * between[0]:g} to {1e3 * between[1]:g} ms"
        print(f"  {label:27s} {{:.3f}} / {{:.3f}}; at {EVEN} even periods {{:.3f}}".format(*slopes))
    fast = measured.periods < FLOOR
    print(f"  floor of the error V^2      {measured.error[fast].mean():.3g} / {error[fast].mean():.3g}")
    for name, one, two in (("span", measured.span, span), ("error", measured.error, error)):
        print(f"  plateau of the {name} V^2    {one[-2:].mean():.3g} / {two[-2:].mean():.3g}")
    if experiment == 3:
        near = (measured.periods >= SHOULDER[0]) & (measured.periods <= SHOULDER[-1])
        least = [find_least_slope(measured.periods[near], values[near]) for values in (measured.span, span)]
        least.append(find_least_slope(SHOULDER, simulate_cycles(machine, experiment, SHOULDER).span))
        print("  slope of the shoulder       {:.2f} / {:.2f}; in finer steps {:.2f}".format(*least))
    inside = measured.periods > SHORTEST[experiment]
    factors = measure_factor(found.span[inside]), measure_factor(found.error[inside])
    print(f"  rms factor of spans {factors[0]:.3f}, of errors {factors[1]:.3f}; not found: {found.missing}")
    for cycle, same, away in zip(measured.cycles, found.cycles, found.away, strict=True):
        rms = [1e3 * np.sqrt(np.mean(values)) for values in ((same**2).sum(axis=1), away**2)]
        print(f"  cycle at {cycle.period:g} s: rms {rms[1]:.0f} mV from the curve, {rms[0]:.0f} mV at the same times")
    for name, (slope, apart) in zip(LINES[experiment], found.lines, strict=True):
        print(f"  line {name}: slope {100 * np.expm1(slope):+.1f} %, at 3 V {1e3 * apart:+.0f} mV")
    etas = np.array([1.0, 2.0, 5.0])
    floors = find_clamped_floors(machine, experiment, etas)
    power = np.polyfit(np.log(etas), np.log(floors), 1)[0]
    print(f"  error against what is clamped at, eta 1, 2, 5: {floors} V^2, power {power:.2f}")


def print_fit(fit: Fit) -> None:
    """Print the fitted numbers with intervals, and which of them are not told apart."""
    print(f"\n  {len(fit.names)} numbers, {fit.calls} steps; intervals of 95 %")
    for name, value, deviation in zip(fit.names, fit.values, fit.deviation, strict=True):
        print(f"  {name:24s} {value:12.5g} +- {1.96 * deviation:.2g}")
    pairs = [
        f"{fit.names[i]} and {fit.names[j]} ({fit.correlation[i, j]:+.3f})"
        for i in range(len(fit.names))
        for j in range(i)
        if abs(fit.correlation[i, j]) > CLOSE
    ]
    print("  not told apart: " + "; ".join(pairs))
