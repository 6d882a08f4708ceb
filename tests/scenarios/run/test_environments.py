"""The same run in many environments: the same numbers and figures, whatever surrounds it."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.report.summary import list_metrics
from scenarios.results.store import read_result_file

ROOT = Path(__file__).parents[3]

REDUCED = [
    *("experiment.samples=40", "experiment.epochs=1", "experiment.ledger={ every_epochs = 1, samples = 4 }"),
    *("network.layers={ in = 784, l1 = 8, l2 = 6, out = 10 }", "experiment.record={ samples = 1 }"),
]
"""What makes the training small."""

CODE = "from nudgelab import main; main()"
STRANGER = 54321
"""A user that the system does not know."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="needs users, modes and limits")]


class Place:
    """Folders of one run, and how to start it."""

    def __init__(self, folder, cache):
        self.folder, self.cache = folder, cache
        self.work, self.home, self.temporary = (folder / name for name in ("work", "home", "temporary"))
        for made in (self.work, self.home, self.temporary):
            made.mkdir(parents=True)
        self.environment = {"HOME": str(self.home), "TMPDIR": str(self.temporary), "NUMBA_CACHE_DIR": str(cache)}
        self.launcher, self.limit, self.ending = [], None, ""

    def run(self):
        """Run the reduced training into ``work/r``; return the process, its output as one text."""
        edits = [word for edit in REDUCED for word in ("--set", edit)]
        command = [*self.launcher, sys.executable, "-c", CODE, "run", "first-training", "--out", "r", "--threads", "1"]
        command = ["bash", "-c", f'"$@" {self.ending}', "bash", *command, *edits]
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command,
            cwd=self.work,
            env=own | {name: text for name, text in self.environment.items() if text is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            preexec_fn=self.limit,
        )

    def kernels(self):
        """Return the folder of kernels of the warm cache."""
        (found,) = self.cache.glob("kernels-*")
        return found

    def be_somebody(self):
        """Be a user without a name, who owns all folders of the run."""
        setpriv = shutil.which("setpriv")
        if os.geteuid() != 0 or not setpriv:
            pytest.skip("only the administrator can become somebody else")
        # The interpreter may lie in a folder of the administrator.
        rights = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
        self.launcher = [setpriv, f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", *rights]
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, STRANGER, STRANGER)


def found_by(place):
    """Return the numbers and the figures that a run left."""
    numbers = list_metrics(read_result_file(place.work / "r" / "run.h5"))
    del numbers["metrics/wall_s"]
    return numbers, {path.name: path.read_bytes() for path in (place.work / "r" / "figures").glob("*.svg")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Run in an environment without surprises; it fills the cache of kernels of the others."""
    folder = tmp_path_factory.mktemp("plain")
    place = Place(folder, folder / "warm")
    done = place.run()
    assert (done.returncode, "not kept" in done.stdout) == (0, False), done.stdout
    return place


def test_the_same_command_again_needs_no_compiler(plain):
    before = {path: path.stat().st_mtime_ns for path in plain.kernels().rglob("*")}
    shutil.rmtree(plain.work / "r")
    assert plain.run().returncode == 0
    assert {path: path.stat().st_mtime_ns for path in plain.kernels().rglob("*")} == before


def has_no_home(place):
    """No home, no name: kernels lie with the temporary files, where an earlier run left them."""
    place.environment |= {"HOME": None, "NUMBA_CACHE_DIR": None}
    shutil.copytree(place.kernels(), place.temporary / f"nudgelab-{STRANGER}-{place.kernels().name}")
    place.be_somebody()


def has_a_home_of_somebody_else(place):
    place.environment["NUMBA_CACHE_DIR"] = None
    shutil.copytree(place.kernels(), place.temporary / f"nudgelab-{STRANGER}-{place.kernels().name}")
    place.be_somebody()
    os.chown(place.home, 0, 0)
    place.home.chmod(0o555)


def has_settings_of_plots(place):
    place.environment |= {"MPLBACKEND": "module://no_such.backend", "MPLCONFIGDIR": os.devnull}
    lines = "text.usetex: True\nfont.family: serif\nsavefig.transparent: True\naxes.grid: True\nnonsense: 3\n"
    (place.work / "matplotlibrc").write_text(lines)


def has_a_strict_python(place):
    place.environment |= {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}


def has_a_python_without_docstrings(place):
    place.environment |= {"PYTHONOPTIMIZE": "2", "PYTHONSAFEPATH": "1", "LC_ALL": "C", "PYTHONUTF8": "0"}


def has_no_outputs(place):
    place.ending = "<&- >&- 2>&-"


def has_a_reader_who_leaves(place):
    place.ending = "2>&1 | head -1 > /dev/null; exit 0"


def has_few_open_files(place):
    place.limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))


WARM = [
    *(has_no_home, has_a_home_of_somebody_else, has_settings_of_plots, has_a_strict_python),
    *(has_a_python_without_docstrings, has_no_outputs, has_a_reader_who_leaves, has_few_open_files),
]


def has_no_room_for_kernels(place):
    """No file may be half as large as the largest kernel, but a report and a result are smaller."""
    place.environment["NUMBA_CACHE_DIR"] = str(place.folder / "own")
    size = max(path.stat().st_size for path in place.kernels().rglob("*")) // 2
    place.limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return "compiled kernels are not kept", "File too large"


def has_damaged_kernels(place):
    copy = place.folder / "own" / place.kernels().name
    shutil.copytree(place.kernels(), copy)
    place.environment["NUMBA_CACHE_DIR"] = str(copy.parent)
    for path in copy.rglob("*.nb?"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    return ()


def has_only_kernels_of_somebody_else(place):
    """What lies in the folders would end the process, if it were loaded."""
    place.environment["NUMBA_CACHE_DIR"] = None
    folders = [
        place.home / ".cache/nudgelab" / place.kernels().name,
        place.temporary / f"nudgelab-{STRANGER}-{place.kernels().name}",
    ]
    for folder in folders:
        shutil.copytree(place.kernels(), folder)
    place.be_somebody()
    for folder in folders:
        folder.chmod(0o777)
        os.chown(folder, STRANGER + 1, STRANGER + 1)
    return "compiled kernels are not kept", "somebody else owns it"


COLD = [has_no_room_for_kernels, has_damaged_kernels, has_only_kernels_of_somebody_else]


@pytest.mark.parametrize("change", WARM)
def test_a_run_is_the_same_in_an_environment_that(tmp_path, plain, change):
    place = Place(tmp_path / "place", plain.cache)
    change(place)
    done = place.run()
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout
    assert "not kept" not in done.stdout
    assert found_by(place) == found_by(plain)


@pytest.mark.parametrize("change", COLD)
def test_a_run_compiles_again_in_an_environment_that(tmp_path, plain, change):
    place = Place(tmp_path / "place", plain.cache)
    told = change(place)
    done = place.run()
    assert done.returncode == 0, done.stdout
    assert all(words in done.stdout for words in told), done.stdout
    assert "Traceback" not in done.stdout
    assert found_by(place) == found_by(plain)
