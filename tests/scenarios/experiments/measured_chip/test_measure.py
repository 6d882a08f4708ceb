"""A measurement on a board says what can be known there, and leaves out what cannot."""

import numpy as np
import pytest

import nudgelab
from learning.estimator import estimate_error_vectors, measure_free
from learning.oracle.exact import compute_exact_errors
from learning.oracle.ledger.statistics import compute_cosines
from scenarios.build import make_any_setup
from scenarios.drawing.space import WIDTHS
from scenarios.experiments.measured_chip.kind import KIND
from tests.scenarios.boards.scenarios_on_boards import MEASURE, TABLES, load_on_board
from tests.scenarios.report.in_print import find_print_faults

NOISE = 0.002
NOISY = MEASURE | {"devices.noise.read": NOISE, "experiment.repeats": 12, "experiment.samples": 4}


@pytest.fixture(scope="module")
def measured():
    return load_on_board(NOISY | {"hardware.probes": 4}).run()


def test_the_spread_of_error_vectors_is_that_of_the_reads(measured):
    """``sigma sqrt G/beta``, with the rounding of codes beside it; 11 x 16 degrees and more: 5 %, and 6 sigma."""
    law = NOISE * np.sqrt(0.5) / 0.2
    spread = measured["estimates"]["spread"].data[0]
    assert np.allclose(spread, law, rtol=0.3, atol=0.0)
    assert np.allclose(measured["estimates"]["snr"].data[0], measured["estimates"]["size"].data[0] / spread, rtol=1e-12)


def test_the_cosine_to_node_perturbation_is_that_to_the_exact_gradient():
    """Without knowing a weight: as many probes as units miss nothing but what rounding and their size make."""
    found = load_on_board(MEASURE | {"hardware.probes": 16, "hardware.probe_size": 0.02, "experiment.repeats": 1}).run()
    setup = make_any_setup(nudgelab.load(TABLES).loaded)
    chip, x, y = setup.chip(), np.asarray(setup.data.x[:4]), np.asarray(setup.data.y[:4])
    estimate = estimate_error_vectors(chip, measure_free(chip, x), y, setup.learning.scheme)
    exact = chip.topology.split(compute_exact_errors(chip, y).delta)
    wanted = [np.mean(compute_cosines(estimate.delta[n], exact[n])) for n in chip.topology.names]
    assert (found["estimates"]["cosine_allowed"].data > 0.995).all()
    assert np.allclose(found["estimates"]["cosine_probed"].data[0], wanted, rtol=0.0, atol=0.005)


def test_nothing_is_said_of_the_exact_gradient(measured):
    groups = set(measured.stored.groups)
    assert groups == {"estimates", "estimates/connections", "reads", "board", "provenance"}
    assert "cosine" not in measured["estimates"]
    assert "nobody knows the exact gradient" in measured.answer
    assert "Node perturbation" in measured.answer
    assert "ledger" in measured.answer


def test_one_measurement_tells_nothing_of_noise():
    found = load_on_board(MEASURE | {"experiment.repeats": 1}).run()
    assert "was measured once" in found.answer
    assert np.isnan(found["estimates"]["spread"].data).all()
    assert np.isfinite(found["estimates"]["size"].data).all()


@pytest.mark.parametrize("repeats", [2, 3])
def test_a_chip_without_noise_repeats_code_for_code(repeats):
    """The mean of three equal numbers is rounded."""
    found = load_on_board(MEASURE | {"experiment.repeats": repeats}).run()
    assert "is the same at every measurement" in found.answer
    assert (found["estimates"]["spread"].data == 0.0).all()


def test_few_probes_allow_less():
    """Four of sixteen columns leave a share 1/4 of the square: two such have a cosine of 1/4, one has 1/2."""
    found = load_on_board(MEASURE | {"hardware.probes": 4, "experiment.samples": 8}).run()
    allowed, layer = found["estimates"]["cosine_allowed"].data, found["estimates"]["layer"].data
    assert 0.2 < allowed[list(layer).index("l1")] < 0.8
    assert "so the cosine tells little" in found.answer


def test_a_result_says_what_was_lost_on_the_way():
    found = load_on_board(MEASURE | {"hardware.input": {"scale": 1e-6}}).run()
    assert any("beyond the range of their converter" in line for line in found.remarks)


def test_a_rule_without_error_vectors_has_nothing_to_compare():
    with pytest.raises(nudgelab.RunError, match="makes no error vectors"):
        load_on_board(MEASURE | {"learning.rule": "contrastive"}).run()


def test_the_report_is_whole(tmp_path):
    files = load_on_board(MEASURE | {"hardware.probes": 2}).run(tmp_path / "run").files
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert any(path.name == "run.h5" for path in files)
    for words in ("Error vectors of one sample", "Gradients of the batch", "What was asked of the board"):
        assert words in text


@pytest.mark.figures
def test_the_figure_shows_the_cosines_and_what_probes_allow(measured):
    figure = nudgelab.draw(measured, "board").figure
    group, (single, probed) = measured["estimates"], figure.axes
    assert np.allclose(single.lines[0].get_ydata(), group["cosine_single"].data[0], rtol=1e-12)
    assert np.allclose(probed.lines[0].get_ydata(), group["cosine_probed"].data[0], rtol=1e-12)
    bars = next(iter(probed.collections)).get_segments()
    assert np.allclose([bar[0, 1] for bar in bars], group["cosine_allowed"].data, rtol=1e-12)
    assert [find_print_faults(nudgelab.draw(measured, "board", width=width).figure) for width in WIDTHS] == [[], []]
    assert "n = 4 samples, each measured 12 times" in measured.figures["board"].caption


def test_without_repeats_and_probes_there_is_nothing_to_draw():
    found = load_on_board(MEASURE | {"experiment.repeats": 1}).run()
    assert "board" not in found.figures
    first, *_ = KIND.key_numbers(found.stored)
    assert first.value == f"{int(found['board']['settlings'].data):,}"


def test_a_page_begins_with_noise_probes_and_settlings(measured):
    group = measured["estimates"]
    noise, probes, settlings = KIND.key_numbers(measured.stored)
    assert float(noise.value) == pytest.approx(group["snr"].data.min(), rel=1e-3)
    assert float(probes.value) == pytest.approx(group["cosine_probed"].data.min(), abs=0.005)
    assert settlings.value == f"{int(measured['board']['settlings'].data):,}"
