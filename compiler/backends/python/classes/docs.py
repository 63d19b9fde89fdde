"""The docstring of a class: the comment of its block in the spec, inputs and outputs, with shapes.

In: a class with the graphs it is for, and where the channels of tensors are. Out: its docstring's lines. Always: every input and output
has its shape, as axis_names.py names it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

from ..code.classes import ClassDef
from ..printing.layout import STEP, WIDTH
from .axis_names import AxisNames
from .channel_axes import ChannelAxes
from .remarks import remark


def docstring(cls: ClassDef, inputs: Sequence[str], channels: ChannelAxes) -> list[str]:
    """`\"\"\"x: [N, 3, H, W] -> [N, 1000].\"\"\"`, below the text of the comment above the block."""
    graph = cls.graphs[0]
    shapes = AxisNames(cls, channels).shapes()
    takes = [f"{name}: {shape}" for name, shape in zip(inputs, shapes, strict=False)]
    found = shapes[len(graph.inputs) :]
    names = graph.output_names if len(found) > 1 else []
    gives = [f"{name}: {shape}" if name else shape for name, shape in zip_longest(names[: len(found)], found, fillvalue="")]
    above = remark(graph, {p.name for p in cls.parameters})
    return _laid_out(above, ", ".join(takes) or "nothing", f"-> {', '.join(gives)}.")


def _laid_out(above: str, takes: str, gives: str) -> list[str]:
    """On one line, or the inputs on the first and the outputs on the next; the comment is a paragraph of its own, above."""
    line = f'{STEP}"""{takes} {gives}"""'
    if not above and len(line) <= WIDTH:
        return [line]
    shapes = [f"{takes} {gives}"] if len(STEP + takes + gives) < WIDTH else [piece for words in (takes, gives) for piece in _filled(words)]
    words = [*wrap(above, WIDTH - len(STEP) - 3), ""] if above else []
    first, *rest = (*words, *shapes)
    return [f'{STEP}"""{first}', *(f"{STEP}{line}" if line else "" for line in rest), f'{STEP}"""']


def _filled(words: str) -> list[str]:
    """In lines that end after a whole shape."""
    whole = re.sub(r", (?=[^\[\]]*\])", ",\N{NO-BREAK SPACE}", words).replace(": ", ":\N{NO-BREAK SPACE}")
    lines = wrap(whole, WIDTH - len(STEP) - 3, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
