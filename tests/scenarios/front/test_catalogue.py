"""Every bundled scenario runs, at reduced size."""

from functools import cache

import numpy as np
import pytest

from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from scenarios.sweeps.design import list_points
from scenarios.sweeps.point import PointTask, run_point
from scenarios.sweeps.points import check_design, make_point_scenario
from tests.scenarios.data.images.picture_files import write_cifar
from tests.scenarios.report.browser import CHROMIUM, MISSING
from tests.scenarios.report.first_screen import find_bottoms, list_missing
from tests.scenarios.result_files import find_nameless

REDUCED = {
    "measure": ["experiment.samples=4", "experiment.repeats=2"],
    "nudge": ["experiment.samples=4", "experiment.repeats=2"],
    "write": ["experiment.batches=4"],
    "rivals": [
        "experiment.chips=2",
        "experiment.budget={settlings=400}",
        "experiment.mismatch=[0.3]",
        "experiment.read_noise=[0.01]",
        "experiment.in_silico_epochs=1",
    ],
    "copy": ["experiment.chips=2", "experiment.epochs=1", "task.samples=60", "experiment.recover.epochs=1"],
    "settle": ["experiment.record.every_steps=200"],
    "train": [
        "experiment.samples=40",
        "experiment.test_samples=20",
        "experiment.epochs=2",
        "experiment.ledger.samples=4",
    ],
}

SHORT = [
    "experiment.samples=20",
    "experiment.test_samples=10",
    "experiment.epochs=1",
    "experiment.ledger.samples=2",
    "experiment.ledger.repeats=1",
]

FEW = {"l1": 16, "l2": 12}

PAPERS = sorted(CATALOGUE.glob("laborieux*/*.toml"))
SMALL = [path for path in PAPERS if load_scenario(path).scenario.task.kind == "bundled"]
BUNDLED = [*sorted(CATALOGUE.glob("*.toml")), *SMALL]
SWEEPS = [path for path in BUNDLED if load_scenario(path).scenario.sweep is not None]


def name_of(path):
    return path.relative_to(CATALOGUE).with_suffix("").as_posix()


def list_sizes(path):
    """Return a path with few hidden units, and with its own where these are others, which takes longer.

    What needs JAX takes minutes to compile, and runs where that is asked for.
    """
    scenario = load_scenario(path).scenario
    marks = [pytest.mark.jax] if scenario.dynamics.engine == "jax" else []
    # A layer of an image keeps its size.
    hidden = {name: units for name, units in FEW.items() if isinstance(scenario.network.layers.get(name), int)}
    own = pytest.param(
        path, {}, marks=[*marks, pytest.mark.slow, pytest.mark.figures], id=f"{name_of(path)}-its own units"
    )
    few = marks if hidden else [*marks, pytest.mark.figures]
    return [pytest.param(path, hidden, marks=few, id=f"{name_of(path)}-few units"), *[own] * bool(hidden)]


@pytest.mark.parametrize("path", [path for path in SMALL if path.stem != "small"], ids=name_of)
def test_the_small_size_of_an_experiment_varies_what_the_full_one_does(path):
    full, small = (load_scenario(file).scenario for file in (path.with_stem(path.stem.removesuffix("-small")), path))
    assert (full.task.kind, small.task.kind) == ("idx", "bundled")
    assert (full.learning.rule, full.experiment.kind) == (small.learning.rule, small.experiment.kind)
    if full.sweep is not None:
        kept = [axis.path for axis in small.sweep.axis]
        assert [axis.path for axis in full.sweep.axis if axis.path in kept] == kept
        schemes = [[axis.values for axis in s.sweep.axis if axis.path == "learning.scheme"] for s in (full, small)]
        assert schemes[0] == schemes[1]


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=name_of)
def test_the_last_point_of_a_sweep_runs(path, tmp_path):
    kind = load_scenario(path).scenario.experiment.kind
    training, short = kind == "train", {"train": SHORT, "copy": REDUCED["copy"]}
    loaded = load_scenario(path, short.get(kind, ["experiment.samples=2", "experiment.repeats=2"]))
    design = check_design(loaded)
    *_, last = list_points(design.dims, design.sweep.replicates)
    assert last.number < 200
    name = design.ids[last.number]
    outcome = run_point(
        PointTask(name, make_point_scenario(loaded, design.dims, last), tmp_path, tmp_path / "stop", 1, "summary", "{}")
    )
    assert outcome.status == "ok", outcome.reason
    result = store.read_result_file(tmp_path / f"{name}.h5")
    if kind == "copy":
        assert np.isfinite(result["copy"]["rise"].data).all()
        return
    assert (result["gradient"]["norm_ratio"].data > 0.0).all()
    assert not training or np.isfinite(result["metrics"]["loss_test"].data).all()


@pytest.mark.parametrize("path", [*BUNDLED, *PAPERS], ids=name_of)
def test_a_scenario_that_needs_jax_says_so(path):
    text = path.read_text(encoding="utf-8")
    assert 'engine = "jax"' not in text or "nudgelab[jax]" in text


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """Return what a scenario leaves at reduced size, by its file and by units of its hidden layers; run once."""

    @cache
    def run(path, *edits):
        full = load_scenario(path).scenario
        short = [edit for edit in REDUCED[full.experiment.kind] if full.hardware is None or "ledger" not in edit]
        loaded = load_scenario(path, [*short, *edits])
        return run_scenario(loaded, RunOptions(tmp_path_factory.mktemp("reduced") / "out"), Progress(quiet=True))

    return lambda path, hidden: run(path, *(f"network.layers.{name}={units}" for name, units in hidden.items()))


@pytest.mark.parametrize(
    ("path", "hidden"), [size for path in BUNDLED if path not in SWEEPS for size in list_sizes(path)]
)
def test_scenario_runs(path, hidden, reduced):
    kind = load_scenario(path).scenario.experiment.kind
    if load_scenario(path).scenario.dynamics.engine == "jax":
        pytest.importorskip("jax")
    done = reduced(path, hidden)
    result = store.read_result_file(done.folder / "run.h5")
    assert result.attributes["status"] == "complete"
    assert find_nameless(result) == []
    assert all(file.stat().st_size > 100 for file in done.files)
    if kind == "settle":
        assert (result["settling"]["status"].data == 0).all()
        return
    if kind == "nudge":
        assert np.isfinite(result["nudge"]["mse"].data).all()
        return
    if kind == "write":
        assert np.isfinite(result["write"]["error"].data).all()
        return
    if kind == "rivals":
        assert np.isfinite(result["rivals"]["loss_mean"].data).all()
        return
    if kind == "copy":
        assert np.isfinite(result["copy"]["loss_recovered"].data).all()
        return
    if load_scenario(path).scenario.hardware is not None:
        assert kind == "train" or (result["estimates"]["size"].data > 0.0).all()
        assert result["board"]["lines"].data > 100
        return
    ledger = result["ledger"]
    assert np.isfinite(ledger["relative"].data).all()
    # A small nudge may drown in noise, and what is left of its error is then 0.
    assert (ledger["total"].data[..., 0].max(axis=-1) > 0.01).all(), "the first layer has an error on every chip"
    if kind == "measure":
        assert int(ledger["unsettled"].data.sum()) == 0
    else:
        assert np.isfinite(result["metrics"]["loss_train"].data[1:]).all()


OWN_SIZES = [size for path in BUNDLED if path not in SWEEPS for size in list_sizes(path) if not size.values[1]]


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
@pytest.mark.parametrize(("path", "hidden"), OWN_SIZES)
def test_the_first_screen_of_its_page_is_whole(path, hidden, reduced, tmp_path):
    if load_scenario(path).scenario.dynamics.engine == "jax":
        pytest.importorskip("jax")
    (bottoms,) = find_bottoms({"page": reduced(path, hidden).folder / "report.html"}, tmp_path).values()
    assert list_missing(bottoms) == []


@pytest.mark.jax
def test_cifar_in_small_runs_on_the_images_of_a_user(tmp_path, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_cifar(tmp_path / "cifar", per_file=4)
    data = [f"task.path={tmp_path / 'cifar'}", "task.samples=16", "task.test_samples=4", "task.batch=8"]
    edits = [*data, "experiment.epochs=1", "experiment.ledger.samples=2"]
    scenario = load_scenario(CATALOGUE / "laborieux2024" / "cifar10-small.toml", edits)
    done = run_scenario(scenario, RunOptions(tmp_path / "out"), Progress(quiet=True))
    metrics = store.read_result_file(done.folder / "run.h5")["metrics"]
    assert np.isfinite(metrics["loss_test"].data).all()
    assert (metrics["homeostasis_loss"].data > 0.0).all(), "also before the trained chip has settled"


@pytest.mark.parametrize(("path", "hidden"), list_sizes(CATALOGUE / "nudge-size.toml"))
def test_nudge_size_shows_the_orders(path, hidden, reduced):
    result = store.read_result_file(reduced(path, hidden).folder / "run.h5")
    beta, kinds = result["signal"]["beta"].data, [text.split(",")[0] for text in result["ledger"]["scheme"].data]
    finite = result["ledger"]["relative"].data[..., list(result["ledger"]["term"].data).index("finite_nudge")]
    for kind, order in {"one-sided": 1, "centred": 2, "circle 4": 4, "circle 6": 6}.items():
        rows = [s for s, other in enumerate(kinds) if other == kind and beta[s] <= 0.1]
        slopes = np.polyfit(np.log(beta[rows]), np.log(finite[rows]), 1)[0]
        np.testing.assert_allclose(slopes, order, atol=0.25, err_msg=kind)
