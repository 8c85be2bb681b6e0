"""Formulas as MathML, written at build time: no script, no font, no network."""

import re

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

DOUBLE = {"R": "\u211d", "E": "\U0001d53c", "N": "\u2115"}
DISPLAYED = re.compile(r"\$\$(.+?)\$\$([.,;]?)", re.DOTALL)
DOLLARS = re.compile(r"(?<![\\$`])\$([^$`]+)\$(\w?)")


def mathml(latex, display):
    """Return TeX as MathML; a formula that cannot be written fails the build."""
    text = convert(latex.strip(), display=display)
    if "\\" in re.sub(r"<[^>]*>", "", text):
        raise ValueError(f"this formula cannot be written as MathML: {latex}")
    for letter, double in DOUBLE.items():
        styled = f'<mi mathvariant="double-struck">{letter}</mi>'
        text = text.replace(styled, f"<mi>{double}</mi>")
    return text


def with_math(text):
    """Return a docstring's text with `$x$` and `$$x$$` as reStructuredText."""

    def display(match):
        tex = " ".join(match[1].split())
        return f"\n\n.. math::\n\n   {tex}{match[2]}\n\n"

    def role(match):
        tex = " ".join(match[1].split())
        return f":math:`{tex}`" + (f"\\ {match[2]}" if match[2] else "")

    return DOLLARS.sub(role, DISPLAYED.sub(display, text))


def inline(visitor, node):
    """Write a formula in a line of text."""
    visitor.body.append(mathml(node.astext(), "inline"))
    raise SkipNode


def block(visitor, node):
    """Write a formula on lines of its own."""
    visitor.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    raise SkipNode


def docstring(app, what, name, obj, options, lines):
    """Turn the dollars of a docstring into formulas."""
    lines[:] = with_math("\n".join(lines)).split("\n")


def setup(app):
    """Register the renderer and the docstring hook."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("autodoc-process-docstring", docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
