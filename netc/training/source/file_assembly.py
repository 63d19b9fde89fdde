"""Assemble a training file from a template: what the files of PyTorch and of Flax have in common.

In: tags, names and generated texts of a section. Out: the texts of its functions, and the imports that they need.

    >>> from netc.training.source.torch_template import TEMPLATES
    >>> [text.partition("(")[0] for text in fold_blocks(set(), {}, {}, {"split_samples"}, TEMPLATES)]
    ['def shuffle_samples', 'def split_samples']
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from importlib.resources import files
from itertools import chain

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training_program import Training
from netc.compiler.ops.normalization import Standardize
from netc.dsl.diagnostics import Diagnostic

from ...files.file_problems import make_diagnostic
from ..cautions import check_validates
from ..data_inputs import find_inputs_without_samples
from ..recipe import Recipe
from .template_folding import fold_template, rename_words, select_reachable

IMPORTS = {
    r"\bblake2b\(": "from hashlib import blake2b",
    r"\bcopy\.": "import copy",
    r"\bcsv\.": "import csv",
    r"\bitertools\.": "import itertools",
    r"\bmath\.": "import math",
    r"\bCounter\(": "from collections import Counter",
    r"\bdatetime\.": "from datetime import UTC, datetime, timedelta",
    r"\bAny\b": "from typing import Any",
    r"\bfnmatch\(": "from fnmatch import fnmatchcase as fnmatch",
    r"\bnp\.": "import numpy as np",
    r"\bpartial\(": "from functools import partial",
    r"\btv_tensors\.[A-Z]": "from torchvision import tv_tensors",
    r"\bv2\.[A-Z]\w*\(": "from torchvision.transforms import v2",
}
"""The imports of a file in addition to torch, by a pattern of the text that needs each."""
ABSTRACT_TYPES = ("Callable", "Iterable", "Iterator", "Sequence")
"""The names that a file may import from `collections.abc`."""
_USED_NAMES = "Any F tv_tensors v2 Batch np fnmatch copy csv itertools math blake2b partial Counter UTC datetime timedelta"
_CLASSES = ("CombinedOptimizer", "Plateau", "StepSums")
RESERVED_NAMES = frozenset((*_USED_NAMES.split(), *_CLASSES, *ABSTRACT_TYPES))
"""Names that the file itself uses, so that no class of the model gets them."""
LOWER_IS_BETTER = {"> best": "< best", "> watched": "< watched", "- MIN_DELTA": "+ MIN_DELTA", "-math.inf": "math.inf"}
"""The replacements in the template, which is written for a metric of which more is better."""
MARKER = "# --- the file "


def check_file(training: Training, recipe: Recipe) -> list[Diagnostic]:
    """Report what no training file can have, whatever its framework: it reads its data alone."""
    return [*check_validates(recipe, recipe.validates), *find_inputs_without_samples(training, recipe), *_check_measures(recipe)]


def _check_measures(recipe: Recipe) -> Iterator[Diagnostic]:
    """Report measures, which need scikit-learn: a file without them would report and keep other results."""
    for rule in recipe.measures:
        need = "is not part of the training file, which reads its data and trains without scikit-learn"
        yield make_diagnostic(WrongSetting("measure", need, "remove it from the section, or train with `netc train`"), rule.span)


def list_standardized(training: Training) -> tuple[str, ...]:
    """List the stages `standardize` of the model by their names, each after the stages before it."""
    keys = collect_parameters(extract_model_program(training))
    return tuple(key.removesuffix(".mean") for key, info in keys.items() if isinstance(info.op, Standardize) and key.endswith(".mean"))


def extract_model_program(training: Training) -> Program:
    """Return the program of the model alone. Its outputs include the tensors that the section uses by name."""
    program = training.program
    graph = copy.copy(training.model_call.graph)
    graph.kind = "model"
    return Program(graph, program.facts, program.symbols, program.conditions, program.dims)


def list_imports(texts: list[str]) -> list[str]:
    """List the imports that texts need in addition to the framework's."""
    text = "\n\n\n".join(texts)
    imports = [line for pattern, line in IMPORTS.items() if re.search(pattern, text)]
    used = [name for name in ABSTRACT_TYPES if re.search(rf"\b{name}\[", text)]
    return imports + ([f"from collections.abc import {', '.join(used)}"] if used else [])


def fold_blocks(
    tags: Set[str],
    names: Mapping[str, str],
    generated: Mapping[str, list[str]],
    roots: Set[str],
    templates: Sequence[str],
) -> list[str]:
    """Fold templates for a section, and keep the functions that the roots use. `generated` has the texts of blocks that depend on the
    model or the data."""
    texts: list[str] = []
    for block in chain.from_iterable(map(read_template_blocks, templates)):
        name = block.removeprefix("# generated: ")
        texts += [rename_words(fold_template(block, frozenset(tags)), names)] if name == block else generated.get(name, [])
    return select_reachable([text for text in texts if text], roots)


@cache
def read_template_blocks(name: str) -> tuple[str, ...]:
    """Read the blocks of a template: functions and statements separated by two empty lines."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return tuple(text[text.index("\n", text.index(MARKER)) :].strip().split("\n\n\n"))
