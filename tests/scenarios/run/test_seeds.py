"""The seed of a scenario reaches everything that draws, and nothing else."""

import typing

import numpy as np
import pytest

from learning.draws import combine_seeds, draw_sample_signs, draw_unit_normals, draw_unit_signs
from learning.schemes.scheme import SCHEMES
from scenarios.language.load import load_scenario
from scenarios.results.store import read_result_file as load_result
from scenarios.run.run import RunOptions, run_scenario
from scenarios.schema.homeostasis import Homeostasis
from scenarios.sweeps.point import PointWatch
from tests.scenarios.files import MEASURE, write_scenario

TRAIN = (
    MEASURE[: MEASURE.index("[learning]")].replace("feedback = { mismatch_sigma = 0.1 }", "")
    + """\
[dynamics]
dt = 0.25

[learning]
scheme = SCHEME
HOMEOSTASIS

[task]
kind = "arrays"
path = "batch.npz"
batch = 1000

[experiment]
kind = "train"
epochs = 1
"""
)
PULLS = typing.get_args(typing.get_args(Homeostasis)[0])


def kind_of(model):
    (kind,) = typing.get_args(model.model_fields["kind"].annotation)
    return kind


def weights(folder, model, seed):
    """Return what one batch of all samples makes of given weights, on a chip without any imperfection."""
    kind = kind_of(model)
    swing = ", period = 4" if "period" in model.model_fields else ""
    scheme = f'{{ kind = "{kind}", beta = 0.2{swing} }}' if model in SCHEMES else '{ kind = "centred", beta = 0.2 }'
    pull = f'homeostasis = {{ kind = "{kind}" }}' if model in PULLS else ""
    path = write_scenario(folder, TRAIN.replace("SCHEME", scheme).replace("HOMEOSTASIS", pull))
    done = run_scenario(
        load_scenario(path, [f"seed={seed}"]), RunOptions(folder / "out", force=True), PointWatch(lambda: False)
    )
    groups = load_result(done.folder / "run.h5").groups
    return np.concatenate([g["programmed"].data.ravel() for name, g in groups.items() if name.startswith("weights/l")])


@pytest.mark.parametrize("model", [*SCHEMES, *PULLS], ids=kind_of)
def test_what_draws_draws_by_the_seed_of_the_scenario(tmp_path, model):
    zero, one = weights(tmp_path, model, 0), weights(tmp_path, model, 1)
    assert (np.abs(one - zero).max() > 1e-6) == ("seed" in model.model_fields)


@pytest.mark.parametrize(
    "draw", [lambda s: draw_sample_signs(s, np.arange(64), 0), lambda s: draw_unit_signs(s, np.arange(2), 0, 0, 64)]
)
def test_no_two_pairs_of_seeds_draw_alike(draw):
    """64 coins each: 6 pairs agree by chance with probability 3e-19."""
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    found = [draw(combine_seeds(*pair)).tobytes() for pair in pairs]
    assert len(set(found)) == len(pairs)
    largest = 2**63 - 1
    assert np.isfinite(draw_unit_normals(combine_seeds(largest, largest), np.arange(2), 0, 0, 3)).all()
