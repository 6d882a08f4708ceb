"""Spread of membranes, and of mirrors, by the area of their transistors."""

import numpy as np
import pytest
from pydantic import ValidationError

from devices.neuron.membrane import InputPair, NeuronDevices, sample_drive_offsets
from devices.random import Stream
from devices.synapse.cell import FeedbackDevices, Pelgrom, WeightDevices, find_feedback_fault

PAIR = InputPair(coefficient=0.1, width="4 um", length="500 nm")
MIRROR = Pelgrom(coefficient=0.1, width=4.0, length=2.0)


def test_the_offset_of_a_pair_of_transistors_is_the_difference_of_both():
    draws = Stream(0, "a").normal((200_000,)) - Stream(0, "b").normal((200_000,))
    # Variance of a variance: 2/n, so 4 standard errors are 1.3 %; false alarm 6e-5.
    assert draws.var() * 0.1**2 / 2.0 == pytest.approx(PAIR.sigma**2, rel=0.013)
    assert NeuronDevices(input_pair=PAIR).offset == PAIR.sigma == pytest.approx(0.1)
    drawn = sample_drive_offsets(200_000, NeuronDevices(input_pair=PAIR).offset, Stream(0, "c"))
    assert drawn.var() == pytest.approx(PAIR.sigma**2, rel=0.013)


def test_four_times_the_area_has_half_the_offset():
    assert InputPair(coefficient=0.1, width=4.0, length=2.0).sigma == pytest.approx(PAIR.sigma / 2.0)


def test_a_mirror_of_two_devices_spreads_by_root_two():
    assert WeightDevices(mirror=MIRROR).path_sigma == pytest.approx(np.sqrt(2.0) * MIRROR.sigma)
    assert not WeightDevices(mirror=MIRROR).spread
    over = FeedbackDevices(mirror=MIRROR).over(WeightDevices(gain_sigma=0.2))
    assert (over.path_sigma, over.gain_sigma) == (MIRROR.pair_sigma, 0.0)
    over = FeedbackDevices(gain_sigma=0.2).over(WeightDevices(mirror=MIRROR))
    assert (over.path_sigma, over.mirror) == (0.2, None)
    assert find_feedback_fault(WeightDevices(), FeedbackDevices(storage="shared-device", mirror=MIRROR)) is None


@pytest.mark.parametrize(
    ("law", "keys", "words"),
    [
        (NeuronDevices, {"input_pair": PAIR, "offset_sigma": 0.1}, "exclude each other"),
        (NeuronDevices, {"input_pair": PAIR, "offset_sigma": "1 mV"}, "exclude each other"),
        (WeightDevices, {"mirror": MIRROR, "gain_sigma": 0.1}, "exclude each other"),
        (InputPair, {"coefficient": "3.9 mV", "width": 1.0, "length": 1.0}, "V um"),
        (InputPair, {"coefficient": 0.1, "width": 0.0, "length": 1.0}, "width"),
    ],
)
def test_contradictions_and_wrong_units_are_told(law, keys, words):
    with pytest.raises(ValidationError, match=words):
        law(**keys)
