"""The options of training, which `netc train` and `netc sweep --train` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .shared_options import batch_option, checkpoint_options, device_option, parse_pairs, section_option, seed_option

F = TypeVar("F", bound=Callable[..., Any])
PRECISIONS = ("fp32", "bf16", "fp16")


def training_options(function: F) -> F:
    """Add `--data`, `--epochs` and the other keyword arguments of `train_file`, and `--section`. Training begins with `--weights`."""
    # click lists the option that was added last first
    for option in reversed(_OPTIONS):
        function = option(function)
    return checkpoint_options(function)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--data", metavar="DATA", help="Training data: a path such as train.npz, or FORMAT:PATH such as sklearn:digits."),
    click.option(
        "--validation", metavar="DATA|SHARE", help="Validation data, or the share of the data to keep for validation, such as 0.1."
    ),
    click.option(
        "--column", "columns", multiple=True, metavar="INPUT=COLUMN", callback=parse_pairs, help="Read an input from this column."
    ),
    click.option(
        "--data-option",
        "data_options",
        multiple=True,
        metavar="OPTION=VALUE",
        callback=parse_pairs,
        help="Set an option of the data's format, such as size=224 for images.",
    ),
    section_option(),
    click.option("--epochs", type=click.IntRange(1), metavar="N", help="Override the section's `epochs`."),
    click.option("--steps", type=click.IntRange(1), metavar="N", help="Override the section's `steps`."),
    batch_option("Override the section's `batch`."),
    seed_option("Seed for the initial parameters, the order of samples, and dropout."),
    device_option("Device to train on. [default: cpu]", default=None),
    click.option(
        "--precision", type=click.Choice(PRECISIONS), help="Precision of the forward and backward passes, with torch.amp. [default: fp32]"
    ),
    # None, not False: an absent flag keeps the setting of a run that is resumed
    click.option("--compile", is_flag=True, default=None, help="Compile the model with torch.compile."),
    click.option(
        "--checkpoint-every",
        type=click.IntRange(1),
        metavar="STEPS",
        help="Save a checkpoint every STEPS steps, in addition to each epoch's end.",
    ),
    click.option(
        "--checkpoint-activations", is_flag=True, default=None, help="Save memory: compute repeated blocks again in the backward pass."
    ),
)
