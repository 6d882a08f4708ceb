"""What is identified from reads of a simulated chip is identified over a board, too."""

import numpy as np

from learning.identification.reads import get_wiring, read_free_states
from learning.identification.weights import WeightPrior, estimate_effective_weights
from scenarios.boards.connect import connect_board
from scenarios.build import make_any_setup
from substrate.theory.inverse_curve import InverseCurve
from tests.scenarios.boards.scenarios_on_boards import load_on_board

SIGMA = 0.1


def test_effective_weights_of_a_chip_on_a_board_are_those_it_has():
    """Thirty reads of known inputs: nearer to the effective feedback weights than what was programmed, by half."""
    setup = make_any_setup(load_on_board({"devices.feedback.mismatch_sigma": SIGMA}).loaded)
    inputs = np.random.default_rng(0).uniform(-1.0, 1.0, size=(30, 2))
    with connect_board(setup) as board:
        wiring = get_wiring(board.bench)
        reads = read_free_states(board.bench, inputs)
    blocks = {name: setup.programmed[name] for name in setup.design.topology.shapes if not name.startswith("readout")}
    back = ("weight/l2-l1", "weight/out-l2")
    prior = WeightPrior(
        blocks, {name: (SIGMA if name in back else 1e-6) * np.abs(block) + 1e-9 for name, block in blocks.items()}
    )
    found = estimate_effective_weights(wiring, reads, InverseCurve("additive", "sigmoid"), 1e-5, prior)
    chip = setup.chip()
    for name in back:
        missed = np.abs(found.values[name] - chip.effective[name]).mean()
        assert missed < 0.5 * np.abs(blocks[name] - chip.effective[name]).mean(), name
    assert reads.unsettled == 0
