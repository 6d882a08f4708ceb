"""The code blocks of the pages, and what is done to show that they are right.

Comments of HTML, which no reader sees, prepare a block:

``<!-- setup`` and lines of Python
    run first, in the same names as the blocks of the page;
``<!-- small: TEXT => TEXT -->``
    replaces a text of the next block, so that it takes a second instead of minutes;
``<!-- base: NAME KEY=VALUE ... -->``
    the scenario, with changes, into which the next fragments of TOML are merged; first it is ``first-training``;
``<!-- needs: FILE ... -->``
    files and folders that a reader has, and that are made here in small;
``<!-- file: NAME -->``
    the next block is the content of this file.
"""

from __future__ import annotations

import itertools
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner
from markdown_it import MarkdownIt

import nudgelab
from scenarios.cli.main import main
from scenarios.front.scenario import find_scenario
from tests.docs.readers_files import make_file

CHEAP = {"check", "export", "info", "init", "list", "show"}
"""Commands that are run where a page shows them; of the others arguments and scenario are checked."""

COMMENT = re.compile(r"<!--\s*(setup|small:|base:|needs:|file:)\s+(.*?)\s*-->", re.DOTALL)


class Block(NamedTuple):
    """A block of code, or a comment that prepares one: its language, or kind of comment, its text, its first line."""

    kind: str
    text: str
    line: int


def find_blocks(page: str) -> Iterator[Block]:
    """Yield the blocks and comments of a page; an indented block has no language, another comment is a ``<!--``."""
    for token in MarkdownIt().parse(page):
        line = (token.map or [0])[0] + 1
        if token.type == "fence":
            yield Block(token.info.strip(), token.content, line)
        elif token.type == "code_block":
            yield Block("", token.content, line)
        elif token.type == "html_block" and "<!--" in token.content:
            found = COMMENT.findall(token.content) or [("<!--", token.content)]
            yield from (Block(kind, text, line) for kind, text in found)


class Page:
    """What the blocks of a page have in common: names, files in the current folder, the scenario to merge into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, Any] = {}
        self.base, self.edits, self.small = "first-training", list[str](), list[tuple[str, str]]()
        self.file, self.left_out = "", ""

    def try_blocks(self) -> None:
        """Go through the page from top to bottom."""
        for block in find_blocks(self.path.read_text(encoding="utf-8")):
            text = block.text
            if self.file:
                Path(self.file).write_text(text, encoding="utf-8")
                self.file = ""
            if block.kind in TRIES:
                for old, new in self.small:
                    assert old in text, f"{self.path.name}:{block.line}: {old!r} is not in the block"
                    text = text.replace(old, new)
                self.small = []
            try:
                {**TRIES, **PREPARES}.get(block.kind, _pass)(self, text, block.line)
            except Exception as error:
                error.add_note(f"in the block of {self.path.name}, line {block.line}")
                raise


def _pass(page: Page, text: str, line: int) -> None:
    """Leave a block that nothing can be asked of: output of another program, a directive."""


def _run_python(page: Page, text: str, line: int) -> None:
    Path("block.py").write_text("\n" * line + text, encoding="utf-8")
    page.names |= runpy.run_path("block.py", page.names, "page")


def _check_toml(page: Page, text: str, line: int) -> None:
    """Check a whole scenario, and keep it under its name for commands of the page; or merge a part into the base."""
    if whole := re.match(r'(?:#:schema.*\n)?schema = 1\nname = "(.+)"\n', text):
        path, edits = Path(f"{whole[1]}.toml"), []
    else:
        path, edits = Path("part.toml"), page.edits
        text = f'extends = "{find_scenario(page.base).resolve()}"\n{text}'
    path.write_text(text, encoding="utf-8")
    try:
        assert nudgelab.load(path, edits).check().warnings == []
    except nudgelab.ScenarioError as error:
        if find_spec("jax") or "install JAX" not in str(error) or len(error.faults) > 1:
            raise


def _check_shell(page: Page, text: str, line: int) -> None:
    for words in split_commands(text):
        check_command(words)
        if words[0] in CHEAP:
            done = CliRunner().invoke(main, words, env={"COLUMNS": "88"})
            assert done.exit_code == 0, done.output


def split_commands(text: str) -> Iterator[list[str]]:
    """Yield the words behind every ``nudgelab`` of a text of the shell, a number for each of its variables."""
    for line in re.sub(r"\$\w+", "0", text.replace("\\\n", " ")).splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        words.whitespace_split = True
        for shell, part in itertools.groupby(words, key=lambda word: set(word) <= set(";&|")):
            program, *rest = part
            if not shell and Path(program).name == "nudgelab":
                yield rest


def check_command(words: list[str]) -> None:
    """Hold a command to the real command line: its name, its options, the scenario and the keys that it names."""
    if words[0].startswith("-"):
        return
    command = main.commands[words[0]]
    given = command.make_context(words[0], words[1:]).params
    if "scenario" in given:
        nudgelab.load(given["scenario"], given["edits"])


def _compare_console(page: Page, text: str, line: int) -> None:
    """Run every command behind a ``$``, and compare what follows with what it prints, with or without its warnings."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, wanted = part.partition("\n")
        for words in split_commands(command):
            check_command(words)
            done = CliRunner().invoke(main, words, env={"COLUMNS": "88"})
            printed = done.stdout, done.output
            assert any(is_alike(wanted, text) for text in printed), f"{command}\nprints\n{done.output}"


NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def is_alike(wanted: str, found: str, within: float = 0.05) -> bool:
    """Tell whether a text is the wanted one: ``...`` is anything, numbers may differ by a share, blanks are one."""
    pattern, numbers = "", []
    for part in re.split(rf"(\.\.\.|{NUMBER.pattern})", wanted):
        if part == "...":
            pattern += r"[\s\S]*?"
        elif NUMBER.fullmatch(part):
            numbers.append(float(part))
            pattern += f"({NUMBER.pattern})"
        else:
            pattern += r"\s+".join(map(re.escape, re.split(r"\s+", part)))
    matched = re.fullmatch(rf"\s*{pattern}\s*", found)
    if matched is None:
        return False
    pairs = zip(numbers, map(float, matched.groups()), strict=True)
    return all(abs(one - two) <= within * max(abs(one), abs(two)) for one, two in pairs)


def _run_octave(page: Page, text: str, line: int) -> None:
    octave = shutil.which("octave-cli")
    if octave is None:
        page.left_out = "no Octave for blocks of matlab"
        return
    Path("block.m").write_text(text, encoding="utf-8")
    done = subprocess.run([octave, "--no-init-file", "block.m"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _prepare_base(page: Page, text: str, line: int) -> None:
    page.base, *page.edits = shlex.split(text)


def _prepare_small(page: Page, text: str, line: int) -> None:
    old, _, new = text.partition(" => ")
    page.small.append((old, new))


def _prepare_files(page: Page, text: str, line: int) -> None:
    for name in text.split():
        make_file(Path(name))


def _prepare_file(page: Page, text: str, line: int) -> None:
    page.file = text


Try = Callable[[Page, str, int], None]

TRIES: dict[str, Try] = {
    "python": _run_python,
    "toml": _check_toml,
    "sh": _check_shell,
    "console": _compare_console,
    "matlab": _run_octave,
}
"""What is done with a block of each language."""

PREPARES: dict[str, Try] = {
    "setup": _run_python,
    "small:": _prepare_small,
    "base:": _prepare_base,
    "needs:": _prepare_files,
    "file:": _prepare_file,
}

SHOWN = {
    "text": "what programs print, or a drawing",
    "julia": "not installed where the tests run",
}
"""Languages of which nothing can be asked, each with its reason."""
