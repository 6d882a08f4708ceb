"""Figures of the gallery: drawings of a result or figures of matplotlib that a block of a script leaves in a name."""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from scenarios.drawing.style import render_svg
from scenarios.front.drawings import Drawing


def keep_drawings(_block, block_vars, gallery_conf):
    """Write every new figure of a block as SVG, and return the text that shows them."""
    names, shown = block_vars["example_globals"], block_vars.setdefault("shown", [])
    figures = [one.figure if isinstance(one, Drawing) else one for one in names.values()]
    paths = []
    for figure in figures:
        if isinstance(figure, Figure) and not any(figure is one for one in shown):
            shown.append(figure)
            paths.append(next(block_vars["image_path_iterator"]).replace(".png", ".svg"))
            with open(paths[-1], "w", encoding="utf-8") as file:  # noqa: PTH123  the iterator gives text
                file.write(render_svg(figure))
    return figure_rst(paths, gallery_conf["src_dir"])
