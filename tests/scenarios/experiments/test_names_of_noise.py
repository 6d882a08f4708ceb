"""Every presentation of a sample has noise of its own, whatever it is presented for."""

import numpy as np
import pytest

from learning.training import evaluate
from scenarios.language.load import load_scenario
from scenarios.results.store import read_result_file as load_result
from scenarios.run.run import RunOptions, run_scenario
from scenarios.sweeps.point import PointWatch
from substrate.chip.chip import Chip
from substrate.chip.design import Fabrication

SCENARIO = """\
schema = 1
name = "noisy"

[network]
layers = { in = 3, l1 = 5, out = 2 }
connections = ["in-l1", "l1-out", "out-l1"]
activation = "tanh"
cost = "mse"

[dynamics]
dt = 0.1
method = "exponential"
free = { duration = 4 }
nudged = { duration = 4 }

[devices]
noise = { thermal = 0.3 }

[learning]
schemes = [{ kind = "centred", beta = 0.1 }]
optimiser = { rate = 1e-30 }

[task]
kind = "arrays"
path = "data.npz"
batch = 20

[experiment]
"""
KINDS = {
    "measure": 'kind = "measure"\nsamples = 7\ninteractions = true\nrecord = { samples = 2 }',
    "nudge": 'kind = "nudge"\nsamples = 7\nrepeats = 3',
    "settle": 'kind = "settle"',
    "evaluate": 'kind = "evaluate"\nchips = 2',
    "train": 'kind = "train"\nepochs = 2\nledger = { samples = 5, repeats = 2 }\nrecord = { samples = 2 }',
}


def compute(folder, experiment, train=40, test=40, equal=False, rate=1e-30):
    rng = np.random.default_rng(0)
    arrays = {"x": rng.random((train, 3)), "y": rng.random((train, 2))}
    arrays |= {"x_test": rng.random((test, 3)), "y_test": rng.random((test, 2))}
    if equal:
        arrays = {name: np.full_like(a, 0.3) for name, a in arrays.items()}
    np.savez(folder / "data.npz", **arrays)
    (folder / "noisy.toml").write_text(SCENARIO.replace("1e-30", str(rate)) + experiment + "\n")
    done = run_scenario(
        load_scenario(folder / "noisy.toml", ()), RunOptions(folder / "out", force=True), PointWatch(lambda: False)
    )
    return load_result(done.folder / "run.h5").groups


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_of_noise_stands_for_one_sample_on_one_state_of_the_chip(tmp_path, monkeypatch, kind):
    """A second sample, or the same one between other writes, must have another name."""
    seen = {}
    clamp = Chip.set_input

    def spied(chip, x, ids=None, epoch=0, purpose="", repeat=0):
        clamp(chip, x, ids, epoch, purpose, repeat)
        if chip.design.devices.noise.on:
            weights = np.concatenate([block.ravel() for block in chip.programmed.values()]).tobytes()
            for row, i in zip(x, range(len(x)) if ids is None else ids, strict=True):
                # No sample is presented twice in an epoch, so that one name has one state of the weights, too.
                name = (chip.fabrication, purpose, epoch, repeat, int(i))
                assert seen.setdefault(name, (row.tobytes(), weights)) == (row.tobytes(), weights), name

    monkeypatch.setattr(Chip, "set_input", spied)
    compute(tmp_path, KINDS[kind], rate=0.1)
    assert len(seen) >= 2


def test_more_equal_inputs_are_more_draws(tmp_path):
    """512 against 256: were the second half a repetition, both losses would agree in all digits."""
    losses = [
        compute(tmp_path, f'kind = "evaluate"\nchips = 1\nsamples = {n}', 1, 512, True)["evaluate"]["loss"].data[0]
        for n in (256, 512)
    ]
    assert abs(losses[0] - losses[1]) > 1e-4 * losses[0]


def test_the_noise_of_a_test_is_its_own_in_every_epoch(tmp_path):
    """Nothing is learned, and both sets hold the same: only the noise can make losses differ."""
    metrics = compute(tmp_path, 'kind = "train"\nepochs = 3', 40, 40, True)["metrics"]
    losses = np.concatenate([metrics["loss_test"].data, metrics["loss_train"].data[1:]])
    assert len(np.unique(losses)) == len(losses) == 7


def test_a_tested_sample_does_not_depend_on_the_batch(tmp_path, monkeypatch):
    made = []
    settle = Chip.settle
    monkeypatch.setattr(Chip, "settle", lambda chip, *a, **k: (made.append(chip), settle(chip, *a, **k))[1])
    compute(tmp_path, KINDS["evaluate"])
    chip = type(made[0])(made[0].design, made[0].programmed, Fabrication(3, 1))
    x, y = np.random.default_rng(1).random((40, 3)), np.random.default_rng(2).random((40, 2))
    whole, parts = evaluate(chip, x, y, epoch=2), evaluate(chip, x, y, epoch=2, rows=7)
    assert parts == pytest.approx(whole, rel=1e-12, nan_ok=True)
    assert evaluate(chip, x, y, epoch=3)["loss"] != pytest.approx(whole["loss"], rel=1e-3)
