"""What is wrong with a figure at the size of its print: texts that are too small, cut off, or on top of each other."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

LEAST = 7.0
"""Points of the smallest letters."""

_ROOM = 0.75
"""Dots by which texts may seem to touch: boxes are of whole lines, letters are smaller."""


def find_print_faults(figure):
    """Return a line for every text that cannot be read."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, boxes, found = canvas.get_renderer(), {}, []
    for text in _list_texts(figure):
        box = text.get_window_extent(renderer)
        if box.width < 1.0 or box.height < 1.0:
            continue
        boxes[text] = box
        # Exponents of powers of ten are set smaller.
        if text.get_fontsize() < LEAST:
            found.append(f"{text.get_text()!r} has {text.get_fontsize()} points")
        if box.x0 < -1.0 or box.y0 < -1.0 or box.x1 > figure.bbox.x1 + 1.0 or box.y1 > figure.bbox.y1 + 1.0:
            found.append(f"{text.get_text()!r} is cut off")
    for (a, one), (b, other) in combinations(boxes.items(), 2):
        slanted = a.get_rotation() % 90 or b.get_rotation() % 90
        if not slanted and _overlap(one, other):
            found.append(f"{a.get_text()!r} is on {b.get_text()!r}")
    return found


def _list_texts(figure):
    """Return the texts that are drawn; an axis keeps labels of ticks outside its limits, too."""
    hidden = set()
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            everything = set(axis.findobj(Text))
            shown = {text for tick in axis._update_ticks() for text in (tick.label1, tick.label2)}
            hidden |= everything - (shown | {axis.label, axis.get_offset_text()} if axes.axison else set())
    return [t for t in figure.findobj(Text) if t not in hidden and t.get_visible() and t.get_text().strip()]


def _overlap(one, other):
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    along = min(one.y1, other.y1) - max(one.y0, other.y0)
    return across > _ROOM and along > _ROOM
