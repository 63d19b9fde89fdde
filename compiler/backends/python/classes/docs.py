"""Writes the docstring of a class: the comment of its block in the spec, inputs and outputs, with shapes.

In: a class with its graphs, and where the channels of tensors are. Out: the lines of its docstring. Always: every input and output has its
shape, with the names of axis_names.py.

    >>> import netc
    >>> source = netc.compile("block layer(width) { x = in; x + (x -> dense width relu) }; input 8 -> layer 8").source()
    >>> [line.strip(' "') for line in source.splitlines() if "->" in line and "def" not in line]
    ['x: [N, width] -> [N, width].', 'input: [N, 8] -> [N, 8].']
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from textwrap import wrap

from ....ir.walk import list_output_names
from ..code.classes import ClassDef
from ..printing.line_layout import STEP, WIDTH
from ..printing.spec_comments import escape_docstring
from .axis_names import AxisNames
from .channel_axes import ChannelAxes
from .remarks import extract_remark

MANY = 4
"""The largest number of outputs with one shape that are listed one by one."""


def write_docstring(cls: ClassDef, inputs: Sequence[str], channels: ChannelAxes) -> list[str]:
    """Write `\"\"\"x: [N, 3, H, W] -> [N, 1000].\"\"\"`, below the text of the comment above the block."""
    graph = cls.graphs[0]
    input_shapes, output_shapes = AxisNames(cls, channels).format_shapes()
    keywords = cls.body.framework.keywords
    takes = [f"{name}: {shape}" for name, shape in zip(inputs, input_shapes, strict=False) if name not in keywords]
    gives = _format_outputs(list_output_names(graph) if len(output_shapes) > 1 else [], output_shapes)
    above = extract_remark(graph, {*inputs, *(p.name for p in cls.all_arguments)})
    results = f"{', '.join(gives)}."
    return _lay_out_lines(above, ", ".join(takes), f"-> {results}") if takes else _lay_out_lines(above, "->", results)


def _format_outputs(names: Sequence[str], shapes: Sequence[str]) -> list[str]:
    """Format the outputs with their names, many with one shape as one: `output2 to output17: [N, T]`."""
    if not names:
        return [*shapes]
    formatted: list[str] = []
    for shape, run in groupby(zip(names, shapes, strict=True), itemgetter(1)):
        alike = [name for name, _ in run]
        formatted += [f"{alike[0]} to {alike[-1]}: {shape}"] if len(alike) > MANY else [f"{name}: {shape}" for name in alike]
    return formatted


def _lay_out_lines(above: str, takes: str, gives: str) -> list[str]:
    """Lay the docstring out on one line, or with inputs and outputs on two lines. The comment is a paragraph of its own, above."""
    line = f'{STEP}"""{takes} {gives}"""'
    if not above and len(line) <= WIDTH:
        return [line]
    shapes = (
        [f"{takes} {gives}"] if len(STEP + takes + gives) < WIDTH else [piece for words in (takes, gives) for piece in _wrap_shapes(words)]
    )
    words = [*escape_docstring(wrap(above, WIDTH - len(STEP) - 3)), ""] if above else []
    first, *rest = (*words, *shapes)
    return [f'{STEP}"""{first}', *(f"{STEP}{line}" if line else "" for line in rest), f'{STEP}"""']


def _wrap_shapes(words: str) -> list[str]:
    """Break the text into lines that end after a whole shape."""
    # `textwrap` breaks at plain spaces only, so a non-breaking space keeps a shape and its name together.
    unbroken = re.sub(r", (?=[^\[\]]*\])", ",\N{NO-BREAK SPACE}", words).replace(": ", ":\N{NO-BREAK SPACE}")
    lines = wrap(unbroken, WIDTH - len(STEP) - 3, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
