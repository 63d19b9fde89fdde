"""A train section as the file that a person would write for it: `netc compile FILE --target train`.

In: a checked `Training`. Out: Python text that needs torch and NumPy alone: the model's classes, loss and metrics, optimizer, schedule, and
a plain loop over an npz file or a table. Always: the same section gives the same text; a step has the loss and the gradient of
`netc train`; names and strings of the spec are literals in it, never code.
"""

from __future__ import annotations

import copy
import re

from netc.compiler.analysis.means import means_of
from netc.compiler.backends.torch.emit import Parts, file_of, parts
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training import Training

from ..recipe import read_recipe
from .functions import Functions, functions
from .loop import LoopText
from .settings import constants, optimizer_text, schedule_text

STANDARD = {
    r"\bcopy\.": "import copy",
    r"\bcsv\.": "import csv",
    r"\bmath\.": "import math",
    r"\bAny\b": "from typing import Any",
    r"\bIterable\[": "from collections.abc import Iterable, Iterator",
    r"\bfnmatch\(": "from fnmatch import fnmatchcase as fnmatch",
    r"\bnp\.": "import numpy as np",
}
"""What the file imports in addition to torch, by what shows that it does."""
TAKEN = frozenset({"Any", "Sums", "Batch", "Iterable", "Iterator", "np", "fnmatch", "copy", "csv", "math"})
"""Names that the file uses, which no class has."""


def train_source(training: Training) -> str:
    """The file. The section has been checked: see `check_section`."""
    recipe, means = read_recipe(training)[0], means_of(training)
    model = model_parts(training)
    computed = functions(training, means)
    loop = LoopText(training, recipe, means, model.main)
    texts = [
        *_unique(model, computed),
        constants(recipe),
        *model.texts,
        *computed.texts,
        *optimizer_text(recipe),
        *schedule_text(recipe),
        *loop.texts(),
    ]
    text = "\n\n\n".join(texts)
    imports = [line for pattern, line in STANDARD.items() if re.search(pattern, text)]
    return file_of(training.program, training.model or training.name, text, model.outside, imports)


def model_parts(training: Training) -> Parts:
    """The classes of the model alone. Its outputs include the tensors that the section names."""
    whole = training.program
    graph = copy.copy(training.call.graph)
    graph.kind = "model"
    return parts(Program(graph, whole.facts, whole.symbols, whole.conditions, whole.dims), training.model or training.name, TAKEN)


def _unique(model: Parts, computed: Functions) -> list[str]:
    return list(dict.fromkeys((*model.definitions, *computed.definitions)))
