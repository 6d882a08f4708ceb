"""What the first page shows is what the program prints and draws, and the page of scenarios names all of them."""

import os
import re
import subprocess
import sys

import pytest

from scenarios.api import catalogue
from tests.docs.blocks import NUMBER, find_blocks, is_alike
from tests.test_house import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIGURE = ROOT / "docs" / "quickstart.svg"


def test_the_page_of_scenarios_names_every_bundled_one_and_no_other():
    page = (ROOT / "docs" / "reference" / "scenarios.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    folders = [name.removesuffix("...") for name in named if name.endswith("/...")]
    single = sorted(name for name in named if not name.endswith("/..."))
    assert single == sorted(name for name in catalogue() if not name.startswith(tuple(folders)))
    assert all(any(name.startswith(folder) for name in catalogue()) for folder in folders)


@pytest.mark.slow
@pytest.mark.figures
def test_the_first_page_shows_what_quickstart_prints_and_draws(tmp_path):
    """To renew the figure: ``nudgelab run quickstart --out q``, then copy ``q/figures/changes.svg``."""
    words = [sys.executable, "-m", "scenarios.cli.main", "run", "quickstart", "--out", str(tmp_path / "q")]
    surroundings = os.environ | {"COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=surroundings)
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert len(lines) <= 55
    (shown,) = [block.text for block in find_blocks(README) if block.kind == "text"]
    assert is_alike(f"...{shown.strip()}...", done.stdout)
    drawn = (tmp_path / "q" / "figures" / "changes.svg").read_text(encoding="utf-8")
    assert is_alike("\n".join(_read_labels(FIGURE.read_text(encoding="utf-8"))), "\n".join(_read_labels(drawn)))


def _read_labels(svg):
    """Return the texts of a figure."""
    return [text for text in re.findall(r"<text[^>]*>([^<]+)</text>", svg) if text.strip()]


def test_the_figure_has_the_numbers_of_the_text():
    labels = " ".join(_read_labels(FIGURE.read_text(encoding="utf-8")))
    assert {"9.64", "16.8", "5.45"} <= set(NUMBER.findall(labels)) & set(NUMBER.findall(README))
