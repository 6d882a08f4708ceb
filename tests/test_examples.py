"""Every example runs as it is printed, and finds what it says."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import nudgelab
from scenarios.experiments import figures
from tests.own_kinds import only_here

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def _first(found):
    assert found["better"]["gradient"]["cosine"].min() > found["cosine"].min()


def _mine(found):
    assert np.array_equal(found["chip"].programmed["weight/in-l1"], found["weights"]["weight/in-l1"])
    assert found["chip"].causes == ["mismatch", "adc"]


def _angles(found):
    falling = found["mean"].sel(layer="l1").values
    assert (np.diff(falling) < 0).all()
    assert Path("cosine-against-angle.svg").exists()


def _homeostasis(found):
    assert found["cosines"]["with homeostasis"] > found["cosines"]["EP alone"] + 0.2


def _own_scheme(found):
    error = found["error"].values.reshape(2, 2)
    assert error[0, 1] > 8.0 * error[1, 1]


def _activation(found):
    cosines = found["cosines"]
    assert (cosines["tanh"] != cosines["softsign"]).all()
    assert min(cosine.min() for cosine in cosines.values()) > 0.5


def _measured(found):
    chips = np.array([chip["gradient"]["cosine"].values for chip in found["chips"]])
    assert len(np.unique(chips[:, 0, 0])) == 3
    assert (chips > 0.8).all()


def _law(found):
    assert found["moved"][0.0] > found["moved"][1.0] > found["moved"][3.0] > 0.0
    assert found["chip"].causes == ["mismatch", "write"]


def _figure(found):
    assert list(found["result"].figures)[-1] == "norms"
    assert Path("norms.svg").exists()


def _block(found):
    assert found["readout"][0.0] == 0.0 < found["readout"][0.01] < found["readout"][0.1]
    assert found["coupled"].chip().causes == ["crosstalk"]


def _board(found):
    assert "its own noise and size allow 1.0000 there" in found["result"].answer
    assert found["result"]["board"]["lines"] > 100
    assert found["board"]["written"] == 0


FINDINGS = {
    "01_first_measurement": _first,
    "02_my_weights_and_data": _mine,
    "03_cosine_against_angle": _angles,
    "04_training_with_homeostasis": _homeostasis,
    "05_own_scheme": _own_scheme,
    "06_own_activation": _activation,
    "08_a_measured_chip": _measured,
    "09_my_write_law": _law,
    "10_my_figure": _figure,
    "11_my_device_block": _block,
    "12_my_board": _board,
}


def run_example(path, name):
    """Run an example as it would be from a shell; return its names."""
    return runpy.run_path(str(path), run_name=name)


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.stem in FINDINGS], ids=lambda path: path.stem)
def test_an_example_finds_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures.list_registered_figures()  # those of nudgelab are there before any is forgotten
    monkeypatch.setattr(figures, "_FIGURES", dict(figures._FIGURES))
    with only_here():
        FINDINGS[path.stem](run_example(path, "__main__"))


@pytest.mark.slow
def test_a_sweep_on_two_workers_is_one_page_too(capsys):
    path = next(p for p in EXAMPLES if p.stem == "07_sweep_on_two_workers")
    run_example(path, "example")["main"]()
    assert capsys.readouterr().out.count(" ok") == 8


def test_every_example_is_tested_and_at_most_a_page():
    assert {path.stem for path in EXAMPLES} == FINDINGS.keys() | {"07_sweep_on_two_workers"}
    for path in EXAMPLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60, path.name


def test_the_documentation_shows_every_example():
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    assert re.findall(r"\{literalinclude\} \.\./\.\./examples/(.*)", page) == [path.name for path in EXAMPLES]


def test_the_documentation_names_what_the_front_door_has():
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    table = page.partition("| name |")[2].partition("\n\n")[0]
    assert {name for name in nudgelab.__all__ if f"`{name}" not in table} == {"main"}
