"""Select the parameters that a step treats in its own way: the parameters of each loss, and parameters that follow others.

In: the file of a section, and the model. Out: arguments of the file's `train_step`, by name. Always: a new run first sets the parameters
that follow others equal to these.

>>> select_parameters(SectionFile(""), nn.Linear(3, 1), is_new=True)
{}
"""

from __future__ import annotations

from typing import Any

from torch import nn

from .section_file import SectionFile


def select_parameters(file: SectionFile, model: nn.Module, is_new: bool) -> dict[str, Any]:
    """Select the parameters of clauses. A resumed run, which is not new, has the parameters in its checkpoint."""
    selected: dict[str, Any] = {}
    if file.has_function("select_trained"):
        selected["trained"] = file.select_trained(model)
    if file.has_function("pair_followers"):
        selected["followers"] = file.pair_followers(model)
        if is_new:
            file.start_followers(selected["followers"])
    return selected
