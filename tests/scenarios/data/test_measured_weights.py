"""Weights that were measured, from a file to the chip."""

import itertools

import numpy as np
import pytest

from devices.synapse.measured import make_cell_sample
from scenarios.build import make_setup
from scenarios.language.load import load_scenario
from tests.statistics import assert_mean

from ..files import write_scenario
from ..scenario_files import faults_of_files
from ..sweep_files import BASE

PLAIN = BASE.replace("[devices]\nfeedback = { mismatch_sigma = 0.1 }\n", "[devices]\n")
RNG = np.random.default_rng(5)
FORWARD, BACK = RNG.normal(0.0, 0.3, (12, 8)), RNG.normal(0.0, 0.3, (7, 8))


def loaded(folder, devices, extra=""):
    return load_scenario(write_scenario(folder, PLAIN.replace("[devices]\n", f"[devices]\n{devices}\n") + extra))


def chip_of(scenario, instance=0):
    setup = make_setup(scenario)
    return setup.chip(instance, threads=1)


def test_matrices_are_the_effective_weights_as_they_are(tmp_path):
    np.savez(tmp_path / "w.npz", **{"weight/in-l1": FORWARD, "weight/l2-l1": BACK})
    chip = chip_of(loaded(tmp_path, 'weights = { measured = "w.npz" }'))
    np.testing.assert_array_equal(chip.effective["weight/in-l1"], FORWARD)
    np.testing.assert_array_equal(chip.effective["weight/l2-l1"], BACK)
    np.testing.assert_array_equal(chip.effective["weight/l1-l2"], chip.programmed["weight/l1-l2"])
    assert chip.causes == ["mismatch"]
    ideal = chip.without("mismatch")
    np.testing.assert_array_equal(ideal.effective["weight/in-l1"], chip.programmed["weight/in-l1"])
    assert ideal.causes == []


def test_a_cell_keeps_its_error_when_it_is_written(tmp_path):
    np.savez(tmp_path / "w.npz", **{"weight/in-l1": FORWARD})
    chip = chip_of(loaded(tmp_path, 'weights = { measured = "w.npz" }'))
    error, change = FORWARD - chip.programmed["weight/in-l1"], np.full((12, 8), 0.125)
    chip.write({"weight/in-l1": change})
    np.testing.assert_allclose(chip.effective["weight/in-l1"] - chip.programmed["weight/in-l1"], error, atol=1e-15)


def test_a_target_in_the_file_says_what_was_programmed(tmp_path):
    np.savez(tmp_path / "w.npz", **{"weight/in-l1": FORWARD, "weight/in-l1/target": FORWARD - 0.05})
    chip = chip_of(loaded(tmp_path, 'weights = { measured = "w.npz" }'))
    np.testing.assert_allclose(chip.effective["weight/in-l1"], chip.programmed["weight/in-l1"] + 0.05, atol=1e-15)


def test_feedback_cells_have_a_file_of_their_own(tmp_path):
    np.savez(tmp_path / "w.npz", **{"weight/in-l1": FORWARD})
    np.savez(tmp_path / "b.npz", **{"weight/l2-l1": BACK})
    chip = chip_of(loaded(tmp_path, 'weights = { measured = "w.npz" }\nfeedback = { measured = "b.npz" }'))
    np.testing.assert_array_equal(chip.effective["weight/l2-l1"], BACK)
    other = chip_of(loaded(tmp_path, 'weights = { measured = "w.npz" }\nfeedback = { mismatch_sigma = 0.1 }'))
    assert not np.array_equal(other.effective["weight/l2-l1"], other.programmed["weight/l2-l1"])
    assert other.without("mismatch").causes == []


def test_both_directions_of_a_shared_cell_have_its_error(tmp_path):
    rows = RNG.normal(0.0, 1.0, 50)
    np.savetxt(tmp_path / "cells.csv", np.c_[rows, rows + RNG.normal(0.0, 0.1, 50)], delimiter=",")
    devices = 'weights = { measured = "cells.csv" }\nfeedback = { storage = "shared-device" }'
    text = PLAIN.replace('parameters = "parameters.npz"\n', "").replace("[devices]\n", f"[devices]\n{devices}\n")
    chip = chip_of(load_scenario(write_scenario(tmp_path, text)))
    np.testing.assert_array_equal(chip.effective["weight/l2-l1"], chip.effective["weight/l1-l2"].T)
    assert not np.array_equal(chip.effective["weight/l1-l2"], chip.programmed["weight/l1-l2"])


def test_the_same_silicon_draws_the_same_errors(tmp_path):
    rows = RNG.normal(0.0, 1.0, 200)
    np.savetxt(tmp_path / "cells.csv", np.c_[rows, 1.1 * rows + 0.01], delimiter=",", header="target,measured")
    scenario = loaded(tmp_path, 'weights = { measured = "cells.csv" }')
    first, again, other = (chip_of(scenario, k).effective["weight/in-l1"] for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_drawn_errors_have_the_moments_of_the_file_near_every_weight():
    """Mean and mean square in ten ranges of weights, against the cells of the test chip there.

    Twenty comparisons at five standard deviations of both samples: false alarm below 2e-5.
    """
    rng = np.random.default_rng(3)
    target = rng.normal(0.0, 0.3, 20_000)
    measured = target * (1.03 + 0.05 * rng.standard_normal(20_000)) + 0.004 * rng.standard_normal(20_000) + 0.01
    sample = make_cell_sample(target, measured)
    weight = rng.normal(0.0, 0.3, 20_000)
    drawn = sample.effective(weight, rng.uniform(size=20_000)) - weight
    edges = np.quantile(target, np.linspace(0.0, 1.0, 11))
    for low, high in itertools.pairwise(edges):
        told, got = ((measured - target)[(target >= low) & (target < high)], drawn[(weight >= low) & (weight < high)])
        for power in (1, 2):
            a, b = told**power, got**power
            assert abs(a.mean() - b.mean()) < 5.0 * np.hypot(a.std() / len(a) ** 0.5, b.std() / len(b) ** 0.5)


def test_expected_moments_are_those_of_draws():
    rng = np.random.default_rng(4)
    target = np.repeat(np.linspace(-1.0, 1.0, 5), 100)
    sample = make_cell_sample(target, target + rng.gamma(2.0, 0.05, 500))
    weight = np.array([-2.0, -1.0, -0.3, 0.0, 0.6, 1.0])
    drawn = np.stack([sample.effective(weight, rng.uniform(size=6)) for _ in range(20_000)])
    mean, variance = sample.moments(weight)
    for k in range(6):
        assert_mean(drawn[:, k], mean[k], variance[k] ** 0.5)
        assert drawn[:, k].var() == pytest.approx(variance[k], rel=0.1)


def test_a_cell_keeps_its_rank_while_it_is_written():
    """A cell of a higher rank holds more at every weight."""
    rng = np.random.default_rng(6)
    target = rng.normal(0.0, 0.3, 500)
    sample = make_cell_sample(target, target + 0.05 * rng.standard_normal(500))
    weight = np.linspace(-1.0, 1.0, 101)
    low, high = (sample.effective(weight, np.full(101, rank)) for rank in (0.2, 0.8))
    assert (low < high).all()


PHYSICAL = '\n[physical]\nvolt_scale = "200 mV"\nactivity_volts = "500 mV"\ntau = "1 us"\ncapacitance = "10 pF"\n'


def test_a_test_chip_may_be_in_siemens(tmp_path):
    """A weight of 1 is ``g_L V_u/V_A`` = 4 uS."""
    target = np.linspace(-1.0, 1.0, 21)
    lines = "".join(f"{k},{4.0 * t!r},{4.0 * t + 0.4!r}\n" for k, t in enumerate(target.tolist()))
    (tmp_path / "cells.csv").write_text(f"cell,target (uS),measured (uS)\n{lines}", encoding="utf-8")
    chip = chip_of(loaded(tmp_path, 'weights = { measured = "cells.csv" }', PHYSICAL))
    np.testing.assert_allclose(chip.effective["weight/in-l1"], chip.programmed["weight/in-l1"] + 0.1, atol=1e-12)
    (finding,) = faults_of_files(loaded(tmp_path, 'weights = { measured = "cells.csv" }'))
    assert "is in siemens, which needs [physical]" in finding.message


@pytest.mark.parametrize(
    ("text", "arrays", "words"),
    [
        ("1,2\n" * 5, None, "5 cells"),
        ("1,2,3\n" * 9, None, "3 columns and no names"),
        ("target (A),measured (A)\n" + "1,2\n" * 9, None, "in 'A'"),
        ("1,nan\n" * 9, None, "finite"),
        (None, {"weight/in-l1": np.zeros((8, 12))}, "transpose it"),
        (None, {"weight/in-l1": np.full((12, 8), np.inf)}, "not finite"),
        (None, {"weight/in-l1/target": np.zeros((12, 8))}, "no measured weights"),
        (None, {"w": np.zeros((12, 8))}, "'w' is no block of these cells; m.any holds w (12, 8)"),
        (None, {}, "an npz file|no measured weights|zip"),
    ],
)
def test_what_is_no_measured_weight_is_told(tmp_path, text, arrays, words):
    scenario = loaded(tmp_path, 'weights = { measured = "m.any" }')
    if text is not None:
        (tmp_path / "m.any").write_text(text, encoding="utf-8")
    else:
        with (tmp_path / "m.any").open("wb") as file:
            np.savez(file, **arrays)
    (finding,) = faults_of_files(scenario)
    assert finding.path == ("devices", "weights", "measured")
    assert any(word in f"{finding.message} {finding.hint}" for word in words.split("|"))


@pytest.mark.parametrize("keys", ["mismatch_sigma = 0.1", "stuck_fraction = 0.1"])
def test_measured_weights_and_a_law_of_spread_exclude_each_other(tmp_path, keys):
    with pytest.raises(Exception, match="`measured` excludes"):
        loaded(tmp_path, f'weights = {{ measured = "m.npz", {keys} }}')
