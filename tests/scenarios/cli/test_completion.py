"""What Tab completes, asked as shells ask, and in a real bash."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.language.completion import complete_key
from scenarios.schema.circuit.scenario import CircuitSpec
from scenarios.schema.scenario import ScenarioSpec
from tests.scenarios.keys.sample import path_of
from tests.scenarios.keys.walk import keys_of

ROOT = Path(__file__).parents[3]


def complete(*words):
    """Return what the last of the words may become, as every shell is told."""
    found = ShellComplete(main, {}, "nudgelab", "_NUDGELAB_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["comp"], ["compare", "completion"]),
        (["run", "quick"], ["quickstart"]),
        (["sweep", "laborieux2024/table1-"], ["laborieux2024/table1-small"]),
        (["run", "q", "--set", "dev"], ["devices."]),
        (["run", "q", "--set", "devices.converters.readout.b"], ["devices.converters.readout.bits="]),
        (["run", "q", "--change", "learning.scheme.be"], ["learning.scheme.beta=", "learning.scheme.beta."]),
        (["run", "q", "--set", "learning.rul"], ["learning.rule.", "learning.rule="]),
        (["check", "q", "--set", "ext"], []),
        (["check", "q", "--set", "seed=1"], []),
        (["check", "q", "--set", "no.such.key"], []),
        (["init", "--from", "rate-m"], ["rate-mlp"]),
        (["completion", "z"], ["zsh"]),
    ],
)
def test_names_and_keys_are_completed(words, found):
    assert [value for kind, value in complete(*words) if kind == "plain"] == found


def test_files_are_left_to_the_shell_beside_bundled_scenarios():
    assert ("file", "my") in complete("run", "my")
    assert complete("export", "nothing/here") == [("file", "nothing/here")]


def test_scenario_files_stand_beside_bundled_ones(tmp_path, monkeypatch):
    (tmp_path / "quick.toml").touch()
    (tmp_path / "quick.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("run", "quick") == [("file", "quick"), ("plain", "quickstart"), ("plain", "quick.toml")]


def test_folders_of_results_are_completed(tmp_path, monkeypatch):
    for name, file in {"one": "run.h5", "two": "sweep.h5", "other": "run.log"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    monkeypatch.chdir(tmp_path)
    assert complete("compare", "one", "") == [("plain", "one"), ("plain", "two")]
    assert complete("report", f"{tmp_path}/t") == [("plain", f"{tmp_path}/two")]
    assert complete("report", "oth") == [("file", "oth")]


@pytest.mark.parametrize("model", [ScenarioSpec, CircuitSpec])
def test_every_key_of_a_table_can_be_reached(model):
    """The packaged schema leads to the same keys as the models; items of lists have numbers."""
    paths = {path_of(key) for key in keys_of(model)}
    for path in sorted(paths):
        if any(word.isdecimal() for word in path.split(".")) or path.partition(".")[0] in ("network", "sweep"):
            continue
        if path.startswith(("experiment.change", "experiment.rivals")):
            continue
        assert {path + ending for ending in "=."} & complete_key(path).keys(), path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell_names_the_program(shell):
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert "_NUDGELAB_COMPLETE" in done.output
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.output, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.fixture
def program(tmp_path):
    """Return a folder with the program as it is installed."""
    lines = [f"#!{sys.executable}", "import sys", "from scenarios.cli.main import main", "main(prog_name='nudgelab')"]
    path = tmp_path / "nudgelab"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [("run quickst", "quickstart"), ("run q --set devices.converters.readout.b", "devices.converters.readout.bits=")],
)
def test_a_real_bash_completes(program, words, found):
    count = len(words.split())
    lines = f"""
eval "$(nudgelab completion bash)"
compopt() {{ IFS=' '; echo "compopt $*"; }}
complete -p nudgelab
COMP_WORDS=(nudgelab {words}); COMP_CWORD={count}
_nudgelab_completion nudgelab
printf '<%s>' "${{COMPREPLY[@]}}"
"""
    surroundings = os.environ | {"PATH": f"{program}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = ["bash", "--norc", "-c", lines]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=True)
    assert "-F _nudgelab_completion nudgelab" in done.stdout
    assert done.stdout.endswith(f"<{found}>")
    assert ("compopt -o nospace" in done.stdout) == found.endswith("=")


def test_tab_is_answered_at_once(program):
    """Less than 0.3 s of processor time, the start of Python included; none of the models is loaded."""
    asked = {"COMP_WORDS": "nudgelab run q --set devices.", "COMP_CWORD": "4", "_NUDGELAB_COMPLETE": "bash_complete"}
    surroundings = os.environ | asked | {"PYTHONPATH": str(ROOT)}
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(program / "nudgelab")], capture_output=True, env=surroundings, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.3
    code = "import sys; from scenarios.api import complete_key as c; c('d'); print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=surroundings, check=True)
    assert done.stdout.strip() == "False"
