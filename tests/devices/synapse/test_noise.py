"""Noise of devices: its processes, its size, and keys that do not go together."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from devices.synapse.noise import CellNoise


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [(math.inf, 1.0)]),
        ({"spectrum": "white"}, [(0.0, 1.0)]),
        ({"tau_c": 3.0}, [(3.0, 1.0)]),
        ({"spectrum": "telegraph", "tau_c": 3.0}, [(3.0, 1.0)]),
        ({"spectrum": "flicker", "tau_c": 0.5, "octaves": 4}, [(0.5, 0.25), (1.0, 0.25), (2.0, 0.25), (4.0, 0.25)]),
    ],
)
def test_a_spectrum_is_a_list_of_processes(keys, expected):
    assert CellNoise(relative=0.1, **keys).list_processes() == expected


def test_a_device_fluctuates_in_proportion_and_by_a_constant():
    noise = CellNoise(relative=0.1, absolute=0.03)
    np.testing.assert_allclose(noise.compute_deviation(np.array([0.0, 0.4])), [0.03, 0.05], rtol=1e-15)


@pytest.mark.parametrize(
    ("keys", "on"),
    [
        ({}, False),
        ({"relative": 0.1}, True),
        ({"absolute": 0.1}, True),
        ({"relative": 0.1, "spectrum": "telegraph", "fraction": 0.0}, False),
    ],
)
def test_noise_is_on_where_a_device_fluctuates(keys, on):
    assert CellNoise(**keys).on is on


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"octaves": 3}, 'belongs to spectrum = "flicker"'),
        ({"fraction": 0.5}, 'belongs to spectrum = "telegraph"'),
        ({"spectrum": "white", "tau_c": 1.0}, "has no memory"),
        ({"spectrum": "flicker"}, "shortest correlation time"),
        ({"relative": -0.1}, "greater than or equal to 0"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        CellNoise(**keys)
