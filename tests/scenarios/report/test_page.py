"""The report is one page that needs nothing else, hides nothing and cannot be taken over by a name."""

import os
import re
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import binomtest

from scenarios.drawing.page import strip_paths
from scenarios.experiments.kind import find_kind
from scenarios.experiments.measure.words import find_blamed_cause
from scenarios.experiments.train.words import bound_share
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.figures import draw_svgs
from scenarios.report.page import render_report, write_report
from scenarios.results.store import ResultData, StoreError, Variable
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios import result_files
from tests.scenarios.files import MEASURE, SETTLE, write_scenario
from tests.scenarios.report.browser import CHROMIUM, MISSING, visit

pytestmark = pytest.mark.figures

HOSTILE = (
    """<script>alert(1)</script>"><img src=x onerror=alert(1)> --> ]]> {{ 7*7 }} {% raw %} $\\frac{1}$ & ' \x1b[31m"""
)

HOME, DRIVE = "/ho" + "me", "C" + ":"

KINDS = {
    "train": result_files.trained(12, exact=True),
    "diverged": result_files.trained(3, status="diverged", reason="a gradient is not finite", last_epoch=3),
    "measure": result_files.result({**result_files.measured(), "provenance": result_files.provenance()}),
    "evaluate": result_files.evaluated(),
    "bare": result_files.result({}),
}


def whole(result):
    return render_report(result, draw_svgs(result))


@cache
def rendered(kind):
    return whole(KINDS[kind])


class Page(HTMLParser):
    """Elements, attributes and visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.words, self.sections = [], [], [], []
        self.inside = ""
        self.feed(text)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.inside = tag
        self.attributes += attrs
        if tag == "details" and "id" in dict(attrs):
            self.sections.append(dict(attrs)["id"])

    def handle_data(self, data):
        if self.inside != "style":
            self.words.append(data)

    def handle_endtag(self, tag):
        self.inside = "" if tag == self.inside else self.inside

    def all(self, *names):
        return [value for name, value in self.attributes if name in names]


def hostile(result):
    """Return a result in which every text that a user chooses is hostile, and is told apart by a number."""
    groups = {}
    for path, group in result.groups.items():
        names = {
            name: v._replace(data=np.array([f"{text} {HOSTILE} {i}" for i, text in enumerate(v.data)]))
            for name, v in group.items()
            if v.dims == (name,) and v.data.dtype.kind == "U" and name != "term"
        }
        groups[path] = group | names
    groups["provenance"] = result_files.provenance(HOSTILE)
    return ResultData(
        result.attributes | {"title": HOSTILE, "reason": HOSTILE, "software": f"nudgelab {HOSTILE}"}, groups
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_result_has_a_whole_page(kind):
    page = Page(rendered(kind))
    assert page.elements[:3] == ["html", "head", "meta"]
    assert page.elements.count("h1") == 1
    expected = {
        "train": ["remarks", "figures", "tables", "scenario", "files", "provenance"],
        "evaluate": ["tables", "scenario", "files", "provenance"],
        "bare": ["files"],
    }
    assert page.elements.count("dt") == (0 if kind in ("diverged", "bare") else 3)
    assert page.sections == expected.get(kind, expected["train"])
    assert {"run.h5", "scenario.toml"} <= set(page.all("href"))


@pytest.mark.parametrize(("text", "words"), [(MEASURE, "All 4 samples settled"), (SETTLE, "recorded settlings")])
def test_a_real_run_has_its_page(tmp_path, text, words):
    done = run_scenario(
        load_scenario(write_scenario(tmp_path, text)), RunOptions(tmp_path / "out", threads=2), Progress(quiet=True)
    )
    page = Page((done.folder / "report.html").read_text(encoding="utf-8"))
    assert words in page.text
    assert "Largest distance of any unit" in page.text
    assert str(tmp_path) not in page.text
    assert "layers = { in = 12, l1 = 8, l2 = 7, out = 5 }" in page.text


def test_a_line_of_the_answer_ends_neither_before_a_percent_sign_nor_in_an_arrow():
    reason = "an error of 3 % -> 2 %"
    text = render_report(result_files.trained(3, status="diverged", reason=reason, last_epoch=3), {}).partition("<nav")[
        0
    ]
    assert "an error of 3\u00a0% \u2192 2\u00a0%" in text


def test_the_page_says_what_the_result_says():
    page = Page(rendered("train"))
    for words in ("made-up", "complete", "12 epochs took the test error from 87 % to", "exact gradients reaches"):
        assert words in page.text, words
    for words in ("Training by epoch", "Signal levels after epoch 12", "Error of each cause", "numpy"):
        assert words in page.text, words
    figures = [name for name in page.all("id") if name.startswith("figure-")]
    drawn = ("training", "cosine", "causes", "waterfall", "angles", "cosine_by_epoch", "signal")
    assert figures == [f"figure-{name}" for name in drawn]
    assert "diverged" not in page.text
    diverged = Page(rendered("diverged")).text
    assert "Training diverged in epoch 3: a gradient is not finite. What would help: a smaller learning" in diverged


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_needs_nothing_else(kind):
    text = rendered(kind)
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    addresses = page.all("href", "src", "xlink:href", "action", "srcset", "data", "poster")
    assert all(a in {"run.h5", "scenario.toml", "data:,"} or a.startswith("#") for a in addresses), addresses
    assert "@import" not in text
    assert all(part.startswith("#") for part in text.split("url(")[1:])
    assert "default-src 'none'" in text


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_unique_and_every_inner_link_has_its_target(kind):
    page = Page(rendered(kind))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in page.all("href", "xlink:href") if a.startswith("#")} <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_stay_text(kind):
    safe, text = Page(rendered(kind)), whole(hostile(KINDS[kind]))
    page = Page(text)
    assert set(page.elements) <= set(safe.elements) | {
        "details",
        "summary",
        "pre",
        "h2",
        "h3",
        "table",
        "tr",
        "th",
        "td",
    }
    assert "<script" not in text
    assert "onerror" not in {name for name, _ in page.attributes}
    assert "{{ 7*7 }}" in page.text
    assert page.text.count("<script>alert(1)</script>") >= 4


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{HOME}/me/chips/a.toml", ".../a.toml"),
        ('path = "/data/fashion"', 'path = ".../fashion"'),
        ("--out=/srv/x", "--out=.../x"),
        ("cannot write /srv/a/b.h5: full", "cannot write .../b.h5: full"),
        (rf"{DRIVE}\Users\me\a.toml", ".../a.toml"),
        (rf'path = "{DRIVE}\\Users\\me\\data"', 'path = ".../data"'),
        (r"\\server\share\a", ".../a"),
        ("~/chips/a.toml", ".../a.toml"),
        (f"file://{HOME}/me/a", ".../a"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("error / exact, and/or, 1/tau, l1-l2 / l2-l1", "error / exact, and/or, 1/tau, l1-l2 / l2-l1"),
        ("../data/x and data/x", "../data/x and data/x"),
    ],
)
def test_paths_of_a_machine_are_shortened(text, wanted):
    assert strip_paths(text) == wanted


def test_no_path_of_a_machine_is_in_the_page(tmp_path):
    groups = {"provenance": result_files.provenance(f'path = "{tmp_path}/batch.npz"\n')}
    groups["provenance"]["arguments"] = Variable((), f'["nudgelab", "run", "{tmp_path}/a.toml", "--out={tmp_path}"]')
    text = whole(result_files.result(groups))
    assert str(tmp_path) not in text
    assert ".../batch.npz" in text
    assert "nudgelab run .../a.toml" in text


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_report(ResultData({**KINDS["evaluate"].attributes, "title": "words \ud800 \u03b2"}, {}), tmp_path)
    before = path.read_bytes()
    assert b"words" in before

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match=r"report\.html: No space left"):
        write_report(result_files.result({"provenance": result_files.provenance()}), tmp_path)
    assert path.read_bytes() == before
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_the_same_result_gives_the_same_page():
    assert whole(KINDS["train"]) == rendered("train")


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


@needs_browser
def test_the_browser_test_sees_requests_and_errors(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://a.example/x.png"><script>console.error("hello")</script>')
    seen = visit(page, tmp_path)
    assert seen.requests == ["http://a.example/x.png"]
    assert "hello" in "".join(seen.console)


@needs_browser
@pytest.mark.parametrize(
    "result", [KINDS["train"], hostile(KINDS["train"]), KINDS["bare"]], ids=["good", "hostile", "bare"]
)
def test_a_browser_shows_the_page_without_a_complaint_or_a_request(tmp_path, result):
    page = tmp_path / "report.html"
    write_report(result, tmp_path)
    seen = visit(page, tmp_path)
    assert seen.console == []
    assert seen.requests == []
    assert "<h1>" in seen.dom
    assert (tmp_path / "report-1200.png").stat().st_size > 5_000


@needs_browser
@pytest.mark.parametrize("kind", ["train", "measure"])
def test_on_a_phone_only_tables_and_figures_scroll_sideways(tmp_path, kind):
    write_report(KINDS[kind], tmp_path)
    frame = tmp_path / "frame.html"
    frame.write_text(
        '<iframe src="report.html" width="400" height="900" '
        'onload="document.title = contentDocument.documentElement.scrollWidth"></iframe>'
    )
    assert "<title>400<" in visit(frame, tmp_path).dom


def test_numbers_have_units_counts_and_intervals():
    numbers = {one.words: one.value for one in find_kind("train").key_numbers(counted())}
    first, cosine, spent = numbers
    assert first == "test error after epoch 12, 95 % interval 10.4 % to 17.1 %, n = 400 samples"
    assert numbers[first] == "13.4 %"
    assert cosine.endswith("the worst layer, layer l1 after epoch 12")
    assert numbers[spent] == "14,400,000"
    chips = [(one.value, one.words) for one in find_kind("evaluate").key_numbers(KINDS["evaluate"])]
    assert chips[0][0] == "13 %"
    assert re.fullmatch(r"mean test error, 95 % interval [\d.]+ % to [\d.]+ %, n = 4 chips", chips[0][1])
    assert chips[1] == ("19 %", "test error of the worst chip, 7")


@pytest.mark.parametrize(("wrong", "of"), [(0, 7), (3, 50), (499, 500)])
def test_the_interval_of_an_error_is_that_of_wilson(wrong, of):
    known = binomtest(wrong, of).proportion_ci(method="wilson")
    assert bound_share(wrong / of, of) == pytest.approx((known.low, known.high), abs=1e-6)


def counted():
    """Return the training with a number of test samples."""
    training = KINDS["train"]
    provenance = training["provenance"] | {"test_samples": Variable((), 400)}
    return ResultData(training.attributes, training.groups | {"provenance": provenance})


def test_the_numbers_of_a_measurement_are_those_of_its_worst_layer():
    result = KINDS["measure"]
    values = [one.value for one in find_kind("measure").key_numbers(result)]
    found = find_blamed_cause(result)
    total = result["ledger"]["total_median"].data[found.scheme]
    worst = int(total.argmax())
    assert values[0] == f"{result['gradient']['cosine'].data[found.scheme, worst]:.4f}"
    assert values[1] == values[2] == f"{100 * total[worst]:.3g} %", "nothing scatters"
