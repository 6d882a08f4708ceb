"""What a sample shows does not depend on its company: padding, order, tiles; and an ideal chip is its weights."""

import os
import subprocess
import sys

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")

from devices.synapse.cell import FeedbackDevices
from substrate.dynamics.methods import Phase
from substrate.engine.jax import batch
from substrate.protocol import Nudge
from tests.floors import ROOT
from tests.networks import random_batch, random_chip

from .both import EQUAL, on, settle
from .test_noise import ALL, END, NOISY

pytestmark = pytest.mark.jax


def settled(chip, x, y, rows):
    chip.set_input(x[rows])
    free = chip.settle()
    state = chip.state
    nudged = chip.settle(Nudge(0.3, y[rows], np.resize([1.0, -1.0], len(x))[rows]), "free")
    return state, free.steps, chip.state, nudged.steps


@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
def test_a_sample_does_not_depend_on_its_batch(mode):
    chip = on("jax", random_chip("lateral", phase=Phase(tolerance=1e-9), dynamics={"mode": mode, "audit": 0}))
    x, y = random_batch(chip, 50)
    whole = settled(chip, x, y, np.arange(50))
    for size in (1, 5, 37) if mode == "trajectory" else (5,):
        rows = np.arange(50 - size, 50)
        for part, all_ in zip(settled(chip, x, y, rows), whole, strict=True):
            np.testing.assert_allclose(part, all_[rows], rtol=0, atol=EQUAL)


def test_samples_that_fill_up_a_tile_change_no_bit():
    """Batches of 37 and 38 make tiles of one shape."""
    chip = on("jax", random_chip("lateral", phase=Phase(tolerance=1e-9)))
    x, y = random_batch(chip, 38)
    whole, order = settled(chip, x, y, np.arange(38)), np.random.default_rng(0).permutation(38)
    assert batch.count_rows(37) == batch.count_rows(38) == 38
    for rows in (np.arange(37), order):
        for part, all_ in zip(settled(chip, x, y, rows), whole, strict=True):
            np.testing.assert_array_equal(part, all_[rows])


def test_sizes_of_tiles_are_few_and_hardly_larger_than_their_batch():
    samples = np.arange(1, 4097)
    rows = np.array([*map(batch.count_rows, range(1, 4097))])
    assert batch.count_rows(0) == 1
    assert (rows >= samples).all()
    assert (rows - samples <= samples / batch.FINENESS).all()
    assert len(set(rows)) <= batch.FINENESS * (2 + np.log2(4096 / (2 * batch.FINENESS)))


@pytest.mark.parametrize("noisy", [False, True])
def test_a_batch_in_tiles_shows_the_same(noisy):
    keys = NOISY | {"noise": ALL, "phase": END} if noisy else {"phase": Phase(tolerance=1e-9)}
    whole, found, seen = on("jax", random_chip(**keys)), [], []
    for chip in (whole, whole.variant(dynamics=whole.design.dynamics.model_copy(update={"tile": 11}))):
        found.append(settle(chip, ("signs",), samples=33, ids=np.arange(33) + 3))
        seen.append([])
        chip.settle(record=(5, seen[-1].append))
    assert [tile.rows for tile in batch.split_batch(chip._machine, 33)] == 3 * [11]
    for whole, tiles in zip(*found, strict=True):
        for a, b in zip(whole.settled, tiles.settled, strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=EQUAL)
        np.testing.assert_allclose(tiles.state, whole.state, rtol=0, atol=EQUAL)
        if noisy:
            np.testing.assert_allclose(tiles.average.mean, whole.average.mean, rtol=0, atol=EQUAL)
            np.testing.assert_allclose(tiles.average.error, whole.average.error, rtol=1e-9, atol=0)
    assert len(seen[0]) == len(seen[1])
    np.testing.assert_allclose(seen[1], seen[0], rtol=0, atol=EQUAL)


def compare_devices():
    """Hold that a batch in tiles has the same bits on one device and on two."""
    devices, found = jax.local_devices(), []
    assert len(devices) == 2
    for some in (devices, devices[:1]):
        batch.jax.local_devices = lambda some=some: some
        for keys in ({}, {"mode": "equilibrium", "audit": 0}):
            chip = random_chip(phase=Phase(tolerance=1e-9), dynamics={"engine": "jax", "tile": 5, **keys})
            assert {tile.device for tile in batch.split_batch(chip._machine, 15)} == set(some)
            found.append([x for one in settle(chip, ("signs",), samples=15) for x in (one.state, *one.settled)])
    for two, one in ((found[0], found[2]), (found[1], found[3])):
        for x, y in zip(two, one, strict=True):
            np.testing.assert_array_equal(x, y)


def test_two_devices_change_no_bit():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    code = "from tests.substrate.engine.jax.test_batches import compare_devices; compare_devices()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_rest_points_of_a_batch_in_tiles_are_the_same(monkeypatch):
    chip, found = on("jax", random_chip(phase=Phase(tolerance=1e-9), dynamics={"mode": "equilibrium", "audit": 0})), []
    for largest in (batch.LARGEST, 10 * chip.topology.units):
        monkeypatch.setattr(batch, "LARGEST", largest)
        found.append(settle(chip, ("signs",)))
    for whole, tiles in zip(*found, strict=True):
        np.testing.assert_allclose(tiles.state, whole.state, rtol=0, atol=EQUAL)
        np.testing.assert_array_equal(tiles.settled.steps, whole.settled.steps)


def test_an_ideal_chip_has_the_bits_of_its_programmed_weights():
    plain, real = random_chip(), random_chip(feedback=FeedbackDevices(mismatch_sigma=0.1))
    states = [settle(on("jax", chip), ("signs",))[1].state for chip in (plain, real, real.ideal())]
    np.testing.assert_array_equal(states[2], states[0])
    assert np.abs(states[1] - states[0]).max() > 1e-4
