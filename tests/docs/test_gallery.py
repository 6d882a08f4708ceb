"""Every kind of figure has a script in the gallery that draws it."""

import ast
from pathlib import Path

import pytest

from scenarios.experiments.figures import list_registered_figures

GALLERY = Path(__file__).parents[2] / "docs/gallery"
SWEEPS = {"along-0", "heat", "paired-1", "cell-noise", "trainings"}
"""Figures of sweeps, of which each axis has its own."""


def list_drawn():
    """Return the names that the scripts give to `nudgelab.draw`, by what they draw: a comparison, or else."""
    found = {"run": set(), "comparison": set()}
    for path in GALLERY.glob("plot_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "nudgelab.draw":
                what, name = node.args
                found["comparison" if "compare" in ast.unparse(what) else "run"].add(name.value)
    return found


@pytest.mark.figures
@pytest.mark.parametrize("subject", ["run", "comparison"])
def test_the_gallery_draws_every_figure(subject):
    own = {n for n, f in list_registered_figures(subject).items() if f.draw.__module__.startswith("scenarios.")}
    assert list_drawn()[subject] == own | (SWEEPS if subject == "run" else set())
