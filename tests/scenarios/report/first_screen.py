"""What of a page a window of 1280 x 800 shows without scrolling."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from tests.scenarios.report.browser import visit

WIDTH, HEIGHT = 1280, 800
PARTS = ("h1", ".answer", ".first figure svg", ".numbers dd")
"""Question, answer, main figure, and what the key numbers are."""

_MEASURE = """
onload = () => {
  const find = (page, part) => [...page.querySelectorAll(part)].map(one => one.getBoundingClientRect().bottom);
  const pages = [...document.querySelectorAll("iframe")].map(frame => frame.contentDocument);
  document.title = JSON.stringify(pages.map(page => PARTS.map(part => find(page, part))));
};
"""


def find_bottoms(pages: Mapping[str, Path], folder: Path) -> dict[str, dict[str, list[float]]]:
    """Return by name of a page and part where each of them ends, in pixels from the top of the page."""
    frames = [f'<iframe src="{page.as_uri()}" width="{WIDTH}" height="{HEIGHT}"></iframe>' for page in pages.values()]
    script = _MEASURE.replace("PARTS", json.dumps(PARTS))
    frame = folder / "frame.html"
    frame.write_text("".join([*frames, f"<script>{script}</script>"]), encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", visit(frame, folder).dom)[1]
    found = json.loads(html.unescape(title))
    return {name: dict(zip(PARTS, bottoms, strict=True)) for name, bottoms in zip(pages, found, strict=True)}


def list_missing(bottoms: dict[str, list[float]]) -> list[str]:
    """Return what of a page is not there, or not above the lower edge of the window."""
    absent = [part for part, count in zip(PARTS, (1, 1, 1, 3), strict=True) if len(bottoms[part]) < count]
    below = [f"{part} at {max(ends):.0f}" for part, ends in bottoms.items() if ends and max(ends) > HEIGHT]
    return absent + below
