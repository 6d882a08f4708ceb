"""Comparators in front of the cells."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import ndtr

from devices.imperfection import WRITE
from devices.programming.comparator import Comparator, apply_comparator
from devices.programming.laws import ConstantStep
from devices.random import Stream
from substrate.chip.causes import classify_cause
from substrate.chip.randomness import has_random_writes
from tests.networks import random_chip
from tests.statistics import assert_mean

NONE = np.zeros(5)
REQUEST = np.array([-2.0, -0.1, 0.0, 0.3, 5.0])


def ask(**keys):
    return apply_comparator(Comparator(**keys), 0.01, REQUEST, NONE, NONE).tolist()


def test_only_the_sign_of_a_request_is_left():
    assert ask() == [-0.01, -0.01, 0.0, 0.01, 0.01]
    assert ask(deadzone=0.2) == [-0.01, 0.0, 0.0, 0.01, 0.01]
    assert ask(deadzone=0.3) == [-0.01, 0.0, 0.0, 0.0, 0.01]
    assert ask(offset=0.15) == [-0.01, 0.01, 0.01, 0.01, 0.01]
    assert ask(offset=0.15, deadzone=0.2) == [-0.01, 0.0, 0.0, 0.01, 0.01]


def test_noise_and_offsets_decide_as_often_as_their_spread_says():
    """A request r is answered upwards with the probability Phi(r/sigma), sigma of offset and noise together."""
    own, fresh = (Stream(0, name).normal((100_000,)) for name in "ab")
    found = apply_comparator(Comparator(offset_sigma=0.3, noise=0.4), 1.0, np.full(100_000, 0.25), own, fresh)
    up = ndtr(0.25 / 0.5)
    assert_mean(found > 0.0, up, np.sqrt(up * (1.0 - up)))
    assert set(found) == {-1.0, 1.0}


def test_a_chip_writes_signs_and_counts_what_is_lost():
    chip = random_chip(comparator=Comparator(change=0.01, deadzone=0.2))
    before = chip.programmed["bias/l1"].copy()
    request = np.array([-1.0, -0.1, 0.0, 0.1, 0.3, 0.2, 5.0])
    chip.write({"bias/l1": request, "readout/bias": np.full(3, 0.1)})
    change = chip.programmed["bias/l1"] - before
    np.testing.assert_allclose(change, 0.01 * np.array([-1, 0, 0, 0, 1, 0, 1]), rtol=0, atol=1e-15)
    assert chip.tally.lost.sum() == 3
    assert chip.causes == ["write"]
    assert classify_cause(chip.design, "write") == WRITE
    plain = chip.without("write")
    plain.write({"bias/l1": request})
    np.testing.assert_allclose(plain.programmed["bias/l1"] - before - change, request, rtol=0, atol=1e-14)


def test_cells_of_whole_pulses_get_one_each():
    chip = random_chip(comparator=Comparator(), update=ConstantStep(step=0.05))
    before = chip.programmed["bias/l1"].copy()
    chip.write({"bias/l1": np.array([-1.0, -1e-9, 0.0, 1e-9, 0.3, 0.2, 5.0])})
    change = chip.programmed["bias/l1"] - before
    np.testing.assert_allclose(change, 0.05 * np.array([-1, -1, 0, 1, 1, 1, 1]), rtol=0, atol=1e-15)
    assert chip.budget.pulses == 6


def test_offsets_belong_to_the_chip_and_noise_to_the_write():
    def written(**keys):
        chip = random_chip(comparator=Comparator(change=0.01, **keys))
        found = []
        for _ in range(2):
            before = chip.programmed["weight/in-l1"].copy()
            chip.write({"weight/in-l1": np.zeros((6, 7))})
            found.append(np.sign(chip.programmed["weight/in-l1"] - before))
        return found

    first, second = written(offset_sigma=0.1)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, written(offset_sigma=0.2)[0])
    first, second = written(noise=0.1)
    assert 0 < (first != second).sum() < 42
    assert has_random_writes(random_chip(comparator=Comparator(noise=0.1)).design.devices)


def test_a_change_of_unknown_size_is_refused():
    with pytest.raises(ValueError, match=r"devices\.comparator\.change"):
        random_chip(comparator=Comparator()).write({"bias/l1": np.ones(7)})
    for keys in ({"change": 0.0}, {"deadzone": -0.1}, {"noise": -1.0}, {"offset_sigma": "1 V"}):
        with pytest.raises(ValidationError, match=next(iter(keys))):
            Comparator(**keys)
