"""What sets a training on a board apart from that of the simulator is the rounding of its codes, and nothing else."""

from functools import partial

import numpy as np
import pytest

import nudgelab
from learning.policies.policy import make_request_writer
from learning.training import TrainingState, evaluate, train
from scenarios.boards.mock import make_mock_board
from scenarios.build import make_any_setup
from scenarios.experiments.measured_chip.train import make_board_rule
from scenarios.experiments.train.batches import shuffle_batches
from scenarios.experiments.train.run import make_training_rule
from substrate.hardware.scales import make_scales
from tests.scenarios.boards.scenarios_on_boards import load_on_board
from tests.scenarios.experiments.measured_chip.rounded import RoundedChip


def train_in_simulator(setup, finer=None):
    """Return costs of training and test samples by epoch, and the weights, rounded as a line rounds them or not."""
    chip, plan = setup.chip(), setup.plan
    bench, rule = chip, make_training_rule(setup.learning, chip, {})
    if finer is not None:
        bench = RoundedChip(chip, make_scales(make_mock_board(setup).info(), {}, {}), finer)
        rule = make_board_rule(setup.learning, bench)
    batches = partial(shuffle_batches, setup.data, plan.samples, setup.scenario.task.batch, setup.fabrication.seed)
    test = [part[: plan.test_samples] for part in (setup.data.x_test, setup.data.y_test)]
    costs, write = (
        [[np.nan, evaluate(bench, *test)["loss"]]],
        make_request_writer(setup.learning.write, bench, setup.known_cells),
    )
    record = lambda: chip.programmed  # noqa: E731
    for step in train(bench, rule, setup.learning.optimiser, batches, plan.epochs, TrainingState(), record, write):
        if step.finished is not None:
            costs.append([step.finished["loss"], evaluate(bench, *test, epoch=len(costs))["loss"]])
    return np.array(costs).T, dict(chip.programmed)


@pytest.mark.parametrize(
    "load",
    [
        load_on_board,
        pytest.param(
            lambda: nudgelab.load(
                "board-training",
                {"learning.optimiser.rate": 0.01, "experiment": {"kind": "train", "epochs": 1, "samples": 40}}
                | {"experiment.test_samples": 20},
            ),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["small", "board-training"],
)
def test_the_simulator_with_rounded_numbers_is_the_board_bit_for_bit(load):
    """Order and names of samples, batches, nudges and writes, and the state in which tests are read, are the same."""
    board = load().run()
    costs, weights = train_in_simulator(make_any_setup(load().loaded), finer=1)
    for name, cost in zip(("loss_train", "loss_test"), costs, strict=True):
        assert np.array_equal(board["metrics"][name].data, cost, equal_nan=True), name
    for name, block in weights.items():
        if name.startswith("weight/"):
            assert np.array_equal(board[f"weights/{name.removeprefix('weight/')}"]["programmed"].data, block), name


def test_finer_numbers_lead_to_the_simulator_in_proportion():
    """Without rounding the two agree to rounding of floating point: nothing but the codes is left."""
    setup = make_any_setup(load_on_board().loaded)
    _, exact = train_in_simulator(setup)
    errors = []
    for finer in (1, 2**8, 2**16):
        _, found = train_in_simulator(setup, finer)
        errors.append(np.sqrt(sum(np.sum((found[name] - exact[name]) ** 2) for name in exact)))
    # Roundings are other ones at every fineness: the rms of some 130 weights is within a factor of 3 of its law.
    for error, finer in zip(errors[1:], (2**8, 2**16), strict=True):
        assert 1.0 / 3.0 < error * finer / errors[0] < 3.0, errors
