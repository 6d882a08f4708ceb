"""Damaged data files: for every key that names a file, and every form of file it takes, random damage by a seed.

``python -m tests.scenarios.data.data_fuzz 2000`` tries so many files of every form.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tomlkit

from scenarios.build import make_any_setup
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario
from tests.scenarios.boards.scenarios_on_boards import TABLES
from tests.scenarios.files import DATA, write_scenario
from tests.scenarios.sweep_files import BASE

CURVE = np.linspace(-2.0, 2.0, 9)
PLAIN = BASE.replace("feedback = { mismatch_sigma = 0.1 }", "")
PHYSICAL = '\n[physical]\nvolt_scale = "200 mV"\nactivity_volts = "500 mV"\ntau = "1 us"\ncapacitance = "10 pF"\n'
BOARD = b"""a board
Vx x 0 1.0
R1 x n 10k
R2 n out 20k
D1 n 0 si
.model si D(IS=2.5n N=1.75)
R3 out 0 15k
.end
"""
CIRCUIT = """schema = 1
name = "board"
network = { law = "resistive", netlist = "board.cir", inputs = { x = "Vx" }, outputs = ["out"], learn = ["R*"] }
learning = { rule = "coupled" }
task = { kind = "voltages", inputs = [["0.5 V"]], targets = [["0.2 V"]] }
experiment = { kind = "measure" }
"""
ADC, DAC = "devices.converters.readout", "devices.converters.nudge"
PARTS = "+-.,;\t\"'\n\r#()eE0123456789 nainfNALSBmVµ%\0\xff"


class Form(NamedTuple):
    """A form of a file: the key that names it, the edits it needs, and what an undamaged one holds."""

    key: str
    name: str
    content: bytes
    edits: tuple[str, ...] = ()
    base: str = PLAIN + PHYSICAL


def _text(header, *columns, separator=",", decimal="."):
    rows = [separator.join(f"{value:.6g}".replace(".", decimal) for value in row) for row in zip(*columns, strict=True)]
    return "\n".join([header, *rows, ""]).encode()


def _npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _forms():
    parameters = dict(np.load(DATA / "reciprocal_sigmoid_xent" / "parameters.npz"))
    data = dict(np.load(DATA / "reciprocal_sigmoid_xent" / "batch.npz"))
    steps, target = np.arange(7) + 0.5, np.linspace(-1.0, 1.0, 20)
    readout = (f"{ADC}.bits=3",)
    nudge = (f"{DAC}={{bits=2, full_scale=1.0}}", "phases.nudge=held")
    update = ("devices.update={kind='constant-step', step=0.1}",)
    curve = "network.activation.table"
    cells = np.full((12, 8), 0.1)
    return [
        Form("network.parameters", "w.npz", _npz(**parameters)),
        Form("task.path", "d.npz", _npz(**data)),
        Form(curve, "c.csv", _text("Vin_V,Vout_V", CURVE, np.tanh(CURVE))),
        Form(curve, "c.txt", _text("a;b", CURVE, np.tanh(CURVE), separator=";", decimal=",")),
        Form(f"{ADC}.measured", "a.csv", _text("code,INL_LSB", range(7), 0.1 * CURVE[:7]), readout),
        Form(f"{ADC}.measured", "b.csv", _text("transition (mV)", 62.5 * steps), readout),
        Form(f"{ADC}.measured", "a.npz", _npz(transitions=steps), readout),
        Form(f"{DAC}.measured", "n.csv", _text("DNL", 0.1 * CURVE[:4]), nudge),
        Form("devices.weights.measured", "m.csv", _text("row,target,measured", range(20), target, 1.1 * target)),
        Form("devices.weights.measured", "m.npz", _npz(**{"weight/in-l1": cells})),
        Form("devices.feedback.measured", "f.npz", _npz(**{"weight/l2-l1": cells[:7]})),
        Form("network.netlist", "board.cir", BOARD, (), CIRCUIT),
        Form(
            "hardware.calibration",
            "k.npz",
            _npz(adc_scale=np.full(15, 2e-5), **{"stuck/weight/l1-l2": np.eye(6, 5, dtype=bool)}),
            ("hardware.port=mock",),
            tomlkit.dumps(TABLES),
        ),
        Form("devices.update.measured", "u.npz", _npz(**{"weight/in-l1/step_up": cells}), update),
    ]


FORMS = {f"{form.key}/{form.name}": form for form in _forms()}


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return content with one to four random damages."""
    for _ in range(rng.integers(1, 5)):
        at, to = sorted(rng.integers(0, len(content) + 1, 2).tolist())
        near = min(to, at + int(rng.integers(1, 20)))
        noise = rng.bytes(int(rng.integers(1, 12)))
        letters = "".join(rng.choice(list(PARTS), int(rng.integers(1, 8)))).encode("latin-1")
        lines = content.split(b"\n")
        choices: list[Callable[[], bytes]] = [
            lambda c=content, at=at: c[:at],
            lambda c=content, at=at, near=near: c[:at] + c[near:],
            lambda c=content, at=at, near=near, noise=noise: c[:at] + noise + c[near:],
            lambda c=content, at=at, letters=letters: c[:at] + letters + c[at:],
            lambda c=content, at=at, letters=letters, near=near: c[:at] + letters + c[near:],
            lambda c=content, at=at, to=to: c[:at] + c[at:to] * 2 + c[to:],
            lambda lines=lines: b"\n".join(rng.permutation(np.array(lines, dtype=object)).tolist()),
            lambda c=content: c.replace(b",", b";"),
            lambda c=content: c.decode("latin-1").encode("utf-16"),
        ]
        content = choices[int(rng.integers(len(choices)))]()
    return content


def shaped(form: Form, rng: np.random.Generator) -> bytes:
    """Return an npz file with arrays of other shapes, types, names and values."""
    found = {}
    with np.load(io.BytesIO(form.content)) as file:
        for name in file.files:
            array, kind = file[name], int(rng.integers(8))
            if kind == 0:
                continue
            changed = {
                1: array.astype(rng.choice(["f4", "i8", "c16", "U5", "?", "f2"])) if kind == 1 else array,
                2: array.reshape(-1),
                3: array[..., None],
                4: array * np.float64(10.0) ** rng.integers(-300, 300) if array.dtype.kind == "f" else ~array,
                5: array[: len(array) // 2] if array.ndim else array,
                6: np.where(rng.random(array.shape) < 0.1, np.nan, array),
            }
            found[name if kind < 7 else name + "x"] = changed.get(kind, array)
    return _npz(**found)


def verdict(folder: Path, form: Form, content: bytes) -> str:
    """Return what is said of a file: nothing where it is taken."""
    (folder / form.name).write_bytes(content)
    path = write_scenario(folder, form.base)
    place = f"{form.key}={folder / form.name}"
    try:
        loaded = load_scenario(path, [*form.edits, place])
        setup = make_any_setup(loaded)
        setup.chip(0, threads=1)
    except ScenarioError as error:
        return str(error)
    return ""


def attempt(name: str, count: int, seed: int = 0) -> tuple[int, int]:
    """Try damaged files of a form; return how many were taken and how many refused in words."""
    form, taken = FORMS[name], 0
    with tempfile.TemporaryDirectory() as place:
        assert verdict(Path(place), form, form.content) == ""
        for k in range(count):
            rng = np.random.default_rng([seed, k, *name.encode()])
            other = form.name.endswith("npz") and rng.random() < 0.5
            content = shaped(form, rng) if other else damaged(form.content, rng)
            try:
                taken += verdict(Path(place), form, content) == ""
            except Exception as error:
                raise AssertionError(f"{name}, number {k}: {type(error).__name__}: {error}") from error
    return taken, count - taken


if __name__ == "__main__":
    warnings.simplefilter("error")
    for each in FORMS:
        print(each, *attempt(each, int(sys.argv[1])), flush=True)
