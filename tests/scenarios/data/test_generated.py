"""Tasks that are made: their geometry, their distribution, and that they depend on their keys alone."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.data.datasets import DataError, load_task_data, read_outline
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.results.store import read_result_file as load_result
from scenarios.run.run import RunOptions, run_scenario
from scenarios.schema.tasks import MoonsTask, TeacherTask
from tests.scenarios.experiments.train.test_run import Watch
from tests.scenarios.scenario_files import changed, only_fault, write
from tests.statistics import assert_mean

MOONS = MoonsTask(kind="two-moons", samples=2000, noise=0.0)
TEACHER = TeacherTask(kind="teacher", inputs=5, outputs=3, samples=400, test_samples=100)


def of(task, folder=None, outputs=None):
    return load_task_data(task, folder, 2 if task.kind == "two-moons" else task.inputs, outputs)


def test_moons_lie_on_two_half_circles():
    data = of(MOONS)
    upper, lower = data.x[data.labels == 0], data.x[data.labels == 1]
    assert len(upper) == len(lower) == 1000
    np.testing.assert_allclose(np.linalg.norm(upper, axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(lower - [1.0, 0.5], axis=1), 1.0, rtol=1e-14)
    assert upper[:, 1].min() > 0.0
    assert lower[:, 1].max() < 0.5
    # The middle of a half circle of radius 1 is 2/pi above its base: the height has the spread 0.308.
    assert_mean(upper[:, 1], 2.0 / np.pi, 0.308)
    assert_mean(lower[:, 1], 0.5 - 2.0 / np.pi, 0.308)
    assert_mean(upper[:, 0], 0.0, np.sqrt(0.5))


def test_the_noise_of_moons_has_its_size():
    noise = of(MOONS.model_copy(update={"noise": 0.3})).x - of(MOONS).x
    assert_mean(noise.ravel() ** 2, 0.09, 0.09 * np.sqrt(2.0))
    assert_mean(noise[:, 0] * noise[:, 1], 0.0, 0.09)


def test_a_teacher_answers_with_its_network():
    data = of(TEACHER.model_copy(update={"targets": "values"}), outputs=3)
    z = np.log(data.y / (1.0 - data.y))
    labels = of(TEACHER).labels
    np.testing.assert_array_equal(z.argmax(axis=1), labels)
    assert_mean(data.x.ravel(), 0.0, 1.0)
    assert_mean(data.x.ravel() ** 2, 1.0, np.sqrt(2.0))
    assert 0.2 < z.std() < 1.5
    assert len(set(labels)) == 3


def test_the_answers_of_a_wide_teacher_have_the_variance_of_a_gaussian_process():
    """Over teachers, ``E z^2 = E tanh^2(s)`` with s normal of variance ``|x|^2 / inputs``."""
    teachers = [TEACHER.model_copy(update={"targets": "values", "samples": 1, "seed": k}) for k in range(300)]
    answers = [of(task, outputs=3) for task in teachers]
    z = np.array([np.log(d.y / (1.0 - d.y)) for d in answers])[:, 0]
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    lengths = np.sqrt([(d.x**2).mean() for d in answers])
    expected = [(weights @ np.tanh(s * nodes) ** 2) / np.sqrt(2.0 * np.pi) for s in lengths]
    excess = (z**2).mean(axis=1) - expected
    assert_mean(excess, 0.0, excess.std())


def test_the_noise_of_a_teacher_is_on_its_outputs():
    quiet, noisy = (
        of(TEACHER.model_copy(update={"targets": "values", "noise": noise}), outputs=3) for noise in (0.0, 0.2)
    )
    noise = np.log(noisy.y / (1.0 - noisy.y)) - np.log(quiet.y / (1.0 - quiet.y))
    np.testing.assert_array_equal(noisy.x, quiet.x)
    assert_mean(noise.ravel() ** 2, 0.04, 0.04 * np.sqrt(2.0))
    assert not np.isin(np.round(noise / 0.2, 9), np.round(quiet.x, 9)).any()


@pytest.mark.parametrize("task", [MOONS, TEACHER], ids=lambda task: task.kind)
def test_data_depend_on_their_keys_alone(task):
    first, again = of(task), of(task)
    np.testing.assert_array_equal(first.x, again.x)
    assert first.sha256 == again.sha256
    other, fewer = of(task.model_copy(update={"seed": 1})), of(task.model_copy(update={"samples": 10}))
    assert not np.isin(other.x, first.x).any()
    np.testing.assert_array_equal(fewer.x, first.x[:10])
    np.testing.assert_array_equal(fewer.labels, first.labels[:10])
    assert not np.isin(first.x_test, first.x).any()
    outline = read_outline(task, None)
    assert (outline.samples, outline.inputs) == first.x.shape
    assert (outline.test_samples, outline.classes) == first.y_test.shape


def test_made_data_stay_the_same_from_release_to_release():
    np.testing.assert_allclose(of(MOONS).x[1], [0.014922158673343455, 0.32789059721440444], rtol=1e-12)
    np.testing.assert_allclose(of(TEACHER).x[1, :2], [0.26370705469303574, -0.1095869574290869], rtol=1e-12)
    assert list(of(TEACHER).labels[:8]) == [0, 0, 1, 2, 0, 1, 2, 1]


def test_no_test_samples_are_none():
    data = of(MOONS.model_copy(update={"test_samples": 0}))
    assert data.x_test.shape == (0, 2)


def test_a_network_of_other_width_is_refused():
    with pytest.raises(DataError, match=r"task\.kind: x has 2 columns, .* set the first of network\.layers to 2"):
        load_task_data(MOONS, None, 3, None)
    with pytest.raises(DataError, match="above 8 GB"):
        read_outline(TEACHER.model_copy(update={"inputs": 100_000, "samples": 100_000}), None)


@pytest.mark.parametrize(
    ("keys", "path", "message"),
    [
        ('kind = "two-moons"\nnoise = -1', "task.noise", "must be >= 0"),
        ('kind = "two-moons"\ninputs = 2', "task.inputs", "unknown key"),
        ('kind = "teacher"\noutputs = 2', "task.inputs", "missing"),
        ('kind = "two-moon"', "task.kind", "must be"),
    ],
)
def test_a_wrong_task_is_explained(tmp_path, keys, path, message):
    fault = only_fault(write(tmp_path, changed('kind = "bundled"', keys)))
    assert ".".join(map(str, fault.path)) == path
    assert message in fault.message


def test_values_of_a_teacher_are_no_classes(tmp_path):
    keys = 'kind = "teacher"\ninputs = 4\noutputs = 2\ntargets = "values"'
    loaded = load_scenario(write(tmp_path, changed('kind = "bundled"', keys)))
    with pytest.raises(
        ScenarioError, match=r'y does not hold class probabilities: its rows sum to .* - take "classes"'
    ):
        make_setup(loaded)
    loaded = load_scenario(tmp_path / "s.toml", ['network.cost="mse"'])
    assert make_setup(loaded).data.y.shape == (1000, 2)


def test_moons_can_be_learned(tmp_path):
    text = changed('kind = "bundled"', 'kind = "two-moons"\nsamples = 60\ntest_samples = 20\nbatch = 20')
    text = text.replace("in = 4", "in = 2").replace('kind = "measure"\nsamples = 16', 'kind = "train"\nepochs = 3')
    text = text.replace("[task]", 'optimiser = { kind = "adamw", rate = 0.05, schedule = "cosine" }\n\n[task]')
    done = run_scenario(load_scenario(write(tmp_path, text)), RunOptions(tmp_path / "out"), Watch())
    loss = load_result(done.folder / "run.h5")["metrics"]["loss_train"].data
    assert loss[3] < loss[1]
