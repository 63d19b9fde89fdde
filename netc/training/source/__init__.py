"""A train section as the file that a person would write for it: `netc compile FILE --target train`.

In: a checked `Training`. Out: Python text that needs torch and NumPy alone: the model's classes, loss and metrics, optimizer, schedule, and
a plain loop over an npz file or a table. Always: the same section gives the same text; `netc train` and `objective` execute its functions;
names and strings of the spec are literals in it, never code.

    template.py     the clauses of a section, as one plain file with tags
    clauses.py      which tags a section has
    template_folding.py      the template without the lines whose tags it does not have
    section_functions.py    what depends on the model: the sums of a batch, their divisors, loss and metrics
    printed_settings.py     optimizer and schedule
    data_reading.py      the data
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Set
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from netc.compiler.analysis.means import Means, means_of
from netc.compiler.backends.torch.torch_source import file_of, parts
from netc.compiler.ir.graph import OpNode, Program
from netc.compiler.ir.training_program import Training
from netc.compiler.ir.walk import graphs

from ...errors import unsupported_is_compile_error
from ..optimizers import kernel
from ..recipe import Recipe, read_recipe
from .clauses import Machine, constants_of, tags_of
from .data_reading import load_texts, load_validation
from .lines import quoted
from .printed_settings import constants, optimizer_text, schedule_text
from .sampled_inputs import draws_text, given_inputs
from .section_functions import Functions, functions
from .template_folding import fold, reachable, rename

STANDARD = {
    r"\bblake2b\(": "from hashlib import blake2b",
    r"\bcopy\.": "import copy",
    r"\bcsv\.": "import csv",
    r"\bmath\.": "import math",
    r"\bAny\b": "from typing import Any",
    r"\bfnmatch\(": "from fnmatch import fnmatchcase as fnmatch",
    r"\bnp\.": "import numpy as np",
}
"""What the file imports in addition to torch, by what shows that it does."""
ABSTRACT = ("Iterable", "Iterator")
"""The names that the file may import from `collections.abc`."""
TAKEN = frozenset({"Any", "StepSums", "Batch", "np", "fnmatch", "copy", "csv", "math", "blake2b", *ABSTRACT})
"""Names that the file uses, which no class has."""
MARKER = "# --- the file "
OF_SETTINGS = frozenset({"make_optimizer", "make_schedule", "shuffle_samples", "split_samples"})
"""The functions that depend on the settings alone."""
OF_RUNS = OF_SETTINGS | {"draw_inputs", "clip_gradients", "seed_step", "train_step", "evaluate", "end_epoch"}
"""The functions that `netc train` and `objective` call, where the section has them."""


class Section(NamedTuple):
    """All that the texts of a section depend on. `cls` is the name of the model's class in the file; `is_random`: a step draws numbers."""

    training: Training
    recipe: Recipe
    means: Means
    computed: Functions
    is_random: bool
    cls: str = "Model"


def train_source(training: Training) -> str:
    """The file. The section has been checked: see `check_section`. Raises `CompileError` for what PyTorch cannot express."""
    recipe, means = read_recipe(training)[0], means_of(training)
    name = training.model or training.name
    with unsupported_is_compile_error(training.program):
        model, computed = parts(model_program(training), name, TAKEN), functions(training, means)
    outside = tuple(dict.fromkeys((*model.outside, *computed.outside)))
    section = Section(training, recipe, means, computed, draws_numbers(training.program), model.main)
    definitions = dict.fromkeys((*model.definitions, *computed.definitions))
    texts = [*definitions, constants(recipe), *model.texts, *computed.texts, *_of_template(section, None, {""})]
    return _file(training, texts, outside)


def draws_numbers(program: Program) -> bool:
    """Whether PyTorch may draw numbers when it computes a program in training."""
    return any(node.op.may_draw for graph in graphs(program.main) for node in graph.nodes if isinstance(node, OpNode))


def run_source(section: Section, machine: Machine | None) -> str:
    """The functions of the file without the model and the loop, as `netc train` executes them; for None, as a caller's loop does."""
    recipe, computed = section.recipe, section.computed
    device = "cpu" if machine is None else machine.device
    texts = [*computed.definitions, constants(recipe, device), *computed.texts, *_of_template(section, machine, OF_RUNS)]
    return _file(section.training, texts, computed.outside)


def settings_source(recipe: Recipe, meshes: int = 0) -> str:
    """The functions that depend on the settings alone: optimizer, schedule, and the order of samples. `meshes`: over how many meshes of
    processes the parameters are spread."""
    generated = {"make_optimizer": optimizer_text(recipe, kernel(recipe, meshes)), "make_schedule": schedule_text(recipe)}
    tags = {name.lower() for name in constants_of(recipe)}
    texts = [constants(recipe, "cpu"), *_fold_template(tags, {}, generated, OF_SETTINGS)]
    return "\n\n\n".join(["\n".join([*_imports(texts), "import torch", "from torch import Tensor, nn"]), *texts])


def model_program(training: Training) -> Program:
    """The model alone. Its outputs include the tensors that the section names."""
    whole = training.program
    graph = copy.copy(training.call.graph)
    graph.kind = "model"
    return Program(graph, whole.facts, whole.symbols, whole.conditions, whole.dims)


def _file(training: Training, texts: list[str], outside: tuple[str, ...]) -> str:
    return file_of(training.program, training.model or training.name, "\n\n\n".join(texts), outside, _imports(texts))


def _imports(texts: list[str]) -> list[str]:
    text = "\n\n\n".join(texts)
    imports = [line for pattern, line in STANDARD.items() if re.search(pattern, text)]
    used = [name for name in ABSTRACT if re.search(rf"\b{name}\[", text)]
    return imports + ([f"from collections.abc import {', '.join(used)}"] if used else [])


def _of_template(section: Section, machine: Machine | None, roots: Set[str]) -> list[str]:
    """The functions of the template that the roots use, for a section."""
    recipe = section.recipe
    tags = tags_of(recipe, section.means, section.is_random, machine) | ({"modes"} if "compute_sums" in section.computed.modules else set())
    generated = {
        "make_optimizer": optimizer_text(recipe, kernel(recipe)),
        "make_schedule": schedule_text(recipe),
        "load_data": load_texts(section.training, recipe),
        "draw_inputs": [draws_text(section.training, recipe)] if recipe.draws else [],
    }
    return _fold_template(tags, _names(section, tags, machine), generated, roots)


def _fold_template(tags: Set[str], names: Mapping[str, str], generated: Mapping[str, list[str]], roots: Set[str]) -> list[str]:
    texts: list[str] = []
    for block in _blocks():
        name = block.removeprefix("# generated: ")
        texts += [rename(fold(block, frozenset(tags)), names)] if name == block else generated.get(name, [])
    return reachable([text for text in texts if text], roots)


@cache
def _blocks() -> tuple[str, ...]:
    """The functions of the template."""
    text = files(__package__).joinpath("template.py").read_text(encoding="utf-8")
    return tuple(text[text.index("\n", text.index(MARKER)) :].strip().split("\n\n\n"))


def _names(section: Section, tags: Set[str], machine: Machine | None) -> dict[str, str]:
    """What is written for names of the template."""
    recipe, training = section.recipe, section.training
    stem = re.sub(r"\W", "_", training.model or training.name)
    terms, zeros = _terms(section.means, "repeated" in tags, _count_parts(tags, machine))
    names = {
        "INPUT": quoted(given_inputs(training, recipe)[0].name),
        "METRIC": quoted(recipe.keep.metric),
        "FILE": quoted(f"{stem}.pt"),
        "BEST_FILE": quoted(f"{stem}_best.pt"),
        "TERMS": terms,
        "ZEROS": zeros,
        "Model": section.cls,
        "Trained": "nn.Module" if "ema" in tags else "None",
        "load_validation_data": load_validation(recipe),
    }
    names |= {"steps": "STEPS"} if "steps" in tags else {"epochs": "EPOCHS"}
    names |= {} if "held" in tags else {"validation_data": "data"}
    names |= {} if recipe.keep.higher else {"> best": "< best", "-math.inf": "math.inf"}
    if machine is None:
        return names if "ema" in tags else {**names, "average": "model"}
    names |= {"len(micro_batches)": _count_parts(tags, machine)} if machine.replicas > 1 else {}
    names |= {"{SEED} {step}": f"{{SEED}} {{step}} {machine.replica}"} if machine.replica else {}
    names |= {"nn.utils.clip_grad_norm_": "run.clip_grad_norm_"} if machine.tensor > 1 else {}
    return names


def _count_parts(tags: Set[str], machine: Machine | None) -> str:
    """The number of parts of a batch on all replicas."""
    replicas = 1 if machine is None else machine.replicas
    if "parts" not in tags:
        return str(replicas)
    return "len(micro_batches)" if replicas == 1 else f"(len(micro_batches) * {replicas})"


def _terms(means: Means, repeated: bool, count: str) -> tuple[str, str]:
    """The totals of a part, and those that do not depend on its samples. These are the same in each part, and are divided by `count`, the
    number of parts."""
    if not repeated or not any(means.constant):
        return "totals", "[torch.zeros_like(total) for total in totals]"
    own = f"totals[{{}}] * {count}"
    return _listed(means, "totals[{}]", own), _listed(means, "torch.zeros_like(totals[{}])", own)


def _listed(means: Means, other: str, constant: str) -> str:
    return f"[{', '.join((constant if same else other).format(i) for i, same in enumerate(means.constant))}]"
