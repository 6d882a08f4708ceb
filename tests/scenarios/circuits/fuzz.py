"""Seeded damage to scenarios of circuits, and whether reading and running them ends in an answer.

By hand: ``python -m tests.scenarios.circuits.fuzz FIRST COUNT`` tries the cases FIRST to FIRST + COUNT - 1.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit

from scenarios.build import make_any_setup
from scenarios.experiments.kind import RunError
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from scenarios.report.explain import explain_scenario
from scenarios.run.run import run_in_memory
from scenarios.suspicions import find_suspicions
from scenarios.sweeps.point import PointWatch

from ..language.fuzz import limit_time, list_places, mutate, pick
from .scenarios_of_circuits import ALL, BOARD, LAYERS, change

UNITS = ["V", "mS", "uS", "S", "uA", "ohm", "nF", "pF", "nA", "uS^2/V^2", "uS/V", "V/s", "1/s", "ms"]
"""Of quantities that are changed, or take another one's place."""

TRAINED = change(LAYERS, ("experiment", {"kind": "train", "epochs": 2, "reference": True, "ledger": {"samples": 1}}))
TRAINED = change(TRAINED, ("learning.optimiser", {"rate": "2 uS^2/V^2", "decay": 0.5}), ("devices.drops.noise", "1 mV"))

COUNTS = ("epochs", "chips", "repeats")
"""Keys of experiments that make a run long."""

NAMES = ["0", "x", "out", "mid", "h1", "in", "penn", "silicon", "r0c0", "r1c1", "Vin", "R*", "input", "output", "ideal"]
"""Nodes, elements, models and layers that there are somewhere."""


def case(number: int) -> dict[str, Any]:
    """Return a damaged scenario; a function of its number alone."""
    rng = np.random.default_rng([21, number])
    bases = [*ALL.values(), TRAINED]
    data, donor = copy.deepcopy(pick(rng, bases)), copy.deepcopy(pick(rng, bases))
    if rng.random() < 0.1:
        table = pick(rng, ["network", "learning", "task"])
        data[table] = donor[table]
    for _ in range(int(rng.integers(1, 4))):
        node, key = pick(rng, list(list_places(data)))
        draw, text = rng.random(), str(node[key])
        number, _, unit = text.partition(" ")
        if draw < 0.5 and unit in UNITS:
            size = float(number) * pick(rng, [-1.0, 0.0, 0.5, 2.0, 1e3, 1e9, 1e-9])
            node[key] = f"{size:g} {unit if draw < 0.45 else pick(rng, UNITS)}"
        elif draw < 0.6 and isinstance(node[key], str):
            node[key] = pick(rng, NAMES)
        elif draw < 0.65:
            mutate(node, key, donor, rng)
    return data


def _is_long(spec: Any) -> bool:
    """Tell whether a run would take more than a moment."""
    plan, layers = spec.experiment, getattr(spec.network, "layers", {})
    counts = [getattr(table, key, None) or 0 for table in (plan, getattr(plan, "ledger", None)) for key in COUNTS]
    seconds = max([*(getattr(plan, "periods", None) or [0.0]), getattr(spec.devices.update, "delay", 0.0)])
    return max(counts) > 20 or sum(layers.values()) > 200 or seconds > 1.0


def answer(data: dict[str, Any]) -> str:
    """Return what `check`, `show` and `run` say of a scenario: its faults, or how the run ended.

    Raises
    ------
    Exception
        Whatever a user would see as a traceback; `TimeoutError` if it takes too long.
    """
    with tempfile.TemporaryDirectory() as folder, limit_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        path = Path(folder) / "s.toml"
        try:
            path.write_text(tomlkit.dumps(data), encoding="utf-8", errors="surrogatepass")
        except (TypeError, ValueError):
            return "TOML cannot say it"
        (Path(folder) / "board.cir").write_text(BOARD, encoding="utf-8")
        try:
            loaded = load_scenario(path)
            find_suspicions(loaded, make_any_setup(loaded))
            explain_scenario(loaded)
        except ScenarioError as error:
            return str(error)
        if _is_long(loaded.spec):
            return "long"
        try:
            return f"ran: {run_in_memory(loaded, 1, PointWatch(lambda: False))[0].attributes['status']}"
        except (RunError, ScenarioError) as error:
            return f"ended: {error}"


def main(first: int, count: int) -> None:
    """Try many cases, and print each that fails with the last lines of its traceback."""
    found: Counter[str] = Counter()
    for number in range(first, first + count):
        try:
            word = answer(case(number)).partition(":")[0]
            found[word if word in ("ran", "ended", "long") else "refused"] += 1
        except Exception:  # noqa: BLE001
            print(f"case {number}:\n{traceback.format_exc(limit=-4)}", flush=True)
    print(f"{count} cases from {first} on: {found}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
