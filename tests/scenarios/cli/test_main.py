import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from scenarios.cli.main import main
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from scenarios.results import store
from tests.scenarios.files import MEASURE, SETTLE, write_scenario

DRAWN = ("causes", "causes_of_connections", "cosine", "settling", "signal", "waterfall")


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


BAD = [
    ("unknown key", MEASURE.replace("mismatch_sigma", "mismatch_sigam"), "did you mean 'mismatch_sigma'?"),
    ("wrong type", MEASURE.replace("in = 12", 'in = "12"'), "network.layers.in"),
    ("wrong unit", MEASURE.replace("mismatch_sigma = 0.1", 'mismatch_sigma = "3 mS"'), "mismatch_sigma"),
    ("missing file", MEASURE.replace("batch.npz", "none.npz"), "none.npz"),
    ("not TOML", MEASURE.replace("schema = 1", "schema = "), "not valid TOML"),
    ("wrong shape", MEASURE.replace("l1 = 8", "l1 = 9"), "has shape (12, 8)"),
    ("nothing feeds", MEASURE.replace('"l1-l2", "l2-l1", "l2-out", "out-l2"', '"l1-out"'), "nothing feeds layer 'l2'"),
    ("self-extending", MEASURE.replace("schema = 1", 'schema = 1\nextends = "small.toml"'), "extends"),
    ("absurd size", MEASURE.replace("l1 = 8", "l1 = 900000").replace("l2 = 7", "l2 = 900000"), "GB"),
    ("absurd number", MEASURE.replace("beta = 0.2 }, {", "beta = 1e300 }, {"), "learning.schemes.0.beta"),
    ("not a number", MEASURE.replace("mismatch_sigma = 0.1", "mismatch_sigma = nan"), "mismatch_sigma"),
    ("time with unit", MEASURE.replace("[devices]", '[dynamics]\ndt = "50 ns"\n[devices]'), "units of tau"),
    ("no scheme", MEASURE[: MEASURE.index("[learning]")] + MEASURE[MEASURE.index("[task]") :], "need a nudge scheme"),
]


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(("text", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_wrong_scenario_is_explained(tmp_path, monkeypatch, command, text, said):
    monkeypatch.chdir(tmp_path)
    result = call(command, write_scenario(tmp_path, text))
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "small.toml" in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("small-*"))


@pytest.mark.parametrize("content", [b"\x00\xff\xfe", b"", b"schema = 2\n"])
def test_a_file_that_is_no_scenario_is_explained(tmp_path, content):
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    for name in (path, tmp_path, tmp_path / "none.toml"):
        result = call("check", name)
        assert result.exit_code == 2
        assert isinstance(result.exception, SystemExit)
        assert result.stderr


@pytest.mark.figures
def test_run_prints_the_answer_and_leaves_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("run", write_scenario(tmp_path))
    assert result.exit_code == 0, result.output
    for words in ("Signal levels", "asymmetry", "finite nudge", "matching rule", "dominates", "All 4 samples settled"):
        assert words in result.stdout, words
    folder = next(tmp_path.glob("small-*"))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"run.h5", "report.html", "run.log", "scenario.toml"} | {f"figures/{name}.svg" for name in DRAWN}
    again = call("run", "small.toml")
    assert again.stdout == result.stdout
    assert "already complete" in again.stderr
    narrow = CliRunner().invoke(main, ["run", "small.toml"], env={"COLUMNS": "50"})
    assert max(map(len, narrow.stdout.partition("small-")[0].splitlines())) in range(40, 51)


def test_run_refuses_another_folder_and_a_damaged_result(tmp_path):
    path, out = write_scenario(tmp_path), tmp_path / "out"
    assert call("run", path, "--out", out).exit_code == 0
    other = call("run", path, "--out", out, "--set", "seed=1")
    assert other.exit_code == 2
    assert "another scenario" in other.stderr
    (out / "run.h5").write_bytes(b"damaged")
    damaged = call("run", path, "--out", out)
    assert damaged.exit_code == 4
    assert "run.h5" in damaged.stderr
    assert call("run", path, "--out", out, "--force").exit_code == 0


@pytest.mark.parametrize(
    "name", ["run.h5", "report.html", pytest.param("settling.svg", marks=pytest.mark.figures), "scenario.toml"]
)
def test_a_full_disk_is_a_failure_in_words(tmp_path, monkeypatch, name):
    path, out = write_scenario(tmp_path, SETTLE), tmp_path / "out"
    replace = os.replace

    def refuse(source, target):
        if target.name == name:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    failed = call("run", path, "--out", out)
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith(f"cannot write {out}")
    assert "No space left on device" in failed.stderr
    assert (out / "run.h5").exists() == (name != "run.h5")
    found = json.loads(call("run", path, "--out", out, "--json").stdout)
    assert found["status"] == "failed"
    if name in ("report.html", "settling.svg"):
        assert call("report", out).exit_code == 1


def test_a_diverging_network_is_reported_with_the_knob(tmp_path):
    out = tmp_path / "out"
    result = call("run", write_scenario(tmp_path), "--out", out, "--set", "dynamics.dt=3.0")
    assert result.exit_code == 0, result.output
    assert "No sample settled" in result.stdout
    assert "4 diverged (lower dynamics.dt" in result.stdout
    gradient = store.read_result_file(out / "run.h5")["gradient"]
    assert not gradient["kept"].data.any()
    assert all(value != value for value in gradient["cosine"].data.ravel())  # noqa: PLR0124  NaN, openly


def test_unfinished_settlings_are_counted(tmp_path):
    phase = "{ max_steps = 20, tolerance = 1e-9 }"
    result = call("run", write_scenario(tmp_path), "--out", tmp_path / "out", "--set", f"dynamics.nudged={phase}")
    assert "Not counted: 4 of 4 samples, 4 step limit (allow more time" in result.stdout


def test_signal_levels_in_volts_where_the_scenario_says_so(tmp_path):
    physical = [
        "--set",
        'physical.tau="1 us"',
        "--set",
        'physical.activity_volts="500 mV"',
        "--set",
        'dynamics.dt="500 ns"',
    ]
    out = tmp_path / "out"
    result = call("run", write_scenario(tmp_path), "--out", out, *physical)
    assert result.exit_code == 0, result.output
    signal = store.read_result_file(out / "run.h5")["signal"]
    assert signal["activity_volts"].units == "V"
    assert f"{500.0 * signal['evoked'].data[0, 0]:.3g}" in result.stdout
    assert "beta 0.2 (mV)" in " ".join(result.stdout.split())


def test_settle_prints_its_table(tmp_path):
    result = call("run", write_scenario(tmp_path, SETTLE), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 settled" in result.stdout
    assert "dominates" not in result.stdout


def test_show_prints_a_scenario_that_loads(tmp_path):
    shown = call("show", write_scenario(tmp_path), "--set", "seed=7")
    assert shown.exit_code == 0
    assert "seed = 7" in shown.stdout
    (tmp_path / "shown.toml").write_text(shown.stdout)
    assert call("check", tmp_path / "shown.toml").stdout.endswith("\nshown.toml: good\n")


def test_the_catalogue_is_listed_and_good():
    listed = call("list")
    names = [path.stem for path in CATALOGUE.glob("*.toml")]
    assert {"quickstart", "settling", "nudge-size"} <= set(names)
    for name in names:
        assert name in listed.stdout
        lacking = load_scenario(CATALOGUE / f"{name}.toml").scenario.dynamics.engine == "jax" and not find_spec("jax")
        assert call("check", name).exit_code == (2 if lacking else 0), name
    assert "rate-mlp" in listed.stdout


def test_info_names_versions_threads_and_the_cache():
    stdout = call("info").stdout
    for words in ("nudgelab", "numba", "threads", "linear algebra", "openblas", "kernels-"):
        assert words in stdout, words


def test_unknown_commands_and_options_are_usage_errors():
    assert call("rum").exit_code == 2
    assert "run" in call("rum").stderr
    assert call("run", "quickstart", "--threads", "0").exit_code == 2


TRAIN = MEASURE[: MEASURE.index("[experiment]")] + '[experiment]\nkind = "train"\nepochs = 200\n'


def test_json_is_one_object_with_stable_keys(tmp_path):
    done = call("run", write_scenario(tmp_path), "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["status"] == "complete"
    assert any(name.endswith("run.h5") for name in found["files"])
    assert 0.9 < found["metrics"]["gradient/cosine/centred, beta 0.2/out"] <= 1.0
    bad = call("run", write_scenario(tmp_path, BAD[0][1]), "--json")
    assert bad.exit_code == 2
    (fault,) = json.loads(bad.stdout)["error"]["faults"]
    assert fault["line"] == 10
    assert "mismatch_sigma" in fault["hint"]


def test_a_divergence_is_a_result_unless_asked(tmp_path):
    words = ["run", write_scenario(tmp_path, TRAIN), "--out", tmp_path / "out", "--set", "dynamics.dt=3.0", "-q"]
    done = call(*words)
    assert done.exit_code == 0
    assert "warning: dynamics.dt = 3.0: is a step of 3 tau" in done.stderr
    assert "diverged" in done.stdout
    assert call(*words, "--fail-on-divergence").exit_code == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_with_a_checkpoint(tmp_path, number):
    text = TRAIN.replace("epochs = 200", "epochs = 100000\ncheckpoint_seconds = 0.01")
    path, out = write_scenario(tmp_path, text), tmp_path / "out"
    words = [sys.executable, "-m", "scenarios.cli.main", "run", str(path), "--out", str(out)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "run.ckpt.h5").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 75
    assert "the same command goes on from here" in errors
    assert "stopping with a checkpoint" in (out / "run.log").read_text()
    assert store.read_result_file(out / "run.ckpt.h5").attributes["stage"] == "metrics"


def test_report_and_schema_and_init_write_their_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("run", write_scenario(tmp_path), "--out", "out")
    (tmp_path / "out" / "report.html").unlink()
    assert call("report", "out").exit_code == 0
    assert "Signal levels" in (tmp_path / "out" / "report.html").read_text()
    assert call("report", "none").exit_code == 4
    assert "did you mean 'ecram-mo'?" in call("report", "ecram-mpo").output
    assert "did you mean" not in call("report", "none").output
    assert json.loads(call("schema").stdout)["properties"]["network"]
    assert call("schema", "--write", "there").exit_code == 0
    assert (tmp_path / "there" / "nudgelab.schema.json").read_text() == call("schema").stdout
    made = call("init", "mine", "--from", "rate-mlp")
    assert made.exit_code == 0
    assert call("check", "mine.toml").exit_code == 0
    assert call("init", "mine").exit_code == 2
    assert "rate-mlp" in call("init", "other", "--from", "rate-mpl").stderr


def test_names_that_a_terminal_cannot_show_do_no_harm(tmp_path):
    words = [
        sys.executable,
        "-m",
        "scenarios.cli.main",
        "run",
        str(write_scenario(tmp_path, SETTLE)),
        "--out",
        str(tmp_path / "trüb"),
    ]
    done = subprocess.run(words, capture_output=True, check=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert b"tr\\xfcb" in done.stdout


@pytest.mark.slow
def test_quickstart_runs_from_a_fresh_process(tmp_path):
    words = [sys.executable, "-m", "scenarios.cli.main", "run", "quickstart", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    question, _, rest = done.stdout.partition("\n")
    assert question.startswith("What limits the gradients of a 130 nm CMOS chip")
    parts = [
        "As it is: Readout + noise dominates, above all the converter",
        "Change: 10 bits",
        "Feedback asymmetry dominates",
    ]
    assert sorted(parts, key=rest.find) == parts
    assert all(part in rest for part in parts)
    assert done.stdout.rstrip().endswith("print(run)")
