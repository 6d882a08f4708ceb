"""Figures of a result: which ones it has data for, as drawings and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ..drawing.style import svg
from ..experiments.figures import all_figures
from ..results.disk import write, writing
from ..results.store import Result


def names_of(result: Result) -> list[str]:
    """Return the names of the figures that a result has data for, in reading order."""
    return [name for name, figure in all_figures().items() if figure.when(result)]


def draw_figure(result: Result, name: str) -> Figure:
    """Return one figure of a result.

    Raises
    ------
    TypeError
        If the function that draws it returns something else.
    """
    draw = all_figures()[name].draw
    drawn = draw(result)
    if not isinstance(drawn, Figure):
        raise TypeError(f"{draw.__name__}, which draws {name!r}, returned {drawn!r}: return a matplotlib Figure")
    return drawn


def figures_of(result: Result) -> dict[str, Figure]:
    """Return every figure the result has data for, in reading order; measured groups at their last epoch."""
    return {name: draw_figure(result, name) for name in names_of(result)}


def caption_of(result: Result, name: str) -> str:
    """Return how to read a figure of a result, and how many samples or chips it shows."""
    figure = all_figures()[name]
    count = figure.count(result) if figure.count else ""
    return f"{figure.caption} {count}".rstrip()


def drawings(result: Result) -> dict[str, str]:
    """Return every figure the result has data for as SVG text, in reading order."""
    return {name: svg(figure) for name, figure in figures_of(result).items()}


def write_drawings(drawn: Mapping[str, str], folder: Path) -> list[Path]:
    """Write figures as the only SVG files of a folder; return their paths.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    files = {folder / f"{name}.svg": text for name, text in drawn.items()}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in set(folder.glob("*.svg")) - files.keys():
            stale.unlink()
    for path, text in files.items():
        write(path, text.encode())
    return list(files)
