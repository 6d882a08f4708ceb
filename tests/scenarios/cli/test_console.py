"""How wide answers are printed: COLUMNS says it, or the terminal, or nothing does."""

import os

import pytest

from scenarios.cli.console import find_width, make_console


def no_terminal(_file):
    raise OSError


@pytest.mark.parametrize(
    ("columns", "terminal", "width", "whole"),
    [
        ("40", None, 40, False),
        (None, None, 120, True),
        ("0", None, 120, True),
        ("wide", None, 120, True),
        (None, 90, 90, False),
        ("40", 90, 40, False),
    ],
)
def test_columns_decide_then_the_terminal_then_nothing_does(monkeypatch, columns, terminal, width, whole):
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    size = no_terminal if terminal is None else lambda _file: os.terminal_size((terminal, 24))
    monkeypatch.setattr(os, "get_terminal_size", size)
    console = make_console()
    assert (find_width(), console.width, console.soft_wrap) == (width, width, whole)
