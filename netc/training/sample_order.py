"""The order of samples before there is a run: the validation split, and the first epoch.

In: a recipe, and the indices of the samples. Out: indices. Always: the section's file computes them, so the checks see the same samples as
the run.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> from .recipe import read_recipe
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd }"
    >>> recipe, _ = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
    >>> training, validation = split_indices(recipe, 10, 0.2)
    >>> len(training), len(validation), sorted({*training, *validation}) == list(range(10))
    (8, 2, True)
"""

from __future__ import annotations

import torch

from netc.dsl.record import replace

from .batches import order_samples
from .data.data_columns import InputColumns
from .data.data_source import Array, Indices
from .recipe import Recipe
from .section_file import SectionFile
from .source import emit_settings_file


def split_indices(recipe: Recipe, count: int, share: float, classes: Array | None = None) -> tuple[Indices, Indices]:
    """Split indices into training and validation, with this share for validation and at least one of each. `classes` are the classes of the
    samples if the recipe stratifies the split."""
    file = SectionFile(emit_settings_file(replace(recipe, validation=share, validate=None)))
    train, validation = file.split_samples(count) if classes is None else file.split_samples_by_class(torch.from_numpy(classes))
    return train.numpy(), validation.numpy()


def order_first_epoch(recipe: Recipe, indices: Indices, columns: InputColumns) -> Indices:
    """Return the indices of some of the samples in the order of the first epoch."""
    return order_samples(SectionFile(emit_settings_file(recipe)), indices, 0, columns)
