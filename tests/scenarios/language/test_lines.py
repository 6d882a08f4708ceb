import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.language.lines import map_lines

NASTY = '''# every key called n<number> must be found on the line of that number
n2 = 1
a.b.n3 = 1
a.b."n4" = 2
"n5" = """
n0
"""
n8 = [
  1, # a comment with n0 = [ and "
  { n10 = 1, x = [
      2, { n11 = "]" } ] },
  [3,
   true], { n13 = 1.5 },
]

[t] # n0
x = { n17 = 1, z = { n17b = 2, q.n17c = 3 } }
[t.u.v]

    n20 = \'\'\'
n0 = 3\'\'\'
[[aot]]
n23 = 1
[[aot.inner]]
n25 = 1979-05-27T07:32:00Z
[[aot.inner]]
n27 = 1
[aot.table]
n29 = +1_000
[[aot]]
n31 = 2
[split]
n33 = 1
[late.sub]
n35 = 1
[split.sub]
n37 = 1
[late]
n39.deep = 1
[[only.dotted]]
n41 = ["a",
"""b
c""", 'd']
n44 = inf
[header.first]
[header]
[header.second]
n48 = 1'''


def leaves(node, path=()):
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            yield from leaves(child, (*path, key))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n# end\n"])
def test_every_key_of_a_nasty_file_is_on_its_line(newline, end):
    text = (NASTY + end).replace("\n", newline)
    lines = map_lines(text)
    numbered = {path: re.fullmatch(r"n(\d+)\w*", str(path[-1])) for path in leaves(tomllib.loads(text))}
    expected = {path: int(match[1]) for path, match in numbered.items() if match}
    assert len(expected) == 24
    assert {path: lines.get(path) for path in expected} == expected


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 3),
        (("a", "b"), 3),
        (("n8", 0), 9),
        (("n8", 1, "x", 0), 11),
        (("n8", 1, "x", 1), 11),
        (("n8", 2, 1), 13),
        (("n8", 3), 13),
        (("t",), 16),
        (("t", "u"), 18),
        (("t", "u", "v"), 18),
        (("aot",), 22),
        (("aot", 0), 22),
        (("aot", 0, "inner", 0), 24),
        (("aot", 0, "inner", 1), 26),
        (("aot", 0, "table"), 28),
        (("aot", 1), 30),
        (("split",), 32),
        (("split", "sub"), 36),
        (("late",), 38),
        (("late", "sub"), 34),
        (("only",), 40),
        (("only", "dotted", 0, "n41", 2), 43),
        (("header", "first"), 45),
        (("header",), 46),
        (("header", "second"), 47),
    ],
)
def test_tables_and_items_are_on_their_lines(path, line):
    assert map_lines(NASTY)[path] == line


def test_nothing_is_left_out():
    assert set(map_lines(NASTY)) == set(leaves(tomllib.loads(NASTY)))


@pytest.mark.parametrize("text", ["a=", "a=1\na=2", "\0", "[[a]]\nn=1\n[b]\nx=1\n[[a]]\nn=2\n", "a=" + "[" * 9999])
def test_a_text_that_cannot_be_mapped_gives_no_lines(text):
    assert map_lines(text) == {}


KEYS = st.sampled_from(["a", "b", '"c d"', "a.b", "b.'e'", "0"])
VALUES = st.sampled_from(
    ["1", '"x"', '"""\n"""', "[\n1,\n[2, # ]\n3]]", "{ a = 1, b = [\n1,2] }", "true", "[{a=1},\n{b=2}]"]
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(" = ".join),
    KEYS.map("[{}]".format),
    KEYS.map("[[{}]]".format),
    st.sampled_from(["", "# [a]", "   "]),
)


@settings(derandomize=True, deadline=None)
@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_a_mapped_line_holds_its_key(rows, newline):
    text = newline.join(rows)
    for path, line in map_lines(text).items():
        if isinstance(path[-1], str):
            assert path[-1] in text.split("\n")[line - 1]
