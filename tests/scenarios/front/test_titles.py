"""Titles of scenarios: the comment in their first line."""

import pytest

from scenarios.language.json_schema import FIRST_LINE
from scenarios.language.places import read_title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# What limits it?\nschema = 1\n", "What limits it?"),
        ("#What limits it?", "What limits it?"),
        (f"{FIRST_LINE}\n# Check it:  nudgelab check a.toml\n", ""),
        ("schema = 1 # not this\n", ""),
        ("", ""),
    ],
)
def test_a_title_is_a_comment_for_readers(text, title):
    assert read_title(text) == title
