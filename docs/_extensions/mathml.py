"""Equations of the site as MathML, which browsers draw by themselves: no script and no network.

LaTeX is translated by Docutils, on which Sphinx is built.
"""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

BARE = re.compile(r"\\[dt]?frac\s*\d")
"""A fraction of digits without braces, of which Docutils makes another one."""


def setup(app):
    """Register the renderer under the name ``mathml``."""
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_inline(translator, node):
    """Write an equation within a line."""
    translator.body.append(translate(node.astext()))
    raise nodes.SkipNode


def write_block(translator, node):
    """Write an equation on lines of its own."""
    translator.body.append(f'<div class="equation">{translate(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def translate(equation, as_block=False):
    """Return an equation as MathML.

    Raises
    ------
    ValueError
        If it has a fraction whose digits stand without braces.
    """
    if BARE.search(equation):
        raise ValueError(f"write fractions with braces, as in \\frac{{1}}{{2}}: {equation}")
    return tex2mathml(equation, as_block=as_block)
