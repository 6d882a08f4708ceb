"""Schemes and rules of a user's own: checked, run, kept and swept like any other, or refused with a reason."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nudgelab
from devices.kinds import KindError
from scenarios.extensions import register
from scenarios.language.json_schema import make_json_schema
from scenarios.run.run import RunError
from scenarios.sweeps.dask_engine import make_importable
from scenarios.sweeps.point import PointTask
from tests.own_kinds import Apart, Lopsided, Mine, Signs, only_here

ROOT = Path(__file__).parents[2]
MEASURE = {"kind": "measure", "samples": 4}
TRAIN = {"kind": "train", "epochs": 1}


@pytest.fixture(autouse=True)
def _alone():
    with only_here():
        yield


def scenario(experiment=MEASURE, scheme="mine", rule="error-vector", **more):
    return nudgelab.load(
        {
            "schema": 1,
            "name": "own",
            "network": {"layers": {"in": 2, "l1": 5, "out": 2}, "connections": ["in-l1", "l1-out", "out-l1"]},
            "learning": {"scheme": {"kind": scheme, "beta": 0.2, **more}, "rule": rule},
            "task": {"kind": "two-moons", "samples": 16, "test_samples": 8},
            "experiment": experiment,
        }
    )


@pytest.mark.parametrize("kinds", [("mine", "error-vector"), ("centred", "signs"), ("centred", {"kind": "elsewhere"})])
def test_a_kind_that_is_not_registered_is_refused_with_the_reason(kinds):
    with pytest.raises(nudgelab.ScenarioError, match="has to be registered first"):
        scenario(MEASURE, *kinds)


def test_a_scheme_of_ones_own_measures_what_its_nodes_say():
    register(Mine)
    own, usual = scenario(), scenario(scheme="centred")
    assert own.check()
    assert "mine" in own.show()
    one, other = own.run(), usual.run()
    np.testing.assert_array_equal(one["gradient"]["cosine"].values, other["gradient"]["cosine"].values)
    assert one["gradient"]["scheme"].values.tolist() == ["mine, factor 1.0, beta 0.2"]


def test_its_name_and_parameters_name_the_run():
    register(Mine)
    ids = [s.run().stored.attributes["id"] for s in (scenario(), scenario(factor=2.0), scenario(scheme="centred"))]
    assert len(set(ids)) == 3


def test_its_keys_are_checked_like_any_others():
    register(Mine)
    with pytest.raises(nudgelab.ScenarioError, match=r"learning\.scheme\.factor"):
        scenario(factor="large")
    with pytest.raises(nudgelab.ScenarioError, match="unknown key"):
        scenario(fctor=1.0)


def test_weights_that_make_no_derivative_are_refused():
    register(Lopsided)
    with pytest.raises(nudgelab.ScenarioError, match="the weights of its nodes sum to 5"):
        scenario(scheme="lopsided")


def test_the_schema_for_editors_knows_what_is_registered():
    assert "Mine" not in make_json_schema()["$defs"]
    register(Mine)
    assert make_json_schema()["$defs"]["Mine"]["properties"]["factor"]["description"] == "Factor of both nudges."


def test_a_study_and_settling_curves_take_it(tmp_path):
    register(Mine)
    study = scenario({"kind": "nudge", "samples": 4, "repeats": 2, "betas": [0.1, 0.2]})
    assert study.run()["nudge"]["scheme"].values.tolist() == [
        "mine, factor 1.0, beta 0.1",
        "mine, factor 1.0, beta 0.2",
    ]
    assert scenario({"kind": "settle"}).run()["settling"]["phase"].size == 3


def test_a_rule_of_ones_own_trains_and_is_judged(tmp_path):
    register(Signs)
    folder = tmp_path / "out"
    trained = scenario(TRAIN, "centred", "signs").run(folder)
    start = scenario(TRAIN, "centred").run()["weights/in-l1"]["programmed"].values
    assert not np.array_equal(trained["weights/in-l1"]["programmed"].values, start)
    assert scenario(MEASURE, "centred", "signs").run()["ledger/connections"]["rms"].size
    assert nudgelab.open(folder).stored.attributes["id"] == trained.stored.attributes["id"]
    assert scenario(TRAIN, "centred", "signs").run(folder).stored.attributes["id"] == trained.stored.attributes["id"]


def test_the_ledger_refuses_a_rule_it_has_no_reference_for():
    register(Apart)
    assert scenario(TRAIN, "centred", "apart").run().status == "complete"
    with pytest.raises(nudgelab.ScenarioError, match="no reference for the rule 'apart'"):
        scenario(MEASURE, "centred", "apart")


def test_an_opened_result_needs_no_registration(tmp_path):
    with only_here():
        register(Mine)
        scenario().run(tmp_path / "out")
    assert "mine" in nudgelab.open(tmp_path / "out").answer


def test_a_sweep_takes_it_in_this_process(tmp_path):
    register(Mine)
    found = nudgelab.sweep(scenario(), {"learning.scheme.factor": [1.0, 2.0]}).run(tmp_path / "sweep")
    assert found.to_dataframe()["status"].tolist() == ["ok", "ok"]


def test_workers_refuse_what_they_cannot_import(tmp_path, monkeypatch):
    register(Mine)
    task = PointTask("id", scenario().loaded, tmp_path, tmp_path, 1, "summary", "{}")
    assert make_importable(task).modules == (Mine.__module__,)
    monkeypatch.setattr(Mine, "__module__", "__main__")
    with pytest.raises(RunError, match="Mine is defined in a notebook"):
        make_importable(task)


@pytest.mark.slow
def test_workers_import_the_module_that_has_it(tmp_path):
    register(Mine)
    found = nudgelab.sweep(scenario(), {"learning.scheme.factor": [1.0, 2.0]}).run(tmp_path / "sweep", workers=2)
    assert found.to_dataframe()["status"].tolist() == ["ok", "ok"]


def test_what_is_neither_scheme_nor_rule_is_refused():
    with pytest.raises(KindError, match="derive a class from Scheme, LearningRule"):
        register(int)


PRINTED = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8").split("```python\n")[1:]


@pytest.mark.parametrize("block", PRINTED, ids=["rule", "policy"])
def test_the_page_about_extending_runs_as_it_is_printed(tmp_path, monkeypatch, block):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.py").write_text(block.partition("```")[0], encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "page.py"), run_name="page")
    assert json.loads(json.dumps(names["result"].metrics))


SCHEME_FILE = """
from typing import Literal

from .scheme import SCHEMES, Node, Scheme


@SCHEMES.register
class Added(Scheme):
    kind: Literal["added"] = "added"

    def nodes(self):
        return [Node(self.beta, 0.5 / self.beta), Node(-self.beta, -0.5 / self.beta)]
"""
RULE_FILE = """
from typing import Literal

from .error_vector import ErrorVector
from .rule import RULES


@RULES.register
class Halved(ErrorVector):
    kind: Literal["halved"] = "halved"

    def requests(self, blocks, bench, programmed):
        return {name: 0.5 * block for name, block in blocks.items()}
"""


def test_a_scheme_and_a_rule_of_the_package_are_one_file_each(tmp_path):
    """A copy of the package gets two files; the schema, the checks and the page of keys then know both kinds."""
    for package in ("devices", "substrate", "learning", "scenarios"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "learning/schemes/added.py").write_text(SCHEME_FILE, encoding="utf-8")
    (tmp_path / "learning/rules/halved.py").write_text(RULE_FILE, encoding="utf-8")
    script = (
        "from scenarios.schema.learning import Learning;"
        "from scenarios.language.json_schema import format_json_schema as text;"
        "found = Learning.model_validate({'scheme': {'kind': 'added', 'beta': 0.1}, 'rule': 'halved'});"
        "print(type(found.scheme).__name__, type(found.rule).__name__, 'Added' in text(), 'Halved' in text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["Added", "Halved", "True", "True"]
