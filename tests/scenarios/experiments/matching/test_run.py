"""The study of the matching rule against a measure of the same chips."""

import numpy as np
import pytest

from scenarios.experiments.matching.run import study_matching
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.results import store
from scenarios.run import run as run_module
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios.files import MEASURE, write_scenario

SIGMAS = [0.0, 0.05, 0.2]


@pytest.mark.parametrize("instance", [0, 3])
def test_a_study_finds_what_a_measure_finds(tmp_path, monkeypatch, instance):
    monkeypatch.setattr(run_module, "_write_views", lambda *_: None)  # no figures
    path = write_scenario(tmp_path, MEASURE)
    found = study_matching(load_scenario(path, [f"chip.instance={instance}"]), SIGMAS, chips=2, samples=5)
    assert list(found["instance"].data) == [instance, instance + 1]
    for s, sigma in enumerate(SIGMAS):
        edits = [f"devices.feedback.mismatch_sigma={sigma}", f"chip.instance={instance}", "experiment.samples=5"]
        done = run_scenario(load_scenario(path, edits), RunOptions(tmp_path / f"{sigma}", 2), Progress(quiet=True))
        gradient = store.read_result_file(done.folder / "run.h5")["gradient"]
        np.testing.assert_allclose(found["cosine"].data[s, 0], gradient["cosine_ep"].data, rtol=1e-9)
        np.testing.assert_allclose(found["rule"].data[s], gradient["cosine_matching_rule"].data, rtol=1e-9)
    assert (found["unsettled"].data == 0).all()
    assert not np.array_equal(found["cosine"].data[2, 0], found["cosine"].data[2, 1])


def test_other_imperfections_do_not_count(tmp_path):
    path = write_scenario(tmp_path, MEASURE)
    plain, worse = (
        study_matching(load_scenario(path, edits), [0.1], chips=1, samples=3)["cosine"].data
        for edits in ([], ["devices.neurons.tau_sigma=0.2", "devices.noise.read=0.1"])
    )
    np.testing.assert_allclose(plain, worse, rtol=1e-9)


def test_chips_that_never_rest_have_no_cosine(tmp_path):
    edits = ["dynamics.dt=8", "dynamics.free.max_steps=50"]
    found = study_matching(load_scenario(write_scenario(tmp_path, MEASURE), edits), [0.1], chips=1, samples=3)
    assert found["unsettled"].data.tolist() == [[3]]
    assert np.isnan(found["cosine"].data).all()
    assert np.isnan(found["rule"].data).all()
