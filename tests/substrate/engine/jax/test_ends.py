"""How a settling ends: a chip of each status ends with it on both engines, after the same steps."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from substrate.chip.chip import Chip
from substrate.chip.design import Design
from substrate.dynamics.machine import Drive
from substrate.dynamics.methods import MOST_STEPS, Phase
from substrate.engine.door import load_engine
from substrate.network.topology import Topology
from substrate.protocol import Status
from tests.networks import dynamics, random_batch, random_chip
from tests.substrate.engine.test_stopping import pair
from tests.substrate.settling.test_trajectory import flipping_chip

from .both import on

pytestmark = pytest.mark.jax


def end_on_both(chip, x, steps=0):
    """Return how the samples of a chip end: the same on both engines, at most so many steps apart."""
    ends = []
    for engine in ("cpu", "jax"):
        one = on(engine, chip)
        one.set_input(x)
        settled = one.settle()
        ends.append((settled, one.state))
    (cpu, u), (jax, v) = ends
    np.testing.assert_array_equal(jax.status, cpu.status)
    assert np.abs(jax.steps - cpu.steps).max() <= steps
    known = np.isfinite(cpu.residual) & (cpu.status != Status.DIVERGED)
    np.testing.assert_array_equal(np.isfinite(jax.residual), np.isfinite(cpu.residual))
    np.testing.assert_allclose(jax.residual[known], cpu.residual[known], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(v[known], u[known], rtol=0, atol=1e-9)
    return cpu


@pytest.mark.parametrize(
    ("dt", "phase", "expected"),
    [
        (0.5, Phase(tolerance=1e-9), Status.SETTLED),
        (0.5, Phase(max_steps=3, tolerance=1e-9), Status.STEP_LIMIT),
        (0.5, Phase(steps=200), Status.SETTLED),
        (0.5, Phase(steps=3), Status.STEP_LIMIT),
        (1.0, Phase(max_steps=500), Status.PERIOD_2),
        (1.0, Phase(steps=500), Status.PERIOD_2),
        (3.0, Phase(max_steps=500), Status.DIVERGED),
        (3.0, Phase(steps=500), Status.DIVERGED),
    ],
)
def test_a_chip_that_flips_ends_alike(dt, phase, expected):
    assert set(end_on_both(flipping_chip(dt, phase), np.ones((2, 1))).status) == {expected}


def turning_chip(dt, phase):
    """Return two units that chase each other around for ever."""
    topology = Topology({"in": 1, "out": 2}, ["in-out", "out-out"])
    turn = 1.5 * np.array([[1.0, -1.0], [1.0, 1.0]])
    blocks = {"weight/in-out": np.array([[0.3, 0.0]]), "weight/out-out": turn, "bias/out": np.zeros(2)}
    return Chip(Design(topology, "tanh", "mse", dynamics(dt, phase)), blocks)


@pytest.mark.parametrize("dt", [0.05, 0.4])
@pytest.mark.parametrize("phase", [Phase(max_steps=2000, tolerance=1e-9), Phase(steps=1500)])
def test_an_orbit_ends_alike(dt, phase):
    x = np.linspace(-0.2, 1.0, 5)[:, None]
    ended = end_on_both(turning_chip(dt, phase), x)
    if not phase.fixed:
        assert set(ended.status) == {Status.CYCLE}


def test_a_step_below_rounding_stalls_alike():
    chip = pair(0.01, Phase(max_steps=MOST_STEPS, tolerance=1e-7), precision="single")
    assert set(end_on_both(chip, np.array([[1.0], [-0.3]]), steps=1).status) == {Status.STALLED}


def test_a_residual_that_rounding_forbids_stalls_alike():
    """A drift of one rounding error that goes on: stalled after few steps, not at the limit."""
    chip = random_chip("lateral", phase=Phase(max_steps=1500, tolerance=1e-300))
    x, _ = random_batch(chip, 20)
    counts = []
    for engine in ("cpu", "jax"):
        one = on(engine, chip)
        one.set_input(x)
        settled = one.settle()
        # By its last bits a sample may come to rest exactly, which is better than could be asked for.
        assert np.isin(settled.status, [Status.STALLED, Status.SETTLED]).all()
        assert (settled.residual < 1e-15).all()
        assert (settled.steps < 300).all()
        counts.append(np.mean(settled.status == Status.STALLED))
    assert min(counts) > 0.2, counts


@pytest.mark.parametrize("start", [0.5 + 0.25j * np.pi, np.nan, 1e300])
@pytest.mark.parametrize("phase", [Phase(), Phase(steps=90)])
def test_a_pole_or_a_number_out_of_range_diverges_alone(start, phase):
    chip = random_chip(phase=phase)
    x, _ = random_batch(chip, 2)
    chip.set_input(x)
    states = np.zeros_like(chip.constant_drive, dtype=complex)
    states[0, 3] = start
    drive = Drive(chip.constant_drive, 0.0, np.zeros((2, 0)))
    machine = on("jax", chip)._machine
    found = [load_engine(d).relax(machine, drive, states, phase) for d in (chip.design.dynamics, machine.dynamics)]
    for one in found:
        assert list(one.settled.status) == [Status.DIVERGED, Status.SETTLED]
        assert one.settled.residual[0] > 1e8
    np.testing.assert_array_equal(*(one.settled.steps for one in found))
    np.testing.assert_allclose(found[1].state[1], found[0].state[1], rtol=0, atol=1e-12)
