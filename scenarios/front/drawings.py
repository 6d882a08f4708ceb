"""Figures of results as a notebook meets them: drawn when they are asked for, with their captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..drawing.space import PreparedFigure, Width


class Drawing:
    """A figure of a result; shows itself in a notebook.

    Attributes
    ----------
    name : str
        Of the figure, and of its file.
    figure : matplotlib.figure.Figure
        What was drawn, or the figure of the axes that it was drawn into.
    caption : str
        What every mark is, and of how many samples or chips.
    """

    def __init__(self, name: str, figure: Figure, caption: str) -> None:
        self.name, self.figure, self.caption = name, figure, caption

    def save(self, path: str | Path) -> None:
        """Write the figure to a file of its size, whole or not at all; the suffix says the format: svg, pdf or png.

        In svg and pdf, text stays text. A png has 300 dots per inch. Folders are made.

        Raises
        ------
        StoreWriteError
            If the system refuses.
        """
        from ..drawing.style import render_figure
        from ..results.disk import convert_write_errors, write_file

        path = Path(path)
        content = render_figure(self.figure, path.suffix.lstrip("."))
        with convert_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)

    def _repr_svg_(self) -> str:
        from ..drawing.style import render_svg

        return render_svg(self.figure)

    def __repr__(self) -> str:
        """Return the name and the caption."""
        return f"<{self.name}: {self.caption}>"


class Drawings(Mapping[str, Drawing]):
    """The figures that a result has data for, by name, the main one first; drawn when they are asked for."""

    def __init__(self, prepared: Mapping[str, PreparedFigure]) -> None:
        self._prepared = prepared
        self._drawn: dict[str, Drawing] = {}

    def draw(self, name: str, ax: Axes | None = None, width: Width = "two-column") -> Drawing:
        """Return one figure, drawn anew.

        Raises
        ------
        KeyError
            If the result has no such figure; the message names those it has.
        """
        if name not in self._prepared:
            raise KeyError(f"no figure {name!r}: there are {', '.join(self._prepared) or 'none'}")
        figure = self._prepared[name]
        return Drawing(name, figure.draw(ax=ax, width=width), figure.caption)

    def __getitem__(self, name: str) -> Drawing:
        """Return one figure, two columns wide.

        Raises
        ------
        KeyError
            If the result has no such figure; the message names those it has.
        """
        if name not in self._drawn:
            self._drawn[name] = self.draw(name)
        return self._drawn[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._prepared)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._prepared)

    def __repr__(self) -> str:
        """Return the names."""
        return f"<figures: {', '.join(self) or 'none'}>"

    def _repr_html_(self) -> str:
        return "".join(f"<p>{d._repr_svg_()}</p><p>{escape(d.caption)}</p>" for d in self.values())
