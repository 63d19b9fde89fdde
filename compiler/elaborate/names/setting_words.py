"""The words of a train section's settings, and statements that only look like settings.

The functions take statements as they are written, and evaluate nothing.

    >>> similar_settings("learning_rat"), similar_settings("val")
    ((), ('validate',))
    >>> setting_advice("ema_decay", "0.999")
    'write `ema 0.999`'
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.source import Span

from ...ops import Operator

TAKES_NAME = ("optimizer", "schedule", "data", "validate", "augment")
"""The settings that a name follows: an optimizer, a schedule, a format of data, a transform."""
OPTIMIZER_ARGUMENTS = {"lr": "lr", "learning_rate": "lr", "weight_decay": "weight_decay", "momentum": "momentum", "betas": "betas"}
"""Words that are often taken for settings, with the argument of the optimizer that is meant."""
FOREIGN_SETTINGS = {
    "batch": ("batch_size", "batchsize", "bs", "train_batch_size", "per_device_train_batch_size"),
    "epochs": ("epoch", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs"),
    "steps": ("step", "num_steps", "max_steps", "total_steps", "iterations", "max_iters"),
    "clip": ("grad_clip", "gradient_clip", "gradient_clip_val", "clip_norm", "clip_grad_norm", "max_norm", "max_grad_norm"),
    "schedule": ("scheduler", "lr_scheduler", "lr_schedule"),
    "validate": ("validation", "val", "valid", "validation_split", "val_split", "validation_data"),
    "category": ("categories", "categorical"),
    "seed": ("random_seed", "manual_seed", "random_state"),
    "augment": ("augmentation", "augmentations", "augments", "data_augmentation", "transform", "transforms"),
}
"""By setting, its names in other libraries."""
AUGMENTATIONS = {
    **{name: name for name in ("auto_augment", "elastic_transform", "gaussian_noise", "rand_augment", "trivial_augment_wide")},
    **{f"random_{name}": f"random_{name}" for name in ("erasing", "grayscale", "horizontal_flip", "perspective", "vertical_flip")},
    **{name: name for name in ("horizontal_flip", "perspective", "vertical_flip")},
    "affine": "affine 15",
    "color_jitter": "color_jitter brightness=0.2 contrast=0.2",
    "crop": "random_crop 32 padding=4",
    "cutout": "random_erasing",
    "flip": "horizontal_flip",
    "gaussian_blur": "gaussian_blur 3",
    "grayscale": "random_grayscale",
    "random_affine": "random_affine 15",
    "random_crop": "random_crop 32 padding=4",
    "random_flip": "horizontal_flip",
    "random_resized_crop": "random_resized_crop 32 scale=[0.6, 1]",
    "random_rotation": "random_rotation 15",
    "rotation": "rotation 15",
}
"""Transforms of images that are tried as stages and as settings, with the arguments of an `augment` line for images of 32 by 32 pixels."""
REMEDIES = {
    ("accumulate", "accumulation", "grad_accum", "gradient_accumulation", "gradient_accumulation_steps", "accumulate_grad_batches"): (
        "write it as an argument of `batch`: `batch 32 accumulate={value}`"
    ),
    ("early_stopping", "early_stop", "earlystopping"): "write `stop patience=5`; it watches the metric of `keep`",
    ("patience", "min_delta"): "it is an argument of `stop`: write `stop patience=5`",
    ("checkpoint", "save_best", "save_best_only", "monitor"): (
        "write `keep best loss`, or a metric in place of `loss`, to keep the best weights"
    ),
    ("shuffle",): "remove it: netc shuffles the samples in every epoch",
    ("criterion", "loss_fn", "loss_function", "objective"): "name the loss: `loss = ...`",
    ("metric", "metrics", "accuracy", "precision", "recall", "f1", "auc", "roc_auc"): (
        "write `measure accuracy`, or a metric as a formula, such as "
        "`metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean`"
    ),
    ("device", "gpu", "cuda", "amp", "fp16", "bf16", "num_workers"): (
        "remove it, and pass an option instead: `netc train --device cuda --precision bf16`"
    ),
    ("warmup", "warmup_steps", "num_warmup_steps"): "write it in the schedule: `schedule warmup {value} -> cosine`",
    ("impute", "imputer", "fillna", "fill_missing", "missing"): "write `fill median`, `fill mean` or `fill 0`",
    ("stratify", "stratified"): "write it as an argument of `validate`: `validate 0.2 stratify={value}`",
    ("ema_decay", "swa"): "write `ema {value}`",
    ("class_weight", "class_weights", "pos_weight", "balanced"): (
        "declare `weights = input [3] batch=false` with a number for each class, pass it to the loss, "
        "`(scores, kind, weights) -> cross_entropy`, and write `balance kind weight=weights`"
    ),
}
"""Help for other words; `{value}` is the first argument."""
REPEATABLE = ("group", "minimize", "follow", "freeze", "keep", "measure", "data", "draw", "augment", "fill", "category", "balance", "vary")
CHAINED = ("schedule", "vary")
"""The settings that may have several stages, joined by `->`."""
TAKES_NEGATIVE = ("draw", "augment", "fill")
"""The settings whose arguments without a name may be negative."""
SETTINGS = (
    "optimizer",
    "group",
    "minimize",
    "follow",
    "schedule",
    "epochs",
    "steps",
    "batch",
    "clip",
    "ema",
    "freeze",
    "keep",
    "measure",
    "stop",
    "data",
    "validate",
    "fill",
    "category",
    "balance",
    "draw",
    "vary",
    "augment",
    "seed",
)
"""All of them, in the order of the documentation."""


def similar_settings(word: str) -> tuple[str, ...]:
    """The settings that may be meant by another word."""
    exact = tuple(setting for setting, others in FOREIGN_SETTINGS.items() if word in others)
    return exact or tuple(find_similar_names(word, SETTINGS))


def setting_advice(word: str, value: str) -> str:
    """The help for a word that is no setting, with its first argument; empty if none is known."""
    if word in OPTIMIZER_ARGUMENTS:
        return optimizer_advice(word, value)
    if word in AUGMENTATIONS:
        return f"write `augment {AUGMENTATIONS[word]}`"
    return next((text.format(value=value) for words, text in REMEDIES.items() if word in words), "")


def optimizer_advice(word: str, value: str) -> str:
    """The help for an argument of the optimizer that is written as a setting; empty for other words."""
    name = OPTIMIZER_ARGUMENTS.get(word)
    return f"it is an argument of the optimizer: write `optimizer adamw {name}={value}`" if name is not None else ""


def find_arithmetic_setting(head: ast.Tensor) -> tuple[str, Span] | None:
    """The setting that an expression begins with, and the part of it that is the argument."""
    left, op = head, ""
    while isinstance(left, ast.TensorBinary):
        op, left = left.op, left.left
    if not op or not isinstance(left, ast.Apply) or left.name not in SETTINGS:
        return None
    text = head.span.file.text
    if isinstance(head, ast.TensorBinary) and head.left is left and op == "-":
        # Only the spaces tell a negative argument from a subtraction, and the tree does not keep them.
        minus = text.rfind("-", left.span.end, head.right.span.start)
        if text[minus - 1].isspace() and minus + 1 == head.right.span.start:  # `clip 1 -1`: a number of its own
            return left.name, Span(head.span.file, minus, head.span.end)
    arguments = [a.span for a in (*left.positional, *(k.value for k in left.keywords)) if not (op == "-" and isinstance(a, ast.Name))]
    start = max((a.start for a in arguments), default=left.span.end)
    argument = text[start : head.span.end]
    return left.name, Span(head.span.file, start + len(argument) - len(argument.lstrip()), head.span.end)


def is_mistaken_setting(statement: ast.Statement) -> bool:
    """Whether a statement is meant as a setting and is another."""
    return find_assigned_setting(statement) is not None or (
        isinstance(statement, ast.Flow) and find_arithmetic_setting(statement.pipeline.head) is not None
    )


def find_assigned_setting(statement: ast.Statement) -> tuple[str, str] | None:
    """The setting, or the argument of an optimizer, that is written as a tensor, `epochs = 3`, and what it is set to."""
    match statement:
        case ast.Assign(targets=(name,), unpack=False, value=ast.Pipeline(head=head, stages=())):
            return (name.name, _written_arguments(head)) if _is_set(name.name, head) else None
    return None


def _written_arguments(head: ast.Tensor) -> str:
    """The arguments of a setting; a call, `adam(lr=0.1)`, without its parentheses."""
    if not isinstance(head, ast.Apply) or not head.called:
        return head.span.text
    return " ".join((head.name, *(a.span.text for a in head.positional), *(f"{k.name}={k.value.span.text}" for k in head.keywords)))


def _is_set(word: str, head: ast.Tensor) -> bool:
    """Whether what follows the `=` is no tensor: a number, or `adamw lr=1e-3` after a word that a name follows."""
    match head:
        case ast.Scalar():
            return word in SETTINGS or word in OPTIMIZER_ARGUMENTS
        case ast.Apply():
            return word in TAKES_NAME and bool(head.positional or head.keywords) and head.name not in Operator.registry
    return False
