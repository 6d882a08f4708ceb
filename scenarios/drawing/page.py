"""A page of HTML that needs nothing else: its look, the figures in it, and no absolute path."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple
from xml.dom import minidom

from jinja2 import Environment, StrictUndefined

_TEMPLATE = Path(__file__).with_name("report.html")
# A slash, drive or tilde where a word begins, and what follows it; URLs and "a/b" begin otherwise.
_ABSOLUTE = re.compile(
    r"""(?<![\w.:/\\~<-])(?:file://)?(?:[A-Za-z]:[\\/]+|\\\\|~?/)"""
    r"""(?:[^\s"'`,;:()\[\]<>|/\\]+[\\/]+)*([^\s"'`,;:()\[\]<>|/\\]+)"""
)


class Plot(NamedTuple):
    """A figure in the page."""

    name: str
    svg: str
    """Not escaped again: matplotlib escaped every text in it."""

    caption: str


def render_page(content: dict[str, Any]) -> str:
    """Return an HTML page in the look of the report; `content` holds every name that its template uses."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(content)


def strip_paths(text: str) -> str:
    """Return text with every absolute path shortened to ``.../`` and its last part."""
    return _ABSOLUTE.sub(r".../\1", text)


def make_plot(name: str, svg: str, caption: str) -> Plot:
    """Return a figure for the page."""
    return Plot(name, embed_svg(name, svg, caption), caption)


def measure_height(svg: str) -> float:
    """Return the height of a figure in points."""
    (root,) = minidom.parseString(svg).getElementsByTagName("svg")  # noqa: S318  our own text
    return float(root.getAttribute("height").removesuffix("pt"))


def embed_svg(name: str, text: str, caption: str) -> str:
    """Return a figure for the middle of a page: ids of its own, and a name for readers who cannot see it."""
    document = minidom.parseString(text)  # noqa: S318  our own text
    for element in document.getElementsByTagName("*"):
        for attribute in element.attributes.values():
            if attribute.name == "id":
                attribute.value = f"{name}-{attribute.value}"
            attribute.value = re.sub(r"^#|(?<=url\()#", f"#{name}-", attribute.value)
    root = document.getElementsByTagName("svg")[0]
    root.setAttribute("role", "img")
    root.setAttribute("aria-label", caption.partition(".")[0])
    return root.toxml()
