"""Tables on terminals of any width: every number is whole, and so is every word that a line has room for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from rich.console import Console

from scenarios.report.sheets import Sheet, make_sheets
from scenarios.report.summary import print_sheet, print_summary
from scenarios.report.terminal import format_sheet, wrap_text
from tests.scenarios import result_files

WIDTHS = (200, 100, 80, 40, 30)
RESULTS = {
    "measure": result_files.result(result_files.measured()),
    "many schemes": result_files.result(
        result_files.measured(schemes=tuple(f"circle {n}, beta 0.{n}" for n in range(2, 9)))
    ),
    "training": result_files.trained(40, exact=True),
    "chips": result_files.evaluated(),
    "nudges": result_files.result({"nudge": result_files.nudges()}),
}

NUMBER = some.one_of(
    some.floats(-1e9, 1e9).map(lambda x: f"{x:.4g}"),
    some.floats(0.0, 1e3).map(lambda x: f"{x:.3g} %"),
    some.sampled_from(["0 %", "0", "-", "134,401.8", "0.95 (0.93 to 0.97)"]),
)
WORDS = some.lists(some.text("abcxyz", min_size=1, max_size=9), min_size=1, max_size=5).map(" ".join)


@some.composite
def tables(draw):
    words, numbers = draw(some.integers(1, 2)), draw(some.integers(0, 14))
    columns = [draw(WORDS) for _ in range(words + numbers)]
    rows = [
        [draw(WORDS if k < words else NUMBER) for k in range(len(columns))] for _ in range(draw(some.integers(0, 6)))
    ]
    return Sheet(draw(WORDS), columns, rows, words=words)


def numbers_of(sheet):
    return [cell for row in sheet.rows for cell in row[sheet.words :]]


def nothing_is_lost(sheet, lines):
    """Every number stands whole in some line as often as in the table, but for columns of zeros; so does every word."""
    text = "\n".join(lines)
    for k in range(sheet.words, len(sheet.columns)):
        cells = [row[k] for row in sheet.rows]
        if all(cell.removesuffix(" %") in ("0", "0.0", "0.00", "-0") for cell in cells):
            continue
        for cell in cells:
            assert text.count(cell) >= cells.count(cell), (cell, text)
    found = set(text.split())
    for word in {word for row in sheet.rows for cell in row[: sheet.words] for word in cell.split()}:
        assert word in found or word in text, (word, text)
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RESULTS)
def test_no_number_of_a_result_is_cut_at_any_width(name, width):
    for sheet in make_sheets(RESULTS[name], 8):
        lines = format_sheet(sheet, width)
        nothing_is_lost(sheet, lines)
        assert max(map(len, lines)) <= width, "\n".join(lines)


@settings(max_examples=100, deadline=None)
@given(tables(), some.sampled_from(WIDTHS))
def test_no_number_of_any_table_is_cut(sheet, width):
    lines = format_sheet(sheet, width)
    nothing_is_lost(sheet, lines)
    if width >= 40:
        assert max(map(len, lines), default=0) <= width


def test_a_table_that_is_too_wide_is_turned_and_names_what_is_zero_everywhere():
    sheet = Sheet("t", ["layer", "cosine", *(f"cause {n}" for n in range(8))], [["l1", "0.9", *["0 %"] * 7, "3 %"]])
    assert format_sheet(sheet, 100)[1].split() == ["l1", "0.9", *["0", "%"] * 7, "3", "%"]
    assert [line.split() for line in format_sheet(sheet, 30)[:2]] == [
        ["layer", "cosine", "cause", "7"],
        ["l1", "0.9", "3", "%"],
    ]
    turned = [line.split() for line in format_sheet(sheet, 18)]
    assert turned[:3] == [["layer", "l1"], ["cosine", "0.9"], ["cause", "7", "3", "%"]]
    assert turned[3][:4] == ["nothing", "but", "zeros:"]


def test_layers_stand_side_by_side_under_their_scheme():
    sheet = next(s for s in make_sheets(RESULTS["measure"], 8) if s.columns[0] == "scheme")
    lines = format_sheet(sheet, 72)
    heads = [line for line in lines if line.startswith("scheme:")]
    assert heads == [f"scheme: {name}" for name in result_files.SCHEMES]
    below = lines[lines.index(heads[1]) + 1].split()
    assert below == ["layer", *result_files.LAYERS]


def test_a_second_column_of_texts_hangs_below_rows_that_have_no_room_for_it():
    rows = [["more bits", "devices.converters.readout.bits", "28.7 %"], ["as it is", "", "3 %"]]
    sheet = Sheet("", ["change", "keys", "error"], rows, words=2)
    assert format_sheet(sheet, 60)[1].split("  ")[:2] == ["more bits", "devices.converters.readout.bits"]
    assert format_sheet(sheet, 42) == [
        "change      error",
        "more bits  28.7 %",
        "  keys: devices.converters.readout.bits",
        "as it is      3 %",
    ]
    rows[1][0] = ""  # a row that continues the one above has nothing to hang below
    assert "keys: devices" not in "\n".join(format_sheet(sheet, 42))


def test_a_block_that_begins_amid_the_rows_of_a_layer_names_it():
    rows = [["centred", "l1", "1", "median"], ["", "", "", "rms"], ["", "out", "2", "median"], ["", "", "", "rms"]]
    lines = format_sheet(Sheet("", ["scheme", "layer", "cosine", "sample"], rows, words=2), 28)
    heads = [line.split() for line in lines if line.startswith("layer")]
    assert [head[-1] for head in heads] == ["out", "out"]
    assert len(heads[0]) == 3


@pytest.mark.parametrize("width", WIDTHS)
def test_prose_breaks_between_words_and_on_a_console_that_wraps_softly_not_at_all(width):
    result = RESULTS["training"]
    for hard in (True, False):
        console = Console(width=width, highlight=False, soft_wrap=not hard, no_color=True)
        with console.capture() as capture:
            print_summary(result, console)
        prose = capture.get().partition("After epoch")[2]
        assert prose
        words = prose.split()
        assert "gradient" in words
        assert (max(map(len, prose.splitlines())) <= width) == hard or width == 200
    assert wrap_text("an error of 51.7 % here", 16) == ["an error of", "51.7 % here"]


def test_the_title_and_note_of_a_table_are_wrapped_too():
    console = Console(width=20, highlight=False, force_terminal=True, no_color=True)
    with console.capture() as capture:
        print_sheet(
            Sheet("a title of several words", ["a", "b"], [["x", "1"]], note="a note of several words"), console
        )
    assert "words" in capture.get().split()
