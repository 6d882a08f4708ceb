"""Rest points by sweeps on both engines: the same points after the same sweeps, the same audits."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from substrate.dynamics.methods import Phase
from substrate.protocol import Status
from tests.networks import random_batch, random_chip
from tests.substrate.settling.test_equilibrium import bistable

from .both import EQUAL, assert_equal, on, settle_on_both

pytestmark = pytest.mark.jax

END = Phase(tolerance=1e-9, max_steps=500)
SWEEPS = {"mode": "equilibrium", "audit": 0}


@pytest.mark.parametrize("acceleration", ["anderson", "none"])
@pytest.mark.parametrize(
    ("keys", "nudges"),
    [
        ({}, ("signs", "complex")),
        ({"wiring": "lateral", "activation": "tanh", "cost": "mse", "scale": 0.4}, ("signs",)),
        ({"wiring": "skip", "law": "hopfield", "scale": 0.4}, ("signs",)),
    ],
)
def test_both_engines_find_the_same_rest_points(keys, nudges, acceleration):
    chip = random_chip(phase=END, dynamics=SWEEPS | {"acceleration": acceleration}, **keys)
    for cpu, jax in settle_on_both(chip, nudges):
        assert (cpu.settled.status == Status.SETTLED).all()
        assert (cpu.settled.steps > 5).all()
        assert_equal(cpu, jax)


def test_single_precision_finds_them_to_its_rounding():
    chip = random_chip(phase=Phase(tolerance=1e-5), dynamics=SWEEPS | {"precision": "single"})
    for cpu, jax in settle_on_both(chip, ("signs",), samples=40):
        np.testing.assert_array_equal(jax.settled.status, cpu.settled.status)
        assert np.abs(jax.settled.steps - cpu.settled.steps).max() <= 1
        assert (jax.settled.steps == cpu.settled.steps).mean() >= 0.95
        np.testing.assert_allclose(jax.state, cpu.state, rtol=0, atol=1e-5)


def test_the_step_limit_and_a_number_out_of_range_end_alike():
    chip = random_chip(phase=Phase(tolerance=1e-9, max_steps=4), dynamics=SWEEPS)
    for cpu, jax in settle_on_both(chip):
        assert set(cpu.settled.status) == {Status.STEP_LIMIT}
        assert_equal(cpu, jax)
    for engine in ("cpu", "jax"):
        one = on(engine, random_chip(phase=END, dynamics=SWEEPS))
        one.set_input(random_batch(one, 20)[0])
        one._free = np.zeros_like(one.constant_drive)
        one._free[1, 3] = np.nan
        status = one.settle(start="free").status
        assert status[1] == Status.DIVERGED
        assert (np.delete(status, 1) == Status.SETTLED).all()


def test_saddles_are_left_or_kept_alike():
    """Two basins and, between them at input 0, a saddle, where every sample starts; and audits of where they rest."""
    found = {}
    for engine in ("cpu", "jax"):
        chip = on(engine, bistable(1.5, END, mode="equilibrium", audit=12))
        chip.set_input(np.concatenate([np.zeros(2), np.linspace(-1.0, 1.0, 10)])[:, None])
        settled = chip.settle()
        found[engine] = settled, chip.state, chip.audit
        start = np.full((12, 4), 3.0)
        chip._free = start
        found[engine] += (chip.settle(start="free"), chip.state, chip.audit)
    cpu, jax = found["cpu"], found["jax"]
    for k in (0, 3):
        np.testing.assert_array_equal(jax[k].status, cpu[k].status)
        np.testing.assert_array_equal(jax[k].steps, cpu[k].steps)
        np.testing.assert_allclose(jax[k + 1], cpu[k + 1], rtol=0, atol=EQUAL)
        assert jax[k + 2] == cpu[k + 2]
    assert cpu[2].checked == 12
    assert np.abs(cpu[1][:2]).max() == 0.0
    assert np.abs(cpu[1][2:] - cpu[4][2:]).max() > 1.0
