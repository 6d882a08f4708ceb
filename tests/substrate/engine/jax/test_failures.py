"""Settlings that are broken off: an interrupt between pieces, and a device without room."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="needs the extra jax")
import jax.numpy as jnp
from click.testing import CliRunner

from scenarios.cli.main import main
from substrate.dynamics.methods import Phase
from substrate.engine.jax import settle as module
from substrate.protocol import Nudge
from tests.networks import random_batch, random_chip
from tests.scenarios.files import SETTLE, write_scenario

from .both import on

pytestmark = pytest.mark.jax

FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 78000000000 bytes."
PROGRAMS = {"advance": {}, "search_rest": {"mode": "equilibrium"}}


def fail_at(monkeypatch, program, call, error):
    """Let a program fail at one of its calls; return the list of the pieces it was asked for."""
    original, asked = getattr(module, program), []

    def fail(*arguments):
        asked.append(int(arguments[-1]))
        if len(asked) == call:
            raise error
        return original(*arguments)

    monkeypatch.setattr(module, program, fail)
    return asked


def make_chip(dynamics):
    """Return a chip that came to rest free, and its targets."""
    chip = on("jax", random_chip(phase=Phase(tolerance=1e-9), dynamics=dynamics))
    x, y = random_batch(chip, 20)
    chip.set_input(x)
    chip.settle()
    return chip, Nudge(0.3, y)


@pytest.mark.parametrize("program", PROGRAMS)
def test_pieces_change_no_bit_and_an_interrupt_between_them_loses_nothing(program, monkeypatch):
    chip, nudge = make_chip(PROGRAMS[program])
    free, budget = chip.state.copy(), chip.budget
    steps = chip.settle(nudge, "free").steps
    nudged = chip.state.copy()
    chip, nudge = make_chip(PROGRAMS[program])
    monkeypatch.setattr(module, "PIECE", 2)
    monkeypatch.setattr(module, "LONGEST", 0.0)
    with monkeypatch.context() as patched:
        asked = fail_at(patched, program, 3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            chip.settle(nudge, "free")
    assert asked == [2, 4, 6]
    assert steps.max() > 6
    np.testing.assert_array_equal(chip.state, free)
    assert chip.budget == budget
    assert jnp.zeros(1).dtype == jnp.float32
    np.testing.assert_array_equal(chip.settle(nudge, "free").steps, steps)
    np.testing.assert_array_equal(chip.state, nudged)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_device_without_room_is_a_failure_in_words_that_loses_nothing(program, monkeypatch):
    chip, nudge = make_chip(PROGRAMS[program])
    free = chip.state.copy()
    with monkeypatch.context() as patched:
        fail_at(patched, program, 1, jax.errors.JaxRuntimeError(FULL))
        with pytest.raises(MemoryError, match=r"no room.*dynamics\.tile.*78000000000 bytes"):
            chip.settle(nudge, "free")
    np.testing.assert_array_equal(chip.state, free)
    assert jnp.zeros(1).dtype == jnp.float32
    chip.settle(nudge, "free")
    assert np.abs(chip.state - free).max() > 1e-3


def test_other_errors_of_jax_keep_their_name(monkeypatch):
    chip, nudge = make_chip({})
    fail_at(monkeypatch, "advance", 1, jax.errors.JaxRuntimeError("INTERNAL: a fault of its own"))
    with pytest.raises(jax.errors.JaxRuntimeError, match="a fault of its own"):
        chip.settle(nudge, "free")


def test_the_command_says_what_to_lower(tmp_path, monkeypatch):
    fail_at(monkeypatch, "advance", 1, jax.errors.JaxRuntimeError(FULL))
    path = write_scenario(tmp_path, SETTLE)
    words = ["run", str(path), "--set", "dynamics.engine=jax", "--out", str(tmp_path / "out"), "-q"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("too little memory: the device has no room")
    assert "lower task.batch or experiment.samples" in result.stderr
