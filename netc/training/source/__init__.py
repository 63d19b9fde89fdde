"""Emit a train section as the training file that a person would write: `netc compile FILE --target train`.

In: a checked `Training`. Out: Python text that needs only torch and NumPy: the model's classes, loss and metrics, optimizer, schedule, and
a plain loop over an npz file or a text table. Always: the same section gives the same text; `netc train` and `objective` execute its
functions; names and strings of the spec become literals in it, never code.

    torch_template/         every clause of a section, as plain files with tags
    clauses.py              decides which tags a section has
    template_folding.py     removes the lines whose tags a section does not have
    section_functions.py    emits what depends on the model: totals, counts, loss and metrics
    loss_needs.py           finds what a step needs that minimizes one of several losses
    printed_settings.py     emits the constants, the optimizer and the schedule
    data_reading.py         emits the functions that load data
    class_weights.py        emits the function that computes weights of classes
    sampled_inputs.py       emits the function that draws inputs
    varied_inputs.py        emits the function that computes inputs from the step
    printed_transforms.py   emits the transforms of `augment`
    file_assembly.py        assembles the file of a template
    flax_file.py            the same for Flax and optax

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1 }"
    >>> source = emit_training_file(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> [line.strip() for line in source.splitlines() if "mse_loss" in line or "nn.Linear" in line]
    ['self.dense1 = nn.Linear(3, 1)', 'return F.mse_loss(y, t, reduction="sum")']
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple

from netc.compiler.backends.torch.torch_source import write_file, write_parts
from netc.compiler.ir.graph import OpNode, Program
from netc.compiler.ir.training_program import Training
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.objectives.means import MeanDecomposition, decompose_objective

from ...errors import CompileError, raise_as_compile_error
from ..data_inputs import list_data_inputs
from ..recipe import Recipe, read_recipe
from .class_weights import emit_balance
from .clauses import Machine, read_constants, select_tags
from .data_reading import emit_loaders, name_validation_loader
from .file_assembly import LOWER_IS_BETTER, RESERVED_NAMES, check_file, extract_model_program, fold_blocks, list_imports, list_standardized
from .lines import quote_string, to_literal
from .loss_terms import write_terms
from .printed_settings import emit_constants, emit_optimizer, emit_schedule
from .printed_transforms import emit_augmentations
from .sampled_inputs import emit_draws
from .section_functions import SectionFunctions, emit_functions
from .section_words import TORCH_WORDS
from .torch_template import TEMPLATES
from .varied_inputs import emit_varied

SETTINGS_FUNCTIONS = frozenset(
    {"make_optimizer", "make_schedule", "shuffle_samples", "mix_samples", "split_samples", "split_samples_by_class"}
)
"""The functions that depend only on the settings, not on the model."""
RUN_FUNCTIONS = SETTINGS_FUNCTIONS | {
    "draw_inputs",
    "augment_batch",
    "balance_classes",
    "vary_inputs",
    "fit_standardize",
    "clip_gradients",
    "seed_step",
    "select_trained",
    "pair_followers",
    "start_followers",
    "train_step",
    "summarize_steps",
    "evaluate",
    "end_epoch",
    "update_patience",
}
"""The functions that `netc train` and `objective` call, where the section has them."""


class TrainSection(NamedTuple):
    """Everything that the text of a section depends on. `cls` is the name of the model's class in the file, and `arguments` the text of
    its arguments; `is_random`: a step draws random numbers."""

    training: Training
    recipe: Recipe
    means: MeanDecomposition
    computed: SectionFunctions
    is_random: bool
    cls: str = "Model"
    arguments: str = ""


def emit_training_file(training: Training) -> str:
    """Emit the file of a section that `check_section` has accepted. Raises `CompileError` for what the file cannot express."""
    recipe, means = read_recipe(training)[0], decompose_objective(training)
    problems = check_file(training, recipe)
    if problems:
        raise CompileError(tuple(problems))
    name = training.model or training.name
    with raise_as_compile_error(training.program):
        model = write_parts(extract_model_program(training), name, RESERVED_NAMES)
        computed = emit_functions(training, means, model=model)
    outside = tuple(dict.fromkeys((*model.outside, *computed.outside)))
    arguments = ", ".join(computed.arguments)
    section = TrainSection(training, recipe, means, computed, may_draw_numbers(training.program), model.main, arguments)
    definitions = dict.fromkeys((*model.definitions, *computed.definitions))
    texts = [
        *definitions,
        emit_constants(recipe, None, computed.numbers),
        *model.texts,
        *computed.texts,
        *_select_functions(section, None, {""}),
    ]
    return _assemble_file(training, texts, outside)


def may_draw_numbers(program: Program) -> bool:
    """Whether PyTorch may draw random numbers when it computes a program in training."""
    return any(node.op.may_draw for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode))


def emit_run_file(section: TrainSection, machine: Machine | None) -> str:
    """Emit the functions of the file without the model and the loop, for `netc train` on a machine, or for a caller's loop (None)."""
    recipe, computed = section.recipe, section.computed
    device = "cpu" if machine is None else machine.device
    texts = [
        *computed.definitions,
        emit_constants(recipe, device, computed.numbers),
        *computed.texts,
        *_select_functions(section, machine, RUN_FUNCTIONS),
    ]
    return _assemble_file(section.training, texts, computed.outside)


def emit_settings_file(recipe: Recipe, meshes: int = 0) -> str:
    """Emit the functions that depend only on the settings: optimizer, schedule, and the order of samples. `meshes` is the number of meshes
    of processes over which the parameters are distributed."""
    generated = {"make_optimizer": emit_optimizer(recipe, meshes), "make_schedule": emit_schedule(recipe)}
    tags = {name.lower() for name in read_constants(recipe)}
    texts = [emit_constants(recipe, "cpu"), *fold_blocks(tags, {}, generated, SETTINGS_FUNCTIONS, TEMPLATES)]
    return "\n\n\n".join(["\n".join([*list_imports(texts), "import torch", "from torch import Tensor, nn"]), *texts])


def _assemble_file(training: Training, texts: list[str], outside: tuple[str, ...]) -> str:
    return write_file(training.program, training.model or training.name, "\n\n\n".join(texts), outside, list_imports(texts))


def _select_functions(section: TrainSection, machine: Machine | None, roots: Set[str]) -> list[str]:
    """Fold the template for a section, and keep the functions that the roots use."""
    recipe = section.recipe
    standardized = list_standardized(section.training)
    tags = select_tags(recipe, section.means, section.is_random, bool(standardized), machine) | (
        {"modes"} if "compute_sums" in section.computed.modules else set()
    )
    if section.computed.divided and not (machine is not None and machine.compiled):
        tags |= {"divided"}
    generated = {
        "make_optimizer": emit_optimizer(recipe),
        "make_schedule": emit_schedule(recipe),
        # A run reads the data itself, in every format and with every rule.
        "load_data": emit_loaders(section.training, recipe) if "" in roots else [],
        "augmentations": emit_augmentations(recipe),
        "standardized": [f"STANDARDIZED = {to_literal(standardized)}"] if standardized else [],
        "draw_inputs": [emit_draws(section.training, recipe)] if recipe.draws else [],
        "balance_classes": emit_balance(recipe) if recipe.balances else [],
        "vary_inputs": [emit_varied(recipe)] if recipe.varied else [],
    }
    return fold_blocks(tags, _map_names(section, tags, machine), generated, roots, TEMPLATES)


def _map_names(section: TrainSection, tags: Set[str], machine: Machine | None) -> dict[str, str]:
    """Map names of the template to the section's own text."""
    recipe, training = section.recipe, section.training
    stem = re.sub(r"\W", "_", training.model or training.name)
    terms, zeros = write_terms(section.means, "repeated" in tags, _count_micro_batches(tags, machine), TORCH_WORDS)
    names = {
        "INPUT": quote_string(list_data_inputs(training, recipe)[0].name),
        "METRIC": quote_string(recipe.keep.metric),
        "FILE": quote_string(f"{stem}.pt"),
        "BEST_FILE": quote_string(f"{stem}_best.pt"),
        "TERMS": terms,
        "ZEROS": zeros,
        "Model()": f"{section.cls}({section.arguments})",
        "Model": section.cls,
        "Trained": "nn.Module" if "ema" in tags else "None",
        "load_validation_data": name_validation_loader(recipe),
    }
    names |= {"steps": "STEPS"} if "steps" in tags else {"epochs": "EPOCHS"}
    names |= {} if "held" in tags else {"validation_data": "data"}
    names |= {} if recipe.keep.higher else LOWER_IS_BETTER
    names |= {'"loss"': "minimized"} if "losses" in tags else {}
    if machine is None:
        return names if "ema" in tags else {**names, "average": "model"}
    names |= {"len(micro_batches)": _count_micro_batches(tags, machine)} if machine.replicas > 1 else {}
    # Replicas have other samples, so they draw other numbers; the first one draws the numbers of a run on one process.
    names |= {"{SEED} {step}": f"{{SEED}} {{step}} {machine.replica}"} if machine.replica else {}
    # With tensor parallelism, a process sees only its part of a split parameter, and PyTorch's function would compute the norm of that.
    names |= {"nn.utils.clip_grad_norm_": "run.clip_grad_norm_"} if machine.tensor > 1 else {}
    return names


def _count_micro_batches(tags: Set[str], machine: Machine | None) -> str:
    """Return the expression for the number of micro-batches of a batch on all replicas."""
    replicas = 1 if machine is None else machine.replicas
    if "parts" not in tags:
        return str(replicas)
    return "len(micro_batches)" if replicas == 1 else f"(len(micro_batches) * {replicas})"
