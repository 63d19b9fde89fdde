"""Emit a train section as a training file in Flax NNX and optax: `netc compile FILE --target flax --train`.

In: a checked `Training`. Out: Python text that needs jax, flax, optax, safetensors and NumPy: the model's classes, loss and metrics, and a
plain loop over an npz file or a text table. Always: samples, batches, sampled inputs and the steps of the optimizer are those of the file
of PyTorch. From the same parameters, the losses of both differ by rounding only, unless the model draws random numbers. A clause that this
file does not have is a `CompileError` at its setting.

    flax_template/           every clause, as plain files with tags
    function_gradients.py    emits the gradients in the loss
    jax_transforms.py        emits the transforms of `augment`
    optax_settings.py        emits the optimizer and the schedule

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd lr=0.1 }"
    >>> source = emit_flax_file(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> [line.strip() for line in source.splitlines() if "return mse_loss(" in line or "self.dense1 = " in line]
    ['self.dense1 = Linear(3, 1, rngs=rngs)', 'return mse_loss(y, t, reduction="sum")']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from netc.compiler.backends.flax.flax_framework import DEFINITIONS
from netc.compiler.backends.flax.flax_source import FlaxWriter, list_called_definitions
from netc.compiler.ir.training_program import Training
from netc.compiler.objectives.means import decompose_objective
from netc.dsl.diagnostics import Diagnostic

from ...errors import CompileError, raise_as_compile_error
from ...files.file_problems import make_diagnostic
from ..data_inputs import list_data_inputs
from ..recipe import Recipe, read_recipe
from .class_weights import emit_balance
from .clauses import select_tags
from .data_reading import emit_loaders, name_validation_loader
from .file_assembly import LOWER_IS_BETTER, RESERVED_NAMES, check_file, extract_model_program, fold_blocks, list_imports, list_standardized
from .flax_template import TEMPLATES
from .jax_transforms import emit_jax_transforms, find_lacking_transform
from .lines import quote_string, to_literal
from .loss_terms import write_terms
from .optax_settings import emit_optax_optimizer, emit_plateau
from .printed_settings import emit_constants
from .sampled_inputs import emit_draws
from .section_functions import emit_functions
from .section_words import SectionWords
from .varied_inputs import emit_varied


def _name_dtype(dtype: str) -> str:
    return f"{'jnp' if dtype == 'bfloat16' else 'np'}.{'bool_' if dtype == 'bool' else dtype}"


def _cast(array: str, dtype: str) -> str:
    return f"{array}.astype({_name_dtype(dtype)})"


WRITER = FlaxWriter(advice="train with PyTorch")
FLAX_WORDS = SectionWords(
    WRITER,
    "jax.Array",
    "np.ndarray",
    "nnx.Module",
    "{}",
    lambda array, dtype: _cast(f"np.asarray({array})", dtype),
    lambda array: array,
    lambda number, dtype: f"np.asarray({number}, {_name_dtype(dtype)})",
    _cast,
    "jnp.zeros_like",
    gradient="jax.grad",
)
RESERVED = RESERVED_NAMES | {"optax", "save_file"}


def emit_flax_file(training: Training) -> str:
    """Emit the file of a section that `check_section` has accepted. Raises `CompileError` for what the file cannot express."""
    recipe, means = read_recipe(training)[0], decompose_objective(training)
    problems = [*check_file(training, recipe), *_list_lacking(recipe)]
    if problems:
        raise CompileError(tuple(problems))
    name = training.model or training.name
    with raise_as_compile_error(training.program):
        model = WRITER.write_parts(extract_model_program(training), name, RESERVED)
        computed = emit_functions(training, means, FLAX_WORDS, model)
    standardized = list_standardized(training)
    tags = select_tags(recipe, means, False, bool(standardized), None)
    generated = {
        "make_optimizer": [emit_optax_optimizer(recipe)],
        "make_schedule": emit_plateau(recipe),
        "load_data": emit_loaders(training, recipe, FLAX_WORDS),
        "augmentations": emit_jax_transforms(recipe),
        "standardized": [f"STANDARDIZED = {to_literal(standardized)}"] if standardized else [],
        "draw_inputs": [emit_draws(training, recipe, FLAX_WORDS)] if recipe.draws else [],
        "balance_classes": emit_balance(recipe, FLAX_WORDS) if recipe.balances else [],
        "vary_inputs": [emit_varied(recipe, FLAX_WORDS)] if recipe.varied else [],
    }
    takes_rngs = "rngs: nnx.Rngs" in model.texts[-1 - (model.texts[-1] == DEFINITIONS["load"])]
    terms, zeros = write_terms(means, "repeated" in tags, "parts", FLAX_WORDS)
    arguments = [*computed.arguments, *(["rngs=nnx.Rngs(SEED)"] if takes_rngs else [])]
    names = _map_names(training, recipe, f"{model.main}({', '.join(arguments)})") | {"TERMS": terms, "ZEROS": zeros}
    functions = fold_blocks(tags, names | ({} if "ema" in tags else {"average": "model"}), generated, {""}, TEMPLATES)
    texts = [_emit_constants(recipe, computed.numbers), *model.texts, *computed.texts, *functions]
    texts = [*list_called_definitions([*model.definitions, *computed.definitions, *texts]), *texts]
    outside = tuple(dict.fromkeys((*model.outside, *computed.outside)))
    imports = [line for line in list_imports(texts) if line != "import numpy as np"]  # which the framework imports too
    return WRITER.write_file(training.program, name, "\n\n\n".join(texts), outside, imports)


def _emit_constants(recipe: Recipe, numbers: Mapping[str, float]) -> str:
    """Emit the constants: the file of PyTorch has the same ones, and its device and type of tensors in addition."""
    lines = emit_constants(recipe, "cpu", numbers).split("\n")
    dropped = ("DEVICE = ", "Batch = ", "CLIP_NORM = ", "CLIP_VALUE = ")
    if recipe.minimized and not (recipe.groups or recipe.no_decay):
        lines.append("GROUPS: list[tuple[str, dict[str, Any]]] = []")
    return "\n".join([*(line for line in lines if line and not line.startswith(dropped)), "", "Batch = dict[str, Any]"])


def _map_names(training: Training, recipe: Recipe, model: str) -> dict[str, str]:
    """Map names of the template to the section's own text."""
    stem = re.sub(r"\W", "_", training.model or training.name)
    names = {
        "INPUT": quote_string(list_data_inputs(training, recipe)[0].name),
        "METRIC": quote_string(recipe.keep.metric),
        "FILE": quote_string(f"{stem}.safetensors"),
        "BEST_FILE": quote_string(f"{stem}_best.safetensors"),
        "Model(*rngs)": model,
        "load_validation_data": name_validation_loader(recipe),
    }
    names |= {"steps": "STEPS"} if recipe.steps is not None else {"epochs": "EPOCHS"}
    names |= {'"loss"': "minimized"} if recipe.minimized else {}
    names |= {} if recipe.validate is not None else {"validation_data": "data"}
    return names | ({} if recipe.keep.higher else LOWER_IS_BETTER)


def _list_lacking(recipe: Recipe) -> Iterator[Diagnostic]:
    """Report the clauses that the file does not have."""
    for line in recipe.augmentations:
        if problem := find_lacking_transform(line):
            yield make_diagnostic(problem, line.span)
