"""What all policies share: readout, tied cells, memory, faults."""

import numpy as np
import pytest

from devices.programming.laws import ConstantStep
from learning.memory import count_memory_bits
from learning.optimisers.optimiser import AdamW, Sgd, compute_requested_changes
from learning.optimisers.schedule import TrainingMoment
from learning.policies.accumulate import Accumulate
from learning.policies.batches import SummedBatches
from learning.policies.direct import Direct
from learning.policies.low_rank import LowRank
from learning.policies.policy import POLICIES, KnownCells, add_tied_requests, make_request_writer
from learning.policies.sign import Sign
from learning.rules.error_vector import ErrorVector
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred
from learning.training import Samples, TrainingState, train
from tests.learning.policies.cells import CELLS, NAME, CellBench
from tests.networks import random_batch, random_chip

MOMENT = TrainingMoment(0, 100)


class Recorder:
    """A bench that keeps what it is asked to write."""

    def __init__(self):
        self.asked = []

    def write(self, changes):
        self.asked.append(dict(changes))

    def read_cells(self, block, chosen):  # noqa: ARG002
        return np.zeros(np.count_nonzero(chosen))

    def mirror(self, block, request):  # noqa: ARG002
        return request.T


def test_direct_is_what_training_does_without_a_policy():
    """Bit for bit, on a chip that rounds at random."""
    found = []
    for policy in (None, Direct()):
        chip = random_chip(symmetric=True, update=ConstantStep(step=1e-3, rounding="stochastic"))
        x, y = random_batch(chip, 8)
        rule = make_rule(ErrorVector(), chip, RuleContext(Centred(beta=0.05)))
        write = policy and make_request_writer(policy, chip, CELLS)
        steps = train(chip, rule, Sgd(), lambda _, x=x, y=y: [Samples(x, y)], 3, TrainingState(), None, write)
        assert len(list(steps)) == 3
        found.append(np.concatenate([block.ravel() for block in chip.programmed.values()]))
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("policy", [kind() for kind in POLICIES], ids=POLICIES.names)
def test_the_readout_is_digital(policy):
    """It gets every request as it is, and no policy keeps anything of it."""
    bench, memory, request = Recorder(), {}, np.array([1e-6, -2e-6])
    policy.write(bench, {"readout/bias": request, NAME: np.full((2, 2), 1e-6)}, memory, CELLS, MOMENT)
    assert bench.asked[0]["readout/bias"] is request
    assert not any("readout" in name for name in memory)


@pytest.mark.parametrize("policy", [Accumulate(), SummedBatches(every=1), Sign(), LowRank(every=1)])
def test_both_directions_of_one_number_are_added_up_first(policy):
    """Two requests that cancel write nothing, where each alone would."""
    bench, cells = Recorder(), KnownCells(0.01, {"weight/b-a": "weight/a-b"})
    policy.write(bench, {"weight/a-b": np.full((2, 3), 0.05), "weight/b-a": np.full((3, 2), -0.05)}, {}, cells, MOMENT)
    assert list(bench.asked[0]) == ["weight/a-b"]
    np.testing.assert_array_equal(bench.asked[0]["weight/a-b"], np.zeros((2, 3)))


def test_a_request_for_one_direction_alone_reaches_the_forward_block():
    summed = add_tied_requests(Recorder(), {"weight/b-a": np.ones((3, 2))}, {"weight/b-a": "weight/a-b"})
    assert {name: block.shape for name, block in summed.items()} == {"weight/a-b": (2, 3)}


@pytest.mark.parametrize("policy", [Accumulate(bits=4), SummedBatches(every=3), LowRank(rank=1, every=3)])
def test_a_policy_goes_on_from_what_it_kept(policy):
    """Its memory and the number of the batch are all of it: a copy of both goes on bit for bit."""
    rng = np.random.default_rng(0)
    requests = [0.01 * rng.normal(size=(3, 4)) for _ in range(8)]
    whole, parts, memory = CellBench((3, 4)), CellBench((3, 4)), {}
    for k, request in enumerate(requests):
        policy.write(whole, {NAME: request}, memory, CELLS, TrainingMoment(k, 8))
    memory = {}
    for k, request in enumerate(requests):
        memory = {name: block.copy() for name, block in memory.items()}
        policy.write(parts, {NAME: request}, memory, CELLS, TrainingMoment(k, 8))
    assert whole.weight.tobytes() == parts.weight.tobytes()


def test_the_names_of_what_is_kept_are_none_of_the_optimiser():
    memory, blocks = {}, {NAME: np.ones((2, 2))}
    for optimiser in (Sgd(), AdamW(kind="adamw", weight_decay=0.0)):
        compute_requested_changes(optimiser, blocks, memory)
    theirs = set(memory)
    for policy in (Accumulate(), SummedBatches(), LowRank()):
        policy.write(CellBench((2, 2)), blocks, memory, CELLS, MOMENT)
    assert all(name.startswith("write/") for name in memory.keys() - theirs)
    assert memory.keys() > theirs


@pytest.mark.parametrize("policy", [Accumulate(), Sign()])
@pytest.mark.parametrize(
    ("cells", "words"), [(KnownCells(None), "have none"), (KnownCells(0.1, exact=False), "coincidences")]
)
def test_whole_steps_need_cells_that_have_them(policy, cells, words):
    (key, message, hint), *_ = policy.find_faults(cells)
    assert (key, words in message, bool(hint)) == ("", True, True)
    assert Direct().find_faults(cells) == SummedBatches().find_faults(cells) == []
    with pytest.raises(ValueError, match="counts in steps"):
        policy.write(CellBench((2, 2)), {NAME: np.ones((2, 2))}, {}, KnownCells(None), MOMENT)


@pytest.mark.parametrize(
    ("optimiser", "policy", "bits"),
    [
        (Sgd(momentum=0.0), Direct(), 0.0),
        (Sgd(), Direct(), 32.0),
        (AdamW(kind="adamw"), Accumulate(bits=8), 72.0),
        (Sgd(momentum=0.0), SummedBatches(), 32.0),
        (Sgd(momentum=0.0), LowRank(rank=2, feedback=False), 32.0 * 2 * (4 + 6) / 24),
        (Sgd(momentum=0.0), LowRank(rank=2), 32.0 * (2 * (4 + 6) / 24 + 1)),
    ],
)
def test_the_digital_memory_is_counted(optimiser, policy, bits):
    shapes = {"weight/a-b": (4, 6), "readout/weight": (6, 2)}
    assert count_memory_bits(optimiser, policy, shapes, CELLS) == {"weight/a-b": pytest.approx(bits)}


def test_one_number_of_a_pair_has_one_register_and_two_velocities():
    shapes, cells = {"weight/a-b": (2, 3), "weight/b-a": (3, 2)}, KnownCells(0.1, {"weight/b-a": "weight/a-b"})
    assert count_memory_bits(Sgd(), Accumulate(bits=8), shapes, cells) == {"weight/a-b": 72.0}
