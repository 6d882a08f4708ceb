"""Seeded damage to scenario files of all kinds, and whether reading them ends in an answer.

By hand: ``python -m tests.scenarios.language.fuzz FIRST COUNT`` tries the cases FIRST to FIRST + COUNT - 1.
"""

from __future__ import annotations

import copy
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit

from scenarios.build import make_any_setup
from scenarios.language.faults import ScenarioError
from scenarios.language.files import CATALOGUE, FileReader
from scenarios.language.json_schema import format_json_schema as schema_text
from scenarios.language.load import load_scenario
from scenarios.report.explain import explain_scenario
from scenarios.sweeps.points import check_design

SECONDS = 20.0
"""Processor time that one case may take."""

_VALUES: list[Any] = [
    *(0, 1, -1, 2, 3, 255, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 0.5, -0.5, 1e-300, 1e300, 1e-9, 1e9),
    *(float("nan"), float("inf"), -float("inf"), True, False, "", " ", "nan", "10 %", "1000 %", "90 deg", "3 mS"),
    *("5 V", "-2 ns", "1e400 V", "1 / 0", "é", "in", "out", "in-l1", "l1-l1", "l1-in", "x" * 300, "a\nb", "../a"),
    *([], {}, [[]], [{}], [1, 2, 3], ["in-l1"], {"kind": "constant"}, {"kind": "exact"}, {"steps": 3}),
    *({"start": 0, "stop": 1, "num": 3}, {"label": "a", "value": 1}, {"in": 3, "out": 2}),
]
_LETTERS = "=[]{}\"'.,#\n-+0e \\\x00\u00e9"


@cache
def _bases() -> list[str]:
    """Return all bundled scenarios, each as one file that extends no other."""
    return [tomlkit.dumps(FileReader().read(path, [])[0]) for path in sorted(CATALOGUE.rglob("*.toml"))]


@cache
def _words() -> list[str]:
    """Return every key and every fixed text of the scenario language."""
    import json  # noqa: PLC0415

    found: set[str] = set()

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            found.update(node.get("properties", {}))
            found.update(text for text in (*node.get("enum", ()), node.get("const")) if isinstance(text, str))
            for child in node.values():
                collect(child)
        elif isinstance(node, list):
            for child in node:
                collect(child)

    collect(json.loads(schema_text()))
    return sorted(found)


def list_places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every table or array with each of its keys or numbers."""
    for key, child in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(child, dict | list):
            yield from list_places(child)


def pick(rng: np.random.Generator, things: list[Any]) -> Any:
    return things[int(rng.integers(len(things)))]


def mutate_tree(text: str, other: str, rng: np.random.Generator) -> str:
    """Return a scenario with some values replaced, keys renamed, added or taken away, or parts of another one."""
    data, donor = tomlkit.parse(text).unwrap(), tomlkit.parse(other).unwrap()
    for table in ("network", "devices", "dynamics", "phases", "learning", "task", "experiment", "sweep", "physical"):
        if rng.random() < 0.15 and table in donor:
            data[table] = copy.deepcopy(donor[table])
    for _ in range(int(rng.integers(3))):
        places = list(list_places(data))
        if not places:
            break
        mutate(*pick(rng, places), donor, rng)
    return tomlkit.dumps(data)


def mutate(node: Any, key: Any, donor: Any, rng: np.random.Generator) -> None:
    """Change one value of a table or array in place."""
    value = copy.deepcopy(pick(rng, _VALUES))
    move = int(rng.choice(6, p=[0.15, 0.1, 0.1, 0.4, 0.15, 0.1]))
    if move == 0:
        del node[key]
    elif move == 1 and isinstance(node, dict):
        node[pick(rng, _words())] = value
    elif move == 2:
        node[key] = pick(rng, _words())
    elif move == 3:
        if type(node[key]) in (int, float):
            node[key] = type(node[key])(node[key] * pick(rng, [-1, 0, 0.5, 1.5, 2, 10, 1e3, 1e6, 1e-6]))
    elif move == 4:
        theirs, name = pick(rng, list(list_places(donor)))
        node[key if isinstance(node, list) or isinstance(name, int) else name] = copy.deepcopy(theirs[name])
    else:
        node[key] = value


def mutate_text(text: str, rng: np.random.Generator) -> str:
    """Return a file with lines lost, doubled, moved or cut, or letters changed."""
    for _ in range(int(rng.integers(1, 4))):
        lines = text.split("\n")
        a, b = (int(k) for k in rng.integers(len(lines), size=2))
        move, at = int(rng.integers(5)), int(rng.integers(len(text) + 1))
        if move == 0:
            del lines[a]
        elif move == 1:
            lines.insert(b, lines[a])
        elif move == 2:
            lines[a], lines[b] = lines[b], lines[a]
        text = "\n".join(lines)
        if move == 3:
            text = text[:at] + pick(rng, list(_LETTERS)) + text[at + int(rng.integers(3)) :]
        elif move == 4 and rng.random() < 0.2:
            text = text[:at]
    return text


def case(number: int) -> str:
    """Return the text of a damaged scenario; a function of its number alone."""
    rng = np.random.default_rng([20, number])
    text, other = pick(rng, _bases()), pick(rng, _bases())
    try:
        return mutate_text(text, rng) if rng.random() < 0.25 else mutate_tree(text, other, rng)
    except (TypeError, ValueError, tomlkit.exceptions.TOMLKitError):
        return text  # TOML cannot say it


@contextmanager
def limit_time() -> Iterator[None]:
    """End what takes too long."""

    def end(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def answer(text: str) -> str:
    """Return what `check` and `show` say of a scenario: its faults, or its resolved form.

    Raises
    ------
    Exception
        Whatever a user would see as a traceback; `TimeoutError` if it takes too long.
    """
    with tempfile.TemporaryDirectory() as folder, limit_time():
        path = Path(folder) / "s.toml"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            loaded = load_scenario(path)
            make_any_setup(loaded)
            if loaded.spec.sweep is not None and loaded.spec.sweep.point_count <= 200:
                check_design(loaded)
            return explain_scenario(loaded)
        except ScenarioError as error:
            return str(error)


def main(first: int, count: int) -> None:
    """Try many cases, and print each that fails with the last lines of its traceback."""
    good = 0
    for number in range(first, first + count):
        try:
            good += answer(case(number)).startswith("schema")
        except Exception:  # noqa: BLE001
            print(f"case {number}:\n{traceback.format_exc(limit=-4)}", flush=True)
    print(f"{count} cases from {first} on, {good} of them good scenarios")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
