"""The scripts of the page on extending run as they are printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
SCRIPTS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
LEFT = {"A figure": "norms.svg"}
"""File that a script leaves, by its heading."""


def test_every_script_is_found():
    assert LEFT.keys() <= SCRIPTS.keys()
    assert len(SCRIPTS) == PAGE.count("```python")


@pytest.mark.parametrize("heading", SCRIPTS)
def test_a_script_runs(tmp_path, heading):
    path = tmp_path / "script.py"
    path.write_text(SCRIPTS[heading], encoding="utf-8")
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if heading in LEFT:
        assert (tmp_path / LEFT[heading]).stat().st_size > 0
