"""No cell is ever outside its own bounds, at the start or later, under any law of writing."""

import numpy as np
import pytest

from devices.programming.laws import OneSidedCells, SoftBounds, Verified
from devices.programming.pulse import LONGEST
from devices.synapse.cell import FeedbackDevices, WeightDevices
from devices.synapse.retention import Retention
from tests.devices.programming.steps_twin import pulsed
from tests.networks import random_chip
from tests.substrate.chip.test_programming import LAWS

SPREAD = {"step_sigma": 0.3, "up_down_sigma": 0.05, "w_max_sigma": 0.4}
WIDE = SPREAD | {"w_min_sigma": 0.4, "w_max": 0.6}
PULSED = {name: law.model_copy(update=WIDE) for name, law in LAWS.items()}
PAIRS = {
    f"pairs of {name}": LAWS[name].model_copy(
        update=SPREAD | {"w_max": 0.5, "w_min": None, "one_sided": OneSidedCells(reset=0.05, reset_sigma=0.02)}
    )
    for name in ("constant-step", "soft-bounds")
}
REFERENCE = {"a reference": SoftBounds(step=0.01, w_max=0.6, up_down=0.3, subtract="symmetry-point", **SPREAD)}
UPDATES = PULSED | PAIRS | REFERENCE | {"verified": Verified(error=[0.0], w_max=0.6)}
BESIDE = {
    "nothing": {},
    "window and levels": {"weights": WeightDevices(cell="pair", window=[0.0, 0.9], levels=16)},
    "mismatch": {"weights": WeightDevices(mismatch_sigma=0.2)},
    "copied": {"feedback": FeedbackDevices(storage="copied")},
    "shared": {"feedback": FeedbackDevices(storage="shared-device")},
    "retention": {"retention": Retention(age=10.0, leak_tau=50.0, leak_tau_sigma=0.3)},
}
BLOCKS = ["weight/in-l1", "weight/l1-l2", "weight/l2-l1", "bias/l1"]


def chip_with(update, beside=()):
    parts = BESIDE[beside] if beside else {}
    feedback = {"feedback": parts["feedback"]} if "feedback" in parts else {}
    rest = {k: v for k, v in parts.items() if k != "feedback"}
    return random_chip(symmetric=True, scale=2.0, update=UPDATES[update], **rest).variant(**feedback)


def bounds(chip, block):
    """Return the bounds of all cells of a block, from the constants that were drawn."""
    block = chip.writer.partners.get(block, block)
    law = chip.design.devices.update
    if isinstance(law, Verified):
        return -law.w_max, law.w_max
    if chip.writer.pairs is None:
        cells = chip.writer.cells[block]
        return cells.low - cells.reference, cells.high - cells.reference
    plus, minus = chip.writer.pairs.drawn[block]
    rest = chip.writer.kept[f"common/{block}"]
    assert ((rest >= 0.0) & (rest <= plus.cells.high) & (rest <= minus.cells.high)).all()
    return rest - minus.cells.high, plus.cells.high - rest


def assert_within(chip):
    for block in BLOCKS:
        turned = block in chip.writer.partners
        kept = chip.held[block].T if turned else chip.held[block]
        low, high = bounds(chip, block)
        assert ((low <= kept) & (kept <= high)).all(), block
        left = chip.writer.state(block, chip.held[block])
        left = left.T if turned else left
        assert ((low <= left) & (left <= high)).all(), block


def requests(chip, size, seed):
    rng = np.random.default_rng(seed)
    return {block: size * rng.normal(size=chip.programmed[block].shape) for block in BLOCKS}


def combinations():
    pairs = [(u, b) for u in UPDATES for b in BESIDE]
    return [(u, b) for u, b in pairs if not (u in PAIRS and b == "retention")]


@pytest.mark.parametrize(("update", "beside"), combinations())
def test_no_cell_is_ever_outside_its_own_bounds(update, beside):
    chip = chip_with(update, beside)
    assert_within(chip)
    assert sum(chip.unreached.values()) > 0
    for k in range(12):
        chip.write(requests(chip, 0.2, k))
        assert_within(chip)
    anew = chip.variant()
    for block in BLOCKS:
        np.testing.assert_array_equal(anew.held[block], chip.held[block])


@pytest.mark.parametrize(("update", "beside"), combinations())
def test_writes_of_nothing_move_nothing(update, beside):
    """Not in the first write and not after others; what is forgotten meanwhile is left out."""
    chip = chip_with(update, beside)
    for k in range(3):
        kept = {block: chip.held[block].copy() for block in BLOCKS}
        asked = {block: chip.programmed[block].copy() for block in BLOCKS}
        felt = {block: chip.effective[block].copy() for block in BLOCKS}
        chip.write({block: np.zeros_like(kept[block]) for block in BLOCKS})
        for block in BLOCKS:
            np.testing.assert_array_equal(chip.held[block], kept[block])
            np.testing.assert_array_equal(chip.programmed[block], asked[block])
            if beside != "retention":
                np.testing.assert_array_equal(chip.effective[block], felt[block])
        chip.write(requests(chip, 0.1, k))


@pytest.mark.parametrize("update", PULSED)
@pytest.mark.parametrize("up", [True, False])
def test_the_first_pulse_begins_at_what_a_cell_could_be_programmed_to(update, up):
    """One step of the law from the bound, and no jump from the request."""
    chip = chip_with(update)
    block = "weight/l1-l2"
    low, high = bounds(chip, block)
    start = np.clip(chip.programmed[block], low, high)
    np.testing.assert_array_equal(chip.held[block], start)
    assert chip.unreached[block] == np.count_nonzero(start != chip.programmed[block]) > 3
    chip.write({block: np.full(start.shape, UPDATES[update].step * (1.0 if up else -1.0))})
    expected = pulsed(UPDATES[update], chip.writer.cells[block], start, up)
    np.testing.assert_allclose(chip.held[block], expected, rtol=0, atol=1e-14)


def test_pairs_are_programmed_from_what_a_reset_leaves():
    """``g+ = w + rest`` and ``g- = rest`` up to the bound of each device; one without room for the rest has less."""
    law = UPDATES["pairs of soft-bounds"].model_copy(update={"w_max_sigma": 3.0})
    chip = random_chip(scale=2.0, update=law)
    block = "weight/l1-l2"
    plus, minus = (device.cells.high for device in chip.writer.pairs.drawn[block])
    rest, asked = chip.writer.kept[f"common/{block}"], chip.programmed[block]
    np.testing.assert_array_equal(rest, np.minimum(0.05, np.minimum(plus, minus)))
    np.testing.assert_array_equal(chip.held[block], np.clip(asked, rest - minus, plus - rest))


def test_one_number_is_counted_once_and_a_window_counts_too():
    chip = chip_with("soft-bounds", "copied")
    assert "weight/l2-l1" not in chip.unreached
    plain = random_chip(scale=2.0)
    assert sum(plain.unreached.values()) == 0
    cells = plain.variant(weights=WeightDevices(window=[-0.5, 0.3], levels=5))
    asked = plain.programmed["weight/in-l1"]
    assert cells.unreached["weight/in-l1"] == np.count_nonzero((asked < -0.5) | (asked > 0.3)) > 0
    assert cells.unreached["bias/l1"] == 0


def test_measured_bounds_are_bounds_and_must_be_in_order():
    law, block = SoftBounds(step=0.01), "weight/l1-l2"
    low, high = np.full((7, 5), 0.1), np.full((7, 5), 0.3)
    chip = random_chip(update=law).variant(measured_cells={f"{block}/low": low, f"{block}/high": high})
    assert ((chip.held[block] >= 0.1) & (chip.held[block] <= 0.3)).all()
    with pytest.raises(ValueError, match=r"measured cells of weight/l1-l2: `low` of a cell lies above its `high`"):
        random_chip(update=law).variant(measured_cells={f"{block}/low": high, f"{block}/high": low})


@pytest.mark.parametrize("rounding", ["nearest", "stochastic", "coincidences"])
@pytest.mark.parametrize("one_sided", [None, OneSidedCells()])
def test_requests_for_more_pulses_than_one_write_gives_are_counted(rounding, one_sided):
    """1e5 pulses, or a whole train of coincidences."""
    most = 31 if rounding == "coincidences" else LONGEST
    step = 1.0 / most
    law = SoftBounds(step=step, w_max=5.0, rounding=rounding, one_sided=one_sided)
    chip = random_chip(update=law)
    asked = np.linspace(-2.0, 2.0, 35).reshape(7, 5)
    chip.write({"weight/l1-l2": asked, "bias/l1": np.full(7, 0.9)})
    counts = dict(zip(chip.topology.shapes, chip.tally.cut.tolist(), strict=True))
    expected = np.count_nonzero(np.abs(asked) > 1.0 + 1e-9)
    assert counts == dict.fromkeys(counts, 0) | {"weight/l1-l2": expected}
    assert expected > 10
