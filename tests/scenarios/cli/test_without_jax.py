"""Where JAX is missing or broken, a scenario that asks for it is refused in words, and everything else works."""

import json
import os
import subprocess
import sys

import pytest

from scenarios.front.scenario import Scenario
from scenarios.language.faults import ScenarioError
from tests.floors import ROOT
from tests.scenarios.files import SETTLE, write_scenario

ASKED = SETTLE.replace("[devices]", '[dynamics]\nengine = "jax"\n\n[devices]')
SURROUNDINGS = {
    "missing": {"sitecustomize.py": "import sys\nsys.modules['jax'] = None\n"},
    "broken": {"jax.py": "raise ImportError('jaxlib is too old')\n", "jaxlib.py": ""},
}
"""Files on Python's path, and what stands in them."""

COMMANDS = ["--help", "info", "check small.toml", "show small.toml", "check asked.toml", "show asked.toml"]
COMMANDS += ["run asked.toml --quiet"]
SCRIPT = """
import json, sys
from click.testing import CliRunner
from scenarios.cli.main import main
done = [CliRunner().invoke(main, words.split()) for words in json.loads(sys.argv[1])]
print(json.dumps([(one.exit_code, isinstance(one.exception, (SystemExit, type(None))), one.output) for one in done]))
"""


@pytest.fixture(scope="module", params=SURROUNDINGS)
def told(request, tmp_path_factory):
    """Return the surroundings, and by command its exit code, whether it ended by itself, and what it said."""
    folder = tmp_path_factory.mktemp(request.param)
    for name, content in SURROUNDINGS[request.param].items():
        (folder / name).write_text(content, encoding="utf-8")
    for name, text in (("small.toml", SETTLE), ("asked.toml", ASKED)):
        write_scenario(folder, text, name)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(COMMANDS)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert not list(folder.glob("small-*")), "nothing was run"
    return request.param, dict(zip(COMMANDS, json.loads(done.stdout), strict=True))


def test_a_run_that_needs_jax_is_refused_with_the_line_that_installs_it(told):
    how, found = told
    code, ended, said = found["run asked.toml --quiet"]
    assert (code, ended) == (2, True), said
    assert "dynamics.engine" in said
    assert "pip install 'nudgelab[jax]'" in said
    assert how != "broken" or "jaxlib is too old" in said


def test_check_names_the_key_of_an_engine_that_is_missing(told):
    how, found = told
    code, ended, said = found["check asked.toml"]
    assert (code, ended) == (2 if how == "missing" else 0, True), said
    assert how != "missing" or ("dynamics.engine" in said and "pip install 'nudgelab[jax]'" in said)


def test_check_does_not_claim_that_an_installed_engine_loads(told):
    how, found = told
    untried = "dynamics.engine = jax: installed here; whether it loads, `nudgelab show` or a run tells\n"
    assert (untried in found["check asked.toml"][2]) == (how == "broken")
    assert untried not in found["check small.toml"][2]
    assert how != "broken" or "not known: " in found["show asked.toml"][2]


def test_half_an_installation_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr("scenarios.build.find_spec", lambda name: None if name == "jaxlib" else True)
    path = write_scenario(tmp_path, ASKED, "asked.toml")
    with pytest.raises(ScenarioError, match=r'dynamics.engine = "jax": not installed here: jaxlib'):
        Scenario(path).check()


def test_nothing_else_needs_jax(told):
    _, found = told
    for words in ("--help", "info", "check small.toml", "show small.toml", "show asked.toml"):
        assert found[words][:2] == [0, True], found[words]
