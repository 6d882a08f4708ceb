"""Every code block of the pages is right: it runs, it is a good scenario, it is a command that exists."""

import re
from pathlib import Path

import pytest

import nudgelab
from scenarios.experiments import figures
from tests.docs.blocks import PREPARES, SHOWN, TRIES, Page, find_blocks, is_alike, split_commands
from tests.own_kinds import only_here
from tests.test_house import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("[!_]*.md"))]
PAGES = [path for path in PAGES if not {"_build", "generated"} & set(path.parts)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_block_is_of_a_known_language(path):
    blocks = find_blocks(path.read_text(encoding="utf-8"))
    known = TRIES.keys() | SHOWN.keys() | PREPARES.keys()
    assert [block for block in blocks if not block.kind.startswith("{") and block.kind not in known] == []


TRIED = [path for path in PAGES if any(b.kind in TRIES for b in find_blocks(path.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("path", TRIED, ids=lambda path: path.stem)
def test_every_block_does_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures.list_registered_figures()  # those of nudgelab are there before any is forgotten
    monkeypatch.setattr(figures, "_FIGURES", dict(figures._FIGURES))
    page = Page(path)
    with only_here():
        page.try_blocks()
    if page.left_out:
        pytest.skip(f"all blocks but some: {page.left_out}")


def try_text(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("page.md").write_text(text, encoding="utf-8")
    Page(Path("page.md")).try_blocks()


@pytest.mark.parametrize(
    "text",
    [
        "```python\nassert False\n```",
        "<!-- setup\nx = 1\n-->\n```python\nassert x == 2\n```",
        "<!-- small: x = 9 => x = 1 -->\n```python\nx = 10\n```",
        "```toml\n[devices.feedback]\nmismatch_sigam = 0.1\n```",
        "```toml\n[devices.feedback]\nmismatch_sigma = 5\n```",
        "```sh\nnudgelab runn quickstart\n```",
        "```sh\nmake && .venv/bin/nudgelab run quickstart --sett seed=1\n```",
        "```sh\nnudgelab run quickstart --set sed=1\n```",
        "```sh\nnudgelab sweep none.toml\n```",
        "```console\n$ nudgelab check quickstart\nbad\n```",
        "```console\n$ nudgelab check quickstart --set seed=x\ngood\n```",
    ],
)
def test_a_wrong_block_is_found(text, tmp_path, monkeypatch):
    with pytest.raises((Exception, SystemExit)):
        try_text(text, tmp_path, monkeypatch)


def test_right_blocks_are_passed(tmp_path, monkeypatch):
    text = """
<!-- setup
x = 1
-->
<!-- small: 10 => 1 -->
```python
assert x == 10
```

<!-- base: ledger seed=3 -->
```toml
[devices.feedback]
mismatch_sigma = "5 %"
```

```console
$ nudgelab check quickstart
...good
```
"""
    try_text(text, tmp_path, monkeypatch)
    assert [block.kind for block in find_blocks(text)] == ["setup", "small:", "python", "base:", "toml", "console"]
    assert [block.kind for block in find_blocks("<!-- smal: 10 => 1 -->")] == ["<!--"]


def test_commands_are_found_between_others():
    text = "x && .venv/bin/nudgelab run a --set b='c d' \\\n  --out e & nudgelab list  # all\necho a; nudgelab merge $A"
    assert list(split_commands(text)) == [["run", "a", "--set", "b=c d", "--out", "e"], ["list"], ["merge", "0"]]


@pytest.mark.parametrize(
    ("wanted", "found", "alike"),
    [
        ("a 1.00 %\nb", "a  1.01 %\nb\n", True),
        ("a 1.00 %", "a 1.2 %", False),
        ("a ... c", "a b\nb c", True),
        ("a 1e-3", "a 0.001", True),
        ("l1 2", "l2 2", False),
    ],
)
def test_output_is_compared_but_for_blanks_and_small_differences(wanted, found, alike):
    assert is_alike(wanted, found) == alike


def list_entries(page):
    """Return the pages that the lists of a page name."""
    lists = [block.text for block in find_blocks(page.read_text(encoding="utf-8")) if block.kind == "{toctree}"]
    names = [line for text in lists for line in text.splitlines() if line and not line.startswith(":")]
    return [page.parent / f"{name}.md" for name in names if not name.startswith("generated/")]


def test_every_name_of_the_front_door_is_in_the_reference():
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE)
    assert sorted(named) == sorted(set(nudgelab.__all__) - {"main"})


def test_every_page_stands_in_one_list():
    docs = [path for path in PAGES if path.name != "README.md"]
    listed = [entry for page in docs for entry in list_entries(page)]
    assert sorted(listed) == sorted(set(docs) - {ROOT / "docs" / "index.md"})
