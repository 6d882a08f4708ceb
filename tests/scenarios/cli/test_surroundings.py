"""The command in surroundings that are not its own: outputs closed or full, other modules, settings of plots."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from scenarios.drawing.space import makes_figure
from scenarios.drawing.style import render_svg

from ..files import write_scenario

ROOT = Path(__file__).parents[3]
COMMAND = f'"{sys.executable}" -c "from nudgelab import main; main()"'


def shell(folder, line, path=ROOT):
    """Run a line of the shell in which ``nudgelab`` stands for the command."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    line = line.replace("nudgelab", COMMAND)
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, encoding="utf-8"
    )


LINES = [
    ("nudgelab list | head -1", 0, "scenarios:\n", ""),
    ("nudgelab list 2>&1 | true; exit ${PIPESTATUS[0]}", 1, "", ""),
    ("nudgelab list > /dev/full", 1, "", "the output cannot be written (No space left on device)\n"),
    ("nudgelab schema > /dev/full", 1, "", "the output cannot be written (No space left on device)\n"),
    ("nudgelab check small.toml <&- >&- 2>&-", 0, "", ""),
    ("nudgelab check none.toml 2> /dev/full", 2, "", ""),
    ("cat small.toml | nudgelab check /dev/stdin", 2, "", "/dev/stdin: is a pipe or device, not a scenario file"),
    ("nudgelab check - < small.toml", 2, "", "-: is a pipe or device, not a scenario file"),
    ('mkdir a; cd a; rmdir "$PWD"; nudgelab check quickstart', 1, "", "the working folder is gone: change to a folder"),
]
SELDOM = {LINES[k][0] for k in (1, 3, 5, 6)}
"""Lines of which the default suite has a sibling: a pipe that is closed, a full device, a device to read."""


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize(
    ("line", "code", "output", "error"),
    [pytest.param(*line, marks=[pytest.mark.slow] if line[0] in SELDOM else [], id=line[0]) for line in LINES],
)
def test_no_state_of_the_outputs_ends_a_command_with_a_traceback(tmp_path, line, code, output, error):
    write_scenario(tmp_path)
    done = shell(tmp_path, line)
    assert (done.returncode, done.stdout) == (code, output), done.stderr
    assert done.stderr.startswith(error) if error else not done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("devices.py", "x = 1"),
        ("learning.py", "x = 1"),
        ("substrate.py", "raise RuntimeError('mine')"),
        ("scenarios.py", "x = 1"),
        ("json.py", "raise RuntimeError('mine')"),
        ("random.py", "x = 1"),
    ],
)
def test_a_module_of_the_user_with_a_name_that_is_needed_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    done = shell(tmp_path, "nudgelab run quickstart", os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"nudgelab needs the modules that these files hide: {path} - rename them" in done.stderr


@pytest.mark.parametrize("use", ["import nudgelab; nudgelab.load('quickstart')", "from nudgelab import load"])
@pytest.mark.parametrize("name", ["scenarios", "devices", "learning", "substrate", "random"])
@pytest.mark.parametrize("as_folder", [False, True])
def test_the_front_door_names_a_file_that_hides_a_module(tmp_path, name, use, as_folder):
    file = tmp_path / name / "__init__.py" if as_folder else tmp_path / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text("x = 1")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command, own = [sys.executable, "-c", use], {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    *_, last = done.stderr.strip().split("\n")
    hidden = file.parent if as_folder and name != "random" else file
    assert last.startswith(f"ImportError: nudgelab needs the modules that these files hide: {hidden} - rename them")


def test_an_error_of_our_own_keeps_its_traceback(tmp_path):
    (tmp_path / "queue.py").write_text("x = 1")
    code = "import nudgelab, scenarios.cli.main; scenarios.cli.main.main = lambda: 1 / 0; nudgelab.main()"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


SETTINGS = {
    "axes.grid": True,
    "figure.facecolor": "red",
    "font.family": ["serif"],
    "lines.linewidth": 9.0,
    "savefig.transparent": True,
    "svg.fonttype": "path",
    "text.usetex": True,
}


@makes_figure
def drawn(space):
    (axes,) = space.make_panels()
    axes.plot([0.0, 1.0], [0.0, 1.0], label="a line")
    axes.legend()


def test_figures_do_not_depend_on_the_settings_of_the_user():
    expected = render_svg(drawn())
    with mpl.rc_context(SETTINGS):
        assert render_svg(drawn()) == expected
        assert mpl.rcParams["lines.linewidth"] == 9.0, "the settings of the user stay his"
