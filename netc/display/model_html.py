"""Render a model as HTML, for notebooks: its signature, its stages, and its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..drawing.picture_levels import make_picture
from ..drawing.svg import render_svg
from .html_markup import render_image, render_model, render_tree
from .model_summary import summarize_program

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program


def render_program(program: Program) -> str:
    """Render a checked program."""
    main, summary = program.main, summarize_program(program)
    inputs = {value.name: value.type for value in main.inputs}
    outputs = {name: value.type for name, value in zip(main.output_names, main.outputs, strict=True)}
    image = render_image(render_svg(make_picture(program, pages=1).pages[0]), f"{main.name} as a graph")
    tree = render_tree(summary.name, summary.inputs, summary.rows, summary.total_lines())
    return render_model(main.name, inputs, outputs, len(summary.rows), tree, image)
