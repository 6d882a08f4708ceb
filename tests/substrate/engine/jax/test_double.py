"""Double precision stays inside the engine: the user's own code in JAX goes on as it was."""

import threading

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")
import jax.numpy as jnp

from substrate.dynamics.methods import Phase
from substrate.engine.jax import compile as module
from substrate.engine.jax.engine import JaxEngine
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip

from .both import on, settle
from .test_noise import ALL, END, NAMES, NOISY

pytestmark = pytest.mark.jax

CACHE = {"jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"}


def find_dtypes():
    """Return what numbers JAX makes in this thread, with and without a program."""
    return {str(x.dtype) for x in (jnp.zeros(1), jnp.ones(2) * 1.5, jax.jit(lambda v: v + 1.0)(np.ones(3)))}


def test_other_code_calculates_in_single_after_a_run_and_meanwhile():
    seen, told = [], []
    asked, answered = threading.Event(), threading.Event()

    def answer():
        asked.wait(60)
        seen.append(find_dtypes())
        answered.set()

    def record(_state):
        if not asked.is_set():
            asked.set()
            told.append(answered.wait(60))

    other = threading.Thread(target=answer)
    other.start()
    chip = on("jax", random_chip())
    chip.set_input(random_batch(chip, 20)[0])
    chip.settle(record=(5, record))
    other.join()
    assert told == [True], "the other thread was heard within the settling"
    assert seen == [{"float32"}]
    assert find_dtypes() == {"float32"}


@pytest.mark.parametrize("precision", ["double", "single"])
def test_results_are_numbers_of_numpy_in_double_precision(precision):
    keys = NOISY | {"noise": ALL, "phase": END} if precision == "double" else {"dynamics": {"precision": "single"}}
    chip = on("jax", random_chip(**{"phase": Phase(tolerance=1e-5), **keys}))
    y = random_batch(chip, 40)[1]
    found = settle(chip, ("signs", "complex"), len(NAMES) if precision == "double" else 40)
    shown = [v for one in found for v in (*one.settled, one.state, *(one.average or ()))] + [*chip.read().values()]
    engine, machine, v = JaxEngine, chip._machine, np.ones((40, chip.topology.units))
    c = chip.topology.connections[1]
    a, d = v[:, :7], v[:, :5]
    linear = engine.linear(machine, v)
    shown += [engine.activate(machine, v), engine.activate(machine, v + 0j), engine.force(machine, v, y)]
    shown += [engine.drive(machine, v), linear.product(v), linear.transposed(v)]
    shown += [engine.apply(c.kind, chip.effective[c.block], a), engine.correlate(c.kind, a, d)]
    for array in shown:
        assert type(array) is np.ndarray
        assert array.dtype in {np.dtype(np.float64), np.dtype(np.complex128), np.dtype(np.int64)}


def read_config():
    return {name: getattr(jax.config, name, None) for name in jax.config.values}


def settle_once():
    chip = on("jax", random_chip())
    chip.set_input(random_batch(chip, 20)[0])
    chip.settle(Nudge(0.1, random_batch(chip, 20)[1]))


@pytest.mark.parametrize("own", [None, "own"])
def test_nothing_but_the_folder_of_programs_is_set_and_an_own_one_is_left(own, tmp_path):
    kept = {name: getattr(jax.config, name) for name in CACHE}
    jax.config.update("jax_compilation_cache_dir", own and str(tmp_path / own))
    module._keep_programs.cache_clear()
    before = read_config()
    try:
        settle_once()
        changed = {name for name, value in read_config().items() if value != before[name]}
    finally:
        for name, value in kept.items():
            jax.config.update(name, value)
        module._keep_programs.cache_clear()
    assert changed <= (CACHE if own is None else set())
    assert ("jax_compilation_cache_dir" in changed) == (own is None)
