"""Chips with kernels settle as dense chips whose entries repeat, and their devices act on the kernels."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from devices.synapse.cell import FeedbackDevices, WeightDevices
from learning.oracle.exact import make_exact_rule
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import Samples
from substrate.chip.chip import Chip
from substrate.protocol import Nudge
from tests.networks import random_batch
from tests.substrate.kernel_chips import FEEDBACK, POOLS, make_dense_twin, make_kernel_chip

pytestmark = pytest.mark.jax

NUDGES = {
    "free": lambda _: None,
    "real": lambda y: Nudge(0.3, y, np.array([1.0, -1.0, 1.0, -1.0])),
    "complex": lambda y: Nudge(0.2 + 0.3j, y),
}


def follow(chip, names=NUDGES):
    """Return status, steps and states of settlings from rest, free and then nudged."""
    x, y = random_batch(chip, 4)
    chip.set_input(x)
    found = []
    for name in names:
        settled = chip.settle(NUDGES[name](y), "zero" if name == "free" else "free")
        found.append((settled.status, settled.steps, chip.state))
    return found


ROUGH = {"weights": WeightDevices(mismatch_sigma=0.1), "feedback": FeedbackDevices(gain_sigma=0.1)}


@pytest.mark.parametrize("cells", ["shared", "per-position"])
@pytest.mark.parametrize("correction", ["none", "exact"])
@pytest.mark.parametrize("mode", ["trajectory", "equilibrium"])
def test_average_pooling_settles_as_a_dense_network_on_both_engines(mode, correction, cells):
    """Two tiles, whose samples have free activities of their own; audits follow some samples alone."""
    chip = make_kernel_chip("average", cells=cells, dynamics={"mode": mode, "tile": 2}, **ROUGH)
    chip = chip.variant(correction=correction)
    found = follow(chip)
    for engine in ("jax", "cpu"):
        for (status, steps, state), (_, counted, other) in zip(
            found, follow(make_dense_twin(chip, engine)), strict=True
        ):
            assert (status == 0).all()
            # A residual at the edge of a tolerance of 1e-14 may count as one or the other.
            assert np.abs(steps - counted).max() <= 3
            np.testing.assert_allclose(state, other, rtol=0, atol=1e-12)
    assert (chip.audit.checked, chip.audit.elsewhere) == (6 if mode == "equilibrium" else 0, 0)


def test_an_ideal_chip_is_the_chip_without_devices_bit_for_bit():
    plain = make_kernel_chip()
    rough = make_kernel_chip(
        weights=WeightDevices(mismatch_sigma=0.1), feedback=FeedbackDevices(mismatch_sigma=0.1, gain_sigma=0.1)
    )
    for name, block in plain.effective.items():
        np.testing.assert_array_equal(block, plain.programmed[name])
        np.testing.assert_array_equal(rough.ideal().effective[name], block)
    chips = plain, rough.ideal(), rough
    for (_, _, state), (_, _, again), (_, _, other) in zip(*map(follow, chips), strict=True):
        np.testing.assert_array_equal(state, again)
        assert np.abs(state - other).max() > 0.01


def make_estimating_rule(chip):
    return make_rule(ErrorVector(), chip, RuleContext(Centred(beta=0.05), "mean"))


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("pool", POOLS)
def test_copies_without_spread_are_the_shared_kernel_bit_for_bit(pool, precision):
    how = {"precision": precision}
    shared = make_kernel_chip(pool, dynamics=how)
    copied = make_kernel_chip(pool, dynamics=how, cells="per-position", weights=WeightDevices(mismatch_sigma=0.0))
    assert copied.effective[FEEDBACK].shape == (4, 4, *shared.effective[FEEDBACK].shape)
    for (_, steps, state), (_, counted, other) in zip(follow(shared), follow(copied), strict=True):
        np.testing.assert_array_equal(steps, counted)
        np.testing.assert_array_equal(state, other)
    samples = Samples(*random_batch(shared, 4))
    for rule in (make_estimating_rule, make_exact_rule):
        one, other = (rule(chip)(samples).blocks for chip in (shared, copied))
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_copies_that_hardly_differ_settle_as_the_shared_kernel():
    """Their products are others: to rounding the numbers are the same."""
    for pool in POOLS:
        rough = make_kernel_chip(pool, cells="per-position", weights=WeightDevices(mismatch_sigma=1e-15))
        for (_, _, state), (_, _, other) in zip(follow(make_kernel_chip(pool)), follow(rough), strict=True):
            np.testing.assert_allclose(state, other, rtol=0, atol=1e-12)


def test_all_places_feel_the_one_gain_of_their_cell():
    chip = make_kernel_chip(feedback=FeedbackDevices(mismatch_sigma=0.2))
    gain = chip.effective[FEEDBACK] / chip.programmed[FEEDBACK]
    assert gain.shape == (3, 3, 2, 3)
    assert len(np.unique(gain)) == gain.size
    known = Chip(make_kernel_chip().design, chip.effective)
    for (_, _, state), (_, _, other) in zip(follow(chip), follow(known), strict=True):
        np.testing.assert_array_equal(state, other)
