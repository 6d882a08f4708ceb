"""How long a chip takes to simulate on one thread: a model, which `benchmarks/estimates.py` compares with runs.

On another engine than that of our own kernels, steps are measured (`step_clock.py`), and times are those of a clock.
The rates are seconds of processor time, fitted to bundled scenarios on a virtual core of an AMD EPYC (AVX-512, double
precision, kernels compiled, `--threads 1`, beside other work); see `docs/performance.md` for what is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from devices.imperfection import DIFFERENT, RANDOM
from learning.schemes.scheme import Scheme
from substrate.chip.boards.regimes import shakes_membranes
from substrate.chip.causes import list_causes, list_kind_causes, remove_causes
from substrate.chip.design import Design
from substrate.dynamics.methods import NOISY_STEP, TABLES, Phase
from substrate.network.topology import Topology

from ..build import make_design
from ..schema.scenario import ScenarioSpec
from .counts import count_phase_steps, list_nudged_settlings
from .step_clock import StepClock, make_step_clock

COMPILING = 25.0
"""To compile all kernels, the first time."""

LOADING, PAGES, FIGURE = 2.0, 1.5, 0.15
"""To load the program; to write a result and its pages; and to draw every scheme on them."""

PRODUCTS = {"double": 1e11, "single": 2e11}
"""Floating point operations of products of matrices, per second."""

UNIT, NORMAL, IMAGINARY, RESIDUAL = 3e-9, 3e-9, 22e-9, 7e-9
"""Of one unit and step: drift and activation; what noise, a complex state, and an end at a tolerance add."""

CALL = 1e-3
"""Of a settling of one batch, whatever its length."""

FABRICATED, CELL, WRITTEN = 5e-9, 1.5e-7, 6e-8
"""Of one cell, when a chip is made; what a cell that is no perfect memory adds, and when it is written."""

RESPONSE = 2e-3 / 202
"""Of one unit and sample, for the linear responses at a rest point."""

COMPLEX = 3.0
"""Linear responses at a complex nudge, over those at a real one."""

LINEAR, PULL = 200.0, 20.0
"""Steps in double precision that take as long, on an engine whose steps are measured, as the linear responses of a
sample, and as one draw of homeostasis around its state."""

DECADE = 25.0
"""Time in which the drift of a sample falls to a tenth, in tau: near a bifurcation longer, without loops 2.3."""

SWEEPS = 3.0
"""Sweeps, in steps of Euler's method, in which the equilibrium mode does the same."""

_REST = Phase(tolerance=1e-13, max_steps=1_000_000)
NOISE, READOUT = list_kind_causes(RANDOM), list_kind_causes(DIFFERENT)


class TimedChip(NamedTuple):
    """One design of a chip, how it is asked, and what that takes."""

    design: Design
    scenario: ScenarioSpec
    pace: float
    """Steps in one step of the scenario, as fine as the noise of the scenario needs."""

    clock: StepClock | None = None
    """What a step takes, where it is measured; absent: as the rates of this module say."""

    @classmethod
    def of(cls, scenario: ScenarioSpec, topology: Topology, rows: int, measured: bool = True) -> TimedChip:
        """Return the chip of a scenario whose numbers are plain, which settles so many samples together.

        Not `measured`: its steps take what the rates of this module say, on any engine.
        """
        design = make_design(scenario, topology, "identity")
        return cls(
            design, scenario, _compute_noise_substeps(design), make_step_clock(design, rows) if measured else None
        )

    @property
    def topology(self) -> Topology:
        """Its wiring."""
        return self.design.topology

    def step(self, phase: Phase, planes: int = 1) -> float:
        """Return the seconds of one step of a sample."""
        dynamics, topology = self.design.dynamics, self.topology
        stages = 1 if dynamics.mode == "equilibrium" else len(TABLES[dynamics.method].b)
        if self.clock is not None:
            return stages * self.pace * planes * self.clock(dynamics.precision)
        products = 2.0 * planes * sum(c.kind.products for c in topology.recurrent())
        unit = UNIT + (NORMAL if shakes_membranes(self.design) else 0.0) + (IMAGINARY if planes > 1 else 0.0)
        unit += 0.0 if phase.fixed else RESIDUAL
        return stages * self.pace * (products / PRODUCTS[dynamics.precision] + topology.units * unit)

    def steps(self, phase: Phase, beta: complex = 0.0) -> float:
        """Return how many steps a phase takes: all of a fixed length, or the usual ones to a tolerance."""
        dynamics = self.design.dynamics
        if phase.fixed:
            return count_phase_steps(phase, dynamics.dt)
        begin = abs(beta) or 1.0
        decades = max(1.0, math.log10(begin / phase.end(dynamics.precision, beta)))
        if dynamics.mode == "equilibrium":
            return SWEEPS * decades
        exponential = dynamics.method == "exponential"
        return min(phase.max_steps, decades * DECADE / (-math.expm1(-dynamics.dt) if exponential else dynamics.dt))

    def free(self) -> float:
        """Return the seconds of the free settling of a sample."""
        drive = 2.0 * sum(c.kind.products for c in self.topology.connections) / PRODUCTS["double"]
        return drive + self.steps(self.design.dynamics.free) * self.step(self.design.dynamics.free)

    def nudged(self, schemes: Iterable[Scheme]) -> float:
        """Return the seconds of the nudged settlings of a sample, under all schemes."""
        dynamics, total = self.design.dynamics, 0.0
        whole = dynamics.nudged == _REST
        for scheme in schemes:
            for one in list_nudged_settlings(self.scenario, [scheme]):
                points = one.points if whole and one.points else 1
                length = one.steps if one.points and not whole else self.steps(dynamics.nudged, one.beta)
                total += points * length * self.step(dynamics.nudged, one.planes)
        return total

    def run(self, schemes: Iterable[Scheme], samples: int) -> float:
        """Return the seconds of one measurement of a batch: a free settling and all nudged ones."""
        schemes = list(schemes)
        calls = 1 + sum(len(list_nudged_settlings(self.scenario, [scheme])) for scheme in schemes)
        return calls * CALL + samples * (self.free() + self.nudged(schemes))

    def without(self, *names: str) -> TimedChip:
        """Return the chip without some causes of error."""
        return self._replace(design=remove_causes(self.design, *(n for n in names if n in list_causes(self.design))))

    def complete(self) -> TimedChip:
        """Return the chip read ideally, settling completely."""
        bare, own = self.without(*NOISE, *READOUT), self.design.dynamics
        fine = own.mode == "equilibrium" or own.method == "rk45" or own.dt < 0.05
        pace = {"method": "exponential", "dt": 0.05} if fine else {}
        ends = {"mode": "trajectory", "precision": "double", "free": _REST, "nudged": _REST}
        return bare._replace(design=bare.design.replace(dynamics=own.model_copy(update=pace | ends)), pace=1.0)

    def precisely(self) -> TimedChip:
        """Return the chip in double precision."""
        return self._replace(
            design=self.design.replace(dynamics=self.design.dynamics.model_copy(update={"precision": "double"}))
        )

    def made(self) -> float:
        """Return the seconds in which a chip is made."""
        return self.topology.cell_count * (FABRICATED + (CELL if self.stores else 0.0))

    @property
    def stores(self) -> bool:
        """Tell whether its cells keep something else than what was asked for."""
        return bool({"write", "retention"} & set(list_causes(self.design)))


def estimate_exact_time(chip: TimedChip, samples: int) -> float:
    """Return the seconds in which exact gradients are found, with the rest points around which they hold."""
    return samples * (estimate_response_time(chip) + chip.complete().free())


def estimate_response_time(chip: TimedChip) -> float:
    """Return the seconds of the linear responses of a sample at a rest point."""
    return RESPONSE * chip.topology.units if chip.clock is None else LINEAR * chip.clock("double")


def _compute_noise_substeps(design: Design) -> float:
    """Return into how many steps at least noise cuts each one."""
    dynamics = design.dynamics
    if not shakes_membranes(design) or dynamics.method not in NOISY_STEP:
        return 1.0
    return max(1.0, math.ceil(dynamics.dt / NOISY_STEP[dynamics.method]))
