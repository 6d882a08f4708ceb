"""Blocks of devices of a user's own: what they do at their place, and what is refused."""

from typing import Literal

import numpy as np
import pytest

import nudgelab
from devices.block import BlockError
from devices.hardware import Devices
from devices.imperfection import COMMON, DIFFERENT, RANDOM
from scenarios.build import make_setup
from scenarios.language.faults import ScenarioError
from scenarios.run.identity import compute_run_id
from substrate.chip.causes import classify_cause
from substrate.chip.randomness import has_conjugate_answers, has_random_measurements
from tests.own_kinds import only_here


@pytest.fixture(autouse=True)
def _forget():
    with only_here():
        yield


class Wear(nudgelab.DeviceBlock):
    """Cells wear out, each in its own way."""

    kind: Literal["wear"] = "wear"

    sigma: float = 0.0
    """Relative spread."""

    def feel(self, weights, fixed):
        return weights * (1.0 + self.sigma * fixed)


class Bend(nudgelab.DeviceBlock):
    """Reads are compressed, about an offset of their unit."""

    kind: Literal["bend"] = "bend"

    share: float = 0.0
    """How much."""

    def read(self, activity, fixed):
        return activity - self.share * (activity**2 + 0.1 * fixed)


class Hiss(nudgelab.DeviceBlock):
    """Every read has noise of its own."""

    kind: Literal["hiss"] = "hiss"

    size: float = 0.0
    """Standard deviation."""

    def disturb(self, activity, fresh):
        return activity + self.size * fresh


BLOCKS = {
    "wear": (Wear, {"sigma": 0.1}, COMMON),
    "bend": (Bend, {"share": 0.1}, DIFFERENT),
    "hiss": (Hiss, {"size": 0.1}, RANDOM),
}


def registered():
    for block, _, _ in BLOCKS.values():
        assert nudgelab.register(block) is block


def chip(instance=0, **blocks):
    edits = {f"devices.{name}": keys for name, keys in blocks.items()}
    made = nudgelab.load("first-training", edits | {"devices.feedback.mismatch_sigma": 0.0}).chip(instance, threads=1)
    made.set_input(np.linspace(0.0, 1.0, 3 * made.layers["in"]).reshape(3, -1))
    return made


def seen(made):
    """Return the free state and what is read of it, twice."""
    made.settle()
    return [made.state, *(np.concatenate([*made.read().values()], axis=1) for _ in range(2))]


def test_each_is_a_cause_of_its_class_and_goes_alone():
    registered()
    whole = chip(**{name: keys for name, (_, keys, _) in BLOCKS.items()})
    assert [name for name in whole.causes if name in BLOCKS] == [*BLOCKS]
    assert {name: classify_cause(whole.design, name) for name in BLOCKS} == {
        name: kind for name, (*_, kind) in BLOCKS.items()
    }
    for name in BLOCKS:
        rest = whole.without(name)
        assert [cause for cause in rest.causes if cause in BLOCKS] == [other for other in BLOCKS if other != name]
    bare = seen(whole.without(*BLOCKS))
    plain = chip()
    assert all(np.array_equal(a, b) for a, b in zip(seen(plain), seen(chip()), strict=True))
    assert len(bare) == 3


def test_devices_that_were_made_before_have_it_ideal():
    before = Devices()
    registered()
    assert before.wear == Wear()
    assert before.acting("feel") == {}
    assert "wear" not in before.model_dump()
    with pytest.raises(AttributeError):
        _ = before.tear


def test_weights_are_felt_as_the_method_says_and_stay_with_their_chip():
    registered()
    plain, worn, other = chip(), chip(wear={"sigma": 0.1}), chip(1, wear={"sigma": 0.1})
    block = "weight/in-l1"
    ratio = worn.effective[block] / plain.effective[block]
    assert 0.09 < ratio.std() < 0.11
    assert not np.array_equal(worn.effective[block], other.effective[block])
    np.testing.assert_array_equal(worn.effective[block], chip(wear={"sigma": 0.1}).effective[block])
    np.testing.assert_array_equal(worn.effective["bias/l1"], plain.effective["bias/l1"])


def test_reads_are_bent_and_states_are_not():
    registered()
    plain, bent = seen(chip()), seen(chip(bend={"share": 0.1}))
    np.testing.assert_array_equal(plain[0], bent[0])
    np.testing.assert_array_equal(bent[1], bent[2])
    assert not np.array_equal(plain[1], bent[1])
    assert not has_conjugate_answers(chip(bend={"share": 0.1}).design.devices)


def test_noise_of_reads_is_new_in_every_read():
    registered()
    noisy = chip(hiss={"size": 0.1})
    state, first, second = seen(noisy)
    np.testing.assert_array_equal(state, seen(chip())[0])
    assert not np.array_equal(first, second)
    assert has_random_measurements(noisy.design.devices)
    assert not has_random_measurements(chip().design.devices)


def test_a_scenario_needs_the_name_only_where_the_block_acts():
    plain = nudgelab.load("first-training")
    told, name = plain.to_toml(), compute_run_id(plain.loaded.scenario, make_setup(plain.loaded).content)
    registered()
    again = nudgelab.load("first-training")
    assert again.to_toml() == told
    assert compute_run_id(again.loaded.scenario, make_setup(again.loaded).content) == name
    assert "[devices.wear]" in nudgelab.load("first-training", {"devices.wear.sigma": 0.1}).to_toml()
    with pytest.raises(ScenarioError, match="unknown key - did you mean 'sigma'"):
        nudgelab.load("first-training", {"devices.wear.sigme": 0.1})
    with pytest.raises(ScenarioError, match="unknown key"):
        nudgelab.load("first-training", {"devices.tear.sigma": 0.1})


def test_a_run_is_named_by_what_a_block_computes():
    def name():
        loaded = nudgelab.load("first-training", {"devices.wear.sigma": 0.1}).loaded
        return compute_run_id(loaded.scenario, make_setup(loaded).content)

    registered()
    first = name()
    assert name() == first

    @nudgelab.register
    class Other(Wear):
        """It wears out in another way."""

        def feel(self, weights, fixed):
            return weights + self.sigma * fixed

    assert name() != first


class Both(Bend):
    """It acts at two places."""

    def disturb(self, activity, fresh):
        return activity + self.share * fresh


class Needy(Wear):
    """It has no ideal."""

    other: float
    """Any."""


class Never(Wear):
    """It is never ideal."""

    def feel(self, weights, fixed):
        return 1.1 * weights + 0.0 * fixed


class Taken(Wear):
    """It has the name of another."""

    kind: Literal["noise"] = "noise"


class Reserved(Wear):
    """It has the name of something else."""

    kind: Literal["model_dump"] = "model_dump"


class Spaced(Wear):
    """Its name is none."""

    kind: Literal["Not a name"] = "Not a name"


class Nameless(nudgelab.DeviceBlock):
    """It has no name."""

    def feel(self, weights, fixed):
        return weights + 0.0 * fixed


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (Both, "Both has read, disturb: write one method"),
        (Needy, "Needy.other has no default"),
        (Never, "is not ideal"),
        (Taken, "is taken"),
        (Reserved, "is taken"),
        (Spaced, "says no name"),
        (Nameless, "says no name"),
        (nudgelab.DeviceBlock, "none of them"),
    ],
)
def test_what_is_no_block_is_refused_with_the_reason(block, words):
    with pytest.raises(BlockError, match=words):
        nudgelab.register(block)


def test_numbers_that_do_not_fit_are_told_when_they_are_made():
    @nudgelab.register
    class Odd(Bend):
        """It loses units."""

        kind: Literal["odd"] = "odd"

        def read(self, activity, fixed):
            return activity if self.share == 0.0 else (activity + fixed)[:, :2]

    made = nudgelab.load("first-training")
    with pytest.raises(BlockError, match=r"Odd.read must return finite numbers of shape"):
        made.set({"devices.odd.share": 0.1}).chip()
