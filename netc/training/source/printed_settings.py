"""The settings of a section: constants at the top of the file, the optimizer with its groups, the schedule.

In: a recipe that has been checked. Out: texts. Always: classes and arguments are those that `netc train` constructs, from the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..optimizers import chosen_optimizer, chosen_schedules, follows_metric
from ..recipe import Recipe
from .clauses import constants_of
from .data_reading import paths
from .lines import Expression, call, keywords, literal, quoted

REPORTS = 100
"""The number of steps between two reports."""


def constants(recipe: Recipe, device: str | None = None) -> str:
    """Numbers and paths. `device` is where the file computes, None for a GPU if there is one."""
    lines = [*paths(recipe), *(f"{name} = {literal(value)}" for name, value in constants_of(recipe).items())]
    lines += [f"REPORT_EVERY = {REPORTS}", *_groups(recipe)]
    place = '"cuda" if torch.cuda.is_available() else "cpu"' if device is None else quoted(device)
    return "\n".join([*lines, f"DEVICE = {place}", "", "Batch = dict[str, Tensor]"])


def _groups(recipe: Recipe) -> list[str]:
    """The table of options by pattern: later ones replace earlier ones."""
    rules: list[tuple[str, dict[str, Any]]] = [(r.pattern.text, {o.name: o.value for o in r.options}) for r in reversed(recipe.groups)]
    rules += [(pattern.text, {"weight_decay": 0.0}) for pattern in recipe.no_decay]
    if not rules:
        return []
    shown = [f"    ({quoted(p)}, {{{', '.join(f'{quoted(n)}: {literal(v)}' for n, v in options.items())}}})," for p, options in rules]
    return ["GROUPS: list[tuple[str, dict[str, Any]]] = [", *shown, "]"]


def optimizer_text(recipe: Recipe, kernel: Mapping[str, bool]) -> list[str]:
    """The function that makes the optimizer. `kernel`: options that choose between PyTorch's implementations of it."""
    cls, options = chosen_optimizer(recipe)
    lines = ["def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:", *(["    freeze_parameters(model)"] if recipe.freeze else [])]
    trained = "[p for p in model.parameters() if p.requires_grad]" if recipe.freeze else "model.parameters()"
    trained = "make_parameter_groups(model)" if recipe.groups or recipe.no_decay else trained
    lines += call("    return ", f"torch.optim.{cls.__name__}", [trained, *keywords({**options, **kernel})])
    return ["\n".join(lines)]


def schedule_text(recipe: Recipe) -> list[str]:
    """The function that makes the schedule; none for a constant learning rate."""
    if not recipe.schedule:
        return []
    chosen, milestones = chosen_schedules(recipe, Expression("steps"))
    made = [(f"torch.optim.lr_scheduler.{cls.__name__}", ["optimizer", *keywords(options)]) for cls, options in chosen]
    if follows_metric(recipe):
        head = f"def make_schedule(optimizer: torch.optim.Optimizer) -> {made[0][0]}:"
        doc = f'    """Make the learning rate schedule, which is stepped with the {recipe.keep.metric} of each epoch."""'
        return ["\n".join([head, doc, *call("    return ", *made[0])])]
    lines = [
        "def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:",
        '    """Make the learning rate schedule over that many steps."""',
    ]
    if len(made) == 1:
        return ["\n".join([*lines, *call("    return ", *made[0])])]
    names = [stage.name if stage.name.isidentifier() else f"stage{i}" for i, stage in enumerate(recipe.schedule)]
    if len(set(names)) < len(names):
        names = [f"{name}{i + 1}" for i, name in enumerate(names)]
    for name, (cls_, arguments) in zip(names, made, strict=True):
        lines += call(f"    {name} = ", cls_, arguments)
    lines += call("    return ", "torch.optim.lr_scheduler.SequentialLR", ["optimizer", f"[{', '.join(names)}]", f"{milestones}"])
    return ["\n".join(lines)]
