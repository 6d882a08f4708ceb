from typing import Literal

import numpy as np
import pytest

import nudgelab
from devices.kinds import KindError
from devices.programming import pulse
from devices.programming.laws import PowerStep
from devices.programming.own import LawError, WriteLaw
from devices.programming.sampled import make_nominal_cells
from scenarios.build import make_setup
from scenarios.language.faults import ScenarioError
from scenarios.run.identity import compute_run_id
from tests.networks import random_chip
from tests.own_kinds import only_here


class Room(WriteLaw):
    """Steps follow a power of the room ahead."""

    kind: Literal["room"] = "room"

    power: float = 1.0
    """The power."""

    def up(self, x):
        return (1.0 - x) ** self.power

    def down(self, x):
        return x**self.power


KEYS = {"step": 0.01, "w_max": 1.5, "w_min": -0.5}


@pytest.fixture(autouse=True)
def _forget():
    with only_here():
        yield


def multipliers(law, weights):
    cell, shape = make_nominal_cells(law), law.shape()
    return [
        [
            pulse.compute_step_multiplier(
                shape.code, w, float(cell.low), float(cell.high), bend, shape.curves[up], shape.nodes[up]
            )
            for w in weights
        ]
        for up, bend in ((1, float(cell.bend_up)), (0, float(cell.bend_down)))
    ]


@pytest.mark.parametrize(("power", "error"), [(1.0, 1e-14), (2.0, 2.6e-7), (3.0, 8e-7)])
def test_a_law_of_ones_own_steps_as_its_functions_say(power, error):
    """Against the law of nudgelab that says the same; straight pieces are off by h^2/8 of the curvature, h = 1/1000."""
    weights = np.linspace(-0.5, 1.5, 777)
    theirs = multipliers(PowerStep(exponent_up=power, exponent_down=power, **KEYS), weights)
    np.testing.assert_allclose(multipliers(Room(power=power, **KEYS), weights), theirs, rtol=0.0, atol=error)


def test_a_chip_writes_by_it_as_by_the_law_that_says_the_same():
    spread = {"step_sigma": 0.1, "cycle_sigma": 0.3, "w_max_sigma": 0.2}
    found = []
    for law in (Room(**KEYS, **spread), PowerStep(**KEYS, **spread)):
        chip = random_chip(update=law)
        chip.write({"weight/in-l1": np.full(chip.programmed["weight/in-l1"].shape, 0.2)})
        assert chip.causes == ["write"]
        assert chip.without("write").causes == []
        found.append(chip.programmed["weight/in-l1"])
    np.testing.assert_allclose(*found, rtol=0.0, atol=1e-12)


def test_a_scenario_names_it_once_it_is_registered():
    edits = {"devices.update": {"kind": "room", "power": 2.0, **KEYS}}
    with pytest.raises(ScenarioError, match=r"must be .constant-step., .* has to be registered first"):
        nudgelab.load("first-training", edits)
    assert nudgelab.register(Room) is Room
    assert nudgelab.load("first-training", edits).chip().design.devices.update == Room(power=2.0, **KEYS)
    edits["devices.update"]["powr"] = 1.0
    with pytest.raises(ScenarioError, match="unknown key - did you mean 'power'"):
        nudgelab.load("first-training", edits)


def test_a_run_is_named_by_what_the_law_computes():
    def name():
        loaded = nudgelab.load("first-training", {"devices.update": {"kind": "room", **KEYS}}).loaded
        return compute_run_id(loaded.scenario, make_setup(loaded).content)

    nudgelab.register(Room)
    first = name()
    assert name() == first

    @nudgelab.register
    class Room2(Room):
        """Another law of the same kind."""

        def up(self, x):
            return 1.0 - 0.5 * x

    assert name() != first


def test_what_is_no_law_is_refused_with_the_reason():
    class Nameless(WriteLaw):
        """It has no kind."""

    class Taken(WriteLaw):
        """It has the kind of another."""

        kind: Literal["soft-bounds"] = "soft-bounds"

    for wrong, words in (
        (Nameless, "has no name for scenarios"),
        (Taken, "already"),
        (PowerStep, "WriteLaw"),
        (3, "3"),
    ):
        with pytest.raises((LawError, KindError), match=words):
            nudgelab.register(wrong)


@pytest.mark.parametrize(
    ("up", "words"),
    [
        (lambda x: x[:3], "numbers of shape"),
        (lambda x: x * np.nan, "not finite"),
        (lambda x: 1.0 if x > 0.5 else 0.0, "failed: ValueError"),
    ],
)
def test_a_function_that_fails_is_told_with_its_line(up, words):
    class Wrong(Room):
        """Its up steps are wrong."""

        def up(self, x):
            return up(x)

    with pytest.raises(LawError, match=words):
        Wrong(**KEYS)
