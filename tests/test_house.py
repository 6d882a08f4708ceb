"""The rules of the house, kept by a machine: sizes, docstrings, forbidden code, arrows between packages.

Each rule is a function of one source text that returns what it found as ``{place: complaint}``;
each is also fed a text that breaks it.
"""

import ast
import configparser
import inspect
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from substrate.engine.cpu.compile import SOURCES
from tests.floors import PACKAGES, ROOT, cycle_of, files_of, folders_of, imports_of, side_by_side

DOOR = "nudgelab.py"
FOLDERS = (*PACKAGES, DOOR, "tests", "benchmarks")

EXCEPTIONS: dict[str, str] = {"substrate/chip/chip.py": "one class, which is the whole port to a chip"}
"""Files and functions that may be longer, as ``path`` or ``path:function``, each with its reason."""

FILE_LINES, TEST_FILE_LINES, FUNCTION_LINES, KERNEL_LINES = 400, 500, 40, 60
KERNELS, CIRCUITS = "substrate/engine/cpu/kernels/", "substrate/engine/cpu/circuits/"
"""Folders of what is compiled."""

DEFINITIONS = (*(FUNCTIONS := (ast.FunctionDef, ast.AsyncFunctionDef)), ast.ClassDef)


parse = cache(ast.parse)
"""One tree of each text; nobody changes it."""


@cache
def sources(folders):
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in ([ROOT / DOOR] if folder == DOOR else sorted((ROOT / folder).rglob("*.py")))
    }


def definitions(node, prefix=""):
    """Yield every function and class below a node with its dotted name, ``outer.<in>.name`` inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            yield prefix + child.name, child
            inside = "<in>." if isinstance(child, FUNCTIONS) else ""
            yield from definitions(child, f"{prefix}{child.name}.{inside}")
        else:
            yield from definitions(child, prefix)


def test_sources_are_found():
    assert {f"{package}/__init__.py" for package in PACKAGES} < sources(PACKAGES).keys()
    assert {"tests/test_house.py", DOOR} < sources(FOLDERS).keys()


# Sizes


def body_lines(function):
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def too_long(path, text):
    found = {}
    allowed = TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
    if len(text.splitlines()) > allowed:
        found[path] = f"{len(text.splitlines())} lines, at most {allowed}"
    allowed = KERNEL_LINES if path.startswith((KERNELS, CIRCUITS)) else FUNCTION_LINES
    for name, node in definitions(parse(text)):
        if isinstance(node, FUNCTIONS) and body_lines(node) > allowed:
            found[f"{path}:{name}"] = f"{body_lines(node)} lines, at most {allowed}"
    return found


def test_sizes_keep_to_the_budget():
    found = {}
    for path, text in sources(FOLDERS).items():
        found |= too_long(path, text)
    assert {place: words for place, words in found.items() if place not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() - found.keys() == set(), "exceptions that are no longer needed"
    assert all(EXCEPTIONS.values()), "an exception has a reason"


@pytest.mark.parametrize(
    ("path", "lines"),
    [("devices/a.py", FILE_LINES), ("benchmarks/a.py", FILE_LINES), ("tests/a.py", TEST_FILE_LINES)],
)
def test_a_long_file_is_reported(path, lines):
    assert too_long(path, "x = 1\n" * lines) == {}
    assert too_long(path, "x = 1\n" * (lines + 1)).keys() == {path}


@pytest.mark.parametrize(
    ("path", "lines"),
    [("devices/a.py", FUNCTION_LINES), (f"{KERNELS}drift.py", KERNEL_LINES), ("tests/a.py", FUNCTION_LINES)],
)
def test_a_long_function_is_reported(path, lines):
    head = 'class A:\n    def f(self):\n        """Say.\n\n        More.\n        """\n'
    assert too_long(path, head + "        x = 1\n" * lines) == {}
    assert too_long(path, head + "        x = 1\n" * (lines + 1)).keys() == {f"{path}:A.f"}


FOLDER_FILES = 13

FULL_FOLDERS: dict[str, str] = {}
"""Folders that may hold more, each with its reason."""


def full_folders(paths):
    """Return the folders with too many Python files; `__init__` counts for nothing."""
    counts = Counter(Path(path).parent.as_posix() for path in paths if Path(path).name != "__init__.py")
    return {folder: f"{n} files, at most {FOLDER_FILES}" for folder, n in counts.items() if n > FOLDER_FILES}


def test_a_folder_holds_one_thing():
    assert full_folders(sources(FOLDERS)).keys() == FULL_FOLDERS.keys()
    assert all(FULL_FOLDERS.values()), "an exception has a reason"


def test_a_full_folder_is_reported():
    paths = ["a/__init__.py", *(f"a/{k}.py" for k in range(FOLDER_FILES)), "a/b/c.py"]
    assert full_folders(paths) == {}
    assert full_folders([*paths, "a/more.py"]).keys() == {"a"}


# Docstrings


def public(name):
    """Tell whether a dotted name can be reached from outside its module by public names only."""
    return not any(part.startswith(("_", "<in>")) for part in name.split("."))


def parameters(node):
    """Return the names a caller can give: arguments, or those of `__init__` and the declared fields."""
    if isinstance(node, FUNCTIONS):
        args = node.args
        rest = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
        return {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, *rest)}
    fields = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
    makers = [item for item in node.body if isinstance(item, FUNCTIONS) and item.name == "__init__"]
    return fields.union(*(parameters(maker) for maker in makers))


def documented(docstring):
    """Return the names in the Parameters section of a numpydoc docstring."""
    flags = re.MULTILINE | re.DOTALL
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", inspect.cleandoc(docstring), flags)
    entries = re.findall(r"^\S.*$", section[1], re.MULTILINE) if section else []
    return [name.strip().lstrip("*") for entry in entries for name in entry.split(" :")[0].split(",")]


def badly_documented(path, text):
    found = {}
    for name, node in definitions(parse(text)):
        docstring = ast.get_docstring(node)
        if not public(name):
            continue
        if docstring is None:
            found[f"{path}:{name}"] = "no docstring"
        elif unknown := set(documented(docstring)) - parameters(node):
            found[f"{path}:{name}"] = f"documents {sorted(unknown)}, which it does not take"
    return found


def test_public_names_are_documented():
    found = {}
    for path, text in sources((*PACKAGES, DOOR)).items():
        found |= badly_documented(path, text)
    assert found == {}


SECTION = '''"""Say.

    Parameters
    ----------
    {} : int
        More: here.

    Returns
    -------
    z : int
    """
'''


@pytest.mark.parametrize("names", ["a", "a, b", "*rest", "**options", "c"])
@pytest.mark.parametrize(
    "text",
    [
        "def f(a, /, b, *rest, c, **options):\n    {}",
        "class f:\n    {}\n    a: int\n    b: int\n    def __init__(self, *rest, c, **options): pass\n",
    ],
)
def test_documented_parameters_that_exist_pass(text, names):
    assert badly_documented("a.py", text.format(SECTION.format(names))) == {}


@pytest.mark.parametrize(
    "text",
    [
        "def f(): pass",
        "class f: pass",
        "def f(a):\n    " + SECTION.format("b"),
        "def f(a):\n    " + SECTION.format("a, b"),
        "class f:\n    " + SECTION.format("a") + "\n    b: int\n",
        "if True:\n    def f(a): pass",
    ],
)
def test_a_bad_docstring_is_reported(text):
    assert badly_documented("a.py", text).keys() == {"a.py:f"}


def test_private_and_inner_names_need_no_docstring():
    text = 'def _f(): pass\nclass _A:\n    def g(self): pass\ndef f():\n    """Say."""\n    def inner(): pass\n'
    assert badly_documented("a.py", text) == {}
    method = 'class A:\n    """Say."""\n    def g(self): pass\n'
    assert badly_documented("a.py", method).keys() == {"a.py:A.g"}


# Forbidden code

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
RANDOM_NAMES = {"BitGenerator", "Generator", "PCG64", "Philox", "SeedSequence", "default_rng"}
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:home|Users|root|work|tmp|usr|opt|mnt|scratch)/\w|[\"'][A-Z]:[\\/]")


def dotted(node):
    """Return the text of a chain of attributes, such as ``np.random.normal``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return owner and f"{owner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def forbidden_import(node):
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    unsafe = [name for name in names if name.split(".")[0] in UNSAFE_MODULES]
    state = [name for name in names if name.startswith("numpy.random.") and name.split(".")[2] not in RANDOM_NAMES]
    return unsafe + state


def forbidden_call(node):
    name = dotted(node.func)
    flags = [
        f"{keyword.arg}=True"
        for keyword in node.keywords
        if keyword.arg in {"fastmath", "allow_pickle"}
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
    ]
    unseeded = name.endswith("default_rng") and not node.args and not node.keywords
    return flags + [f"{name}()"] * (name in {"eval", "exec"} or unseeded)


def forbidden_node(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        return forbidden_import(node)
    if isinstance(node, ast.Call):
        return forbidden_call(node)
    if isinstance(node, ast.ExceptHandler):
        return ["bare except"] * (node.type is None)
    match = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", dotted(node)) if isinstance(node, ast.Attribute) else None
    return [match[0]] if match and match[1] not in RANDOM_NAMES else []


def forbidden(path, text):
    found = {f"{path}:{node.lineno}": words for node in ast.walk(parse(text)) for words in forbidden_node(node)}
    for number, line in enumerate(text.splitlines(), 1):
        for pattern in (UNFINISHED, MACHINE_PATH):
            if match := pattern.search(line):
                found[f"{path}:{number}"] = match[0]
    return found


def test_nothing_forbidden_is_used():
    found = {}
    for path, text in sources(FOLDERS).items():
        found |= forbidden(path, text)
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "f = njit(fastmath=True)",
        "np.load(path, allow_pickle=True)",
        "import pickle",
        "from pickle import loads",
        "import dill as safe",
        "eval(text)",
        "exec(text)",
        "np.random.seed(1)",
        "draw = numpy.random.normal",
        "from numpy.random import normal",
        "rng = np.random.default_rng()",
        "rng = default_rng()",
        "x = 1  # TO" + "DO later",
        "x = 1  # FIX" + "ME",
        "path = '/ho" + "me/someone/data'",
        'path = "/t' + 'mp/data"',
        "path = 'C:" + "\\\\data'",
        "try:\n    pass\nexcept:\n    pass",
    ],
)
def test_forbidden_code_is_reported(line):
    assert len(forbidden("a.py", line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "f = njit(fastmath={'contract'})",
        "np.load(path, allow_pickle=False)",
        "rng = np.random.Generator(np.random.Philox(key=1))",
        "rng = np.random.default_rng(1)",
        "from numpy.random import Generator, Philox",
        "re.compile(text)",
        "path = ROOT / 'home' / 'data'",
        "url = 'https://example.org/home/page'",
        "try:\n    pass\nexcept ValueError:\n    pass",
    ],
)
def test_allowed_code_passes(line):
    assert forbidden("a.py", line) == {}


# Arrows

PLANTS = [
    ("arrows point one way", "substrate/network/topology.py", "import learning"),
    ("the command line calls the front door alone", "scenarios/cli/main.py", "import scenarios.report.page"),
    ("only experiments know a kind of experiment", "scenarios/run/run.py", "import scenarios.experiments.train.run"),
    ("the rooms of scenarios have one order", "scenarios/drawing/sheet.py", "import scenarios.results.store"),
    ("the rooms of scenarios have one order", "scenarios/report/page.py", "import scenarios.sweeps.cube"),
    ("learning may only measure", "learning/estimator.py", "import substrate.chip.chip"),
    ("learning may only measure", "learning/training.py", "import devices.random"),
    ("only scenarios ask the oracle", "learning/cost.py", "import learning.oracle.exact"),
    ("only three modules of the engine import numba", "devices/neuron/activation.py", "import numba"),
    ("only three modules of the engine import numba", f"{KERNELS}drift.py", "import numba"),
    ("only the engine in JAX imports jax", "substrate/engine/door.py", "import jax"),
    ("only the engine's door imports an engine", "substrate/settling/adjoint.py", "import substrate.engine.cpu.engine"),
    ("only the engine's door imports an engine", "scenarios/run/run.py", "import substrate.engine.cpu.compile"),
    ("only the engine's door imports an engine", "learning/estimator.py", "import substrate.engine.jax.engine"),
    ("a chip on a board is seen through its board alone", "substrate/hardware/bench.py", "import substrate.chip"),
    ("only streams open serial ports", "scenarios/boards/connect.py", "import serial"),
    ("h5py, matplotlib and tomllib live in scenarios only", "substrate/laws/conventions.py", "import h5py"),
    ("devices need numpy and pydantic only", "devices/synapse/cell.py", "import scipy.linalg"),
    ("learning needs numpy and scipy only", "learning/cost.py", "import pint"),
    (
        "no two folders of learning or scenarios need each other",
        "learning/schemes/nodes.py",
        "import learning.estimator",
    ),
]
"""Imports that break a contract."""


def contracts():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return {config[name]["name"]: config[name] for name in config.sections() if "importlinter:contract" in name}


def broken_contracts(folder):
    """Return the names of the contracts that the sources in a folder break."""
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", script, "--config", "setup.cfg", "--no-cache", "--no-logo"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    broken = set(re.findall(r"^(.*) BROKEN(?: \(.*\))?$", result.stdout, re.MULTILINE))
    assert "Contracts:" in result.stdout, result.stdout + result.stderr
    assert (result.returncode != 0) == bool(broken), result.stdout
    return broken


def test_arrows_point_one_way():
    assert broken_contracts(ROOT) == set()


@pytest.mark.parametrize(("name", "path", "line"), PLANTS)
def test_a_planted_import_breaks_its_contract(tmp_path, name, path, line):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    with (tmp_path / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert name in broken_contracts(tmp_path)


def test_every_contract_has_a_planted_import():
    assert contracts().keys() == {name for name, _, _ in PLANTS}


def test_the_oracle_and_nothing_else_says_so():
    paths = sorted((ROOT / "learning").rglob("*.py"))
    fenced = [path for path in paths if (ROOT / "learning/oracle") in path.parents]
    assert fenced
    assert [path for path in paths if is_oracle(path)] == fenced


def is_oracle(path):
    return path.read_text(encoding="utf-8").startswith('"""Oracle side:')


# Kinds of experiments

KINDS = {path.parent.name.replace("_", "-") for path in (ROOT / "scenarios/experiments").glob("*/kind.py")}

NUDGE_CIRCUIT = ("scenarios/schema/devices.py", "scenarios/data/measured_converters.py", "scenarios/data/readers.py")
OTHER_MEANINGS = {
    "scenarios/schema/idle.py": "keys of devices: the circuit of the nudge, the train of coincidences",
    "scenarios/schema/circuit/faults.py": "a key of phases",
    "scenarios/schema/board/faults.py": "keys of phases and of learning",
    "scenarios/data/foreign.py": "a part of a published data set",
    **dict.fromkeys(NUDGE_CIRCUIT, "a key of devices: the circuit of the nudge"),
    **{f"scenarios/{name}.py": "a key of learning" for name in ("build", "schema/learning", "suspicions_writes")},
}
"""Sources in which the name of a kind of experiment means something else."""


def named_kinds(text):
    """Return the kinds of experiments that a source names in a text of its own."""
    return {node.value for node in ast.walk(parse(text)) if isinstance(node, ast.Constant)} & KINDS


def test_only_experiments_name_a_kind_of_experiment():
    told = {path for path, text in sources(("scenarios", DOOR)).items() if named_kinds(text)}
    assert len(KINDS) > 4
    assert {path for path in told if not path.startswith("scenarios/experiments/")} == OTHER_MEANINGS.keys()


def test_a_named_kind_is_reported():
    assert named_kinds('x = plan.kind == "train"') == {"train"}
    assert named_kinds('"""Train and evaluate."""\nx = "training"') == set()


# What lies side by side

CIRCLES: dict[str, str] = {}
"""Folders in which things import each other, each with its reason."""


def test_what_lies_side_by_side_imports_one_way():
    found = {}
    for package in PACKAGES:
        files = files_of(package)
        for folder in folders_of(files):
            if circle := cycle_of(side_by_side(files, folder)):
                found[folder.as_posix()] = " -> ".join(path.as_posix() for path in circle)
    assert {folder: circle for folder, circle in found.items() if folder not in CIRCLES} == {}
    assert CIRCLES.keys() - found.keys() == set(), "exceptions that are no longer needed"
    assert all(CIRCLES.values()), "an exception has a reason"


def test_a_circle_of_folders_is_found(tmp_path):
    sources = {"a/one.py": "from p.b import two", "a/three.py": "", "b/two.py": "def f():\n    from ..c.four import g"}
    for name, text in (sources | {"c/four.py": "import p.a.three"}).items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(text)
    files = files_of("p", tmp_path)
    folders = [Path("p/a"), Path("p/b"), Path("p/c")]
    circle = cycle_of(side_by_side(files, Path("p")))
    assert circle[0] == circle[-1]
    assert sorted(circle[:-1]) == folders
    assert [cycle_of(side_by_side(files, folder)) for folder in folders] == [[], [], []]
    (tmp_path / "p/c/four.py").write_text("if TYPE_CHECKING:\n    import p.a.three")
    assert cycle_of(side_by_side(files_of("p", tmp_path), Path("p"))) == []


# Compiled code


def test_the_cache_of_kernels_knows_every_source_of_them():
    makers = {"kernel", "elementwise", "law", "intrinsic"}
    parts = [{source.relative_to(ROOT) for source in sources} for sources in SOURCES.values()]
    compiled = set().union(*parts)
    for folder in ("devices", "substrate"):
        for path in (ROOT / folder).rglob("*.py"):
            tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT)
            used = {x.id for node in ast.walk(tree) for x in getattr(node, "decorator_list", []) if hasattr(x, "id")}
            assert name in compiled or not used & makers, name
    for part in parts:
        for path in part:
            # The classes of parameters define no functions that kernels could call.
            assert imports_of(path) <= {*part, Path("devices/parameters.py")}, path
