"""A chip on a board is measured as the chip itself, within what codes of 16 bits can say."""

import numpy as np
import pytest

from devices.interface.cost_force import compute_cross_entropy_force
from devices.neuron.noise import Noise
from devices.synapse.cell import FeedbackDevices
from learning.estimator import estimate_error_vectors, measure_free
from learning.rules.error_vector import ErrorVector
from learning.rules.node_perturbation import NodePerturbation
from learning.rules.rule import RuleContext, make_rule
from learning.schemes.nodes import Centred, OneSided, RandomSign
from learning.schemes.scheme import compute_noise_gain
from learning.training import Samples
from substrate.hardware.bench import compute_held_force
from substrate.hardware.board import BoardError, TransferError
from substrate.hardware.chip_board import ChipBoard
from substrate.hardware.loss import Loss
from substrate.protocol import Nudge, Readout, Status, Wave
from tests.networks import random_batch, random_chip
from tests.substrate.hardware.boards import HELD, held_chip, make_bench, make_board, serve_over_pair

CODE = 1.0 / 65_535
"""Activity of one code."""


def estimate_both(scheme, samples=12, **changes):
    """Return the estimates of a chip, of the same chip on a board, and the bench."""
    chip = held_chip(**changes)
    bench, (x, y) = make_bench(make_board(held_chip(**changes))), random_batch(chip, samples)
    estimates = [
        estimate_error_vectors(one, measure_free(one, x, np.arange(len(x))), y, scheme) for one in (chip, bench)
    ]
    return *estimates, bench


@pytest.mark.parametrize("cost", ["cross-entropy", "mse"])
@pytest.mark.parametrize("scheme", [Centred(kind="centred", beta=0.05), OneSided(kind="one-sided", beta=0.05)])
def test_error_vectors_are_those_of_the_simulator_within_the_codes(scheme, cost):
    """Rounding of reads makes errors of ``code/sqrt 12 x sqrt G/beta``; that of drives the same part everywhere."""
    exact, read, _ = estimate_both(scheme, cost=cost)
    gain = np.sqrt(compute_noise_gain(scheme.nodes())) / scheme.beta
    force = exact.delta["out"] / 0.2  # rho' is 1/4 and less
    drive = CODE / np.sqrt(12.0) / (scheme.beta * np.sqrt(np.mean(force**2)))
    for name, delta in exact.delta.items():
        size = np.sqrt(np.mean(delta**2))
        error = np.sqrt(np.mean((read.delta[name] - delta) ** 2)) / size
        law = np.hypot(CODE / np.sqrt(12.0) * gain / size, drive)
        # Of 48 or more rounding errors the rms is within a factor of 2 of the law: far beyond 5 standard errors.
        assert law / 2.0 < error < 2.0 * law, name
    assert (read.status == exact.status).all()


def test_every_nudged_settling_takes_a_free_one_before_it():
    *_, bench = estimate_both(Centred(kind="centred", beta=0.05), samples=6)
    assert bench.budget.settlings == 6 * (1 + 2 * 2)
    assert bench.resettlings == 6 * 2
    assert bench.budget.reads == 6 * 3


def test_a_batch_of_one_is_brought_back_once_less():
    *_, bench = estimate_both(Centred(kind="centred", beta=0.05), samples=1)
    assert (bench.budget.settlings, bench.resettlings) == (4, 1)


def test_each_sample_may_have_a_sign_of_its_own():
    exact, read, _ = estimate_both(RandomSign(kind="random-sign", beta=0.1))
    assert np.allclose(read.delta["out"], exact.delta["out"], rtol=0.0, atol=8.0 * CODE / 0.1)


def test_the_force_is_that_of_the_nudge_circuit():
    rng = np.random.default_rng(0)
    readout, output = Readout(rng.normal(size=(4, 3)), rng.normal(size=3)), rng.uniform(size=(5, 4))
    target = np.eye(3)[[0, 1, 2, 0, 1]]
    for k, found in enumerate(compute_held_force(readout, output, target)):
        told = np.zeros((2, 4))
        compute_cross_entropy_force(
            output[k], np.zeros(4), target[k], readout.weight, readout.bias, np.zeros((2, 3)), told, False
        )
        assert np.allclose(found, told[0], rtol=1e-12, atol=1e-15)


def test_node_perturbation_runs_on_a_board():
    """With a complete set of probes it is the exact gradient, up to rounding that the size of the probes divides."""
    chip, rule = held_chip(), NodePerturbation(probes=16, size=0.2)
    bench, (x, y) = make_bench(make_board(held_chip())), random_batch(chip, 2)
    how = RuleContext(Centred(kind="centred", beta=0.05), whole=True)
    exact, read = (make_rule(rule, one, how)(Samples(x, y)).blocks for one in (chip, bench))
    for name, block in exact.items():
        assert np.allclose(read[name], block, rtol=0.0, atol=4.0 * CODE / 0.2), name
    assert bench.budget.probes == 2 * 2 * 16
    assert bench.budget.probes_unsettled == 0


def test_a_write_reaches_the_cells_to_their_last_code():
    board = make_board()
    bench, rng = make_bench(board), np.random.default_rng(3)
    changes = {name: rng.normal(scale=0.005, size=block.shape) for name, block in bench.programmed.items()}
    wished = {name: bench.programmed[name] + change for name, change in changes.items()}
    bench.write(changes)
    board.close()
    for name, change in changes.items():
        code = np.abs(change).max() / 32_767
        assert np.abs(bench.programmed[name] - wished[name]).max() <= 0.5 * code * (1.0 + 1e-9) < 4e-7, name
        if not name.startswith("readout/"):
            assert np.allclose(board.chip.programmed[name], bench.programmed[name], rtol=0.0, atol=1e-15)


def test_the_readout_is_never_sent():
    board = make_board()
    bench, before = make_bench(board), board.chip.programmed["readout/bias"].copy()
    bench.write({"readout/bias": np.ones(3)})
    board.close()
    assert np.array_equal(bench.readout.bias, before + 1.0)
    assert np.array_equal(board.chip.programmed["readout/bias"], before)
    assert (bench.budget.writes, bench.budget.pulses, board.info().written) == (0, 0, 0)


def test_pulses_of_one_size_are_counted_and_what_they_cannot_say_is_lost():
    board = make_board(step=0.01)
    change = np.zeros((7, 5))
    change[0] = [0.05, -0.026, 0.004, 1e9, 0.02]
    stuck = np.zeros((7, 5), dtype=bool)
    stuck[0, 4] = True
    bench = make_bench(board, step=0.01, stuck={"weight/l1-l2": stuck})
    before = bench.programmed["weight/l1-l2"].copy()
    bench.write({"weight/l1-l2": change})
    assert bench.budget.pulses == 5 + 3 + 32_767
    assert (bench.losses.lost, bench.losses.cut, bench.losses.stuck) == (1, 1, 1)
    moved = bench.programmed["weight/l1-l2"] - before
    assert np.allclose(moved[0], [0.05, -0.03, 0.0, 327.67, 0.0], rtol=1e-12, atol=1e-12)


def test_one_number_for_two_directions_is_written_once_with_both_requests():
    board = make_board(random_chip(phases=HELD, symmetric=True, feedback=FeedbackDevices(storage="copied")))
    tied = {back.block: forward.block for forward, back in board.chip.topology.pairs()}
    bench, rng = make_bench(board, tied=tied), np.random.default_rng(3)
    there, back = 0.005 * rng.normal(size=(7, 5)), 0.005 * rng.normal(size=(5, 7))
    wished = bench.programmed["weight/l1-l2"] + there + back.T
    bench.write({"weight/l1-l2": there, "weight/l2-l1": back})
    board.close()
    assert np.allclose(bench.programmed["weight/l1-l2"], wished, rtol=0.0, atol=1e-6)
    assert np.array_equal(bench.programmed["weight/l2-l1"], bench.programmed["weight/l1-l2"].T)
    for name in ("weight/l1-l2", "weight/l2-l1"):
        assert np.allclose(board.chip.programmed[name], bench.programmed[name], rtol=0.0, atol=1e-15)
    assert board.info().written == 1


def test_long_blocks_are_cut_into_lines():
    board = make_board(chunk=10)
    bench = make_bench(board)
    change = np.zeros((7, 5))
    change[6] = 0.01
    bench.write({"weight/l1-l2": change})
    board.close()
    assert board.info().written == 1
    assert np.allclose(board.chip.programmed["weight/l1-l2"], bench.programmed["weight/l1-l2"], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("arrived", [False, True])
def test_a_write_that_fails_is_finished_later_and_nothing_is_written_twice(arrived):
    """The line is lost, or its reply is: the count that the board keeps tells which."""
    board, straight = make_board(chunk=10), make_board(chunk=10)
    rng, sent = np.random.default_rng(3), []
    change = {"weight/l1-l2": rng.normal(size=(7, 5)), "bias/l1": rng.normal(size=7)}
    make_bench(straight).write(change)

    class Failing:
        def __getattr__(self, name):
            return getattr(board, name)

        def pulse(self, pulses):
            sent.append(pulses)
            if len(sent) == 3:
                if arrived:
                    board.pulse(pulses)
                raise TransferError("no reply")
            board.pulse(pulses)

    bench = make_bench(Failing(), board.chip)
    with pytest.raises(TransferError):
        bench.write(change)
    later = make_bench(board)
    later.restore(bench.keep())
    for one in (board, straight):
        one.close()
    assert board.info().written == straight.info().written == 5
    for name in change:
        assert np.allclose(board.chip.programmed[name], straight.chip.programmed[name], rtol=0.0, atol=1e-15)
        assert np.allclose(later.programmed[name], board.chip.programmed[name], rtol=0.0, atol=1e-15)


def test_a_chip_that_others_wrote_is_not_taken_for_the_one_that_was_kept():
    board = make_board()
    kept = make_bench(board).keep()
    make_bench(board).write({"bias/l1": np.ones(7)})
    with pytest.raises(BoardError, match="carried out 1 lines of pulses, but 0"):
        make_bench(board).restore(kept)


def test_what_a_board_lacks_is_refused_in_words():
    bench = make_bench(make_board())
    x, y = random_batch(held_chip(), 2)
    bench.set_input(x)
    calls = {
        "dither": lambda: bench.perturb({}, 0.1),
        "cell-read": lambda: bench.read_cells("bias/l1", np.ones(7, dtype=bool)),
        "cycle": bench.read_cycle,
        "adjoint": lambda: bench.settle_errors(y),
        "drives": lambda: bench.read_drives({}),
    }
    for port, call in calls.items():
        assert port not in bench.capabilities
        with pytest.raises(ValueError, match=f"no port '{port}'"):
            call()
    with pytest.raises(ValueError, match="no port 'adjoint'"):
        bench.read_errors()
    with pytest.raises(ValueError, match="complex"):
        bench.settle(Nudge(0.1j, y), "free")
    with pytest.raises(ValueError, match="swings"):
        bench.settle(Nudge(0.1, y, wave=Wave("cosine", 8.0, 1)), "free")
    with pytest.raises(ValueError, match="begins at the free state"):
        bench.settle(Nudge(0.1, y))
    with pytest.raises(ValueError, match="no block of this chip"):
        bench.write({"weight/l1-l2": np.zeros(3)})
    with pytest.raises(ValueError, match="not finite"):
        bench.write({"bias/l1": np.full(7, np.nan)})
    with pytest.raises(ValueError, match="x has shape"):
        bench.set_input(x[0])


def test_values_beyond_a_converter_are_counted():
    bench = make_bench(make_board())
    bench.set_input(np.full((1, 6), 1.5))
    bench.settle()
    bench.settle_injected({"l2": np.full((1, 5), 0.7)})
    assert bench.clipped == 6 + 5


def test_a_board_that_tells_no_status_leaves_it_to_the_clock():
    board = make_board()

    class Silent:
        def __getattr__(self, name):
            return getattr(board, name)

        def go(self, inject, time):
            return type(board.go(inject, time))()

    bench = make_bench(Silent(), board.chip)
    bench.set_input(np.full((2, 6), 0.5))
    settled = bench.settle()
    assert (settled.status == Status.STEP_LIMIT).all()
    assert np.isnan(settled.residual).all()
    assert not bench.tells_status
    told = make_bench(board)
    told.set_input(np.full((2, 6), 0.5))
    assert (told.settle().status == Status.SETTLED).all()
    assert told.tells_status


def test_settlings_last_as_long_as_they_are_told():
    bench = make_bench(make_board(), settle_time=3.0)
    bench.set_input(np.full((2, 6), 0.5))
    assert np.allclose(bench.settle().time, 3.0, rtol=1e-12, atol=0.0)
    assert bench.budget.settled_time == pytest.approx(6.0)


@pytest.mark.parametrize(
    "loss",
    [
        Loss(drop=0.15),
        Loss(garble=0.2),
        Loss(delay=0.1, late=0.15),
        Loss(drop=0.05, garble=0.05, delay=0.05, late=0.15),
    ],
)
def test_a_line_that_loses_garbles_and_delays_changes_no_number(loss):
    """Over a pair of serial ports; a request fails 30 times running with a probability far below 1e-6."""
    x, y = random_batch(held_chip(), 3)
    found = []
    for board in (make_board(), make_board()):

        def measure(bench, board=board):
            how = RuleContext(Centred(kind="centred", beta=0.1))
            gradient = make_rule(ErrorVector(), bench, how)(Samples(x, y)).blocks
            bench.write({name: -0.1 * block for name, block in gradient.items()})
            board.close()
            found.append((gradient, {name: block.copy() for name, block in board.chip.programmed.items()}))
            return bench.transfers

        if found:
            with serve_over_pair(board, loss, timeout=0.1, retries=30) as line:
                line.info()
                transfers = measure(make_bench(line, board.chip))
        else:
            measure(make_bench(board))
    for straight, lossy in zip(*found, strict=True):
        for name, block in straight.items():
            assert np.array_equal(lossy[name], block), name
    assert transfers.retries > 0
    assert transfers.lines > 3 * 5 * 2
    assert transfers.bytes > 1000


def test_samples_of_a_board_that_goes_on_have_noise_of_their_own():
    """What a later process clamps is what the same process would have clamped next."""

    def look(board):
        board.clamp(np.zeros(6, dtype=np.int16))
        board.go(None, None)
        return board.sample()

    board = make_board(held_chip(noise=Noise(read=0.01)))
    first, presented = look(board), int(board.keep()["presented"])
    later = ChipBoard(held_chip(noise=Noise(read=0.01)), board.info(), presented=presented)
    later.warm_up()
    second = look(board)
    assert presented == 1
    assert np.array_equal(look(later), second)
    assert not np.array_equal(first, second)
