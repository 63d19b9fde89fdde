"""The parameters of a section as constants of its file: `penalty=0.1` is `PENALTY = 0.1`, and the functions say `PENALTY`.

In: a `Training`. Out: the constant of each parameter that is a number. Always: a constant has the name of no other name in the file.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "y = input 3 -> dense 1; train t(share=0.3, f=2) { loss = share * f * (y -> mean); optimizer sgd }"
    >>> name_numbers(analyze_training(SourceFile("<text>", text), Choice()).training)
    {'share': ('SHARE', 0.3), 'f': ('F_VALUE', 2)}
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from netc.compiler.backends.python.identifiers import make_unique
from netc.compiler.ir.training_program import Training

from . import flax_template, torch_template
from .file_assembly import RESERVED_NAMES, read_template_blocks


def name_numbers(training: Training, others: Iterable[str] = ()) -> dict[str, tuple[str, int | float]]:
    """Name a constant for each parameter of a section that is a number. Return their names and values by parameter. `others` are names
    that the file imports or defines, such as classes of the model."""
    taken_names = {*RESERVED_NAMES, *_list_template_names(), *others}
    numbers: dict[str, tuple[str, int | float]] = {}
    for origin in training.program.main.origins.values():
        name = origin.name.upper()
        name = make_unique(f"{name}_VALUE" if name in taken_names else name, taken_names)
        taken_names.add(name)
        numbers[origin.name] = (name, origin.value)
    return numbers


@cache
def _list_template_names() -> frozenset[str]:
    blocks = [block for template in (*torch_template.TEMPLATES, *flax_template.TEMPLATES) for block in read_template_blocks(template)]
    return frozenset(re.findall(r"\b[A-Z][A-Z0-9_]*\b", "\n".join(blocks)))
