"""Which way noise of cells is simulated, by its correlation time and the length of the phases."""

import math

import pytest

from devices.hardware import Devices
from devices.neuron.noise import Noise
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.noise import CellNoise
from substrate.chip.boards.regimes import (
    choose_way,
    compute_sample_time,
    has_slow_noise,
    list_cell_processes,
    list_pace,
    shakes_membranes,
)
from substrate.chip.causes import remove_causes
from substrate.dynamics.methods import Dynamics, Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_chip

CLOCK = {"dynamics": {"method": "exponential"}, "phase": Phase(duration=10.0), "dt": 0.1}


def design(weights=CellNoise(), feedback=None, batch=1, **parts):  # noqa: B008  immutable
    cells = {"weights": WeightDevices(noise=weights), "feedback": FeedbackDevices(noise=feedback)}
    plain = random_chip(**CLOCK).design
    return plain._replace(devices=Devices(**cells, **parts), batch=batch)


@pytest.mark.parametrize(
    ("time", "sample", "batch", "way"),
    [
        (0.0, None, 1, "white"),
        (0.19, 20.0, 1, "white"),
        (0.2, 20.0, 1, "drift"),
        (20.0, 20.0, 1, "drift"),
        (21.0, 20.0, 1, "frozen"),
        (79.0, 20.0, 16, "drift"),
        (81.0, 20.0, 16, "frozen"),
        (math.inf, 20.0, 16, "frozen"),
        (math.inf, None, 1, "frozen"),
    ],
)
def test_the_way_is_that_of_the_nearest_limit(time, sample, batch, way):
    assert choose_way(time, sample, batch) == way


def test_a_sample_takes_its_phases_windows_and_hold():
    both = Phase(duration=10.0, window=2.0), Phase(steps=30)
    dynamics = Dynamics(dt=0.1, method="exponential", free=both[0], nudged=both[1])
    assert compute_sample_time(dynamics, Phases(hold_time=4.0)) == pytest.approx(19.0)
    assert compute_sample_time(dynamics.model_copy(update={"free": Phase()}), Phases()) is None


def test_octaves_are_simulated_one_by_one():
    found = list_cell_processes(design(CellNoise(relative=0.1, spectrum="flicker", tau_c=0.1, octaves=10), batch=4))
    assert [p.way for p in found] == ["white"] + ["drift"] * 8 + ["frozen"]
    assert sum(p.share for p in found) == pytest.approx(1.0)


def test_feedback_cells_have_noise_of_their_own_and_biases_that_of_forward_cells():
    own = list_cell_processes(design(CellNoise(relative=0.1), CellNoise(relative=0.2)))
    assert [p.noise.relative for p in own] == [0.1, 0.2]
    assert own[1].blocks == ("weight/l2-l1", "weight/out-l2")
    assert own[0].blocks == ("weight/in-l1", "weight/l1-l2", "weight/l2-out", "bias/l1", "bias/l2", "bias/out")
    (one,) = list_cell_processes(design(CellNoise(relative=0.1)))
    assert set(one.blocks) == {*own[0].blocks, *own[1].blocks}
    assert list_cell_processes(design()) == []
    (front,) = list_cell_processes(design(CellNoise(relative=0.1), CellNoise()))
    assert front.blocks == own[0].blocks


def test_what_moves_membranes_and_what_goes_on_between_settlings():
    slow, frozen, white = (CellNoise(relative=0.1, **k) for k in ({"tau_c": 3.0}, {}, {"spectrum": "white"}))
    assert [shakes_membranes(design(n)) for n in (slow, frozen, white, CellNoise())] == [True, False, True, False]
    assert [has_slow_noise(design(n)) for n in (slow, frozen, white)] == [True, False, False]
    assert shakes_membranes(design(noise=Noise(thermal=0.1)))
    assert has_slow_noise(design(noise=Noise(read_flicker=0.1)))


def test_a_chip_without_its_noise_goes_on_with_the_steps_of_all_of_it():
    noisy = design(CellNoise(relative=0.1, tau_c=3.0), noise=Noise(coloured=0.1, tau_c=2.0))
    assert list_pace(noisy) == (2.0, 3.0)
    assert remove_causes(noisy, "noise", "cell-noise").paced_by == (2.0, 3.0)
    assert remove_causes(noisy, "cell-noise", "noise").paced_by == (2.0, 3.0)
    assert list_pace(design()) is None
    assert remove_causes(design(CellNoise(relative=0.1)), "cell-noise").paced_by is None
