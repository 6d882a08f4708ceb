"""Scenarios with convolutions from the file to the result: reference numbers, ledgers, trainings and sweeps."""

import csv

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra jax")

from scenarios.drawing.style import render_svg
from scenarios.experiments.measure.sheets import make_ledger_sheet
from scenarios.experiments.watch import Interrupted
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks, make_answer
from scenarios.report.figures import draw_figures
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from scenarios.sweeps.engines import choose_engine
from scenarios.sweeps.sweep import SweepOptions, run_sweep
from tests.learning.oracle.test_convolution import PATHS
from tests.scenarios.experiments.train.test_run import Watch, assert_same
from tests.scenarios.files import DATA
from tests.scenarios.scenario_files import write
from tests.scenarios.schema.test_convolution import CONV
from tests.statistics import assert_normal_variance

pytestmark = pytest.mark.jax

SMALL = """\
schema = 1
name = "kernels"
seed = 3

[network]
layers = { in = [4, 4, 2], l1 = [4, 4, 2], l2 = [2, 2, 3], out = 4 }
connections = [
    { path = "in-l1", kind = "conv", pool = "none" },
    { path = "l1-l2", kind = "conv" },
    { path = "l2-l1", kind = "conv" },
    "l2-out",
    "out-l2",
]
activation = "dsilu"
asymmetry = { angle = "60 degree" }

[dynamics]
engine = "jax"
dt = 0.75
free = { max_steps = 100, tolerance = 1e-6 }
nudged = { max_steps = 100, tolerance = 1e-6 }

[devices]
weights = { mismatch_sigma = 0.05 }
feedback = { mismatch_sigma = 0.2 }

[task]
kind = "teacher"
inputs = 32
outputs = 3
samples = 10
test_samples = 6
batch = 4

[learning]
scheme = { kind = "centred", beta = 0.1 }
optimiser = { rate = 0.2, momentum = 0.0 }
"""

MEASURE = SMALL.replace("60 degree", "0 degree") + '[experiment]\nkind = "measure"\nsamples = 4\n'
TRAIN = SMALL + '[experiment]\nkind = "train"\nepochs = 3\nledger = { every_epochs = 2, samples = 3 }\n'
HOMEOSTASIS = 'homeostasis = { kind = "open-loop", strength = 5.0, draws = 4 }\n'


def compute(folder, text, edits=(), watch=None):
    folder.mkdir(exist_ok=True)
    loaded = load_scenario(write(folder, text), edits)
    return run_scenario(loaded, RunOptions(folder / "out", 1), watch or Progress(quiet=True)).folder / "run.h5"


def test_a_measure_of_the_reference_network_gives_its_numbers(tmp_path):
    end = "{ max_steps = 2000, tolerance = 1e-14 }"
    edits = ["dynamics.engine=jax", "dynamics.dt=1.0", f"dynamics.free={end}", f"dynamics.nudged={end}"]
    edits += ["learning.scheme={ kind = 'circle', points = 2, beta = 0.5 }"]
    result = store.read_result_file(compute(tmp_path, CONV, edits))
    expected = np.load(DATA / "conv_dsilu_xent" / "expected.npz")
    found = {}
    for layer in ("conv1", "conv2", "conv3", "out"):
        for kind in ("exact", "ep"):
            found[f"delta/{kind}/{layer}"] = result["gradient"][f"delta_{kind}_{layer}"].data
        found[f"delta/circle/beta_0.5/N_2/{layer}"] = result["gradient"][f"delta_estimated_{layer}"].data[0]
    for path in PATHS:
        found[f"gradient/exact/weight/{path}"] = result[f"gradient/{path}"]["exact"].data
        if path in ("in-conv1", "conv1-conv2", "conv2-conv3", "conv3-out"):
            # Those of feedback hold what no vanishing nudge measures.
            found[f"gradient/ep/weight/{path}"] = result[f"gradient/{path}"]["ep"].data
    for name, values in found.items():
        wanted = expected[name]
        difference = np.abs(values.reshape(wanted.shape) - wanted).max()
        assert difference < 1e-9 * np.abs(wanted).max(), name


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return store.read_result_file(compute(tmp_path_factory.mktemp("measured"), MEASURE))


def test_a_measure_tells_what_no_local_product_gives(measured):
    group = measured["ledger/connections"]
    at = list(group["term"].data).index("locality")
    sizes = dict(zip(group["connection"].data, group["relative"].data[0, :, at], strict=True))
    assert sizes.pop("l2-l1") > 0.01
    assert set(sizes.values()) == {0.0}
    assert np.isnan(measured["gradient"]["cosine_matching_rule"].data).all()
    assert (measured["gradient"]["cosine"].data > 0.0).any()
    assert make_answer(measured).startswith("Feedback asymmetry dominates")
    (remark,) = [words for words in list_remarks(measured) if "product" in words]
    assert remark.startswith("What no local product gives changes the batch gradient even more")
    assert "in connection l2-l1; it turns the cosine there from 1.0000 to 0." in remark
    assert remark.endswith('pool = "average" in network.connections.')


def test_its_figures_and_tables_show_what_is_known(measured):
    """No matching rule, no trims and no locality of error vectors."""
    drawn = {name: render_svg(figure) for name, figure in draw_figures(measured).items()}
    assert {"cosine", "causes", "causes_of_connections"} <= drawn.keys()
    assert "matching rule" not in drawn["cosine"]
    assert "locality" in drawn["causes_of_connections"]
    sheet = make_ledger_sheet(measured, "")
    assert "locality" not in sheet.columns
    assert "matching rule" not in sheet.columns
    make_sheets(measured, 3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return compute(tmp_path_factory.mktemp("trained"), TRAIN)


@pytest.mark.parametrize("stop_after", [1, 3, 7])
def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, trained, stop_after):
    """Ten samples in batches of four: the third of every epoch has two."""
    with pytest.raises(Interrupted):
        compute(tmp_path, TRAIN, watch=Watch(stop_after))
    watch = Watch()
    again = compute(tmp_path, TRAIN, watch=watch)
    assert watch.batches == 9 - stop_after
    assert_same(trained, again)


def test_homeostasis_in_a_training_lowers_its_loss(tmp_path, trained):
    taught = store.read_result_file(compute(tmp_path, TRAIN.replace("[experiment]", f"{HOMEOSTASIS}[experiment]")))
    plain, loss = store.read_result_file(trained)["metrics"], taught["metrics"]["homeostasis_loss"].data
    assert loss[0] == plain["homeostasis_loss"].data[0]
    np.testing.assert_array_equal(plain["symmetry_draws"].data, 16)
    assert "estimated" in plain["symmetry_draws"].long_name
    assert loss[-1] < 0.8 * loss[0]
    assert plain["homeostasis_loss"].data[-1] > 0.9 * loss[0]


COPIED = [f"network.connections.{k}.cells=per-position" for k in range(3)]


def test_a_training_writes_one_kernel_to_all_places(tmp_path):
    """Its cells begin with errors of their own and keep them; it goes on bit for bit."""
    text = TRAIN.partition("ledger")[0]
    whole = compute(tmp_path / "whole", text, COPIED)
    with pytest.raises(Interrupted):
        compute(tmp_path / "stopped", text, COPIED, Watch(4))
    assert_same(whole, compute(tmp_path / "stopped", text, COPIED))
    result = store.read_result_file(whole)
    group = result["devices/l1-l2"]
    cells = group["effective"]
    assert cells.dims == ("place_row", "place_column", *group["programmed"].dims)
    gains = cells.data / group["programmed"].data
    assert gains.shape == (4, 4, 3, 3, 2, 3)
    assert_normal_variance(gains, 0.05**2)


def test_a_sweep_by_two_workers_is_that_of_one(tmp_path):
    text = MEASURE + '[[sweep.axis]]\npath = "devices.feedback.mismatch_sigma"\nvalues = [0, 0.1]\n'
    tables = []
    for workers in (1, 2):
        (folder := tmp_path / str(workers)).mkdir()
        loaded = load_scenario(write(folder, text))
        swept = run_sweep(
            loaded, SweepOptions(folder / "out", choose_engine(workers, None), workers), Progress(quiet=True)
        )
        assert swept.computed == 2
        with (swept.folder / "points.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        tables.append([{key: value for key, value in row.items() if "wall" not in key} for row in rows])
    assert [row["status"] for row in tables[0]] == ["ok", "ok"]
    assert tables[0] == tables[1]
